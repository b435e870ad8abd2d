"""One rule says whether the run that holds a lock is alive; every side of a takeover goes by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from migrator.engine import guardian, pulse
from migrator.machine import liveness
from migrator.machine.liveness import HEARTBEAT_SECONDS, SILENT_SECONDS, beat_just_now, is_alive, sending_seconds
from migrator.model.moves import LockRecord

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


def lock(age: float) -> LockRecord:
    return LockRecord("n", 1, "run", "me", "here", 1, "boot", NOW, NOW - timedelta(seconds=age), 0.0)


@pytest.mark.parametrize(
    ("age", "dead", "beats", "alive"),
    [
        (0.0, False, None, True),
        (SILENT_SECONDS, False, None, True),
        (SILENT_SECONDS + 0.1, False, None, False),
        (-0.1, False, None, False),
        (0.0, True, None, False),
        (0.0, True, True, False),
        (0.0, False, False, False),
        (10 * SILENT_SECONDS, False, True, True),
    ],
)
def test_a_watch_has_the_word_before_the_age_and_proof_of_death_before_both(
    age: float, dead: bool, beats: bool | None, alive: bool
) -> None:
    assert is_alive(lock(age), NOW, lambda held: dead, beats=beats) is alive


def test_a_lock_that_nobody_holds_is_not_alive() -> None:
    assert not is_alive(None, NOW, lambda held: False, beats=True)


def test_a_run_stops_sending_long_before_it_counts_as_silent_and_beats_often_enough_to_go_on() -> None:
    assert 2 * HEARTBEAT_SECONDS < sending_seconds() <= SILENT_SECONDS / 2
    assert guardian.SILENCE_SECONDS == SILENT_SECONDS
    assert pulse.SHOW_SECONDS > HEARTBEAT_SECONDS


def test_the_figure_stands_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "SILENT_SECONDS", 100.0)
    assert (sending_seconds(), beat_just_now(lock(99.0), NOW)) == (50.0, True)
