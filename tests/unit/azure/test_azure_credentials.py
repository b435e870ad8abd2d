"""A credential reference opens the right account, for a known time, and shows itself to nobody."""

from __future__ import annotations

import math
import subprocess
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.adapters.azure import open_store
from migrator.adapters.azure.credentials import Credential, open_credential
from migrator.adapters.azure.endpoints import account_name_of, without_query
from migrator.errors import AccessRefused, CloudError
from migrator.model.identities import OF_SECRET
from migrator.model.schedule import Account
from migrator.model.values import replace

KEY = "c2VjcmV0IGtleSB0aGF0IG5vYm9keSBtYXkgc2VlIQ=="
SAS = "sv=2024-11-04&ss=b&srt=sco&sp=rwl&se=2026-11-24T07:00:00Z&sig=hush%2Bhush%3D"
NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
ENDPOINT = "https://naweb.blob.core.windows.net"
LONG = f"DefaultEndpointsProtocol=https;AccountName=naweb;AccountKey={KEY};EndpointSuffix=core.windows.net"


def opened(value: str, endpoint: str | None = ENDPOINT) -> Credential:
    account = Account("na-web", "azure", endpoint=endpoint, credential="env:NA_WEB")
    return open_credential(account, environ={"NA_WEB": value}, cloud={})


def refused(environ: Mapping[str, str], **account: Any) -> AccessRefused:
    given = {"endpoint": ENDPOINT, "credential": "env:NA_WEB", **account}
    with pytest.raises(AccessRefused) as caught:
        open_credential(Account("na-web", "azure", **given), environ=environ, cloud={})
    text = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    assert not any(value.strip() and value in text for value in environ.values())
    return caught.value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (KEY, "key"),
        (f" {KEY}\n", "key"),
        (LONG, "key"),
        (f"{LONG};", "key"),
        (SAS, "sas"),
        (f"?{SAS}", "sas"),
        (f"{ENDPOINT}?{SAS}", "sas"),
        (f"{ENDPOINT}/box?{SAS}", "sas"),
        (f"BlobEndpoint={ENDPOINT};SharedAccessSignature={SAS}", "sas"),
        (f"BlobEndpoint={ENDPOINT}/;SharedAccessSignature=?{SAS}", "sas"),
        (f"BlobEndpoint={ENDPOINT};SharedAccessSignature=se=2026-11-24T07:00:00Z&{SAS}", "sas-first"),
        (f"BlobEndpoint={ENDPOINT}/;QueueEndpoint=https://q/;SharedAccessSignature={SAS}", "sas"),
        (f"SharedAccessSignature={SAS};BlobEndpoint={ENDPOINT}", "sas"),
        (f'"{LONG}"', "key"),
        (f"'{SAS}'", "sas"),
        (f"\ufeff{LONG}\u00a0", "key"),
    ],
)
def test_a_variable_may_hold_a_string_a_key_or_a_signature(value: str, kind: str) -> None:
    found = opened(value)
    assert (found.kind, found.account_name, found.endpoint) == (kind.partition("-")[0], "naweb", ENDPOINT)
    sas = f"se=2026-11-24T07:00:00Z&{SAS}" if kind == "sas-first" else SAS
    assert (found.key, found.sas) == ((KEY, None) if kind == "key" else (None, sas))


@pytest.mark.parametrize("value", [LONG, f"{ENDPOINT}?{SAS}", f"BlobEndpoint={ENDPOINT};SharedAccessSignature={SAS}"])
def test_an_account_without_an_endpoint_takes_the_variables(value: str) -> None:
    assert opened(value, endpoint=None).endpoint == ENDPOINT


def test_a_loopback_endpoint_holds_the_account_in_its_path() -> None:
    found = opened(
        f"AccountName=naweb;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/naweb",
        "http://127.0.0.1:10000/naweb/",
    )
    assert (found.account_name, found.endpoint) == ("naweb", "http://127.0.0.1:10000/naweb")


@pytest.mark.parametrize("value", [KEY, LONG, SAS, f"{ENDPOINT}?{SAS}"])
def test_no_secret_is_shown(value: str) -> None:
    text = repr(opened(value))
    assert KEY not in text
    assert "hush" not in text


