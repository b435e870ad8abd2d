"""Target accounts that are not there: the double of the control plane creates them, the moved data lies in embedded accounts.

An embedded target is there once the resource manager has created it, so nothing can be written before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
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
from migrator.engine.preview import preview
from migrator.engine.rollout import Outcome, Rollout
from migrator.errors import AccessRefused
from migrator.model.estate import MARK
from migrator.model.findings import Finding
from migrator.model.moves import MoveState
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import ContainerInfo
from migrator.model.rhythm import USUAL
from migrator.model.schedule import Account, PlannedMove
from migrator.testing.estate import Estate, Right, Subscription, running
from tests.scenario.test_rollout import until
from tests.scenario.world import ID, Small

ONE, TWO = "subscription-1", "subscription-2"
KEPT = {"deleteRetentionPolicy": {"enabled": True, "days": 7}, "isVersioningEnabled": True}
RULE = {
    "name": "old",
    "enabled": True,
    "type": "Lifecycle",
    "definition": {
        "actions": {"baseBlob": {"delete": {"daysAfterModificationGreaterThan": 9}}},
        "filters": {"blobTypes": ["blockBlob"], "prefixMatch": ["archive/"]},  # of names that nobody moves
    },
}


class Awaited(LocalStore):
    """An embedded account that a run can be bound to before it is there, as one of Azure can."""

    is_reached: Callable[[], bool]
    token = 0

    async def bind_run(self, token: int) -> None:
        self.token = token
        if self.is_reached():
            await super().bind_run(token)

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        found = await super().containers(prefix)
        await super().bind_run(self.token)
        return found


class Provisioned(Small):
    """The small world, whose target is an account of another subscription that is to be created."""

    estate: Estate

    def begin(self, estate: Estate, **wanted: Any) -> None:
        self.estate = estate
        places = {"src": (ONE, None), "dst": (TWO, {"sku": "Standard_ZRS", **wanted})}
        accounts = {
            name: Account(
                name,
                "azure",
                endpoint=f"https://{name}.blob.core.windows.net",
                path=str(self.folder / f"{name}.db"),
                subscription=subscription,
                resource_group="data",
                location="East US 2",
                provision=provision,
            )
            for name, (subscription, provision) in places.items()
        }
        self.schedule = replace(self.schedule, accounts=accounts)
        self.source = estate.add("src", ONE, "data", "eastus2")
        self.source.parts["blobServices/default"] = {"properties": KEPT}

    def want(self, **wanted: Any) -> None:
        account = replace(self.schedule.accounts["dst"], provision={"sku": "Standard_ZRS", **wanted})
        self.schedule = replace(self.schedule, accounts={**self.schedule.accounts, "dst": account})

    def forget(self) -> None:
        """Nothing was ever applied."""
        self.estate.resources.accounts.pop("dst", None)
        self.estate.resources.created.clear()
        for one in (*self.folder.glob("dst.db*"), *self.folder.glob("state/*"), self.folder / "routes.json"):
            one.unlink(missing_ok=True)

    @property
    def made(self) -> Any:
        return self.estate.resources.accounts.get("dst")

    def is_reached(self, name: str) -> bool:
        there = self.estate.resources.accounts.get(name)
        return there is not None and self.estate.now() >= there.ready_at + self.estate.faults.reach_seconds

    def store(self, name: str, caller: str = "app") -> LocalStore:
        """The engine's own is there once the account is."""
        if caller != "engine":
            return super().store(name, caller)
        path = Path(self.schedule.accounts[name].path or "")
        store = Awaited(name, path, caller="engine", create=lambda: self.is_reached(name))
        store.is_reached = lambda: self.is_reached(name)
        return store

    def rollout(self, state: Any = None, door: Any = None) -> Rollout:
        made = super().rollout(state)
        made.world.executor = None
        made.world.estate = door or ResourceManager({"resource_manager": self.estate.public})
        return made

    async def apply(self, door: Any = None) -> Outcome:
        rollout = self.rollout(door=door)
        try:
            async with asyncio.timeout(60):
                return await rollout.apply()
        finally:
            await rollout.world.estate.close()
            rollout.world.state.close()

    async def found(self, **options: Any) -> dict[str, Finding]:
        world = self.rollout().world
        try:
            return {one.code: one for one in (await preview(self.schedule, world, **options)).findings}
        finally:
            await world.estate.close()

    def record(self) -> Any:
        state = self.state()
        try:
            return state.move(ID), [(one.kind, one.text) for one in state.journal()]
        finally:
            state.close()


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provisioned]:
    monkeypatch.setattr(manager, "POLL_SECONDS", 0.5)
    monkeypatch.setattr(manager, "TRIED_SECONDS", 0.3)
    subscriptions = [Subscription(one, "tenant", groups={"data": "eastus2"}) for one in (ONE, TWO)]
    with running(Estate(subscriptions)) as estate:
        estate.set_faults(poll_after=0)
        made = Provisioned(tmp_path, rhythm=replace(USUAL, first_pause_seconds=0.05))
        made.begin(estate)
        asyncio.run(made.fill(3))
        yield made


