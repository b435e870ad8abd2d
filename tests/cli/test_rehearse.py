"""What a rehearsal says on a screen."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest

from migrator.cli.settings import Settings
from migrator.cli.views.rehearse import show
from migrator.cli.views.screen import Page
from migrator.model.moves import MoveState
from migrator.model.names import MoveId
from migrator.testing.rehearsal import Obstacle, Rehearsal, RehearsedMove, RehearsedWave

AT = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("width", [80, 100])
def test_the_state_that_a_move_ended_in_is_never_left_out(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    moves = tuple(
        RehearsedMove(MoveId("north-america", area), 100, 2_000_000, state, 66.0, 66.0, 9e6, 68.0, 255, 0)
        for area, state in (("campaign-automation", MoveState.REVERSED), ("web-tracking", MoveState.HALTED))
    )
    wave = RehearsedWave("na-first", moves, AT, AT, AT, AT + timedelta(days=1), is_approved_for_it=True)
    why = (Obstacle("halted", "north-america/web-tracking", "why"),)
    out = Terminal()
    show(Page(Settings(), out), Rehearsal("p", 0.1, AT, AT, (wave,), why, (), (), 9))
    lines = out.getvalue().splitlines()
    assert any("north-america/campaign-automation" in line and "reversed" in line for line in lines)
    assert any("north-america/web-tracking" in line and "halted" in line for line in lines)
    assert any("na-first" in line and line.count("2026-12-01 12:00") >= 2 for line in lines)
    assert "1m6s (1m8s)" in out.getvalue()
