"""How a running apply is watched: a courier between the engine and a display.

``Courier`` is the reporter the engine talks to. Decides that nobody who watches can slow the work: the engine only puts a
note into a bounded queue, a thread of its own shows it. A terminal that is stopped with Ctrl-S, a pager that does not read
or a full pipe must never delay a release of a fence. Displays decide what is shown: ``views.lines`` and, on a terminal,
``views.live``. Rule: an event is shown once and in order; progress may be dropped; what could not be queued
is counted and told.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from migrator.model.happenings.happening import Shown, event_of, facts_of
from migrator.model.happenings.rollouts import EventsLost
from migrator.model.values import value
from migrator.words.happenings import sentence

QUEUE_NOTES: Final = 10_000
"""Notes in flight; at some 300 bytes each this is 3 MB."""
TICK_SECONDS: Final = 1.0
"""Without a note for so long, a display is told that time goes on."""
CLOSE_SECONDS: Final = 2.0
"""How long the end of a run waits for a display that does not take its notes."""


@value(frozen=True, slots=True)
class Note:
    """One event, made of a ``happening`` (its kind in the list), or, with kind ``progress``, the current figures of a move."""

    at: datetime
    kind: str
    move: str | None
    text: str
    facts: Mapping[str, Any]
    happening: str = ""

    @property
    def bare_text(self) -> str:
        """The text without the move in front, for displays that show the move themselves."""
        return self.text.removeprefix(f"{self.move}: ")


def note_of(happening: Shown, move: str | None, at: datetime) -> Note:
    return Note(at, event_of(happening), move, sentence(happening, move), facts_of(happening), happening.kind)


class Display(Protocol):
    """Shows notes; called from the courier's thread only. OSError and ValueError (a closed stream) end it quietly."""

    def open(self) -> None: ...
    def event(self, note: Note) -> None: ...
    def progress(self, note: Note) -> None: ...
    def tick(self) -> None: ...
    def close(self) -> None: ...


class Courier:
    """A ``migrator.ports.reporter.Reporter`` that hands everything to a display on a thread of its own."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._queue: queue.Queue[Note | None] = queue.Queue(QUEUE_NOTES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._carry, name="progress", daemon=True)

    def __enter__(self) -> Courier:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._queue.put(None, timeout=CLOSE_SECONDS)
        except queue.Full:
            return  # the display hangs; the thread is a daemon and dies with the process
        self._thread.join(CLOSE_SECONDS)

    def event(self, happening: Shown, move: str | None = None) -> None:
        if not self._put(note_of(happening, move, datetime.now(UTC))):
            self._dropped += 1

    def progress(self, move: str, **figures: Any) -> None:
        if self._queue.qsize() < QUEUE_NOTES // 2:  # the other half is for events
            self._put(Note(datetime.now(UTC), "progress", move, "", figures))

    def _put(self, note: Note) -> bool:
        try:
            self._queue.put_nowait(note)
        except queue.Full:
            return False
        return True

    def _carry(self) -> None:
        try:
            self._display.open()
            while (note := self._next()) is not None:
                self._show(note)
            self._display.close()
        except (OSError, ValueError):
            self._swallow()

    def _next(self) -> Note | None:
        while True:
            try:
                return self._queue.get(timeout=TICK_SECONDS)
            except queue.Empty:
                self._display.tick()

    def _show(self, note: Note) -> None:
        if self._dropped:
            lost, self._dropped = self._dropped, 0
            self._display.event(note_of(EventsLost(lost), None, note.at))
        if note.kind == "progress":
            self._display.progress(note)
        else:
            self._display.event(note)

    def _swallow(self) -> None:
        """Nobody can be told any more (the pipe was closed); the work goes on."""
        while self._queue.get() is not None:
            pass


class Couriers:
    """A reporter that tells the courier of the screen, and the one of a log if there is one."""

    def __init__(self, screen: Courier, log: Courier | None) -> None:
        self._screen = screen
        self._log = log

    @classmethod
    @contextmanager
    def of(cls, screen: Courier, log: Display | None) -> Iterator[Couriers]:
        if log is None:
            yield cls(screen, None)
            return
        with Courier(log) as courier:
            yield cls(screen, courier)

    def event(self, happening: Shown, move: str | None = None) -> None:
        self._screen.event(happening, move)
        self.beside(happening, move)

    def progress(self, move: str, **figures: Any) -> None:
        self._screen.progress(move, **figures)
        if self._log is not None:
            self._log.progress(move, **figures)

    def beside(self, happening: Shown, move: str | None = None) -> None:
        """For the log alone: what the screen is told in other words."""
        if self._log is not None:
            self._log.event(happening, move)
