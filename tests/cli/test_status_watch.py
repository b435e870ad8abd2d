"""``status --watch``: what it prints when, and that it fits the screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.adapters.state import open_store
from migrator.cli.commands.status import watch
from migrator.model.moves import Control
from migrator.ports.state_store import SetControl
from tests.cli.conftest import Migrate


def sleeping(monkeypatch: pytest.MonkeyPatch, *acts: Callable[[], None]) -> None:
    """Instead of each sleep one of ``acts`` happens; after the last one somebody presses Ctrl-C."""
    left = list(acts)

    def sleep(seconds: float) -> None:
        if not left:
            raise KeyboardInterrupt
        left.pop(0)()

    monkeypatch.setattr(watch.time, "sleep", sleep)


def nothing() -> None: ...


def somebody_holds() -> None:
    store = open_store("sqlite:///state/migrator.db", "tiny", create=True)
    store.commit([SetControl(Control("pause", "", {"on": True}, "ann", datetime.now(UTC)))], token=None)
    store.close()


def test_a_watch_that_began_before_the_first_apply_sees_it(migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("state").mkdir()
    sleeping(monkeypatch, nothing, somebody_holds, nothing)
    done = migrate("status", "p.yaml", "--watch", "--json")
    first, second = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 130
    assert first["waves"][0]["waiting_for"] == []
    assert second["waves"][0]["waiting_for"] == [{"kind": "pause", "until": None, "who": "ann"}]


def test_a_forecast_that_moves_with_the_clock_is_no_change(migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeping(monkeypatch, nothing, nothing, nothing)
    assert len(migrate("status", "p.yaml", "--watch", "--json").out.splitlines()) == 1


@pytest.mark.parametrize(("lines", "height", "kept"), [(5, 6, 5), (5, 5, 4), (40, 24, 23), (40, 3, 2), (40, 1, 0)])
def test_a_page_is_never_longer_than_the_screen(lines: int, height: int, kept: int) -> None:
    page = [str(number) for number in range(lines)]
    fitted = watch.fitting(page, height)
    assert len(fitted) == kept
    if kept < lines and height > 3:
        assert fitted[-1] == page[-1]
        assert fitted[-2] == f"({lines - kept + 1} more lines: a taller terminal shows them)"


def test_what_to_do_next_stays_whole_though_it_takes_two_lines() -> None:
    advice = ["Next: `migrate apply PLAN` goes on: the cut-over was", "  released, and no writer waits."]
    assert watch.fitting([*map(str, range(40)), *advice], 10)[-3:] == [
        "(34 more lines: a taller terminal shows them)",
        *advice,
    ]


def test_a_line_that_the_terminal_breaks_takes_two_rows() -> None:
    fitted = watch.fitting(["x" * 100, "\x1b[1mone\x1b[0m", "Next: nothing."], 4, 80)
    assert fitted == ["(2 more lines: a taller terminal shows them)", "Next: nothing."]
    assert len(watch.fitting(["x" * 100, "\x1b[1mone\x1b[0m", "Next: nothing."], 5, 80)) == 3
