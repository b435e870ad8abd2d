"""Every question about a state, answered for every state: the table is written by hand, so that a question cannot change by
accident, and a new state must be placed in each of them."""

import inspect
from collections.abc import Callable
from itertools import product

import pytest

from migrator.machine import states
from migrator.machine.transitions import ROWS
from migrator.model.moves import Direction, MoveRecord, MoveState, RouteIntent, WaveState
from migrator.model.names import MoveId
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteRecord

OF_MOVES = {
    "is_before_copy": "pending preflight provisioning",
    "is_before_catching_up": "pending preflight provisioning copying",
    "is_copying": "copying catching-up",
    "is_getting_ready": "preflight provisioning copying catching-up ready",
    "is_in_fence": "fencing draining verifying switching",
    "looks_at_followers": "ready fencing draining",
    "is_draining": "fencing draining",
    "is_hurried": "fencing draining verifying",
    "has_cut_over_ahead": "pending preflight provisioning copying catching-up ready fencing draining verifying switching",
    "is_on_its_way": "preflight provisioning copying catching-up ready fencing draining verifying switching",
    "is_past_switch": "soaking soaked retiring retired",
    "has_stay": "soaking soaked",
    "has_soaked": "soaked retiring retired",
    "has_lost_source": "retiring retired",
    "is_at_rest": "soaked reversed halted retiring retired",
    "is_over": "soaked reversed retired",
    "is_quiet": "pending soaked reversed retired",
    "has_stopped": "halted reversed",
    "has_arrived": "soaking soaked reversed retiring retired",
    "can_be_paused": "pending preflight provisioning copying catching-up ready soaking retiring",
    "holds_claim": "preflight provisioning copying catching-up ready fencing draining verifying switching soaking soaked"
    " retiring retired",
    "is_to_be_taken_back": "preflight provisioning copying catching-up ready fencing draining verifying switching soaking soaked"
    " halted",
}
OF_WAVES = {
    "is_complete": "soaked retired",
    "has_failed": "halted reversed",
    "has_ended": "soaked reversed",
    "is_to_begin": "pending waiting",
    "is_quiet_wave": "pending soaked reversed retired",
}
OF_RECORDS = {"is_going_back", "keeps_wave", "is_in_soak", "had_stay", "writers_may_wait"}


def asked(name: str) -> Callable[[object], bool]:
    return getattr(states, name)


@pytest.mark.parametrize("name", OF_MOVES)
def test_a_question_about_a_move_is_answered_for_every_state(name: str) -> None:
    assert {state.value for state in MoveState if asked(name)(state)} == set(OF_MOVES[name].split())


@pytest.mark.parametrize("name", OF_WAVES)
def test_a_question_about_a_wave_is_answered_for_every_state(name: str) -> None:
    assert {state.value for state in WaveState if asked(name)(state)} == set(OF_WAVES[name].split())


def test_every_question_is_in_a_table() -> None:
    written = {
        name for name, one in inspect.getmembers(states, inspect.isfunction) if one.__module__ == states.__name__
    }
    assert written == {*OF_MOVES, *OF_WAVES, *OF_RECORDS}
    assert all(asked(name).__doc__ for name in written)


def move(
    state: MoveState,
    direction: Direction = Direction.FORWARD,
    *,
    resume_from: MoveState | None = None,
    intent: bool = False,
) -> MoveRecord:
    before = RouteRecord("a", "https://a.example", READ_WRITE, 1, "line", "t", "run")
    fence = RouteRecord("a", "https://a.example", READ_ONLY, 2, "line", "t", "run")
    given = RouteIntent(before, fence) if intent else None
    return MoveRecord(MoveId("r", "a"), "w", "a", "b", state, direction, resume_from=resume_from, intent=given)


def test_who_goes_back() -> None:
    for state, direction in product(MoveState, Direction):
        expected = direction is Direction.REVERSE and state is not MoveState.REVERSED
        assert states.is_going_back(move(state, direction)) is expected
        assert states.keeps_wave(move(state, direction)) is (expected or state.value in ("halted", "reversed"))


def test_what_a_halted_move_was_in_counts_where_it_is_asked() -> None:
    for state in MoveState:
        halted = move(MoveState.HALTED, resume_from=state)
        assert states.is_in_soak(halted) is (state is MoveState.SOAKING)
        assert states.had_stay(halted) is states.had_stay(move(state)) is states.has_stay(state)
        assert states.is_in_soak(move(state)) is (state is MoveState.SOAKING)


def test_writers_may_wait_while_an_intent_is_on_record() -> None:
    fenced = {*OF_MOVES["is_in_fence"].split(), "halted"}
    for state in MoveState:
        assert states.writers_may_wait(move(state, intent=True)) is (state.value in fenced)
        assert not states.writers_may_wait(move(state))


def test_the_questions_fit_the_table_of_transitions() -> None:
    """Only a move at rest has no way on of its own."""
    asks = {"halted", "rolled-back", "retried", "adopted-source", "adopted-target", "lost-sight"}
    asks |= {"let-go", "retired"}
    goes_on = {row.state for row in ROWS if row.event.value not in asks}
    assert goes_on == {state for state in MoveState if not states.is_at_rest(state)}
