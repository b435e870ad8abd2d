"""Nothing that a rollout can be or wait for is without plain words, and what is an incident is on the list of happenings."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.machine.waiting import _WORDS, Wait
from migrator.model.happenings.listed import HAPPENINGS
from migrator.model.moves import Direction, MoveRecord, MoveState, WaveState
from migrator.model.names import MoveId
from migrator.model.samples import Verdict
from migrator.model.values import replace
from migrator.report.incidents import KINDS
from migrator.report.plain_words import (
    _WAITS,
    PERSON,
    VERDICTS,
    stages_of,
    state_words,
    tone_of,
    wait_words,
    wave_tone,
    wave_words,
)
from migrator.report.story import listed, many, moment
from migrator.standing.next_step import Advice

MOVE = MoveRecord(MoveId("na", "web"), "first", "core", "web")


@pytest.mark.parametrize("state", list(MoveState))
@pytest.mark.parametrize("direction", list(Direction))
def test_every_state_has_words_a_tone_and_stages(state: MoveState, direction: Direction) -> None:
    move = replace(MOVE, state=state, direction=direction)
    assert state_words(move)
    assert tone_of(move)
    assert len([where for _, where in stages_of(move) if where in ("now", "stopped")]) <= 1


def test_every_wave_wait_verdict_and_advice_has_words() -> None:
    assert all(wave_words(state) and wave_tone(state) for state in WaveState)
    assert set(_WAITS) == set(_WORDS)
    assert set(VERDICTS) == {str(one) for one in Verdict}
    assert set(PERSON) == set(Advice)


def test_incidents_are_happenings() -> None:
    assert {one.kind for one in HAPPENINGS} >= KINDS


def test_a_halted_move_stopped_where_it_was() -> None:
    stages = dict(stages_of(replace(MOVE, state=MoveState.HALTED, resume_from=MoveState.COPYING)))
    assert stages["Check"] == "done"
    assert stages["Copy"] == "stopped"
    assert stages["Switch"] == "ahead"


def test_a_move_that_is_back_is_on_the_other_way() -> None:
    move = replace(MOVE, state=MoveState.REVERSED, direction=Direction.REVERSE)
    assert stages_of(move)[-1] == ("Back", "done")


def test_waits_say_until_when_and_when_never() -> None:
    at = datetime(2026, 12, 5, 1, 0, tzinfo=UTC)
    assert wait_words(Wait("window", until=at)).endswith("long enough, 5 Dec 2026, 01:00 UTC")
    assert wait_words(Wait("freeze")).endswith("(none comes)")
    assert wait_words(Wait("hold", who="plan")) == "the plan's own hold to be taken out"


def test_names_are_listed_as_one_would_say_them() -> None:
    assert listed([]) == ""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(list("abcdefg"), 3) == "a, b and 5 more"
    assert many(1, "move") == "1 move"
    assert moment(None) == "not known"
