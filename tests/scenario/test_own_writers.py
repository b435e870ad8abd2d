"""What an account does to its blobs by itself is found before data moves, and asked for again before each fence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.estate import manager
from migrator.adapters.estate.manager import ResourceManager
from migrator.adapters.local import LocalStore
from migrator.engine.checks.case import Case
from migrator.engine.checks.check import look
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.registry import CHECKS
from migrator.errors import AccessRefused
from migrator.model.findings import Finding
from migrator.model.moves import LockRecord, MoveRecord, MoveState
from migrator.model.schedule import Account
from migrator.ports.state_store import SaveMove
from migrator.testing.estate import Estate, Subscription, running
from tests.scenario.world import ID, Small

HOME = "subscription-1"
SAFE = {"isVersioningEnabled": True}
LIFECYCLE, TASK = "managementPolicies/default", "storageTaskAssignments/nightly"


def rule(*prefixes: str, enabled: bool = True, **actions: Any) -> dict[str, Any]:
    """Of a management policy; by default it deletes what is old."""
    acts = actions or {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 9}}}
    definition = {"actions": acts, "filters": {"blobTypes": ["blockBlob"], "prefixMatch": list(prefixes)}}
    one = {"name": "old", "enabled": enabled, "type": "Lifecycle", "definition": definition}
    return {"properties": {"policy": {"rules": [one]}}}


class Owned(Small):
    """The small world, whose two accounts the resource manager knows."""

    estate: Estate
    door: Any = None

    def begin(self, estate: Estate) -> None:
        self.estate = estate
        accounts = {
            name: Account(
                name,
                "azure",
                endpoint=f"https://{name}.blob.core.windows.net",
                path=str(self.folder / f"{name}.db"),
                subscription=HOME,
                resource_group="data",
            )
            for name in ("src", "dst")
        }
        self.schedule = replace(self.schedule, accounts=accounts)
        for name in ("src", "dst"):
            estate.resources.accounts.pop(name, None)
            estate.add(name, HOME, "data", "eastus2").parts["blobServices/default"] = {"properties": SAFE}

    def change(self, account: str, **changes: Any) -> None:
        known = {**self.schedule.accounts, account: replace(self.schedule.accounts[account], **changes)}
        self.schedule = replace(self.schedule, accounts=known)

    def parts(self, account: str) -> dict[str, Any]:
        return self.estate.resources.accounts[account].parts

    async def found(self, when: When = When.PLAN) -> list[Finding]:
        world = self.rollout().world
        world.stores = {name: LocalStore(name, Path(one.path or "")) for name, one in self.schedule.accounts.items()}
        world.estate = self.door or ResourceManager({"resource_manager": self.estate.public})
        asks = frozenset({Asks.STATE, Asks.ESTATE, Asks.ACCOUNTS})
        case = Case(
            schedule=self.schedule, when=when, moves=self.schedule.moves, may_ask=asks, world=world, known=world.state
        )
        try:
            return list(await look([one for one in CHECKS if one.asks <= asks and _is_mine(one)], case))
        finally:
            await world.estate.close()


def _is_mine(check: Any) -> bool:
    return check.run.__module__ == "migrator.engine.checks.own_writers" or any(
        one.code in ("lifecycle-rule", "own-writers-unproved", "soft-delete-short", "copy-scope") for one in check.says
    )


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    with running(Estate([Subscription(HOME, "tenant", groups={"data": "eastus2"})])) as served:
        yield served


@pytest.fixture
async def small(tmp_path: Path, estate: Estate, monkeypatch: pytest.MonkeyPatch) -> Owned:
    monkeypatch.setattr(manager, "TRIED_SECONDS", 0.1)
    made = Owned(tmp_path)
    made.begin(estate)
    await made.fill(2)
    return made


async def test_an_account_that_leaves_its_blobs_alone_says_nothing(small: Owned) -> None:
    for when in (When.PLAN, When.PREFLIGHT, When.FENCE):
        assert await small.found(when) == []


@pytest.mark.parametrize("account", ["src", "dst"])
@pytest.mark.parametrize(
    ("part", "document", "code", "words"),
    [
        (LIFECYCLE, rule(), "lifecycle-rule", "(delete)"),
        (LIFECYCLE, rule("web/n00"), "lifecycle-rule", "rule old of"),
        (LIFECYCLE, rule("we"), "lifecycle-rule", "europe/web"),
        (
            LIFECYCLE,
            rule(baseBlob={"enableAutoTierToHotFromCool": True}),
            "last-access-tier-up",
            "warmer tier when somebody reads them",
        ),
        (TASK, {"properties": {"enabled": True}}, "storage-task", "storage task nightly"),
    ],
)
async def test_what_writes_by_itself_over_moved_names_is_an_error_at_every_moment(
    small: Owned, account: str, part: str, document: dict[str, Any], code: str, words: str
) -> None:
    small.parts(account)[part] = document
    for when in (When.PLAN, When.PREFLIGHT, When.FENCE):
        (finding,) = await small.found(when)
        assert (finding.severity, finding.code) == ("error", code)
        assert account in finding.text
        assert words in finding.text
        assert finding.remedy


@pytest.mark.parametrize("here", ["src", "dst"])
async def test_a_policy_of_replication_over_moved_containers_is_an_error(small: Owned, here: str) -> None:
    ends = {"sourceAccount": here, "destinationAccount": "elsewhere"}
    pair = {"sourceContainer": "web", "destinationContainer": "copy"}
    small.parts(here)["objectReplicationPolicies/p1"] = {"properties": {**ends, "rules": [pair]}}
    (finding,) = await small.found(When.FENCE)
    assert (finding.code, finding.text) == (
        "object-replication",
        f"{here} replicates web to elsewhere by policy p1",
    )
    ends = {"sourceAccount": "elsewhere", "destinationAccount": small.estate.resources.accounts[here].id}
    pair = {"sourceContainer": "other", "destinationContainer": "web"}
    small.parts(here)["objectReplicationPolicies/p1"] = {"properties": {**ends, "rules": [pair]}}
    (finding,) = await small.found()
    assert finding.text == f"web of {here} are replicated from elsewhere by policy p1"
    pair["destinationContainer"] = "unrelated"
    assert await small.found() == []


@pytest.mark.parametrize(
    "document",
    [
        rule(enabled=False),
        rule("elsewhere/", "webcam/"),
        rule(version={"delete": {"daysAfterCreationGreaterThan": 400}}),
        rule(snapshot={"delete": {"daysAfterCreationGreaterThan": 1}}),
    ],
    ids=["off", "other names", "versions", "snapshots"],
)
async def test_rules_that_touch_no_moved_name_say_nothing(small: Owned, document: dict[str, Any]) -> None:
    small.parts("src")[LIFECYCLE] = document
    assert await small.found() == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "keeps nothing of what is deleted"),
        ({"deleteRetentionPolicy": {"enabled": True, "days": 4}}, "keeps what is deleted for 4 days"),
        ({"deleteRetentionPolicy": {"enabled": True, "days": 5}}, ""),
        (SAFE, ""),
    ],
)
async def test_what_is_deleted_is_kept_for_the_soak_and_a_day_more(
    small: Owned, settings: dict[str, Any], says: str
) -> None:
    small.change_wave(soak_seconds=4 * 86_400.0)
    small.parts("dst")["blobServices/default"] = {"properties": settings}
    found = await small.found()
    assert [(one.severity, one.code) for one in found] == ([("warning", "soft-delete-short")] if says else [])
    assert all(says in one.text and "with 5 days or more" in one.remedy for one in found)


async def test_versions_that_a_rule_deletes_are_kept_no_longer(small: Owned) -> None:
    small.change_wave(soak_seconds=4 * 86_400.0)
    small.parts("src")[LIFECYCLE] = rule(version={"delete": {"daysAfterCreationGreaterThan": 2}})
    (finding,) = await small.found()
    assert (finding.code, "for 2 days" in finding.text) == ("soft-delete-short", True)


async def test_walls_between_the_accounts_are_told(small: Owned) -> None:
    accounts = small.estate.resources.accounts
    rules = {"defaultAction": "Deny", "ipRules": [{"value": "203.0.113.0/24"}], "virtualNetworkRules": []}
    accounts["src"].document["properties"]["networkAcls"] = rules
    accounts["dst"].document["properties"]["allowedCopyScope"] = "PrivateLink"
    found = {one.code: one for one in await small.found()}
    assert found.keys() == {"copy-scope", "source-firewall"}
    assert "AllowedCopyScope PrivateLink" in found["copy-scope"].text
    assert "lets in 1 networks" in found["source-firewall"].text
    accounts["dst"].document["properties"]["allowedCopyScope"] = "AAD"
    assert {one.code for one in await small.found()} == {"source-firewall"}
    small.change("dst", tenant="another")
    assert {one.code for one in await small.found()} == {"copy-scope", "source-firewall"}


class Refusing:
    """A door that lets nobody in."""

    async def shape(self, account: Account) -> None:
        raise AccessRefused(f"cannot look for account {account.name}: no right to do that", hint="give it Reader")

    async def close(self) -> None:
        """Nothing is open."""


async def test_what_cannot_be_asked_is_unproved_and_stops_no_run(small: Owned) -> None:
    small.door = Refusing()
    for when in (When.PLAN, When.PREFLIGHT):
        found = await small.found(when)
        assert [(one.severity, one.code, one.subject) for one in found] == [
            ("warning", "own-writers-unproved", "dst"),
            ("warning", "own-writers-unproved", "src"),
        ]
        assert found[0].remedy == "give it Reader"
    assert await small.found(When.FENCE) == []


async def test_accounts_whose_place_the_plan_does_not_say_are_unproved(small: Owned) -> None:
    small.change("dst", resource_group=None)
    (finding,) = await small.found()
    assert (finding.severity, finding.code, finding.subject) == ("warning", "own-writers-unproved", "dst")
    assert finding.text.startswith("unproved: whether dst write by themselves")
    small.change("dst", endpoint="http://127.0.0.1:10000/dst")  # on this machine there is no resource manager
    assert await small.found() == []


async def test_rules_of_a_move_that_has_switched_are_its_customers_own(small: Owned) -> None:
    """Else nobody could turn a rule on at its new account, and go on with the next wave."""
    world = small.rollout().world
    wave = small.schedule.waves[0]
    record = MoveRecord(ID, wave.name, "src", "dst", MoveState.SOAKED)
    now = world.clock.now()
    token = world.state.acquire(LockRecord("n", 0, "run", "me", "here", 1, "boot", now, now, 0.0)).token
    world.state.commit([SaveMove(record)], token=token)
    small.parts("dst")[LIFECYCLE] = rule()
    assert await small.found() == []
    world.state.commit([SaveMove(replace(record, state=MoveState.HALTED, resume_from=MoveState.READY))], token=token)
    assert [one.code for one in await small.found()] == ["lifecycle-rule"]
