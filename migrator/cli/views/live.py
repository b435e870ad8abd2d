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
from migrator.cli.views.figures import brief, count, size
from migrator.cli.views.progress import Note
from migrator.cli.views.rows import FEWEST_ROWS, fitted, fitting, is_of
from migrator.cli.views.safe import safe
from migrator.cli.views.screen import console
from migrator.cli.views.telling import told
from migrator.cli.views.wrapping import wrapped
from migrator.machine.states import is_copying, is_in_fence

if TYPE_CHECKING:
    from rich.console import Group

REFRESH_SECONDS: Final = 0.25
HEADINGS: Final = ("MOVE", "STATE", "NOW", "COPIED", "SIZE", "RATE", "BEHIND", "SCANNED")
SPARE: Final = ("SCANNED", "SIZE", "RATE", "BEHIND", "COPIED")
"""Left out on a narrow terminal, the first of them first."""
KEPT_LINES: Final = 8
"""Of the screen, for the events that scroll above the table."""
MOST_SAID: Final = 40
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
        self._since: dict[str, tuple[str, float]] = {}
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
        if note.move and isinstance(state, str):
            self._enter(note.move, state, note.at.timestamp())
        self._refresh(force=True)

    def _enter(self, move: str, state: str, at: float) -> None:
        """When its state began; the states of one fence are one."""
        before = self._since.get(move)
        phase = "fence" if is_of(state, is_in_fence) else state
        if before is None or before[0] != phase:
            self._since[move] = (phase, at)

    def _tell(self, note: Note, text: str) -> None:
        from rich.text import Text

        at = f"{note.at.astimezone(UTC):%m-%d %H:%M:%S}Z "
        who = f"{safe(note.move)} " if note.move else ""
        lines = wrapped(f"{at}{who}{safe(spelled(text))}", self._live.console.width, indent=len(at))
        line = Text("\n".join(lines), style=_STYLES.get(note.kind, ""))
        line.stylize("dim", 0, len(at))
        line.stylize("bold cyan", len(at), len(at) + len(who))
        self._live.console.print(line, soft_wrap=True)

    def progress(self, note: Note) -> None:
        if note.move:
            self._figures[note.move] = {**self._figures.get(note.move, {}), **note.facts}
            self._enter(note.move, str(note.facts.get("state", "")), note.at.timestamp())
            self._rates.add(note.move, note.at.timestamp(), float(note.facts.get("objects_copied") or 0))
        self._refresh(force=False)

    def close(self) -> None:
        self._live.stop()

    def _refresh(self, *, force: bool) -> None:
        now = time.monotonic()
        if force or now - self._refreshed >= REFRESH_SECONDS:
            self._refreshed = now
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Group:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        moves = [(str(facts.get("state", "")), move) for move, facts in self._figures.items()]
        shown, rest = fitting(moves, max(FEWEST_ROWS, self._console.height - KEPT_LINES))
        rows = [self._row(move, self._figures[move]) for move in shown]
        headings, cells = fitted(HEADINGS, rows, self._console.width, spare=SPARE)
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for heading in headings:
            is_name = heading in ("MOVE", "STATE")
            table.add_column(heading, justify="left" if is_name else "right", no_wrap=True, overflow="ellipsis")
        for row in cells:
            table.add_row(*(Text(cell) for cell in row))
        return Group(table, Text(f"+ {rest}", style="dim")) if rest else Group(table)

    def _row(self, move: str, facts: Mapping[str, Any]) -> tuple[str, ...]:
        done, expected = facts.get("objects_copied") or 0, facts.get("expected")
        state = str(facts.get("state", ""))
        share = f" ({min(100, done * 100 // expected)} %)" if expected else ""
        rate = self._rates.of(move) if is_of(state, is_copying) else None
        return (
            safe(move),
            safe(state),
            self._now(move, state, facts, rate),
            f"{count(done)}{share}",
            size(facts.get("bytes_copied") or 0),
            "—" if rate is None else f"{count(rate)}/s",
            count(facts.get("lag_objects") or 0),
            count(facts.get("scanned") or 0),
        )

    def _now(self, move: str, state: str, facts: Mapping[str, Any], rate: float | None) -> str:
        """What one looks for: how long writers have waited, when a copy ends, what is left of a soak."""
        if is_of(state, is_in_fence) and move in self._since:
            return f"writers wait {brief(max(0.0, time.time() - self._since[move][1]))}"
        if state == "copying" and facts.get("expected"):
            done, expected = facts.get("objects_copied") or 0, facts["expected"]
            left = f", {brief(max(0.0, (expected - done) / rate))} left" if rate else ""
            return f"{min(100, done * 100 // expected)} %{left}"
        if state == "soaking" and facts.get("soak_left_seconds") is not None:
            if not facts["soak_left_seconds"] and facts.get("waits"):
                return safe(str(facts["waits"]))[:MOST_SAID]
            return f"{brief(facts['soak_left_seconds'])} left"
        return "—"


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
