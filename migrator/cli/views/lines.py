"""Displays of a running apply without a terminal: a line for people, or JSON for programs, an event."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from migrator.cli.calls import spelled
from migrator.cli.views.board import NOBODY, duty_of
from migrator.cli.views.documents import event_line
from migrator.cli.views.figures import count, duration, many, size, stamp
from migrator.cli.views.progress import Note, note_of
from migrator.cli.views.rows import rests
from migrator.cli.views.safe import safe
from migrator.cli.views.telling import told
from migrator.cli.views.watched import Looks, MoveNow, Watched, WaveNow
from migrator.machine.waiting import words
from migrator.model.happenings.rollouts import RunConcluded
from migrator.model.moves import MoveState
from migrator.standing.values import Standing

LINE_INTERVAL_SECONDS: Final = 10.0
"""Between two plain lines of progress of one move."""
WAVE_INTERVAL_SECONDS: Final = 60.0
"""Between two plain lines of a wave at work."""
LOOK_SECONDS: Final = 10.0
"""Between two looks at the state store."""


class JsonLines:
    """One JSON object a line: ``{format_version, at, kind, happening, move, text, facts}``; figures are no happening."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def open(self) -> None: ...

    def event(self, note: Note) -> None:
        print(event_line(_body(note)), file=self._stream, flush=True)

    def progress(self, note: Note) -> None:
        self.event(note)

    def tick(self) -> None: ...

    def close(self) -> None: ...


class PlainLines:
    """Every event as a line; of each move one line of progress now and then, and of each wave at work another, with what it waits
    for. What a person must do has a line whenever that is something else."""

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        interval_seconds: float = LINE_INTERVAL_SECONDS,
        wave_seconds: float = WAVE_INTERVAL_SECONDS,
        look: Callable[[], Standing | None] = lambda: None,
    ) -> None:
        self._stream = stream or sys.stdout
        self._interval = interval_seconds
        self._wave_interval = wave_seconds
        self._shown: dict[str, tuple[float, str]] = {}
        self._looks = Looks(look, LOOK_SECONDS)
        self._watched = Watched()
        self._waves_told = time.monotonic()
        self._duty = ""

    def open(self) -> None: ...

    def event(self, note: Note) -> None:
        text = told(note)
        if note.happening == RunConcluded.kind:  # in a log file alone; the screen has the words of ``views.outcome``
            text = f"run ended: {note.facts['code']}" + (f": {text}" if text else "")
        if text is not None:
            where = f"{safe(note.move)}: " if note.move else ""
            self._line(note.at, f"{where}{safe(spelled(text))}")
        self._watched.hear(note)
        self.tick()

    def progress(self, note: Note) -> None:
        move = note.move or ""
        self._watched.hear(note)
        self.tick()
        if not any(note.facts.get(name) for name in ("objects_copied", "objects_deleted", "scanned", "lag_objects")):
            return  # nothing to tell yet
        last, text_before = self._shown.get(move, (float("-inf"), ""))
        text = figures_line(note.facts, self._watched.move(move, note.at))
        if time.monotonic() - last >= self._interval and text != text_before:
            self._shown[move] = (time.monotonic(), text)
            self._line(note.at, f"{safe(move)}: {text}")

    def tick(self) -> None:
        if not self._looks.into(self._watched) or self._watched.standing is None:
            return
        now = datetime.now(UTC)
        standing = self._watched.standing
        duty = duty_of(standing) if standing.is_at_work else self._duty
        if duty != self._duty:
            self._duty = duty
            self._line(now, safe(spelled(duty or NOBODY)))
        if time.monotonic() - self._waves_told >= self._wave_interval:
            self._waves_told = time.monotonic()
            for text in wave_lines(self._watched.waves(now), standing):
                self._line(now, safe(spelled(text)))

    def close(self) -> None: ...

    def _line(self, at: datetime, text: str) -> None:
        print(f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z {text}", file=self._stream, flush=True)


def show_nothing_to_do(text: str) -> None:
    """For programs: the outcome of a run that found nothing to do, as an event on standard output."""
    note = note_of(RunConcluded("done", (text,)), None, datetime.now(UTC))
    print(event_line(_body(note)), flush=True)


def _body(note: Note) -> dict[str, Any]:
    said = {"happening": note.happening} if note.happening else {}
    body = {"at": stamp(note.at), "kind": note.kind, **said, "move": note.move, "text": note.text}
    return {**body, "facts": dict(note.facts)}


def wave_lines(waves: Sequence[WaveNow], standing: Standing) -> Iterator[str]:
    """``wave na-first: running, 62 %, 4,010 objects/s, about 3 min 12 s left, 1,204 behind``, of each that is at work."""
    waits = {one.name: one.waits for one in standing.waves}
    for wave in waves:
        clauses = [f"waits for {words(wait)}" for wait in waits.get(wave.name, ()) if wait.kind != "soak"]
        if all(rests(move.state) for move in wave.moves) and not clauses:
            continue
        parts = [wave.state]
        if wave.share is not None:
            parts.append(f"{int(wave.share * 100)} % {'copied' if wave.is_copying else 'of its soak'}")
        if wave.rate is not None:
            parts.append(f"{count(wave.rate)} objects/s")
        if wave.left_seconds is not None:
            parts.append(f"about {duration(int(wave.left_seconds))} left")
        if wave.lag_objects:
            parts.append(f"{count(wave.lag_objects)} behind")
        for move in wave.moves:
            if move.fence_seconds is not None:
                parts.append(f"writers of {move.id} have waited for {duration(int(move.fence_seconds))}")
        yield f"wave {wave.name}: {', '.join([*parts, *clauses])}"


def figures_line(facts: Mapping[str, Any], now: MoveNow | None = None) -> str:
    """``copying, 1,200 of 5,000 objects (24 %), 3.4 MiB, 400/s, 9.5 s left, 2 deleted, 7 behind``."""
    done, expected = facts.get("objects_copied") or 0, facts.get("expected")
    objects = many(done, "object")
    if expected:
        objects = f"{count(done)} of {count(expected)} objects ({min(100, done * 100 // expected)} %)"
    parts = [safe(facts.get("state", "working")), f"{objects} copied", size(facts.get("bytes_copied") or 0)]
    if now is not None and now.rate is not None:
        parts.append(f"{count(now.rate)}/s")
    if now is not None and now.left_seconds and facts.get("state") == MoveState.COPYING:
        parts.append(f"about {duration(int(now.left_seconds) or 1)} left")
    if facts.get("scanned"):
        parts.append(f"{count(facts['scanned'])} scanned")
    if facts.get("objects_deleted"):
        parts.append(f"{count(facts['objects_deleted'])} deleted")
    if facts.get("lag_objects"):
        parts.append(f"{count(facts['lag_objects'])} behind")
    return ", ".join(parts)
