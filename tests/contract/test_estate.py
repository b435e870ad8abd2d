"""The double of the control plane, asked by the real SDKs: what they send is understood, and they understand what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from azure.appconfiguration.aio import AzureAppConfigurationClient
from azure.core import MatchConditions
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceModifiedError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity.aio import ClientSecretCredential
from azure.mgmt.storage.aio import StorageManagementClient
from azure.mgmt.storage.models import (
    BlobServiceProperties,
    BlobServicePropertiesProperties,
    DeleteRetentionPolicy,
    Sku,
    StorageAccountCheckNameAvailabilityParameters,
    StorageAccountCreateParameters,
    StorageAccountUpdateParameters,
)

from migrator.adapters.azure import open_store
from migrator.errors import AccessRefused, NotFound
from migrator.model.schedule import Account
from migrator.testing.estate import Application, Estate, Right, StrictAccounts, Subscription, running
from migrator.testing.strict import StrictService
from migrator.testing.strict import running as strict_running
from tests.azurite.server import Azurite
from tests.certificates import make_certificate

ONE, TWO = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
HERE, THERE = "tenant-here", "tenant-there"


def estate_of() -> Estate:
    subscriptions = [
        Subscription(ONE, HERE, groups={"data": "eastus2"}),
        Subscription(
            TWO, THERE, groups={"data": "westeurope"}, most_accounts=1, skus={"westeurope": ("Standard_LRS",)}
        ),
    ]
    applications = [
        Application(HERE, "app-here", "object-here", secret="s1"),
        Application(THERE, "app", "o2", secret="s2"),
    ]
    return Estate(subscriptions, applications=applications)


@pytest.fixture
def estate() -> Iterator[Estate]:
    with running(estate_of()) as served:
        yield served


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("estate"))


@pytest.fixture
def secure(certificate: tuple[Path, Path]) -> Iterator[Estate]:
    with running(estate_of(), certificate=certificate) as served:
        yield served


@pytest.fixture
async def client(estate: Estate) -> AsyncIterator[StorageManagementClient]:
    async with manager(estate) as made:
        yield made


def manager(estate: Estate, subscription: str = ONE, **options: Any) -> StorageManagementClient:
    given = {"authentication_policy": SansIOHTTPPolicy(), "retry_total": 0, "polling_interval": 0.05, **options}
    return StorageManagementClient(options.pop("credential", object()), subscription, base_url=estate.public, **given)


def wanted(sku: str = "Standard_ZRS", location: str = "eastus2", **properties: Any) -> StorageAccountCreateParameters:
    return StorageAccountCreateParameters(sku=Sku(name=sku), kind="StorageV2", location=location, **properties)


async def create(client: StorageManagementClient, name: str, group: str = "data", **given: Any) -> Any:
    return await (await client.storage_accounts.begin_create(group, name, wanted(**given))).result()


async def refused(doing: Any) -> str:
    with pytest.raises(HttpResponseError) as no:
        await doing
    return str(no.value.error.code)


async def test_an_account_is_created_at_length_and_is_not_ready_before(estate: Estate, client: Any) -> None:
    estate.set_faults(create_seconds=0.4, poll_after=0)
    poller = await client.storage_accounts.begin_create("data", "naweb", wanted(), polling_interval=0.1)
    meanwhile = await client.storage_accounts.get_properties("data", "naweb")
    again = await refused(client.storage_accounts.begin_create("data", "naweb", wanted()))
    early = await refused(client.blob_services.get_service_properties("data", "naweb"))

    made = await poller.result()

    assert (meanwhile.properties.provisioning_state, again) == ("Creating", "StorageAccountOperationInProgress")
    assert early == "StorageAccountIsNotProvisioned"
    assert (made.name, made.sku.name, made.properties.provisioning_state) == ("naweb", "Standard_ZRS", "Succeeded")
    assert made.properties.primary_endpoints.blob == "https://naweb.blob.core.windows.net/"


async def test_a_creation_that_fails_leaves_nothing(estate: Estate, client: Any) -> None:
    estate.set_faults(create_seconds=0.05, poll_after=0, failed_creates={"naweb": "InternalError"})
    with pytest.raises(HttpResponseError):
        await create(client, "naweb")

    assert await refused(client.storage_accounts.get_properties("data", "naweb")) == "ResourceNotFound"


async def test_a_create_of_an_account_that_is_there_changes_it(estate: Estate, client: Any) -> None:
    await create(client, "naweb")
    again = await create(client, "naweb", sku="Standard_LRS")
    patched = await client.storage_accounts.update("data", "naweb", StorageAccountUpdateParameters(tags={"a": "b"}))

    assert (again.sku.name, patched.tags) == ("Standard_LRS", {"a": "b"})
    assert estate.resources.created == ["naweb"] * 3


async def test_accounts_are_listed_page_by_page(estate: Estate, client: Any) -> None:
    for number in range(8):
        estate.add(f"account{number}", ONE, "data", "eastus2")

    listed = [one.name async for one in client.storage_accounts.list()]

    assert listed == [f"account{number}" for number in range(8)]
    assert len(estate.requests("GET", "storageAccounts")) == 3


async def test_names_quotas_skus_and_groups_are_refused_as_they_are(estate: Estate, client: Any) -> None:
    estate.resources.taken_elsewhere.add("taken")
    async with manager(estate, TWO) as second:
        taken = await client.storage_accounts.check_name_availability(
            StorageAccountCheckNameAvailabilityParameters(name="taken")
        )
        usage = [one async for one in second.usages.list_by_location("westeurope")]
        skus = [one.name async for one in second.skus.list() if "westeurope" in one.locations]
        codes = [
            await refused(create(client, "taken")),
            await refused(create(client, "naweb", group="nowhere")),
            await refused(create(second, "euweb", sku="Standard_ZRS", location="westeurope")),
        ]
        await create(second, "euweb", sku="Standard_LRS", location="westeurope")
        codes.append(await refused(create(second, "euemail", sku="Standard_LRS", location="westeurope")))

    assert (taken.name_available, taken.reason) == (False, "AlreadyExists")
    assert [(one.current_value, one.limit) for one in usage] == [(0, 1)]
    assert skus == ["Standard_LRS"]
    assert codes == [
        "StorageAccountAlreadyTaken",
        "ResourceGroupNotFound",
        "SkuNotAvailable",
        "MaxStorageAccountsCountPerSubscriptionExceeded",
    ]


async def test_what_hangs_on_an_account_is_kept_and_listed(estate: Estate, client: Any) -> None:
    account = estate.add("nacore", ONE, "data", "eastus2")
    account.parts["managementPolicies/default"] = {"properties": {"policy": {"rules": []}}}
    account.parts["objectReplicationPolicies/p1"] = {"properties": {"sourceAccount": "a", "destinationAccount": "b"}}
    keep = BlobServicePropertiesProperties(delete_retention_policy=DeleteRetentionPolicy(enabled=True, days=7))
    await client.blob_services.set_service_properties(
        "data", "nacore", BlobServiceProperties(blob_service_properties=keep)
    )

    policy = await client.management_policies.get("data", "nacore", "default")
    replicated = [one.name async for one in client.object_replication_policies.list("data", "nacore")]
    blobs = await client.blob_services.get_service_properties("data", "nacore")
    scopes = [one async for one in client.encryption_scopes.list("data", "nacore")]
    del account.parts["managementPolicies/default"]

    assert (policy.properties.policy.rules, replicated, scopes) == ([], ["p1"], [])
    assert blobs.blob_service_properties.delete_retention_policy.days == 7
    none = await refused(client.management_policies.get("data", "nacore", "default"))
    assert none == "ManagementPolicyNotFound"


async def test_locks_and_throttling_refuse(estate: Estate, client: Any) -> None:
    account = estate.add("nacore", ONE, "data", "eastus2")
    account.parts["providers/Microsoft.Authorization/locks/l"] = {"properties": {"level": "ReadOnly"}}
    locked = await refused(client.storage_accounts.update("data", "nacore", StorageAccountUpdateParameters(tags={})))
    estate.set_faults(throttled=1.0, retry_after=7)
    with pytest.raises(HttpResponseError) as no:
        await client.storage_accounts.get_properties("data", "nacore")

    assert locked == "ScopeLocked"
    assert (no.value.status_code, no.value.response.headers["Retry-After"]) == (429, "7")


@asynccontextmanager
async def signed_in(secure: Estate, ca_file: Path, tenant: str, client_id: str, secret: str) -> AsyncIterator[Any]:
    credential = ClientSecretCredential(
        tenant, client_id, secret, authority=secure.public, connection_verify=str(ca_file)
    )
    async with credential:
        yield credential


def secure_manager(secure: Estate, ca_file: Path, credential: Any, subscription: str) -> StorageManagementClient:
    return StorageManagementClient(
        credential,
        subscription,
        base_url=secure.public,
        credential_scopes=[f"{secure.public}/.default"],
        connection_verify=str(ca_file),
        retry_total=0,
    )


async def test_tokens_are_of_a_tenant_and_end(secure: Estate, certificate: tuple[Path, Path]) -> None:
    secure.identities.token_seconds = 1
    async with signed_in(secure, certificate[0], HERE, "app-here", "s1") as credential:
        async with secure_manager(secure, certificate[0], credential, ONE) as own:
            assert [one async for one in own.storage_accounts.list()] == []
        async with secure_manager(secure, certificate[0], credential, TWO) as others:
            foreign = await refused(anext(aiter(others.storage_accounts.list())))
    async with signed_in(secure, certificate[0], HERE, "app-here", "wrong") as credential:
        with pytest.raises(ClientAuthenticationError):
            await credential.get_token("x/.default")

    assert foreign == "InvalidAuthenticationTokenTenant"
    assert secure.requests("GET", "storageAccounts")[0].who == "object-here"


async def test_rights_are_asked(secure: Estate, certificate: tuple[Path, Path]) -> None:
    secure.rights = [Right("Reader", "object-here", f"/subscriptions/{ONE}")]
    async with signed_in(secure, certificate[0], HERE, "app-here", "s1") as credential:
        async with secure_manager(secure, certificate[0], credential, ONE) as own:
            assert [one async for one in own.storage_accounts.list()] == []
            assert await refused(create(own, "naweb")) == "AuthorizationFailed"


async def test_key_values_are_swapped_by_their_etags(estate: Estate) -> None:
    store = estate.store("routes")
    text = store.connection_string(f"{estate.public}/appconfig/routes")
    async with AzureAppConfigurationClient.from_connection_string(text, retry_total=0) as client:
        made = await client.add_configuration_setting(_setting("europe", "1"))
        made.value = "2"
        changed = await client.set_configuration_setting(made, match_condition=MatchConditions.IfNotModified)
        made.value = "3"
        with pytest.raises(ResourceModifiedError):
            await client.set_configuration_setting(made, match_condition=MatchConditions.IfNotModified)
        read = await client.get_configuration_setting("europe")
        listed = [one.key async for one in client.list_configuration_settings(key_filter="*")]

    assert (read.value, read.etag, listed) == ("2", changed.etag, ["europe"])
    assert [status for _, _, status in store.seen] == [200, 200, 412, 200, 200]


async def test_a_wrong_access_key_is_refused(estate: Estate) -> None:
    estate.store("routes")
    text = f"Endpoint={estate.public}/appconfig/routes;Id=routes-id;Secret=d3Jvbmc="
    async with AzureAppConfigurationClient.from_connection_string(text, retry_total=0) as client:
        with pytest.raises(ClientAuthenticationError):
            await client.get_configuration_setting("europe")


def _setting(key: str, value: str) -> Any:
    from azure.appconfiguration import ConfigurationSetting

    return ConfigurationSetting(key=key, value=value)


async def test_an_account_that_is_created_has_blobs(azurite: Azurite) -> None:
    """The strict service serves it from then on, as what it was created as."""
    name = azurite.take()
    service = StrictService(azurite.endpoint("").rstrip("/"), {})
    subscription = Subscription(ONE, HERE, groups={"data": "eastus2"})
    with strict_running(service) as bare:
        secret = f"AccountName={name};AccountKey={azurite.keys[name]};BlobEndpoint={bare.endpoint(name)}"
        account = Account(name, "azure", endpoint=bare.endpoint(name), credential="env:SECRET")
        store = open_store(account, environ={"SECRET": secret})
        data = StrictAccounts(bare, {name: azurite.keys[name]})
        with running(Estate([subscription], data=data)) as estate:
            with pytest.raises(NotFound):
                await store.containers()
            async with manager(estate) as client:
                made = await create(client, name)
                there = await store.containers()
                await client.storage_accounts.update("data", name, {"properties": {"allowSharedKeyAccess": False}})
                with pytest.raises(AccessRefused, match="allows no keys"):
                    await store.containers()
        await store.close()
    assert (made.properties.primary_endpoints.blob, there) == (f"{bare.endpoint(name)}/", [])
    assert [dict(one) for one in data.transactions(name).values()] == [{"Success": 1, "ClientOtherError": 1}]
