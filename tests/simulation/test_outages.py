"""What may not come of what passes by itself: which halts are told, and which one is excused and counted."""

import pytest

from migrator.model.moves import JournalEntry, MoveRecord, MoveState
from migrator.ports.state_store import AddJournal
from migrator.testing.simulation.driving import real_engine
from migrator.testing.simulation.loop import WORLD_BEGINS
from migrator.testing.simulation.outages import ONE_OF_SEVERAL
from migrator.testing.simulation.scenario import Scenario

NOT_THERE = (
    "cannot finish the fence of it within fence_timeout, 1 objects are not there yet (a: it is being rehydrated)"
)
NO_ANSWER = "cannot read the routes: no answer"
LAST = "3 fences in a row were cancelled; the last: "


def halted(fences: list[str], reason: str) -> Scenario:
    """Fences of one move that were cancelled for these reasons, and a halt after them."""
    world = Scenario(1, real_engine)
    plan = world.schedule.moves[0]
    node = world.node("engine-1")
    record = MoveRecord(plan.id, "w", plan.source, plan.target, MoveState.CATCHING_UP)
    for why in fences:
        entry = JournalEntry(WORLD_BEGINS, "engine", "fence-released", why, move=plan.id)
        world.outages.judge_record(node, record, [AddJournal(entry)])
    record = MoveRecord(plan.id, "w", plan.source, plan.target, MoveState.HALTED, reason=reason)
    world.outages.judge_record(node, record, [])
    world.loop.discard()
    return world


@pytest.mark.parametrize(
    ("fences", "reason", "is_told"),
    [
        ([NOT_THERE] * 3, LAST + NOT_THERE, True),
        ([NO_ANSWER, NOT_THERE, NOT_THERE, NOT_THERE], LAST + NOT_THERE, True),
        ([NO_ANSWER, NO_ANSWER, NOT_THERE], LAST + NOT_THERE, False),
        ([NOT_THERE, NOT_THERE, NO_ANSWER], LAST + NO_ANSWER, False),
        ([], NOT_THERE, True),
        ([NO_ANSWER], NO_ANSWER, True),
    ],
)
def test_a_halt_for_what_passes_by_itself_is_told(fences, reason, is_told):
    world = halted(fences, reason)
    assert [one.invariant for one in world.oracle.violations] == ["halted-for-a-blip"] * is_told
    is_excused = not is_told and NOT_THERE in reason
    assert world.oracle.excuses.used[ONE_OF_SEVERAL] == is_excused


@pytest.mark.parametrize("refused", [(), (90.0, 99.0), (10.0, 20.0, 30.0, 99.0)])
@pytest.mark.parametrize("by", ["engine-1", "guardian-1"])
def test_a_fence_that_is_given_up_for_a_refusal_is_told(refused, by):
    world = given_up("cannot change the routes: it is busy", by, refused)
    assert [one.invariant for one in world.oracle.violations] == ["fence-for-a-refusal"]


@pytest.mark.parametrize("by", ["engine-1", "guardian-1"])
def test_one_that_is_given_up_after_many_is_not(by):
    assert not given_up("cannot read the routes: it is busy", by, (97.0, 98.0, 99.0)).oracle.violations
    assert not given_up(NO_ANSWER, by, ()).oracle.violations


def test_one_that_is_given_up_after_a_standstill_is_not():
    """It was refused again and again, stood still, and was refused once more when it went on."""
    world = given_up("cannot change the routes: it is busy", "engine-1", (10.0, 11.0, 12.0, 99.0), still=(13.0, 98.0))
    assert not world.oracle.violations
    world = given_up("cannot change the routes: it is busy", "engine-1", (10.0, 99.0), still=(13.0, 98.0))
    assert world.oracle.violations


def test_refusals_that_come_seldom_count_as_long_as_they_come():
    assert not given_up("cannot change the routes: it is busy", "engine-1", (45.0, 65.0, 92.0)).oracle.violations


@pytest.mark.parametrize(("silence", "is_told"), [((60.0, 90.0), False), ((20.0, 50.0), True), ((85.0, 90.0), True)])
def test_a_refusal_after_a_long_silence_is_the_last_of_it(silence, is_told):
    world = given_up("cannot change the routes: it is busy", "engine-1", (99.0,), silence=silence)
    assert bool(world.oracle.violations) is is_told


def given_up(
    why: str,
    by: str,
    refused: tuple[float, ...],
    still: tuple[float, float] = (0.0, 0.0),
    silence: tuple[float, float] | None = None,
) -> Scenario:
    world = Scenario(1, real_engine)
    world.loop.virtual_now = 100.0
    world.board.refused[by] = list(refused)
    if silence is not None:
        world.oracle.routes_unanswered(by, *silence)
    plan = world.schedule.moves[0]
    entry = JournalEntry(WORLD_BEGINS, "engine", "fence-released", why, move=plan.id)
    record = MoveRecord(plan.id, "w", plan.source, plan.target, MoveState.CATCHING_UP)
    node = world.node("engine-1")
    node.stood_still = still
    world.outages.judge_record(node, record, [AddJournal(entry)])
    world.loop.discard()
    return world