# Creating.


async def test_a_target_that_is_not_there_is_created_and_data_goes_to_it(small: Provisioned) -> None:
    small.want(tags={"area": "web"}, shared_key=False)
    small.source.parts["managementPolicies/default"] = {"properties": {"policy": {"rules": [RULE]}}}
    small.estate.set_faults(create_seconds=0.2, reach_seconds=0.1)

    outcome = await small.apply()

    (record, journal), made = small.record(), small.made
    properties = made.document["properties"]
    assert (outcome.code, record.state) == ("done", MoveState.SOAKED)
    assert await small.contents("dst") == await small.contents("src")
    assert (made.subscription, made.document["sku"]["name"], made.document["tags"]["area"]) == (
        TWO,
        "Standard_ZRS",
        "web",
    )
    assert [properties[name] for name in ("minimumTlsVersion", "allowSharedKeyAccess", "allowBlobPublicAccess")] == [
        "TLS1_2",
        False,
        False,
    ]
    assert KEPT.items() <= made.parts["blobServices/default"]["properties"].items()
    assert made.parts["managementPolicies/default"]["properties"]["policy"]["rules"] == [{**RULE, "enabled": False}]
    told = [text for kind, text in journal if kind.startswith("account-")]
    assert told == [
        "europe/web: creating account dst: Standard_ZRS in eastus2, resource group data, subscription subscription-2",
        "europe/web: account dst is created, with soft delete of blobs, versions, 1 lifecycle rule, off of the source",
    ]


async def test_a_second_apply_changes_nothing(small: Provisioned) -> None:
    await small.apply()
    before, document = list(small.estate.resources.created), small.made.document

    outcome = await small.apply()

    writes = [one for one in small.estate.requests() if one.method in ("PUT", "PATCH", "DELETE")]
    assert (outcome.code, small.estate.resources.created, small.made.document) == ("done", before, document)
    assert [one.path.rpartition("/")[2] for one in writes] == ["dst", "default"]


class Killed(BaseException):
    pass


class Dying:
    """A door that the process dies at: at the call of that name, before it is made or after."""

    def __init__(self, door: ResourceManager, name: str, *, before: bool) -> None:
        self._door, self._name, self._before = door, name, before
        self.has_died = False

    def __getattr__(self, name: str) -> Any:
        ask = getattr(self._door, name)
        if name != self._name:
            return ask

        async def asked(*words: Any, **options: Any) -> Any:
            if not self._before:
                await ask(*words, **options)
            self.has_died = True
            raise Killed

        return asked


POINTS = [
    ("is_taken", False),
    *((name, before) for name in ("create", "settings", "set_settings") for before in (True, False)),
]


