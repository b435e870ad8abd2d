"""The live display of a running apply on a terminal: events scroll by above a table of the moves at work.

Decides the look only. Leaves threads and queues to ``views.progress``. The screen is refreshed when a note comes, four
times a second at most, so that an idle run writes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from migrator.cli.calls import spelled
from migrator.cli.settings import Settings
from migrator.cli.views.figures import count, size
from migrator.cli.views.progress import Note
from migrator.cli.views.safe import safe
from migrator.cli.views.screen import console
from migrator.cli.views.telling import told

if TYPE_CHECKING:
    from rich.table import Table

REFRESH_SECONDS: Final = 0.25
RATE_SECONDS: Final = 5.0
"""A rate is taken over at least this long."""
_STYLES = {"warning": "yellow", "fence": "bold", "throttled": "yellow", "waiting": "dim", "sample": "dim"}


class LiveTable:
    """A ``Display`` for a terminal."""

    def __init__(self, settings: Settings) -> None:
        from rich.live import Live

        self._console = console(settings)
        self._figures: dict[str, Mapping[str, Any]] = {}
        self._rates = Rates()
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._refreshed = 0.0

    def open(self) -> None:
        self._live.start()

    def event(self, note: Note) -> None:
        text = told(note)
        if text is not None:
            self._tell(note, text)
        state = note.facts.get("state")
        if note.move in self._figures and isinstance(state, str):
            self._figures[note.move] = {**self._figures[note.move], "state": state}
        self._refresh(force=True)

    def _tell(self, note: Note, text: str) -> None:
        from rich.text import Text

        line = Text(f"{note.at.astimezone(UTC):%H:%M:%S} ", style="dim")
        if note.move:
            line.append(f"{safe(note.move)} ", style="bold cyan")
        line.append(safe(spelled(text)), style=_STYLES.get(note.kind, ""))
        self._live.console.print(line)

    def progress(self, note: Note) -> None:
        if note.move:
            self._figures[note.move] = note.facts
            self._rates.add(note.move, note.at.timestamp(), float(note.facts.get("objects_copied") or 0))
        self._refresh(force=False)

    def close(self) -> None:
        self._live.stop()

    def _refresh(self, *, force: bool) -> None:
        now = time.monotonic()
        if force or now - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = now
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("MOVE", "STATE", "COPIED", "SIZE", "RATE", "SCANNED", "BEHIND"):
            table.add_column(heading, justify="left" if heading in ("MOVE", "STATE") else "right")
        for move, facts in self._figures.items():
            table.add_row(*(Text(cell) for cell in self._row(move, facts)))
        return table

    def _row(self, move: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
        done, expected = facts.get("objects_copied") or 0, facts.get("expected")
        share = f" ({min(100, done * 100 // expected)} %)" if expected else ""
        rate = self._rates.of(move)
        return (
            safe(move),
            safe(facts.get("state", "")),
            f"{count(done)}{share}",
            size(facts.get("bytes_copied") or 0),
            "—" if rate is None else f"{count(rate)}/s",
            count(facts.get("scanned") or 0),
            count(facts.get("lag_objects") or 0),
        )


class Rates:
    """Objects a second from running totals, over windows of a few seconds."""

    def __init__(self, window_seconds: float = RATE_SECONDS) -> None:
        self._window = window_seconds
        self._begun: dict[str, tuple[float, float]] = {}
        self._rates: dict[str, float] = {}

    def add(self, key: str, at_seconds: float, total: float) -> None:
        """The total of ``key`` at a time; a total that fell (another direction) begins anew."""
        begun, before = self._begun.setdefault(key, (at_seconds, total))
        if total < before:
            self._begun[key] = (at_seconds, total)
        elif at_seconds - begun >= self._window:
            self._rates[key] = (total - before) / (at_seconds - begun)
            self._begun[key] = (at_seconds, total)

    def of(self, key: str) -> float | None:
        return self._rates.get(key)

    @property
    def known(self) -> Mapping[str, float]:
        return dict(self._rates)
