"""The resource manager's door through the real SDK, on the double of the control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.estate import forms
from migrator.adapters.estate import manager as room
from migrator.adapters.estate.manager import ResourceManager
from migrator.adapters.metrics import open_azure_monitor
from migrator.errors import AccessRefused, CloudError, NotFound, OutcomeUnknown, Throttled, Unreachable
from migrator.model.estate import MARK, AccountShape, BlobSettings, Granted, LifecycleRule, Network, Provision, Quota
from migrator.model.names import MoveId
from migrator.model.samples import Question
from migrator.model.schedule import Account, Metric
from migrator.testing.estate import Application, Estate, Minute, Right, Subscription, running
from tests.certificates import make_certificate

ONE, TWO = "00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"
WANTED = Provision("Standard_ZRS", tags={"area": "web"}, shared_key=False, network=Network("deny", ("203.0.113.7",)))


def account(name: str = "naweb", subscription: str = ONE, **given: Any) -> Account:
    endpoint = f"https://{name}.blob.core.windows.net"
    return Account(
        name,
        "azure",
        endpoint=endpoint,
        subscription=subscription,
        resource_group="data",
        location="East US 2",
        **given,
    )


@pytest.fixture
def estate() -> Iterator[Estate]:
    subscriptions = [Subscription(one, "tenant", groups={"data": "eastus2"}) for one in (ONE, TWO)]
    with running(Estate(subscriptions)) as served:
        served.set_faults(poll_after=0)
        yield served


@pytest.fixture
async def door(estate: Estate, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ResourceManager]:
    monkeypatch.setattr(room, "TRIED_SECONDS", 0.4)
    monkeypatch.setattr(room, "POLL_SECONDS", 0.5)
    made = ResourceManager({"resource_manager": estate.public})
    yield made
    await made.close()


async def test_what_is_created_is_as_it_was_wanted(estate: Estate, door: ResourceManager) -> None:
    before = await door.shape(account())
    estate.set_faults(create_seconds=0.3)

    made = await door.create(account(), WANTED, public_access=False, lineage="l1")

    assert before is None
    assert made == await door.shape(account())
    assert (made.sku, made.kind, made.location, made.is_ready) == ("Standard_ZRS", "StorageV2", "eastus2", True)
    assert (made.minimum_tls, made.shared_key, made.public_access) == ("TLS1_2", False, False)
    assert (made.network, made.tags) == (Network("deny", ("203.0.113.7",)), {"area": "web", MARK: "l1"})
    assert made.endpoint == "https://naweb.blob.core.windows.net"


async def test_a_creation_that_somebody_began_is_waited_for(estate: Estate, door: ResourceManager) -> None:
    estate.add("naweb", ONE, "data", "eastus2").ready_at = estate.now() + 0.3

    made = await door.create(account(), WANTED, public_access=False, lineage="l1")

    assert (made.is_ready, made.sku, estate.resources.created) == (True, "Standard_LRS", [])


async def test_an_account_that_somebody_made_between_the_look_and_the_create_is_said(
    estate: Estate, door: ResourceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No create of the resource manager only creates, so what happened is at least told, and nothing goes on by itself."""
    look = door.shape

    async def looked(one: Account) -> AccountShape | None:
        seen = await look(one)
        if seen is None:
            estate.add("naweb", ONE, "data", "eastus2")
        return seen

    monkeypatch.setattr(door, "shape", looked)
    with pytest.raises(CloudError, match="cannot tell who created account naweb") as refused:
        await door.create(account(), WANTED, public_access=False, lineage="l1")
    assert "migrate retry" in refused.value.hint
    assert (await door.create(account(), WANTED, public_access=False, lineage="l1")).lineage == "l1"  # a person went on