async def test_a_run_that_dies_in_any_phase_is_followed_by_one_that_ends_alike(small: Provisioned) -> None:
    small.source.parts["managementPolicies/default"] = {"properties": {"policy": {"rules": [RULE]}}}
    ends = []
    for name, before in POINTS:
        small.forget()
        door = Dying(ResourceManager({"resource_manager": small.estate.public}), name, before=before)
        with pytest.raises((Killed, BaseExceptionGroup)):
            await small.apply(door)
        assert door.has_died
        await small.apply()
        made = small.made
        ends.append((made.document, made.parts, small.record()[0].state, tuple(small.estate.resources.created)))
    marks = [one[0]["tags"].pop(MARK) for one in ends]
    assert all(one == ends[0] for one in ends), ends
    assert ends[0][2:] == (MoveState.SOAKED, ("dst",))
    assert all(marks)


async def test_an_answer_that_is_lost_is_no_second_account(small: Provisioned) -> None:
    small.estate.set_faults(cut=0.5, create_seconds=0.1)

    outcome = await small.apply()

    assert (outcome.code, small.estate.resources.created) == ("done", ["dst"])


async def test_two_areas_go_to_one_new_account(small: Provisioned) -> None:
    move, other = small.schedule.waves[0].moves[0], MoveId("europe", "mail")
    store = small.store("src")
    await store.create_container(ContainerInfo("mail"))
    await store.close()
    second = PlannedMove(other, Area("mail", (Selector("mail"),)), "src", "dst")
    small.change_wave(moves=(move, second))
    small.estate.set_faults(create_seconds=0.2)

    outcome = await small.apply()

    assert (outcome.code, small.estate.resources.created) == ("done", ["dst"])


@pytest.mark.parametrize(("keeps", "is_open"), [("keep", True), ("drop", False)])
async def test_an_open_container_needs_public_access(small: Provisioned, keeps: str, is_open: bool) -> None:
    store = small.store("src")
    await store.create_container(ContainerInfo("open", public_access="blob"))
    await store.close()
    move = replace(small.schedule.waves[0].moves[0], area=Area("web", (Selector("web"), Selector("open"))))
    small.change_wave(moves=(move,))
    small.schedule = replace(small.schedule, public_access=keeps)
    await small.apply()

    assert small.made.document["properties"]["allowBlobPublicAccess"] is is_open


async def test_settings_may_be_left(small: Provisioned) -> None:
    small.want(settings="leave")
    await small.apply()

    assert "blobServices/default" not in small.made.parts
    assert "europe/web: account dst is created, with no settings of the source: the plan says `settings: leave`" in [
        text for _, text in small.record()[1]
    ]


async def test_what_somebody_else_created_meanwhile_is_not_changed(small: Provisioned) -> None:
    there = small.estate.add("dst", TWO, "data", "eastus2", sku="Standard_ZRS", minimumTlsVersion="TLS1_2")
    there.ready_at = small.estate.now() + 3600.0
    before = dict(there.document)
    task = asyncio.create_task(small.apply())
    await until(lambda: len(small.estate.requests("GET", "storageAccounts/dst")) > 2)
    there.ready_at = small.estate.now()

    outcome = await task

    assert (outcome.code, there.document, there.parts, small.estate.resources.created) == ("done", before, {}, [])
    assert any("somebody else created it" in text for _, text in small.record()[1])


async def test_a_new_account_is_waited_for_until_its_blobs_answer(small: Provisioned) -> None:
    small.estate.set_faults(reach_seconds=3600.0)
    task = asyncio.create_task(small.apply())
    await until(lambda: bool(small.estate.resources.created))
    await asyncio.sleep(0.6)
    waiting = small.record()[0].state
    small.estate.set_faults(reach_seconds=0.0)

    assert (waiting, (await task).code) == (MoveState.PROVISIONING, "done")


async def test_after_a_way_back_an_account_that_somebody_deleted_is_created_anew_and_all_is_copied(
    small: Provisioned,
) -> None:
    await small.apply()
    back = small.rollout()
    await back.rollback()
    await back.retry(reason="again", who="me")
    back.world.state.close()
    del small.estate.resources.accounts["dst"]
    for one in small.folder.glob("dst.db*"):
        one.unlink()

    outcome = await small.apply()

    assert (outcome.code, small.estate.resources.created) == ("done", ["dst", "dst"])
    assert await small.contents("dst") == await small.contents("src")


