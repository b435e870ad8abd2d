"""What a wave is, given its moves: one line a story."""

import pytest

from migrator.machine.waves import blocked_by, wave_state
from migrator.model.moves import MoveState, WaveState
from tests.unit.machine.test_transitions import record

S, W = MoveState, WaveState


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([S.PENDING, S.PENDING], W.PENDING),
        ([S.COPYING, S.PENDING], W.RUNNING),
        ([S.SOAKING, S.COPYING], W.RUNNING),
        ([S.SOAKING, S.SOAKED], W.SOAKING),
        ([S.SOAKED, S.SOAKED], W.SOAKED),
        ([S.SOAKED, S.REVERSED], W.REVERSED),
        ([S.REVERSED, S.COPYING], W.RUNNING),
        ([S.HALTED, S.COPYING], W.HALTED),
        ([S.RETIRED, S.RETIRED], W.RETIRED),
    ],
)
def test_a_wave_is_what_its_moves_are(states, expected):
    assert wave_state([record(state) for state in states], is_waiting=False) is expected


def test_a_wave_waits_for_every_earlier_one_that_is_not_soaked():
    states = {"a": W.SOAKED, "b": W.REVERSED, "c": W.RETIRED}
    assert blocked_by(("a", "b", "c"), states) == ("b",)
