"""The joint rules: what a wave is, given its moves; and which wave may begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migrator.machine.states import has_soaked, is_complete
from migrator.model.moves import MoveRecord, MoveState, WaveState

_NOT_WORKING = frozenset(
    {
        *(MoveState.PENDING, MoveState.REVERSED, MoveState.SOAKING, MoveState.SOAKED),
        *(MoveState.RETIRING, MoveState.RETIRED),
    }
)


def wave_state(moves: Sequence[MoveRecord], *, is_waiting: bool) -> WaveState:
    """What the wave is, from the states of its moves.

    ``is_waiting``: something keeps its moves from going on. Then a wave without a move at work is waiting.

    Order of precedence: halted (anywhere), running, soaking, then the states at rest. A wave with moves at rest on both
    ends (some soaked, some reversed) is reversed: it did not arrive.
    """
    states = [move.state for move in moves]
    if any(state is MoveState.HALTED for state in states):
        return WaveState.HALTED
    if all(state is MoveState.PENDING for state in states):
        return WaveState.WAITING if is_waiting else WaveState.PENDING
    if all(state is MoveState.RETIRED for state in states):
        return WaveState.RETIRED
    if all(has_soaked(state) for state in states):
        return WaveState.SOAKED
    if any(state is MoveState.REVERSED for state in states) and all(state in _NOT_WORKING for state in states):
        return WaveState.REVERSED
    if all(state in (MoveState.SOAKING, MoveState.SOAKED) for state in states):
        return WaveState.SOAKING
    if (
        is_waiting
        and MoveState.READY in states
        and all(state in _NOT_WORKING or state is MoveState.READY for state in states)
    ):
        return WaveState.WAITING
    return WaveState.RUNNING


def blocked_by(after: Sequence[str], states: Mapping[str, WaveState]) -> tuple[str, ...]:
    """The earlier waves that keep a wave from beginning: all that are not soaked (or retired)."""
    return tuple(name for name in after if not is_complete(states[name]))