# Halting.


async def test_a_name_that_is_somebody_elses_halts_before_anything_is_created(small: Provisioned) -> None:
    small.estate.resources.taken_elsewhere.add("dst")

    outcome = await small.apply()

    record, _ = small.record()
    assert (outcome.code, record.state, record.resume_from) == ("halted", MoveState.HALTED, MoveState.PROVISIONING)
    assert "already taken" in outcome.reasons[0]
    assert small.estate.resources.created == []


async def test_what_the_resource_manager_refuses_halts_and_says_why(small: Provisioned) -> None:
    small.estate.subscriptions[TWO].denied = "no accounts here"

    outcome = await small.apply()

    assert outcome.code == "halted"
    assert "RequestDisallowedByPolicy" in outcome.reasons[0]


async def test_throttling_is_waited_out(small: Provisioned) -> None:
    small.estate.set_faults(throttled=1.0, retry_after=1)
    task = asyncio.create_task(small.apply())
    await asyncio.sleep(0.5)
    small.estate.set_faults(throttled=0.0)

    assert (await task).code == "done"


# Findings.


async def test_what_will_be_created_is_said_and_told_in_the_steps(small: Provisioned) -> None:
    world = small.rollout().world
    looked = await preview(small.schedule, world)
    await world.estate.close()

    said = {one.code: one for one in looked.findings}
    told = [(str(one.state), one.text) for one in looked.steps[0].told]
    assert not looked.has_errors
    assert said["account-to-create"].text == (
        "dst is not there: apply creates it (Standard_ZRS in eastus2, resource group data); its ways are unproved until then"
    )
    assert told[1:3] == [
        ("preflight", "look for account dst, which is not there yet"),
        (
            "provisioning",
            "create account dst (StorageV2, Standard_ZRS in eastus2, resource group data, subscription subscription-2), with"
            " the settings of src's blob service",
        ),
    ]
    assert told[3][0] == "preflight"
    assert "canary" in told[3][1]
    assert small.estate.resources.created == []


async def test_a_probe_of_an_account_that_is_not_there_is_left_to_apply(small: Provisioned) -> None:
    said = await small.found(with_probe=True)
    assert "account dst is not there yet" in said["not-probed"].text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("name-taken", "dst cannot be created: The storage account named dst is already taken"),
        ("may-not-create", "our identity may create no accounts in resource group data"),
        ("sku-unavailable", "its subscription may have no Standard_ZRS in eastus2"),
        (
            "account-quota",
            "subscription subscription-2 has 1 of 1 storage accounts in eastus2, and 1 more would be created",
        ),
        ("estate-unasked", "there is no resource group data"),
    ],
)
async def test_what_stands_in_the_way_is_found_before(small: Provisioned, code: str, words: str) -> None:
    there = small.estate.subscriptions[TWO]
    if code == "name-taken":
        small.estate.resources.taken_elsewhere.add("dst")
    elif code == "sku-unavailable":
        there.skus["eastus2"] = ("Standard_LRS",)
    elif code == "account-quota":
        small.estate.add("another", TWO, "data", "eastus2")
        there.most_accounts = 1
    elif code == "may-not-create":
        small.estate.rights = [Right("Reader")]
    else:
        there.groups.clear()
    found = (await small.found())[code]
    assert (found.severity, words in found.text) == ("error", True), found


async def test_an_identity_without_a_role_for_blobs_is_said(small: Provisioned) -> None:
    small.estate.rights = [Right("Contributor")]
    said = await small.found()
    assert (said["no-data-role"].severity, "may-not-create" in said) == ("warning", False)


