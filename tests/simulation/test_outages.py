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
