"""The live display of a running apply on a terminal: events scroll by above the board of waves and moves.

Decides when the screen is written: when a note comes, four times a second at most, and once a second where time alone changes
what it says; a screen that would look the same is left alone, so that an idle run writes nothing. Leaves what it says to
``views.board``, threads and queues to ``views.progress``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from migrator.cli.calls import spelled
from migrator.cli.settings import Settings
from migrator.cli.views.board import Board, board_of, rendered
from migrator.cli.views.progress import Note
from migrator.cli.views.safe import safe
from migrator.cli.views.screen import console
from migrator.cli.views.telling import told
from migrator.cli.views.watched import Looks, Watched
from migrator.cli.views.wrapping import wrapped
from migrator.standing.values import Standing

REFRESH_SECONDS: Final = 0.25
KEPT_LINES: Final = 8
"""Of the screen, for the events that scroll above the board."""
_STYLES = {"warning": "yellow", "fence": "bold", "throttled": "yellow", "waiting": "dim", "sample": "dim"}


class LiveTable:
    """A ``Display`` for a terminal."""

    def __init__(self, settings: Settings, look: Callable[[], Standing | None] = lambda: None) -> None:
        from rich.live import Live

        self._console = console(settings)
        self._looks = Looks(look)
        self._watched = Watched()
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._shown: Board | None = None
        self._refreshed = 0.0

    def open(self) -> None:
        self._live.start()

    def event(self, note: Note) -> None:
        text = told(note)
        if text is not None:
            self._tell(note, text)
        self._watched.hear(note)
        self._refresh(force=True)

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
        self._watched.hear(note)
        self._refresh(force=False)

    def tick(self) -> None:
        self._refresh(force=True)

    def close(self) -> None:
        self._live.stop()

    def board(self) -> Board:
        """What the screen shows now."""
        now = datetime.now(UTC)
        width, height = self._console.width, self._console.height - KEPT_LINES
        return board_of(self._watched.waves(now), self._watched.standing, width=width, height=height)

    def _refresh(self, *, force: bool) -> None:
        now = time.monotonic()
        if not force and now - self._refreshed < REFRESH_SECONDS:
            return
        self._refreshed = now
        self._looks.into(self._watched)
        board = self.board()
        if board != self._shown:
            self._shown = board
            self._live.update(rendered(board), refresh=True)
