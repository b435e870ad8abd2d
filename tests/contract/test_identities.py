"""Each kind of credential of a plan gets tokens through the real azure-identity, from the double of Microsoft Entra ID over
https; and two issuers serve one run."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from migrator.adapters.azure import open_store
from migrator.adapters.azure.endpoints import account_name_of
from migrator.adapters.azure.identities import open_token_source
from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.clock import SystemClock
from migrator.adapters.own_processes import environment
from migrator.errors import AccessRefused
from migrator.model.identities import variables_of
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.schedule import Account
from migrator.testing.estate import Application, Estate, StrictAccounts, running
from migrator.transfer.copying import Copier
from tests.certificates import make_certificate
from tests.contract.object_store_suite import PLAIN, names
from tests.strict_service import Strict

NA, EU, SCOPE = "tenant-na", "tenant-eu", "https://storage.azure.com/.default"
OBJECTS = 20
APPLICATIONS = [
    Application(NA, "app-na", "object-na", secret="na's own"),
    Application(EU, "app-eu", "object-eu", secret="eu's own"),
]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("identities"))


@pytest.fixture(scope="module")
def served(certificate: tuple[Path, Path]) -> Iterator[Estate]:
    with running(Estate(applications=APPLICATIONS), certificate=certificate) as estate:
        yield estate


@pytest.fixture
def cloud(served: Estate, certificate: tuple[Path, Path]) -> dict[str, str]:
    served.identities.given.clear()
    return {"authority": served.public, "ca_file": str(certificate[0])}


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An application's certificate with its key, as Microsoft Entra ID takes one: RSA."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "app-eu")]), datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path_factory.mktemp("application") / "application.pem"
    path.write_bytes(key.private_bytes(*plain) + made.sign(key, SHA256()).public_bytes(Encoding.PEM))
    return path


async def token(reference: str, cloud: Mapping[str, str], environ: Mapping[str, str], **more: Any) -> str:
    source = open_token_source(reference, what="account na-web", cloud=cloud, environ=environ, **more)
    try:
        return str((await source.get_token(SCOPE)).token)
    finally:
        await source.close()


async def test_a_client_secret_of_the_standard_variables(served: Estate, cloud: dict[str, str]) -> None:
    environ = {"AZURE_TENANT_ID": NA, "AZURE_CLIENT_ID": "app-na", "AZURE_CLIENT_SECRET": "na's own"}
    assert await token("client-secret", cloud, environ)
    assert served.identities.given == [{"tenant": NA, "client_id": "app-na", "scope": SCOPE}]


async def test_two_issuers_by_one_set_of_variables_each(
    served: Estate, cloud: dict[str, str], application: Path
) -> None:
    environ = {
        **{"NA_TENANT_ID": NA, "NA_CLIENT_ID": "app-na", "NA_CLIENT_SECRET": "na's own"},
        **{"EU_TENANT_ID": EU, "EU_CLIENT_ID": "app-eu", "EU_CLIENT_CERTIFICATE_PATH": str(application)},
    }
    assert await token("client-secret:NA", cloud, environ)
    assert await token("client-certificate:EU", cloud, environ)
    assert [one["tenant"] for one in served.identities.given] == [NA, EU]


async def test_the_tenant_of_the_plan_counts_more_than_a_variable(served: Estate, cloud: dict[str, str]) -> None:
    environ = {"EU_TENANT_ID": NA, "EU_CLIENT_ID": "app-eu", "EU_CLIENT_SECRET": "eu's own"}
    assert await token("client-secret:EU", cloud, environ, tenant=EU)
    assert served.identities.given[0]["tenant"] == EU


async def test_a_workload_identity_by_the_file_of_its_cluster(
    served: Estate, cloud: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(_assertion("app-eu"))
    environ = {"AZURE_TENANT_ID": NA, "AZURE_CLIENT_ID": "app-na", "AZURE_FEDERATED_TOKEN_FILE": str(file)}
    assert await token("workload-identity:app-eu", cloud, environ, tenant=EU)
    assert served.identities.given == [{"tenant": EU, "client_id": "app-eu", "scope": SCOPE}]


def _assertion(client_id: str) -> str:
    from base64 import urlsafe_b64encode

    parts = ({"alg": "none"}, {"sub": client_id})
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts) + ".x"


async def test_default_by_the_standard_variables(
    served: Estate, cloud: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"TENANT_ID": NA, "CLIENT_ID": "app-na", "CLIENT_SECRET": "na's own"}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    assert await token("default", cloud, {})
    assert served.identities.given[0]["client_id"] == "app-na"


async def test_a_managed_identity_by_the_endpoint_of_its_machine(
    cloud: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Mapping[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        assert request.headers["X-IDENTITY-HEADER"] == "of this machine"
        told = {"access_token": "token", "expires_on": "4102444800", "token_type": "Bearer", "resource": "r"}
        return web.json_response(told)

    async with _serving(answer) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "of this machine")
        assert await token("managed-identity:1234-5678", cloud, {}) == "token"
    assert asked[0]["client_id"] == "1234-5678"


@asynccontextmanager
async def _serving(answer: Any) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/msi/token", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/msi/token"
    finally:
        await runner.cleanup()


async def test_the_command_line_by_its_own_sign_in(
    cloud: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    az = tmp_path / "az"
    told = {"accessToken": "token", "expires_on": 4102444800, "expiresOn": "2100-01-01 00:00:00.000000"}
    az.write_text(f"#!{sys.executable}\nimport sys\nassert '{NA}' in sys.argv\nprint({json.dumps(told)!r})\n")
    az.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert await token("cli", cloud, {}, tenant=NA) == "token"


@pytest.mark.parametrize(
    ("reference", "environ", "told"),
    [
        ("client-secret", {}, "AZURE_TENANT_ID is not set"),
        ("client-secret:NA", {"NA_TENANT_ID": "t", "NA_CLIENT_ID": "c"}, "NA_CLIENT_SECRET is not set"),
        ("client-certificate:NA", {"NA_TENANT_ID": "t"}, "NA_CLIENT_CERTIFICATE_PATH is not set"),
        (
            "workload-identity",
            {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"},
            "AZURE_FEDERATED_TOKEN_FILE is not set",
        ),
        (
            "client-certificate",
            {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_CERTIFICATE_PATH": "/dev/null"},
            "AZURE_CLIENT_CERTIFICATE_PATH names is not a certificate",
        ),
    ],
)
def test_what_is_missing_is_named(reference: str, environ: dict[str, str], told: str) -> None:
    with pytest.raises(AccessRefused, match=told) as caught:
        open_token_source(reference, what="account na-web", cloud={}, environ=environ)
    assert caught.value.hint


def test_a_process_of_ours_gets_the_variables_of_each_issuer_and_no_others() -> None:
    accounts = [Account("a", "azure", credential="client-secret:NA"), Account("b", "azure", credential="env:KEY")]
    environ = dict.fromkeys((*variables_of("client-secret:NA"), *variables_of("client-secret:EU"), "KEY"), "x")
    assert environment(accounts, environ=environ).keys() >= {*variables_of("client-secret:NA"), "KEY"}
    assert not environment(accounts, environ=environ).keys() & variables_of("client-secret:EU")


@pytest.fixture
def estate(secure_strict: Strict, strict_certificate: tuple[Path, Path]) -> Iterator[Estate]:
    data = StrictAccounts(secure_strict.served, {})
    with running(Estate(data=data, applications=APPLICATIONS), certificate=strict_certificate) as estate:
        yield estate


@pytest.fixture
async def pair(secure_strict: Strict, estate: Estate, application: Path) -> dict[str, AzureStore]:
    """A source with 20 objects, opened by an application's secret, and a target by another one's certificate."""
    own = {name: secure_strict.take() for name in ("src", "dst")}
    environ = {
        **{"NA_TENANT_ID": NA, "NA_CLIENT_ID": "app-na", "NA_CLIENT_SECRET": "na's own"},
        **{"EU_TENANT_ID": EU, "EU_CLIENT_ID": "app-eu", "EU_CLIENT_CERTIFICATE_PATH": str(application)},
    }
    cloud = {"authority": estate.public, "ca_file": str(secure_strict.ca_file)}
    stores = {}
    for name, reference in {"src": "client-secret:NA", "dst": "client-certificate:EU"}.items():
        account = Account(name, "azure", endpoint=secure_strict.served.endpoint(own[name]), credential=reference)
        stores[name] = open_store(account, environ=environ, cloud=cloud)
        secure_strict.opened.append(stores[name])
        await secure_strict.behind(own[name]).create_container(ContainerInfo("box"))
    filled = secure_strict.behind(own["src"])
    for number in range(OBJECTS):
        await filled.put("box", f"n{number:02}", b"x", PLAIN, condition=CREATE)
    return stores


async def copied(pair: Mapping[str, AzureStore], between: Callable[[int], Awaitable[None]]) -> list[str]:
    copier = Copier(pair["src"], pair["dst"], SystemClock())
    for number, blob in enumerate((await pair["src"].page("box")).entries):
        await between(number)
        await copier.copy("box", blob, condition=CREATE, in_fence=False)
        for store in pair.values():
            await store.head("box", blob.name)
    assert copier.is_server_side
    return await names(pair["dst"], "box")


async def test_a_copy_goes_on_over_many_tokens_of_two_issuers(estate: Estate, pair: dict[str, AzureStore]) -> None:
    """Over https, under tokens that live a second, from an application's secret on one side and a certificate on the other."""
    estate.identities.token_seconds = 1

    async def between(number: int) -> None:
        await asyncio.sleep(0.15)

    assert len(await copied(pair, between)) == OBJECTS
    asked = [one["tenant"] for one in estate.identities.given]
    assert min(asked.count(NA), asked.count(EU)) >= 3


