"""What became of a cut-over, told from one record: each story differs in one field from one that is believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.machine.events import Event
from migrator.machine.release import Fate, explain, is_fence_of
from migrator.machine.transitions import follow, live_side
from migrator.machine.waiting import waits_to_cut_over
from migrator.machine.waves import blocked_by
from migrator.model.moves import Direction, MoveState, RouteIntent, WaveState
from migrator.model.schedule import ChangeWindow, Cutover, PlannedWave, Verify
from tests.unit.machine.test_release import BEFORE, FENCE, RELEASED, SWITCHED
from tests.unit.machine.test_transitions import record

INTENT = RouteIntent(BEFORE, FENCE, SWITCHED)


@pytest.mark.parametrize(
    ("current", "fate"),
    [
        (FENCE, Fate.FENCED),
        (BEFORE, Fate.FENCED),
        (RELEASED, Fate.RELEASED),
        (replace(RELEASED, epoch=12), Fate.RELEASED),
        (SWITCHED, Fate.SWITCHED),
        (None, Fate.UNEXPLAINED),
        (replace(RELEASED, account="na-web"), Fate.UNEXPLAINED),
        (replace(RELEASED, lineage="f" * 16), Fate.UNEXPLAINED),
        (replace(RELEASED, endpoint="https://elsewhere"), Fate.UNEXPLAINED),
        (replace(FENCE, epoch=9), Fate.UNEXPLAINED),
        (replace(SWITCHED, lineage="f" * 16), Fate.UNEXPLAINED),
        (replace(SWITCHED, epoch=9), Fate.UNEXPLAINED),
        (replace(RELEASED, epoch=5), Fate.UNEXPLAINED),
    ],
)
def test_a_record_says_what_became_of_a_cut_over(current, fate):
    assert explain(current, INTENT) is fate


def test_a_fence_has_a_writable_predecessor():
    assert is_fence_of(FENCE, BEFORE)
    closed = replace(BEFORE, mode="read-only")
    assert not is_fence_of(FENCE, closed)
    assert not is_fence_of(replace(FENCE, account="na-web"), BEFORE)
    assert is_fence_of(replace(FENCE, epoch=40), BEFORE), "epochs that were seen meanwhile are stepped over"
    assert not is_fence_of(replace(FENCE, epoch=BEFORE.epoch), BEFORE)
    assert not is_fence_of(RELEASED, BEFORE)


def test_a_move_that_halted_after_its_soak_soaks_again():
    """The route may have been anywhere while nobody looked."""
    halted = follow(record(MoveState.SOAKED), Event.HALTED)
    assert follow(halted, Event.RETRIED).state is MoveState.SOAKING


@pytest.mark.parametrize("state", [MoveState.FENCING, MoveState.DRAINING, MoveState.VERIFYING, MoveState.SWITCHING])
def test_a_fence_is_never_gone_on_with(state):
    halted = follow(record(state), Event.HALTED)
    assert follow(halted, Event.RETRIED).state is MoveState.CATCHING_UP


@pytest.mark.parametrize(
    ("state", "direction", "resume_from", "side"),
    [
        (MoveState.READY, Direction.FORWARD, None, "source"),
        (MoveState.SOAKING, Direction.FORWARD, None, "target"),
        (MoveState.HALTED, Direction.FORWARD, MoveState.SOAKING, "target"),
        (MoveState.HALTED, Direction.FORWARD, MoveState.CATCHING_UP, "source"),
        (MoveState.CATCHING_UP, Direction.REVERSE, None, "target"),
        (MoveState.HALTED, Direction.REVERSE, MoveState.READY, "target"),
        (MoveState.REVERSED, Direction.REVERSE, None, "source"),
    ],
)
def test_customers_are_where_the_record_says(state, direction, resume_from, side):
    assert live_side(replace(record(state, direction), resume_from=resume_from)) == side


def test_a_wave_does_not_begin_beside_one_that_still_soaks():
    for state in WaveState:
        is_over = state in (WaveState.SOAKED, WaveState.RETIRED)
        assert blocked_by(("first",), {"first": state}) == (() if is_over else ("first",))


SATURDAY = datetime(2026, 12, 5, tzinfo=UTC)
NIGHT = ChangeWindow(frozenset({5}), 2 * 60, 6 * 60, "UTC")
WAVE = PlannedWave("first", (), (), 1.0, 1.0, (), "halt", "wave", Cutover(), Verify(), change_windows=(NIGHT,))


@pytest.mark.parametrize(
    ("at", "needed", "waits"),
    [
        (timedelta(hours=3), timedelta(minutes=10), 0),
        (timedelta(hours=5, minutes=49), timedelta(minutes=10), 0),
        (timedelta(hours=5, minutes=51), timedelta(minutes=10), 1),
        (timedelta(hours=5, minutes=51), timedelta(), 0),
        (timedelta(hours=6), timedelta(), 1),
        (timedelta(hours=1), timedelta(), 1),
    ],
)
def test_a_cut_over_begins_only_where_its_whole_fence_has_room(at, needed, waits):
    assert len(waits_to_cut_over(WAVE, (), (), SATURDAY + at, needed=needed)) == waits
