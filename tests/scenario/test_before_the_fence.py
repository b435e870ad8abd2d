"""What must hold before any fence: the durations of the document, the way back, and the operators' wishes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from migrator.adapters.clock import SystemClock
from migrator.adapters.local import LocalStore
from migrator.adapters.routing import FileRouter
from migrator.engine.checks import canary
from migrator.errors import AccessRefused, PlanError
from migrator.model.happenings.happening import event_of
from migrator.model.moves import Control, MoveState
from migrator.model.objects import CREATE
from migrator.model.rhythm import Rhythm
from migrator.model.routes import RouteDocument
from migrator.model.schedule import Cutover
from migrator.ports.state_store import SetControl
from migrator.words.happenings import sentence
from tests.scenario.test_rollout import until
from tests.scenario.world import ID, Small, shape


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


def routing(small: Small, **changes) -> None:
    small.schedule = replace(small.schedule, routing=replace(small.schedule.routing, **changes))


async def document(small: Small, ttl: float, max_write: float) -> None:
    router = FileRouter(str(small.folder / "routes.json"))
    seen = await router.read("europe")
    routes = seen.document.routes if seen.document else {}
    await router.swap("europe", RouteDocument(ttl, max_write, routes), expected_etag=seen.etag)


class StandsFrom(SystemClock):
    """Monotonic time stands still between two events, so that what happens in between takes none on any machine."""

    def __init__(self, reporter, begin: str, end: str) -> None:
        self._begin, self._end, self._report = begin, end, reporter.event
        self._stood: float | None = None
        self._lost = 0.0
        self.at: list[tuple[str, str, float]] = []
        reporter.event = self._event

    def monotonic(self) -> float:
        return super().monotonic() - self._lost if self._stood is None else self._stood

    def _event(self, happening, move=None):
        text = sentence(happening, move)
        self.at.append((event_of(happening), text, self.monotonic()))
        self._report(happening, move)
        if self._begin in text and self._stood is None:
            self._stood = self.monotonic()
        elif self._end in text and self._stood is not None:
            self._lost, self._stood = super().monotonic() - self._stood, None


async def test_a_first_apply_publishes_longer_durations_and_waits_the_old_ones_before_its_fence(small):
    await small.fill(3)
    await document(small, 0.3, 0.2)
    routing(small, ttl_seconds=0.4, max_write_seconds=0.25)
    rollout = small.rollout()
    clock = StandsFrom(rollout.world.reporter, "no fence begins for 0.51 s", "clients may still follow")
    rollout.world.clock = clock
    outcome = await rollout.apply()
    assert outcome.code == "done"
    seen = (await FileRouter(str(small.folder / "routes.json")).read("europe")).document
    assert (seen.ttl_seconds, seen.max_write_seconds) == (0.4, 0.25)
    texts = [text for kind, _, text in rollout.world.reporter.events if kind in ("durations", "waiting")]
    assert "no fence begins for 0.51 s" in texts[0]
    assert "clients may still follow the shorter durations" in texts[1]
    at = {text: at for _, text, at in clock.at}
    assert at[f"{ID}: ready -> fencing"] >= at[texts[0]] + 0.51
    assert small.state().note("durations")["old_drain_seconds"] == 0.0, "the wait is over, for later runs too"


async def test_a_wait_that_a_dead_run_did_not_finish_is_waited_again(small):
    await small.fill(3)
    await document(small, 10.0, 10.0)
    routing(small, ttl_seconds=11.0, max_write_seconds=11.0)
    assert (await small.rollout().apply(wait=False)).code == "waiting"
    again = await small.rollout().apply(wait=False)
    assert again.code == "waiting"
    assert "clients may still follow" in again.reasons[0]
    assert small.state().move(ID).state is MoveState.READY


async def test_no_fence_begins_under_longer_durations_of_the_document_until_the_plan_says_them_too(small):
    await small.fill(3)
    await document(small, 0.4, 0.3)
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "promises ttl 0.4 s and max_write 0.3 s" in outcome.reasons[0]
    assert (await small.route()).epoch == 1
    routing(small, ttl_seconds=0.4, max_write_seconds=0.3)
    assert (await small.rollout().retry(reason="the plan says so now", who="tester")).code == "done"
    assert (await small.rollout().apply()).code == "done"
    assert small.state().move(ID).figures.fence_seconds >= 0.71


@pytest.mark.parametrize(
    ("field", "key"),
    [("ttl_seconds", "routing.ttl"), ("max_write_seconds", "max_write"), ("clock_margin_seconds", "clock_margin")],
)
async def test_a_smaller_duration_in_an_edited_plan_is_an_error_that_says_so(small, field, key):
    await small.fill(3)
    await small.rollout().apply()
    routing(small, **{field: 0.001})
    with pytest.raises(PlanError, match=f"{key} is 0.001s, but this rollout has published"):
        await small.rollout().apply()


async def test_a_canary_goes_both_ways_before_the_fence_and_leaves_nothing(small):
    await small.fill(3)
    await small.rollout().apply()
    canaries = [entry for entry in small.state().journal() if entry.kind == "canary"]
    states = [entry.evidence.get("state") for entry in small.state().journal() if entry.kind == "state-changed"]
    assert len(canaries) == 2, "in preflight, and once more before the fence"
    assert canaries[1].evidence["back"].startswith(("by the service", "streamed through this machine"))
    assert states.index("fencing") > states.index("ready")
    for account in ("src", "dst"):
        store = small.store(account)
        assert (await store.page("web", prefix=".migrate/")).entries == ()
        await store.close()


async def test_a_way_back_that_is_refused_stops_the_move_before_its_fence(small):
    await small.fill(3)
    small.change_wave(cutover=Cutover(hold=True))
    await small.rollout().apply(wait=False)
    small.change_wave(cutover=Cutover())
    rollout = small.rollout()
    source = rollout._fleet.shared.stores["src"].inner

    async def refuse(*args, **kwargs):
        raise AccessRefused("cannot write to src: refused (403)")

    source.put = source.copy = refuse
    outcome = await rollout.apply()
    assert outcome.code == "halted"
    assert "cannot prove the way" in outcome.reasons[0]
    assert (await small.route()).epoch == 1, "nothing was fenced"


async def test_accounts_that_hold_nothing_of_ours_are_asked_for_that_once_a_canary(small, monkeypatch):
    """Each listing costs a service far away a fifth of a second, and some services a look at all they hold."""
    asked, page = [], LocalStore.page

    async def told(self, container, *, prefix="", **more):
        asked.append((self.account, prefix))
        return await page(self, container, prefix=prefix, **more)

    await small.fill(3)
    monkeypatch.setattr(LocalStore, "page", told)
    assert (await small.rollout().apply()).code == "done"
    canaries = len([entry for entry in small.state().journal() if entry.kind == "canary"])
    ours = [(account, prefix) for account, prefix in asked if prefix.startswith(".migrate/")]
    assert canaries == 2
    assert sorted(ours) == [("dst", ".migrate/")] * canaries + [("src", ".migrate/")] * canaries


@pytest.mark.parametrize("kind", ["canary", "probe"])
async def test_the_next_canary_removes_what_a_dead_run_left(small, kind):
    await small.fill(3)
    store = small.store("src")
    left = f".migrate/{kind}/{ID}/0123456789abcdef"
    await store.put("web", left, b"left", shape(), condition=CREATE)
    await small.rollout().apply()
    assert (await store.page("web", prefix=".migrate/")).entries == ()
    await store.close()


async def test_a_canary_that_arrives_changed_is_no_proof(small, monkeypatch):
    await small.fill(3)

    async def differs(*args):
        return False

    monkeypatch.setattr(canary, "same_content", differs)
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "a canary arrived changed" in outcome.reasons[0]


async def test_while_held_it_keeps_up_and_the_last_pass_before_the_fence_is_a_fresh_one(small):
    small.rhythm = Rhythm(ready_pass_seconds=0.2, fresh_seconds=0.1)
    await small.fill(3)
    wish(small, "hold")
    rollout = small.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await until(lambda: small.state().move(ID).state is MoveState.READY)
    await small.write("src", "late", b"written while it was held")
    await until(lambda: (small.folder / "dst.db").exists() and small.state().move(ID).figures.objects_copied == 4)
    assert small.state().move(ID).state is MoveState.READY
    await small.write("src", "later", b"written at the end of the hold")
    wish(small, "hold", on=False)
    assert (await asyncio.wait_for(run, 20)).code == "done"
    assert "later" in await small.contents("dst")
    assert (await small.route()).account == "dst"


@pytest.mark.parametrize("at", [MoveState.PENDING, MoveState.CATCHING_UP, MoveState.SOAKING])
async def test_pause_holds_every_state_outside_a_fence_and_unpause_goes_on(small, at):
    await small.fill(3)
    small.change_wave(soak_seconds=0.3)
    if at is MoveState.CATCHING_UP:
        small.change_wave(cutover=Cutover(hold=True))
        await small.rollout().apply(wait=False)
        small.change_wave(cutover=Cutover())
    if at is MoveState.SOAKING:
        small.change_wave(soak_seconds=60.0)
        await small.rollout().apply(wait=False)
        small.change_wave(soak_seconds=0.3)
    wish(small, "pause")
    rollout = small.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await until(lambda: any(kind == "waiting" for kind, _, _ in rollout.world.reporter.events))
    await asyncio.sleep(0.4)
    assert small.state().move(ID).state is at
    wish(small, "pause", on=False)
    assert (await asyncio.wait_for(run, 20)).code == "done"


async def test_an_impatient_apply_does_not_wait_for_a_pause(small):
    await small.fill(3)
    wish(small, "pause")
    outcome = await small.rollout().apply(wait=False)
    assert outcome.code == "waiting"
    assert "migrate unpause" in outcome.reasons[0]


def wish(small: Small, kind: str, *, on: bool = True) -> None:
    state = small.state()
    now = small.rollout().world.clock.now()
    state.commit([SetControl(Control(kind, "", {"on": True} if on else {}, "me", now))], token=None)
    state.close()


async def test_a_container_that_was_shut_at_the_source_since_keeps_the_fence_back_until_the_target_is_shut_too(small):
    """Else the switch would open again what its owner had closed."""
    await small.fill(3)
    opened = {"src": "blob", "dst": "blob"}

    async def apply():
        rollout = small.rollout()
        for account, store in rollout.world.stores.items():

            async def containers(prefix="", account=account, plain=store.containers):
                return [replace(one, public_access=opened[account]) for one in await plain(prefix)]

            store.containers = containers
        return await rollout.apply(wait=False)

    wish(small, "hold")
    for _ in range(2):
        assert (await apply()).code == "waiting"
    wish(small, "hold", on=False)
    opened["src"] = None
    outcome = await apply()
    assert outcome.code == "waiting"
    assert "who may read without a signature has changed since the first copy" in outcome.reasons[0]
    assert "web (nothing at src, its blobs at dst)" in outcome.reasons[0]
    assert (await small.route()).account == "src"
    opened["dst"] = None
    await apply()
    assert (await small.route()).account == "dst"
