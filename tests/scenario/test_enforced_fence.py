"""``cutover.fence: access-policy`` against a real service, judged by the plain SDK's signatures and none of our code."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import AccessPolicy, BlobServiceClient, ContainerSasPermissions, generate_blob_sas

from migrator.adapters.azure import open_store
from migrator.adapters.clock import SystemClock
from migrator.adapters.routing import StoreRouter
from migrator.adapters.state import open_store as open_state
from migrator.engine.ahead import ahead_of
from migrator.engine.preview import preview
from migrator.engine.rollout import Rollout, Run, World
from migrator.engine.teller import tell
from migrator.errors import CloudError, ConditionFailed, OutcomeUnknown
from migrator.machine.transitions import AT_REST
from migrator.model.moves import MoveState
from migrator.model.names import Area, MoveId, Selector
from migrator.model.rhythm import Rhythm
from migrator.model.schedule import Account, Cutover, PlannedMove
from tests.scenario.test_rollout import until
from tests.scenario.world import ID, Silent, Small

API = "2026-06-06"
QUICK = Rhythm(policy_propagation_seconds=0.2, probe_pause_seconds=0.05, restore_pause_seconds=0.05)


@dataclass
class Fenced:
    """One move between two accounts; ``web`` has a policy of writers and one of readers."""

    azurite: object
    folder: Path
    names: list[str] = field(init=False)
    small: Small = field(init=False)
    opened: list = field(default_factory=list)
    rhythm: Rhythm = QUICK

    def __post_init__(self) -> None:
        self.names = [self.azurite.take(), self.azurite.take()]
        self.small = Small(self.folder)
        accounts = {
            key: Account(
                key, "azure", endpoint=self.azurite.endpoint(name), credential=f"env:{key.upper()}", api_version=API
            )
            for key, name in zip(("src", "dst"), self.names, strict=True)
        }
        self.small.schedule = replace(self.small.schedule, accounts=accounts)
        self.small.change_wave(cutover=Cutover(fence="access-policy"), gates=())
        source = self.client("src").create_container("web")
        source.upload_blob("n1", b"one")
        end = datetime.now(UTC) + timedelta(hours=1)
        source.set_container_access_policy(
            {
                "writers": AccessPolicy(ContainerSasPermissions(read=True, write=True, create=True, delete=True), end),
                "readers": AccessPolicy(ContainerSasPermissions(read=True, list=True), end),
            }
        )

    def client(self, key: str) -> BlobServiceClient:
        text = self.azurite.connection_string(self.names[("src", "dst").index(key)])
        return BlobServiceClient.from_connection_string(text, api_version=API)

    def policies(self, key: str = "src") -> dict[str, str]:
        found = self.client(key).get_container_client("web").get_container_access_policy()
        return {one.id: str(one.access_policy.permission) for one in found["signed_identifiers"]}

    def may(self, verb: str, policy: str, key: str = "src") -> bool:
        name = self.names[("src", "dst").index(key)]
        blob = "n1" if verb == "read" else "probe-of-test"
        token = generate_blob_sas(name, "web", blob, account_key=self.azurite.key(name), policy_id=policy)
        client = BlobServiceClient(self.azurite.endpoint(name), credential=token, api_version=API)
        try:
            one = client.get_blob_client("web", blob)
            one.download_blob().readall() if verb == "read" else one.upload_blob(b"x", overwrite=True)
        except HttpResponseError as refused:
            if refused.status_code != 403:
                raise
            return False
        return True

    def world(self) -> World:
        texts = {
            key.upper(): self.azurite.connection_string(n) for key, n in zip(("src", "dst"), self.names, strict=True)
        }
        stores = {key: open_store(one, environ=texts) for key, one in self.small.schedule.accounts.items()}
        self.opened += stores.values()
        world = World(
            stores,
            StoreRouter(stores["dst"], "routing", "r.json"),
            self.state(),
            {},
            SystemClock(),
            Silent(),
            write_bounds=dict.fromkeys(stores, 0.0),
        )
        world.is_dead, world.rhythm = lambda lock: True, self.rhythm
        return world

    def state(self):
        return open_state(f"sqlite:///{self.folder}/state/m.db", "s")

    def rollout(self) -> Rollout:
        world = self.world()
        run = Run(world.clock.nonce(), "tester", "here", os.getpid(), "boot")
        return Rollout(self.small.schedule, world=world, run=run)


@pytest.fixture
async def fenced(azurite, tmp_path: Path) -> AsyncIterator[Fenced]:
    made = Fenced(azurite, tmp_path)
    yield made
    for store in made.opened:
        await store.close()


class Died(Exception):
    """A dead process tries nothing again: a run in this one must not take its death for an account that is away, for which
    it would go on to release its fence for ten minutes."""


def _die(*_, **__):
    raise Died


def slow(fenced: Fenced) -> None:
    routing = replace(fenced.small.schedule.routing, clock_margin_seconds=30.0)
    fenced.small.schedule = replace(fenced.small.schedule, routing=routing)


async def closed(fenced: Fenced) -> None:
    await until(lambda: fenced.state().move(ID).state is MoveState.DRAINING and fenced.policies()["writers"] == "r")


async def test_inside_the_fence_signatures_of_the_policy_write_no_more_and_read_on(fenced):
    before = fenced.policies()
    assert fenced.may("write", "writers")
    slow(fenced)
    rollout = fenced.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await closed(fenced)
    assert not await asyncio.to_thread(fenced.may, "write", "writers")
    assert await asyncio.to_thread(fenced.may, "read", "writers")
    assert await asyncio.to_thread(fenced.may, "read", "readers")
    rollout.stop()
    assert (await run).code == "interrupted"
    assert fenced.policies() == before, "a release puts them back"
    assert fenced.may("write", "writers")
    assert fenced.state().move(ID).revoked == ()


async def test_after_the_switch_the_old_side_stays_closed_and_a_rollback_opens_it(fenced):
    before = fenced.policies()
    assert (await fenced.rollout().apply()).code == "done"
    assert fenced.policies() == {"writers": "r", "readers": "rl"}
    assert not fenced.may("write", "writers")
    pause = fenced.state().move(ID).figures.fence_seconds
    assert pause >= 0.2 + fenced.small.schedule.routing.max_write_seconds
    assert (await fenced.rollout().rollback()).code == "done"
    assert fenced.policies() == before
    assert fenced.may("write", "writers")
    assert fenced.client("src").get_container_client("web").get_blob_client("probe-of-test").exists()


async def test_a_run_that_died_in_its_fence_is_put_right_by_the_next(fenced):
    fenced.rhythm = replace(QUICK, release_seconds=0.5)  # it tries that much longer to free its writers, and cannot
    before = fenced.policies()
    slow(fenced)
    rollout = fenced.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await closed(fenced)
    dead = rollout.world.state
    dead.commit = _die  # nothing of it is recorded any more
    rollout.world.router.swap = rollout.world.router.read = dead.commit  # and it reaches no route: it cannot release
    for store in rollout._fleet.shared.stores.values():
        store.inner.set_policies = dead.commit
    mover = next(iter(rollout._fleet._movers.values()))
    assert fenced.state().move(ID).revoked, "what is changed was committed before"
    run.cancel()
    with pytest.raises((asyncio.CancelledError, Died)):
        await asyncio.wait_for(run, 10)
    assert mover.record.intent is not None
    fenced.small.change_wave(cutover=Cutover(fence="access-policy", hold=True))
    outcome = await fenced.rollout().apply(wait=False)
    assert outcome.code == "waiting"
    assert fenced.policies() == before
    assert fenced.state().move(ID).revoked == ()


async def test_a_policy_that_somebody_changed_meanwhile_is_left_as_it_is_and_said(fenced):
    assert (await fenced.rollout().apply()).code == "done"
    end = datetime.now(UTC) + timedelta(hours=2)
    web = fenced.client("src").get_container_client("web")
    web.set_container_access_policy({"writers": AccessPolicy(ContainerSasPermissions(list=True), end)})
    rollout = fenced.rollout()
    assert (await rollout.rollback()).code == "done"
    assert fenced.policies() == {"writers": "l"}
    said = [text for kind, _, text in rollout.world.reporter.events if kind == "warning"]
    assert any("was changed by somebody else" in text for text in said)


async def test_writes_that_are_still_accepted_end_the_fence_and_nothing_is_switched(fenced):
    fenced.rhythm = replace(QUICK, probe_seconds=0.3)
    before = fenced.policies()
    rollout = fenced.rollout()
    store = rollout._fleet.shared.stores["src"].inner

    async def accepts(*_):
        return True

    store.accepts = accepts
    outcome = await rollout.apply()
    assert outcome.code == "halted"
    assert "still takes writes under policy writers" in outcome.reasons[0]
    assert fenced.policies() == before


async def test_a_revocation_that_was_not_answered_and_comes_late_leaves_nobody_closed_out(fenced, monkeypatch):
    fenced.rhythm = replace(QUICK, restore_pause_seconds=0.02)
    before = fenced.policies()
    rollout = fenced.rollout()
    rollout.world.write_bounds = {"src": 1.0, "dst": 0.0}
    store = rollout._fleet.shared.stores["src"].inner
    right, late = store.set_policies, []

    async def set_policies(container, policies, *, public_access):
        store.set_policies = right

        async def apply_late():
            await asyncio.sleep(0.5)
            await right(container, policies, public_access=public_access)

        late.append(asyncio.ensure_future(apply_late()))
        raise OutcomeUnknown("cannot tell what became of it: no answer")

    store.set_policies = set_policies
    assert (await rollout.apply()).code == "done"
    kinds = [entry.kind for entry in fenced.state().journal()]
    assert kinds.index("policies-restored") > kinds.index("policies-revoked")
    assert late[0].done()
    first = next(entry for entry in fenced.state().journal() if entry.kind == "policies-restored")
    released = next(entry for entry in fenced.state().journal() if entry.kind == "fence-released")
    assert (first.at - released.at).total_seconds() >= 0.9, "it was watched until it could not come any more"
    assert (await fenced.rollout().rollback()).code == "done"
    assert fenced.policies() == before


async def dead_in_the_middle_of_its_revocation(fenced, bound_seconds: float):
    """A run whose revocation is still on its way when it dies; call the result to let the service carry it out."""
    world = fenced.world()
    world.write_bounds = {"src": bound_seconds, "dst": 0.0}
    rollout = Rollout(fenced.small.schedule, world=world, run=Run("run-1", "tester", "here", os.getpid(), "boot"))
    store = world.stores["src"]
    right, sent = store.set_policies, []

    async def set_policies(container, policies, *, public_access):
        sent.append((container, policies, public_access))
        await asyncio.Event().wait()

    store.set_policies = set_policies
    run = asyncio.create_task(rollout.apply())
    await until(lambda: bool(sent))

    world.state.commit = world.state.release = _die
    world.router.swap = world.router.read = _die
    store.set_policies = _die
    run.cancel()
    with pytest.raises((asyncio.CancelledError, Died)):
        await asyncio.wait_for(run, 10)

    async def arrive() -> None:
        container, policies, access = sent[0]
        await right(container, policies, public_access=access)

    return arrive


async def test_a_revocation_of_a_dead_run_that_comes_late_is_put_back_by_whoever_runs_next(fenced):
    before = fenced.policies()
    arrive = await dead_in_the_middle_of_its_revocation(fenced, 3.0)
    fenced.small.change_wave(cutover=Cutover(fence="access-policy", hold=True))
    assert (await fenced.rollout().apply(wait=False)).code == "waiting"
    assert fenced.state().move(ID).revoked, "it could still be carried out"
    await arrive()
    assert fenced.policies() == {"writers": "r", "readers": "rl"}
    assert (await fenced.rollout().apply(wait=False)).code == "waiting"
    assert fenced.policies() == before
    assert fenced.state().move(ID).revoked
    await asyncio.sleep(3.0)
    assert (await fenced.rollout().apply(wait=False)).code == "waiting"
    assert fenced.state().move(ID).revoked == (), "nothing can come any more"
    assert [one.kind for one in fenced.state().journal()].count("policies-restored") == 1


async def test_a_rollback_leaves_nothing_that_could_close_its_writers_out(fenced):
    before = fenced.policies()
    arrive = await dead_in_the_middle_of_its_revocation(fenced, 2.0)
    run = asyncio.create_task(fenced.rollout().rollback())
    await until(lambda: fenced.state().move(ID).state in AT_REST)
    assert fenced.state().move(ID).revoked
    await arrive()
    assert (await run).code == "done"
    assert fenced.policies() == before
    assert fenced.state().move(ID).revoked == ()


async def test_a_probe_that_a_dead_run_left_is_removed_by_the_next_fence(fenced):
    web = fenced.client("src").get_container_client("web")
    web.upload_blob(".migrate/fence-0123456789abcdef", b"")
    assert (await fenced.rollout().apply()).code == "done"
    assert [blob.name for blob in web.list_blobs()] == ["n1"]


async def test_the_plan_says_what_the_fence_binds_and_what_it_does_not(fenced):
    found = {one.code: one for one in (await preview(fenced.small.schedule, fenced.world())).findings}
    assert "web: writers" in found["fence-binds"].text
    assert "does not bind account keys" in found["fence-binds"].text


async def test_policies_that_bind_nobody_or_cannot_be_read_are_said(fenced):
    world = fenced.world()
    fenced.client("src").get_container_client("web").set_container_access_policy({})
    codes = {one.code: one.severity for one in (await preview(fenced.small.schedule, world)).findings}
    assert codes["fence-unbound"] == "warning"

    async def gone(*words, **options):
        raise CloudError("cannot reach src: it is away")

    world.stores["src"].policies = gone
    codes = {one.code: one.severity for one in (await preview(fenced.small.schedule, world)).findings}
    assert codes["fence-unreadable"] == "error"
    world.stores["src"].containers = gone
    codes = {one.code: one.severity for one in (await preview(fenced.small.schedule, world)).findings}
    assert (codes["unreadable"], "fence-unreadable" in codes) == ("error", False), "one account, one finding"


async def test_a_container_of_two_areas_is_an_error_finding(fenced):
    schedule = fenced.small.schedule
    other = Area("mail", (Selector("web", "mail/"),))
    wave = schedule.waves[0]
    moves = (*wave.moves, PlannedMove(MoveId("europe", "mail"), other, "src", "dst"))
    schedule = replace(schedule, areas={**schedule.areas, "mail": other}, waves=(replace(wave, moves=moves),))
    shared = [one for one in (await preview(schedule, fenced.world())).findings if one.code == "fence-shared-container"]
    assert {(one.severity, one.subject) for one in shared} == {("error", "europe/web"), ("error", "europe/mail")}


async def test_embedded_accounts_cannot_enforce_a_fence(tmp_path):
    small = Small(tmp_path)
    await small.fill(2)
    small.change_wave(cutover=Cutover(fence="access-policy"))
    found = [
        one.code for one in (await preview(small.schedule, small.rollout().world)).findings if one.severity == "error"
    ]
    assert found == ["fence-not-enforceable"]
    assert (await small.rollout().apply()).code == "halted"
    assert (await small.route()).account == "src"


PLAN = """\
version: 1
name: enforced
defaults:
  account: {{api_version: "{api}"}}