def test_a_missing_or_empty_variable_is_named() -> None:
    for environ in ({}, {"NA_WEB": ""}, {"NA_WEB": "  "}):
        assert refused(environ).message == ("cannot open account na-web: the environment variable NA_WEB is not set")


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        "my secret words",
        f"AccountName=naweb;AccountKey={KEY[:-9]}!",
        "AccountName=naweb",
        ENDPOINT,
        "sv=1&se=2",
    ],
)
def test_what_is_no_credential_is_refused_without_being_shown(value: str) -> None:
    assert (
        "NA_WEB holds no connection string, account key or shared access signature"
        in refused({"NA_WEB": value}).message
    )


@pytest.mark.parametrize("value", [LONG, f"{ENDPOINT}?{SAS}"])
def test_a_variable_of_another_account_is_refused(value: str) -> None:
    error = refused({"NA_WEB": value.replace("naweb", "naemail")})
    assert "NA_WEB is for storage account naemail, its endpoint for naweb" in error.message


def test_a_key_without_an_endpoint_anywhere_is_refused() -> None:
    for secret in (KEY, SAS):
        assert "neither the plan nor NA_WEB says its endpoint" in refused({"NA_WEB": secret}, endpoint=None).message


def test_an_unknown_kind_of_credential_is_refused() -> None:
    assert "there is no credential 'magic'" in refused({}, credential="magic").message


@pytest.mark.parametrize(
    "credential", ["default", "cli", "managed-identity", "managed-identity:1234", "client-secret:NA"]
)
@pytest.mark.parametrize("tenant", [None, "72f988bf-86f1-41af-91ab-2d7cd011db47"])
async def test_entra_credentials_open_without_asking_anybody(credential: str, tenant: str | None) -> None:
    account = Account("na-web", "azure", endpoint=ENDPOINT, credential=credential, tenant=tenant)
    cloud = {"authority": "https://login.microsoftonline.us"}
    environ = {f"NA_{name}": "x" for name in OF_SECRET}
    found = open_credential(account, environ=environ, cloud=cloud)
    assert (found.kind, found.account_name, found.endpoint) == ("entra", "naweb", ENDPOINT)
    await found.close()


class Token:
    """A token source; ``asked``: the scopes and tenants."""

    def __init__(self, expires_on: float) -> None:
        self.expires_on = expires_on
        self.asked: list[tuple[object, ...]] = []

    async def get_token(self, *scopes: str, **options: Any) -> Token:
        self.asked.append((*scopes, options.get("tenant_id")))
        return self

    async def close(self) -> None: ...


async def test_the_bound_is_how_long_a_sent_request_may_still_count() -> None:
    """A run that takes over waits this long: too short would let a dead run's write land later."""
    token = Token(NOW.timestamp() + 4321)
    assert await opened(KEY).bound_seconds(NOW) == 15 * 60
    assert await opened(SAS).bound_seconds(NOW) == 3600
    assert await opened(SAS.replace("T07:00:00Z", "T05:00:00Z")).bound_seconds(NOW) == 0
    assert await opened(SAS.replace("T07:00:00Z", "")).bound_seconds(NOW) == 0
    assert await opened("sv=2024-11-04&sr=c&si=writers&sig=hush").bound_seconds(NOW) == math.inf
    assert await Credential("entra", "naweb", ENDPOINT, token_source=token).bound_seconds(NOW) == 300
    assert token.asked == [("https://storage.azure.com/.default", None)]


async def test_the_default_credential_asks_for_the_plans_tenant() -> None:
    account = Account("na-web", "azure", endpoint=ENDPOINT, tenant="72f988bf-86f1-41af-91ab-2d7cd011db47")
    found = open_credential(account, environ={}, cloud={})
    token = Token(0)
    await found.token_source._source.close()
    found.token_source._source = token
    await found.token_source.get_token("scope")
    assert token.asked == [("scope", "72f988bf-86f1-41af-91ab-2d7cd011db47")]


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        ("https://naweb.blob.core.windows.net", "naweb"),
        ("https://naweb.z12.blob.storage.azure.net/", "naweb"),
        ("http://127.0.0.1:10000/naweb", "naweb"),
        ("http://localhost:10000/naweb/", "naweb"),
        ("http://[::1]:10000/naweb", "naweb"),
        ("http://10.0.0.5:10000/naweb", "naweb"),
        ("http://127.0.0.1:10000", ""),
        ("https://naweb-secondary.blob.core.windows.net", "naweb"),
        ("https://naweb-microsoftrouting.blob.core.windows.net", "naweb"),
        ("https://naweb-internetrouting-ipv6.z12.blob.storage.azure.net", "naweb"),
        ("https://naweb-dualstack.blob.core.chinacloudapi.cn", "naweb"),
        ("https://naweb.privatelink.blob.core.windows.net", "naweb"),
        ("https://files.contoso.com", ""),
    ],
)
def test_the_accounts_own_name_is_read_off_its_endpoint(endpoint: str, name: str) -> None:
    assert account_name_of(endpoint) == name


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert without_query("https://user:pw@naweb.example:8443/a/?sig=hush#x") == "https://naweb.example:8443/a"