async def test_a_difference_is_a_finding_and_nothing_is_changed(small: Provisioned) -> None:
    there = small.estate.add("dst", TWO, "data", "eastus2", tags={"own": "x"})
    before = dict(there.document)
    world = small.rollout().world
    found = [one for one in (await preview(small.schedule, world)).findings if one.code == "account-differs"]
    small.estate.resources.accounts["dst"].document = {**before, "location": "westeurope"}
    case = Case(
        schedule=small.schedule,
        when=When.PREFLIGHT,
        moves=small.schedule.moves,
        may_ask=frozenset({Asks.STATE, Asks.ESTATE}),
        known=world.state,
        world=world,
    )
    worse = [one for one in await look(CHECKS, case) if one.severity == "error"]
    await world.estate.close()

    assert [(one.severity, one.text) for one in found] == [
        ("warning", "dst is there with sku Standard_LRS, and the plan wants Standard_ZRS"),
        ("warning", "dst is there with minimum TLS TLS1_0, and the plan wants TLS1_2"),
    ]
    assert [one.text for one in worse] == ["dst is there with location westeurope, and the plan wants eastus2"]
    assert small.estate.resources.created == []


async def test_what_is_not_copied_is_named(small: Provisioned, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = small.source.parts
    parts["managementPolicies/default"] = {"properties": {"policy": {"rules": [RULE]}}}
    parts["privateEndpointConnections/e"] = {"properties": {}}
    parts["providers/Microsoft.Authorization/locks/l"] = {"properties": {"level": "CanNotDelete"}}
    listed = ResourceManager._listed

    async def refused(self: ResourceManager, one: Account, path: str, version: str) -> Any:
        if path.endswith("roleAssignments"):
            raise AccessRefused("no")
        return await listed(self, one, path, version)

    monkeypatch.setattr(ResourceManager, "_listed", refused)
    said = await small.found()

    assert said["attached-not-copied"].text == (
        "of src these are not copied to dst: 1 private endpoint, 1 lock, role assignments (nobody told whether there are any);"
        " DNS records, alerts, Defender and backup are not looked for"
    )
    assert "stay off" in said["lifecycle-copied-off"].text


async def test_settings_that_cannot_be_read_are_named(small: Provisioned) -> None:
    bare = replace(small.schedule.accounts["src"], subscription=None)
    small.schedule = replace(small.schedule, accounts={**small.schedule.accounts, "src": bare})
    said = await small.found()
    outcome = await small.apply()

    assert "the plan does not say where it is" in said["settings-unknown"].text
    assert outcome.code == "done"
    assert "blobServices/default" not in small.made.parts


async def test_a_target_in_another_region_and_paired_regions_are_said(small: Provisioned) -> None:
    move = small.schedule.waves[0].moves[0]
    other = MoveId("america", "web")
    far = replace(
        small.schedule.accounts["dst"],
        name="far",
        location="centralus",
        endpoint="https://far1.blob.core.windows.net",
        path=str(small.folder / "far.db"),
    )
    small.schedule = replace(small.schedule, accounts={**small.schedule.accounts, "far": far})
    small.change_wave(moves=(move, PlannedMove(other, Area("mail", (Selector("mail"),)), "src", "far")))
    said = await small.found()

    assert said["location-differs"].text == (
        "far is to be created in centralus, and src is in eastus2: copies cross regions, and cost"
    )
    assert "wave first changes centralus and eastus2, which are paired" in said["paired-regions"].text


async def test_whoever_goes_on_with_a_move_that_copies_needs_no_right_at_the_resource_manager(
    small: Provisioned,
) -> None:
    await small.apply()
    small.estate.set_faults(failing=1.0)
    small.estate.asked.clear()

    said = await small.found()

    assert [one for one in said if one.startswith(("account-", "estate-"))] == []
    assert small.estate.asked == []


async def test_a_plan_that_creates_nothing_and_says_no_place_asks_nobody(small: Provisioned) -> None:
    small.estate.add("dst", TWO, "data", "eastus2")
    bare = {
        name: replace(one, provision=None, subscription=None, resource_group=None)
        for name, one in small.schedule.accounts.items()
    }
    small.schedule = replace(small.schedule, accounts=bare)
    small.estate.asked.clear()
    await small.apply()

    assert small.estate.asked == []