accounts:
  src: {{endpoint: "{src}", credential: "env:SRC"}}
  dst: {{endpoint: "{dst}", credential: "env:DST"}}
areas:
  web: {{containers: [web]}}
regions:
  europe: {{source: src, targets: {{web: dst}}}}
routing: {{kind: blob, account: dst, container: routing, name: r.json, ttl: 1s}}
cutover: {{max_write: 1s, clock_margin: 1s, fence: access-policy}}
waves:
  - {{name: only, moves: [{{region: europe, areas: "*"}}], soak: 1s, interval: 1s, gates: []}}
"""


@pytest.mark.slow
async def test_a_killed_engines_guardian_lets_signatures_of_the_policy_write_again_within_five_seconds(fenced):
    before, accounts = fenced.policies(), fenced.small.schedule.accounts
    endpoints = {key: account.endpoint for key, account in accounts.items()}
    (fenced.folder / "p.yaml").write_text(PLAN.format(api=API, **endpoints))
    texts = {
        key.upper(): fenced.azurite.connection_string(n) for key, n in zip(("src", "dst"), fenced.names, strict=True)
    }
    words = ("-m", "migrator.cli.app", "apply", "p.yaml", "--yes")
    engine = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=fenced.folder, env={**os.environ, **texts}, stdin=subprocess.DEVNULL
    )
    try:
        await until(lambda: fenced.policies()["writers"] == "r", seconds=60)
        assert not await asyncio.to_thread(fenced.may, "write", "writers")
    finally:
        engine.kill()
    died = time.monotonic()
    await until(lambda: fenced.may("write", "writers"), seconds=5)
    print(f"writers go on {time.monotonic() - died:.2f} s after the engine was killed")
    assert fenced.policies() == before
    await engine.wait()


async def test_policies_that_somebody_changed_since_they_were_read_are_not_replaced(fenced):
    """Set Container ACL replaces all policies: what comes in between would be lost. The service tells seconds apart."""
    store = fenced.world().stores["src"]
    found = await store.policies("web")
    await asyncio.sleep(1.1)
    end = datetime.now(UTC) + timedelta(hours=2)
    web = fenced.client("src").get_container_client("web")
    web.set_container_access_policy({"writers": AccessPolicy(ContainerSasPermissions(list=True), end)})
    with pytest.raises(ConditionFailed):
        await store.set_policies("web", found.policies, public_access=found.public_access)
    assert fenced.policies() == {"writers": "l"}
    again = await store.policies("web")
    await store.set_policies("web", again.policies, public_access=again.public_access)


async def test_an_enforced_fence_is_told_and_goes_through_the_told_states(fenced):
    told = tell(ahead_of(fenced.small.schedule, fenced.state(), {}, datetime.now(UTC))[ID])
    drain = next(one.text for one in told if one.state is MoveState.DRAINING)
    assert drain.startswith("access policies of src refuse writes; ")
    assert drain.endswith("until no lease and no policy lets them write")
    assert (await fenced.rollout().apply()).code == "done"
    journal = fenced.state().journal()
    entered = [one.evidence["state"] for one in journal if one.kind == "state-changed"]
    assert [str(one.state) for one in told] == ["pending", *entered[:-1]]
    assert any("until no lease and no policy lets them write" in one.text for one in journal)