async def test_an_account_whose_creation_failed_is_not_waited_for_for_ever(
    estate: Estate, door: ResourceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = estate.add("naweb", ONE, "data", "eastus2")
    shown = estate.resources.shown(one)
    failed = forms.shape_of({**shown, "properties": {**shown["properties"], "provisioningState": "Failed"}})

    async def looked(account: Account) -> AccountShape:
        return failed

    monkeypatch.setattr(door, "shape", looked)
    with pytest.raises(CloudError, match="its creation ended as Failed"):
        await door.create(account(), WANTED, public_access=False, lineage="l1")


async def test_an_answer_that_is_lost_is_no_answer(estate: Estate, door: ResourceManager) -> None:
    estate.set_faults(cut=1.0)
    with pytest.raises(OutcomeUnknown):
        await door.create(account(), WANTED, public_access=False, lineage="l1")
    estate.set_faults(cut=0.0)

    found = await door.create(account(), WANTED, public_access=False, lineage="l1")

    assert (found.lineage, estate.resources.created) == ("l1", ["naweb"])


async def test_a_creation_that_fails_says_why(estate: Estate, door: ResourceManager) -> None:
    estate.set_faults(create_seconds=0.05, failed_creates={"naweb": "QuotaExceeded"})
    with pytest.raises(CloudError, match="cannot create account naweb"):
        await door.create(account(), WANTED, public_access=False, lineage="l1")


SETTINGS = BlobSettings(
    cors=(
        {
            "allowedOrigins": ["*"],
            "allowedMethods": ["GET"],
            "maxAgeInSeconds": 1,
            "exposedHeaders": [],
            "allowedHeaders": [],
        },
    ),
    delete_days=7,
    container_delete_days=3,
    is_versioned=True,
    change_feed=True,
    change_feed_days=5,
    lifecycle=(
        LifecycleRule(
            "old",
            is_enabled=True,
            prefixes=("web/a",),
            acts=("delete", "tier up"),
            document={
                "name": "old",
                "enabled": True,
                "type": "Lifecycle",
                "definition": {
                    "actions": {
                        "baseBlob": {
                            "delete": {"daysAfterModificationGreaterThan": 9},
                            "enableAutoTierToHotFromCool": True,
                        }
                    },
                    "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["web/a"]},
                },
            },
        ),
    ),
)


async def test_settings_are_copied_with_lifecycle_rules_off(estate: Estate, door: ResourceManager) -> None:
    estate.add("naweb", ONE, "data", "eastus2")
    await door.set_settings(account(), SETTINGS)

    found = await door.settings(account())

    assert [(one.name, one.is_enabled, one.prefixes, one.acts) for one in found.lifecycle] == [
        ("old", False, ("web/a",), ("delete", "tier up"))
    ]
    assert [
        getattr(found, name) == getattr(SETTINGS, name)
        for name in ("cors", "delete_days", "is_versioned", "change_feed_days")
    ] == [True] * 4


async def test_replication_tasks_and_what_hangs_on_an_account_are_read(estate: Estate, door: ResourceManager) -> None:
    parts = estate.add("naweb", ONE, "data", "eastus2").parts
    rule = {"sourceContainer": "a", "destinationContainer": "b"}
    parts["objectReplicationPolicies/p"] = {
        "properties": {"sourceAccount": "x", "destinationAccount": "naweb", "rules": [rule]}
    }
    parts["storageTaskAssignments/t"] = {
        "properties": {"enabled": True, "taskId": "t", "executionContext": {}, "report": {}}
    }
    parts["privateEndpointConnections/e"] = {"properties": {}}
    parts["providers/Microsoft.Authorization/locks/l"] = {"properties": {"level": "CanNotDelete"}}

    found, attached = await door.settings(account()), await door.attached(account())

    assert [(one.source, one.containers) for one in found.replication] == [("x", (("a", "b"),))]
    assert found.tasks == ("t",)
    assert attached == {"private endpoints": 1, "locks": 1}


async def test_limits_are_asked(estate: Estate, door: ResourceManager) -> None:
    estate.add("other", ONE, "data", "eastus2")
    estate.subscriptions[ONE].skus["eastus2"] = ("Standard_LRS",)
    estate.subscriptions[ONE].most_accounts = 9

    assert await door.quota(account()) == Quota(1, 9)
    assert (await door.is_taken(account("other")), await door.is_taken(account())) == (
        "The storage account named other is already taken",
        "",
    )
    assert await door.skus(account()) == {"Standard_LRS"}
    assert await door.pair_of(account()) == "centralus"


async def test_what_nobody_may_list_is_said_and_not_left_out(
    estate: Estate, door: ResourceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.add("naweb", ONE, "data", "eastus2").parts["providers/Microsoft.Authorization/locks/l"] = {"properties": {}}
    listed = door._listed

    async def refused(one: Account, path: str, version: str) -> Any:
        if path.endswith("roleAssignments"):
            raise AccessRefused("no")
        if path.endswith("localUsers") and failing:
            raise Unreachable("away")
        return await listed(one, path, version)

    failing = False
    monkeypatch.setattr(door, "_listed", refused)
    assert await door.attached(account()) == {"locks": 1, "role assignments": None}
    failing = True
    with pytest.raises(Unreachable):  # what passes by itself is no answer
        await door.attached(account())


async def test_what_is_granted_is_read_from_roles(estate: Estate, door: ResourceManager) -> None:
    assert await door.granted(account()) == Granted(create=True, data=True)
    estate.rights = [Right("Reader"), Right("Storage Blob Data Owner")]
    assert await door.granted(account()) == Granted(create=False, data=True)


ACCOUNTS = "Microsoft.Storage/storageAccounts"


@pytest.mark.parametrize(
    ("roles", "may"),
    [
        ([{"actions": ["*"], "notActions": [f"{ACCOUNTS}/write"]}], False),
        ([{"actions": ["*"], "notActions": ["Microsoft.Storage/*"]}, {"actions": [f"{ACCOUNTS}/*"]}], True),
        ([{"actions": [f"{ACCOUNTS}/write"]}], False),
        ([{"actions": None}], False),
    ],
)
def test_an_action_is_allowed_by_any_role_that_does_not_except_it(roles: list[dict[str, Any]], may: bool) -> None:
    assert forms.granted(roles).create is may


async def test_a_group_that_is_not_there_is_no_missing_account(door: ResourceManager) -> None:
    with pytest.raises(NotFound) as no:
        await door.shape(account(subscription="nowhere"))
    assert no.value.what == "group"


async def test_what_passes_by_itself_is_tried_again(estate: Estate, door: ResourceManager) -> None:
    estate.set_faults(throttled=1.0, retry_after=9)
    with pytest.raises(Throttled) as no:
        await door.shape(account())
    estate.set_faults(throttled=0.0, failing=1.0)
    with pytest.raises(Unreachable):
        await door.shape(account())
    estate.set_faults(failing=0.5)
    room.TRIED_SECONDS = 30.0

    assert (no.value.retry_after_seconds, await door.shape(account())) == (9.0, None)


async def test_a_place_that_the_plan_does_not_say_is_an_error(door: ResourceManager) -> None:
    with pytest.raises(CloudError, match="does not say where it is"):
        await door.shape(Account("a", "azure", endpoint="https://a.blob.core.windows.net"))


def test_tokens_go_over_https_alone() -> None:
    with pytest.raises(AccessRefused):
        ResourceManager({"resource_manager": "http://management.example.org"})


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Estate, dict[str, str]]]:
    certificate = make_certificate(tmp_path)
    subscriptions = [
        Subscription(ONE, "here", groups={"data": "eastus2"}),
        Subscription(TWO, "there", groups={"data": "eastus2"}),
    ]
    applications = [Application(tenant, "app", f"me-{tenant}", secret="s") for tenant in ("here", "there")]
    for name, text in {"TENANT_ID": "here", "CLIENT_ID": "app", "CLIENT_SECRET": "s"}.items():
        monkeypatch.setenv(f"AZURE_{name}", text)
    with running(Estate(subscriptions, applications=applications), certificate=certificate) as served:
        yield served, {"resource_manager": served.public, "authority": served.public, "ca_file": str(certificate[0])}


