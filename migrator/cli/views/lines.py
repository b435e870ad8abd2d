"""Displays of a running apply without a terminal: a line for people, or JSON for programs, an event."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TextIO

from migrator.cli.calls import spelled
from migrator.cli.views.documents import event_line
from migrator.cli.views.figures import count, many, size, stamp
from migrator.cli.views.progress import Note, note_of
from migrator.cli.views.safe import safe
from migrator.cli.views.telling import told
from migrator.model.happenings.rollouts import RunConcluded

LINE_INTERVAL_SECONDS: Final = 10.0
"""Between two plain lines of progress of one move."""


class JsonLines:
    """One JSON object a line: ``{format_version, at, kind, happening, move, text, facts}``; figures are no happening."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout

    def open(self) -> None: ...

    def event(self, note: Note) -> None:
        print(event_line(_body(note)), file=self._stream, flush=True)

    def progress(self, note: Note) -> None:
        self.event(note)

    def close(self) -> None: ...


class PlainLines:
    """Every event as a line, and of each move one line of progress now and then."""

    def __init__(self, stream: TextIO | None = None, *, interval_seconds: float = LINE_INTERVAL_SECONDS) -> None:
        self._stream = stream or sys.stdout
        self._interval = interval_seconds
        self._shown: dict[str, tuple[float, str]] = {}

    def open(self) -> None: ...

    def event(self, note: Note) -> None:
        text = told(note)
        if note.happening == RunConcluded.kind:  # in a log file alone; the screen has the words of ``views.outcome``
            text = f"run ended: {note.facts['code']}" + (f": {text}" if text else "")
        if text is not None:
            where = f"{safe(note.move)}: " if note.move else ""
            self._line(note, f"{where}{safe(spelled(text))}")

    def progress(self, note: Note) -> None:
        move = note.move or ""
        if not any(note.facts.get(name) for name in ("objects_copied", "objects_deleted", "scanned", "lag_objects")):
            return  # nothing to tell yet
        last, text_before = self._shown.get(move, (float("-inf"), ""))
        text = figures_line(note.facts)
        if time.monotonic() - last >= self._interval and text != text_before:
            self._shown[move] = (time.monotonic(), text)
            self._line(note, f"{safe(move)}: {text}")

    def close(self) -> None: ...

    def _line(self, note: Note, text: str) -> None:
        print(f"{note.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z {text}", file=self._stream, flush=True)


def show_nothing_to_do(text: str) -> None:
    """For programs: the outcome of a run that found nothing to do, as an event on standard output."""
    note = note_of(RunConcluded("done", (text,)), None, datetime.now(UTC))
    print(event_line(_body(note)), flush=True)


def _body(note: Note) -> dict[str, Any]:
    said = {"happening": note.happening} if note.happening else {}
    body = {"at": stamp(note.at), "kind": note.kind, **said, "move": note.move, "text": note.text}
    return {**body, "facts": dict(note.facts)}


def figures_line(facts: Mapping[str, Any]) -> str:
    """``copying, 1,200 of 5,000 objects (24 %), 3.4 MiB, 2 deleted, 7 behind``."""
    done, expected = facts.get("objects_copied") or 0, facts.get("expected")
    objects = many(done, "object")
    if expected:
        objects = f"{count(done)} of {count(expected)} objects ({min(100, done * 100 // expected)} %)"
    parts = [safe(facts.get("state", "working")), f"{objects} copied", size(facts.get("bytes_copied") or 0)]
    if facts.get("scanned"):
        parts.append(f"{count(facts['scanned'])} scanned")
    if facts.get("objects_deleted"):
        parts.append(f"{count(facts['objects_deleted'])} deleted")
    if facts.get("lag_objects"):
        parts.append(f"{count(facts['lag_objects'])} behind")
    return ", ".join(parts)