def test_options_that_the_sdk_cannot_use_are_one_plain_sentence() -> None:
    for account, said in (
        (
            Account("a", "azure", endpoint=ENDPOINT, credential="env:K", api_version="1999-01-01"),
            "api_version 1999-01-01",
        ),
        (Account("a", "azure", endpoint="https:///", credential="env:K"), "is not the address of a storage account"),
    ):
        with pytest.raises(CloudError, match=said):
            open_store(account, environ={"K": KEY})


def test_importing_the_package_loads_no_sdk() -> None:
    program = "import sys, migrator.adapters.azure; print([m for m in sys.modules if m.split('.')[0] in ('azure', 'aiohttp')])"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "value",
    [
        f"BlobEndpoint=https://[;SharedAccessSignature={SAS}",
        f"BlobEndpoint=https://naweb.blob.core.windows.net:99999;AccountKey={KEY}",
        f"BlobEndpoint=https://naweb.blob.core.windows.net:port;AccountKey={KEY}",
        f"BlobEndpoint=https://na\u2100web.example;AccountKey={KEY}",
        f"https://[::1?{SAS}",
    ],
)
def test_an_address_that_is_none_is_a_sentence_that_repeats_nothing_of_it(value: str) -> None:
    fault = refused({"NA_WEB": value}, endpoint=None)
    assert "NA_WEB holds an address that is none" in fault.message
    assert "99999" not in str(fault)
    assert "\u2100" not in str(fault)
    assert fault.__cause__ is None


@pytest.mark.parametrize("address", ["http:naweb", "https:///naweb", "http://:80/naweb", "https://?x"])
def test_an_address_without_a_host_is_refused_and_not_repeated(address: str) -> None:
    fault = refused({"NA_WEB": f"BlobEndpoint={address};AccountName=naweb;AccountKey={KEY}"}, endpoint=None)
    assert "what NA_WEB says as its endpoint is not an https address" in fault.message
    assert address not in str(fault)


@pytest.mark.parametrize("end", ["garbage", "2026-13-45", "", "99999-01-01T00:00:00Z"])
def test_a_signature_that_ends_at_no_date_is_refused_when_it_is_opened(end: str) -> None:
    value = SAS.replace("se=2026-11-24T07:00:00Z", f"se={end}") if end else f"{SAS.replace('se=', 'se=x')}"
    fault = refused({"NA_WEB": value})
    assert "ends at no date" in fault.message


@pytest.mark.parametrize("credential", ["env:K", "default"])
def test_a_secondary_endpoint_is_never_opened(credential: str) -> None:
    """It only reads, and what it shows is of before."""
    account = Account("a", "azure", endpoint="https://naweb-secondary.blob.core.windows.net", credential=credential)
    with pytest.raises(AccessRefused, match="the secondary one, which only reads"):
        open_credential(account, environ={"K": KEY}, cloud={})


def test_a_domain_of_ones_own_needs_the_accounts_name_to_sign_with() -> None:
    account = Account("a", "azure", endpoint="https://files.contoso.com", credential="env:K")
    for value in (KEY, "default"):
        plain = account if value == KEY else replace(account, credential=value)
        with pytest.raises(AccessRefused, match="does not say the name of the storage account"):
            open_credential(plain, environ={"K": KEY}, cloud={})
    named = open_credential(account, environ={"K": f"AccountName=naweb;AccountKey={KEY}"}, cloud={})
    assert (named.account_name, named.endpoint) == ("naweb", "https://files.contoso.com")
    assert open_credential(account, environ={"K": SAS}, cloud={}).kind == "sas"