async def test_each_tenant_gets_tokens_of_its_own(secure: tuple[Estate, dict[str, str]]) -> None:
    estate, cloud = secure
    door = ResourceManager(cloud)
    try:
        assert await door.shape(account(subscription=ONE)) is None
        with pytest.raises(AccessRefused, match="another tenant") as no:
            await door.shape(account(subscription=TWO))
        assert await door.shape(account(subscription=TWO, tenant="there")) is None
        estate.rights = []
        with pytest.raises(AccessRefused, match="AuthorizationFailed"):
            await door.shape(account(subscription=ONE))
    finally:
        await door.close()
    assert "`tenant`" in no.value.hint
    assert {one["tenant"] for one in estate.identities.given} == {"here", "there"}


async def test_azure_monitor_is_asked_with_tokens_of_each_accounts_tenant(
    secure: tuple[Estate, dict[str, str]],
) -> None:
    estate, cloud = secure
    at = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    for name, subscription in (("naweb", ONE), ("apweb", TWO)):
        estate.monitor.minutes[estate.add(name, subscription, "data", "eastus2").id] = {at: Minute({"Success": 7.0})}
    here, there = account("naweb", ONE), account("apweb", TWO, tenant="there")
    stranger = replace(there, name="stranger", tenant=None)
    accounts = {one.name: one for one in (here, there, stranger)}
    source = open_azure_monitor(Metric("azure", "azure-monitor", {}), accounts, {**cloud, "metrics": estate.public})
    begin, end = at, at + timedelta(minutes=1)

    async def ask(name: str) -> list[float]:
        question = Question(MoveId("r", "a"), name, "requests_per_minute", None)
        return [one.value for one in (await source.ask(question, begin=begin, end=end)).points]

    try:
        assert (await ask("naweb"), await ask("apweb")) == ([7.0], [7.0])
        with pytest.raises(AccessRefused, match="another tenant") as no:
            await ask("stranger")
    finally:
        await source.close()
    assert "`tenant`" in no.value.hint
