"""``rollback --abandon-target-writes``: the target is lost, and only this goes back without it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.adapters.local import LocalStore
from migrator.engine.rollout import Abandon
from migrator.errors import PlanError, Unreachable
from migrator.model.moves import Direction, EvidenceRange, MoveState, Outstanding
from migrator.ports.state_store import PutOutstanding, ReplaceRanges
from migrator.transfer.evidence import UNKNOWN, Evidence, Record, generation_hash
from tests.scenario.test_adopting import to
from tests.scenario.test_rollout import nothing, until
from tests.scenario.world import ID, Small

LOST = Abandon("the region is gone", "me")


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


class Silence:
    """An account that answers nothing."""

    def __init__(self, inner: LocalStore) -> None:
        self.account, self.endpoint = inner.account, inner.endpoint

    def __getattr__(self, name):
        async def silent(*args, **kwargs):
            raise Unreachable(f"cannot reach {self.account}: no answer")

        return silent

    def can_copy_from(self, other):
        return False

    async def close(self): ...


def without_target(small: Small):
    rollout = small.rollout()
    store = rollout._fleet.shared.stores["dst"]
    store.inner = Silence(store.inner)
    store._clock = Hasty()
    return rollout


class Hasty:
    """Pauses between tries are not what is tested here."""

    async def sleep(self, seconds):
        await asyncio.sleep(0)

    def random(self):
        return 0.5

    def now(self):
        return datetime.now(UTC)

    def monotonic(self):
        return time.monotonic()


async def test_a_plain_rollback_halts_without_its_target_and_names_the_other_way(small):
    await small.fill(5)
    await small.rollout().apply()
    rollout = without_target(small)
    rollout._fleet.shared.stores["dst"].inner.bind_run = nothing  # a service is not told
    outcome = await rollout.rollback()
    assert outcome.code == "halted"
    assert "--abandon-target-writes" in outcome.reasons[0]
    assert (await small.route()).account == "dst"


async def test_it_fences_and_drains_reads_nothing_of_the_target_and_marks_it_dirty(small):
    await small.fill(5)
    await small.rollout().apply()
    await small.write("dst", "n001", b"written at the target")
    await small.write("dst", "new", b"only at the target")
    before = await small.contents("src")
    epoch = (await small.route()).epoch
    outcome = await without_target(small).rollback(abandon=LOST)
    assert outcome.code == "done"
    assert "left behind" in outcome.reasons[0]
    route = await small.route()
    assert (route.account, route.mode, route.epoch) == ("src", "read-write", epoch + 2)
    assert await small.contents("src") == before
    record = small.state().move(ID)
    assert record.state is MoveState.REVERSED
    assert "the region is gone" in record.dirty
    assert not record.is_abandoning
    assert record.figures.fence_seconds >= small.schedule.routing.drain_seconds
    kinds = [entry.kind for entry in small.state().journal()]
    assert kinds.index("abandoned") < len(kinds) - 1 - kinds[::-1].index("barrier")


async def test_the_next_way_forward_takes_what_the_target_holds_for_foreign_unless_evidence_knows_it(small):
    await small.fill(5)
    await small.rollout().apply()
    await small.write("dst", "n001", b"written at the target")
    await small.write("dst", "new", b"only at the target")
    await without_target(small).rollback(abandon=LOST)
    await small.write("src", "n002", b"written at the source since")
    await small.rollout().retry(reason="it is back", who="me")
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "2 objects that were not copied" in outcome.reasons[0]
    target = await small.contents("dst")
    assert target["n001"][0] == b"written at the target"
    assert target["n002"][0] == b"written at the source since", "of these evidence knows"
    assert small.state().move(ID).dirty
    await small.erase("dst", "n001")
    await small.erase("dst", "new")
    await small.rollout().retry(reason="emptied", who="me")
    assert (await small.rollout().apply()).code == "done"
    assert await small.contents("dst") == await small.contents("src")
    assert small.state().move(ID).dirty == "", "the barrier proved both sides equal"


async def test_after_a_crash_in_its_fence_it_goes_on_without_the_target(small):
    await small.fill(5)
    await small.rollout().apply()
    slow = replace(small.schedule.routing, clock_margin_seconds=30.0)
    quick, small.schedule = small.schedule, replace(small.schedule, routing=slow)
    rollout = without_target(small)
    run = asyncio.ensure_future(rollout.rollback(abandon=LOST))
    await until(lambda: small.state().move(ID).state is MoveState.DRAINING)
    rollout.stop()
    await run
    record = small.state().move(ID)
    assert (record.state, record.direction, record.is_abandoning) == (MoveState.CATCHING_UP, Direction.REVERSE, True)
    assert quick.routing.clock_margin_seconds < 30.0


async def test_the_last_word_counts_a_plain_rollback_reads_the_target_again(small):
    await small.fill(5)
    await small.rollout().apply()
    await small.write("dst", "n001", b"written at the target")
    small.schedule = replace(small.schedule, routing=replace(small.schedule.routing, clock_margin_seconds=5.0))
    rollout = without_target(small)
    run = asyncio.ensure_future(rollout.rollback(abandon=LOST))
    await until(lambda: small.state().move(ID).state is MoveState.DRAINING)
    rollout.stop()
    await run
    assert (await small.rollout().rollback()).code == "done"
    assert small.state().move(ID).dirty == ""
    assert (await small.contents("src"))["n001"][0] == b"written at the target"


def half_copied_back(rollout, small: Small, *names: str, unanswered: str = "") -> None:
    """An earlier way back announced these names, may have written them, and died."""
    state = small.state()
    one = next(iter(state.ranges(ID, "web", "")))
    evidence = Evidence.unpack(one.records)
    for name in names:
        known = evidence.get(name)
        unknown = Record(UNKNOWN, generation_hash(name, "gone"), 0, is_pending=True)
        evidence.put(name, replace(known, is_pending=True) if known is not None else unknown)
    changes = [ReplaceRanges(ID, "web", "", None, None, (EvidenceRange("web", "", None, evidence.pack(), True),))]
    if unanswered:
        write = Outstanding("source", "web", unanswered, "create", None, rollout.world.clock.now(), 0.0)
        changes.append(PutOutstanding(ID, write))
    rollout._session.open(lambda lock: True)
    state.commit(changes, token=rollout._session.token)


def lose_the_answer_of_the_switch(rollout) -> None:
    """The route is changed, and the process dies before it can write that down."""
    desk = rollout._fleet.shared.desks.all[0]
    right = desk.change

    async def change(move, expected, new, **more):
        await right(move, expected, new, **more)
        if expected is not None and expected.account != new.account:
            raise RuntimeError("the process dies")

    desk.change = change


async def given_up_for_a_while(small: Small) -> None:
    """A way back without the target that is stopped in its fence, after it has listed what was half copied back."""
    small.schedule = replace(small.schedule, routing=replace(small.schedule.routing, clock_margin_seconds=5.0))
    rollout = without_target(small)
    run = asyncio.ensure_future(rollout.rollback(abandon=LOST))
    await until(lambda: small.state().move(ID).state is MoveState.DRAINING)
    rollout.stop()
    await run


async def test_a_plain_rollback_after_all_knows_what_an_earlier_one_had_half_copied_back(small):
    """Of four names that were announced, customers have deleted one and written two since; one is as it was written here."""
    await small.fill(5)
    await small.rollout().apply()
    await small.write("src", "deleted", b"our copy of what customers deleted since")
    await small.write("src", "half", b"ha")
    await small.write("dst", "half", b"half no more")
    await small.write("src", "n001", b"our copy of what was there before")
    await small.write("dst", "n001", b"written at the target")
    await small.erase("src", "n002")
    await small.write("dst", "n002", b"made anew at the target")
    rollout = small.rollout()
    half_copied_back(rollout, small, "deleted", "half", "n001", "n002")
    await rollout._session.close()
    await given_up_for_a_while(small)
    outcome = await small.rollout().rollback()
    assert outcome.code == "done", outcome.reasons
    assert await small.contents("src") == await small.contents("dst")
    assert "deleted" not in await small.contents("src")


async def test_a_late_write_of_a_way_back_that_was_given_up_is_ours_in_the_next_one(small):
    """It could not be applied any more when the target was given up, and lies there without a record."""
    await small.fill(5)
    await small.rollout().apply()
    await small.write("src", "late", b"our copy of what customers deleted since")
    rollout = small.rollout()
    half_copied_back(rollout, small, unanswered="late")
    await rollout._session.close()
    await given_up_for_a_while(small)
    outcome = await small.rollout().rollback()
    assert outcome.code == "done", outcome.reasons
    assert "late" not in await small.contents("src")


@pytest.mark.parametrize("is_answered", [True, False])
async def test_what_was_half_copied_back_is_listed_as_unproved(small, is_answered):
    """And is under way no more once the route has left the target, also where only the next run learns that it has."""
    await small.fill(3)
    await small.rollout().apply()
    rollout = without_target(small)
    half_copied_back(rollout, small, "n001", unanswered="n001")
    await rollout._session.close()
    if not is_answered:
        dying = without_target(small)
        lose_the_answer_of_the_switch(dying)
        with pytest.raises(RuntimeError, match="the process dies"):
            await dying.rollback(abandon=LOST)
        assert small.state().move(ID).state is MoveState.SWITCHING
    assert (await without_target(small).rollback(abandon=LOST)).code == "done"
    assert small.state().move(ID).state is MoveState.REVERSED
    rows = [(row.name, row.kind) for row in small.state().exceptions(ID)]
    assert rows == [("n001", "unproved")]
    assert not next(iter(small.state().ranges(ID, "web", ""))).is_open
    assert not small.state().outstanding(ID)


async def test_a_hand_that_goes_back_while_the_target_is_given_up_leaves_nothing_under_way(small):
    await small.fill(3)
    await small.rollout().apply()
    rollout = small.rollout()
    half_copied_back(rollout, small, "n001")
    await rollout._session.close()
    await given_up_for_a_while(small)
    assert next(iter(small.state().ranges(ID, "web", ""))).is_open
    await to(small, "src")
    outcome = await small.rollout().retry(reason="it is right", who="me", adopt_route=True)
    assert outcome.code == "done", outcome.reasons
    assert small.state().move(ID).direction is Direction.FORWARD
    assert not next(iter(small.state().ranges(ID, "web", ""))).is_open


async def test_a_move_that_never_switched_only_stops_and_its_target_is_not_dirty(small):
    await small.fill(3)
    small.change_wave(cutover=replace(small.schedule.waves[0].cutover, hold=True))
    await small.rollout().apply(wait=False)
    assert (await without_target(small).rollback(abandon=LOST)).code == "done"
    record = small.state().move(ID)
    assert (record.state, record.dirty) == (MoveState.REVERSED, "")


async def test_a_running_apply_can_be_asked_to_go_back_without_its_target(small):
    await small.fill(3)
    small.change_wave(soak_seconds=60.0)
    rollout = small.rollout()
    run = asyncio.ensure_future(rollout.apply())
    await until(lambda: small.state().move(ID).state is MoveState.SOAKING)
    await small.write("dst", "new", b"only at the target")
    rollout.steer(wave=None, region=None, area=None, on_conflict=None, who="me", abandon=LOST)
    outcome = await asyncio.wait_for(run, 20)
    assert outcome.code == "halted", "what comes after this apply must not go on as if the wave had been moved"
    assert outcome.reasons[0] == "me asked for a way back, and it is done"
    assert "the region is gone" in small.state().move(ID).dirty
    assert "new" not in await small.contents("src")
    entry = next(one for one in small.state().journal() if one.kind == "abandoned")
    assert entry.actor == "me"


async def test_after_a_rollback_the_plan_may_name_another_target_and_nothing_of_the_old_one_is_believed(small):
    await small.fill(5)
    await small.rollout().apply()
    await small.write("dst", "new", b"left behind")
    await without_target(small).rollback(abandon=LOST)
    accounts = {
        **small.schedule.accounts,
        "third": replace(small.schedule.accounts["dst"], name="third", path=str(small.folder / "third.db")),
    }
    move = replace(small.schedule.moves[0], target="third")
    small.schedule = replace(small.schedule, accounts=accounts)
    small.change_wave(moves=(move,))
    assert (await small.rollout().retry(reason="a new account", who="me")).code == "done"
    record = small.state().move(ID)
    assert (record.target, record.dirty, record.figures.objects_copied) == ("third", "", 0)
    assert (await small.rollout().apply()).code == "done"
    assert await small.contents("third") == await small.contents("src")
    assert (await small.route()).account == "third"
    told = next(entry.text for entry in small.state().journal() if entry.kind == "retargeted")
    assert "third from now on, dst before" in told


async def test_a_move_that_has_begun_keeps_its_target(small):
    await small.fill(3)
    await small.rollout().apply()
    small.schedule = replace(
        small.schedule, accounts={**small.schedule.accounts, "third": small.schedule.accounts["dst"]}
    )
    small.change_wave(moves=(replace(small.schedule.moves[0], target="third"),))
    with pytest.raises(PlanError, match="has begun from src to dst"):
        await small.rollout().apply()