async def test_a_copy_goes_on_where_the_signatures_that_it_lends_have_ended(
    secure_strict: Strict, pair: dict[str, AzureStore]
) -> None:
    """All clocks of the service go on by more than such a signature lives, in the middle of a copy."""

    async def between(number: int) -> None:
        if number == OBJECTS // 2:
            for store in pair.values():
                secure_strict.service.set_nature(account_name_of(store.endpoint), clock_offset_seconds=1000.0)

    assert len(await copied(pair, between)) == OBJECTS


async def test_a_signature_of_the_operators_that_ends_in_mid_copy_is_said_and_nothing_is_half_written(
    secure_strict: Strict, pair: dict[str, AzureStore]
) -> None:
    """The next run takes the new one from the variable."""
    own = account_name_of(pair["src"].endpoint)
    may, kinds = AccountSasPermissions(read=True, list=True, tag=True), ResourceTypes(container=True, object=True)
    ends = datetime.now(UTC) + timedelta(seconds=30)
    sas = generate_account_sas(own, secure_strict.azurite.key(own), kinds, may, ends)
    source = secure_strict.open(own, secret=sas)
    copier = Copier(source, pair["dst"], SystemClock())
    blobs = (await source.page("box")).entries
    await copier.copy("box", blobs[0], condition=CREATE, in_fence=False)
    secure_strict.service.set_nature(own, clock_offset_seconds=60.0)
    with pytest.raises(AccessRefused):
        await copier.copy("box", blobs[1], condition=CREATE, in_fence=False)
    assert await names(pair["dst"], "box") == ["n00"]
    again = Copier(secure_strict.open(own), pair["dst"], SystemClock())
    for blob in blobs[1:]:
        await again.copy("box", blob, condition=CREATE, in_fence=False)
    assert len(await names(pair["dst"], "box")) == OBJECTS
