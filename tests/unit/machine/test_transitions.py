"""The law, tested exhaustively: every state times every event."""

from itertools import product
from pathlib import Path

import pytest

from migrator.errors import InternalError
from migrator.machine.diagram import mermaid
from migrator.machine.events import Event
from migrator.machine.transitions import FENCE_STATES, ROWS, follow, live_side
from migrator.model.moves import Direction, MoveRecord, MoveState
from migrator.model.names import MoveId


def record(state: MoveState, direction: Direction = Direction.FORWARD, resume: MoveState | None = None) -> MoveRecord:
    return MoveRecord(MoveId("europe", "web"), "w", "src", "dst", state=state, direction=direction, resume_from=resume)


ADOPTIONS = {Event.ADOPTED_SOURCE: "source", Event.ADOPTED_TARGET: "target"}
_NOT_HALTED = [state for state in MoveState if state is not MoveState.HALTED]


@pytest.mark.parametrize(("direction", "state", "event"), list(product(Direction, _NOT_HALTED, Event)))
def test_an_event_has_a_row_or_raises_and_changes_nothing(direction, state, event):
    rows = [row for row in ROWS if (row.direction, row.state, row.event) == (direction, state, event)]
    before = record(state, direction)
    if rows:
        after = follow(before, event)
        assert (after.direction, after.state) == (rows[0].turn, rows[0].to)
    else:
        with pytest.raises(InternalError):
            follow(before, event)


def test_no_two_rows_say_different_things():
    keys = [(row.direction, row.state, row.event) for row in ROWS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("state", FENCE_STATES)
def test_a_fence_is_never_resumed_it_falls_back_to_catching_up(direction, state):
    assert follow(record(state, direction), Event.RELEASED).state is MoveState.CATCHING_UP
    halted = follow(record(state, direction), Event.HALTED, reason="why")
    assert halted.resume_from is MoveState.CATCHING_UP
    assert halted.reason == "why"


def test_only_the_switch_moves_the_truth():
    for row in ROWS:
        before, after = record(row.state, row.direction), record(row.to, row.turn)
        if row.event is Event.HALTED:
            after = record(row.to, row.turn, row.state)
        if row.event in ADOPTIONS:
            assert live_side(after) == ADOPTIONS[row.event], row
        elif row.event is not Event.SWITCHED:
            assert live_side(before) == live_side(after), row


@pytest.mark.parametrize("event", ADOPTIONS)
@pytest.mark.parametrize("resume", [state for state in MoveState if state is not MoveState.HALTED])
@pytest.mark.parametrize("direction", Direction)
def test_an_adoption_leaves_a_halted_move_live_where_the_route_says(direction, resume, event):
    after = follow(record(MoveState.HALTED, direction, resume), event)
    assert after.direction is Direction.FORWARD
    assert live_side(after) == ADOPTIONS[event]


def test_a_halted_move_that_learns_of_its_release_stays_halted_and_of_its_switch_goes_on():
    halted = record(MoveState.HALTED, resume=MoveState.CATCHING_UP)
    assert follow(halted, Event.RELEASED) == halted
    assert follow(halted, Event.SWITCHED).state is MoveState.SOAKING
    back = record(MoveState.HALTED, Direction.REVERSE, MoveState.CATCHING_UP)
    assert follow(back, Event.SWITCHED).state is MoveState.REVERSED


def test_a_halted_move_goes_on_where_it_stopped_or_goes_back():
    halted = record(MoveState.HALTED, resume=MoveState.SOAKING)
    assert follow(halted, Event.RETRIED).state is MoveState.SOAKING
    back = follow(halted, Event.ROLLED_BACK)
    assert (back.direction, back.state) == (Direction.REVERSE, MoveState.CATCHING_UP)
    early = record(MoveState.HALTED, resume=MoveState.COPYING)
    assert follow(early, Event.ROLLED_BACK).state is MoveState.REVERSED


def test_the_diagram_in_the_architecture_is_the_table():
    assert mermaid() in (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
