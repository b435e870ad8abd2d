"""Where progress goes: observers, never prints."""

from __future__ import annotations

from typing import Any, Protocol


class Reporter(Protocol):
    def event(self, kind: str, move: str | None, text: str, **facts: Any) -> None:
        """One thing that happened. ``kind`` is a stable word (``state-changed``, ``wave-changed``, ``waiting``,
        ``fence``, ``throttled``, ``sample``, ``warning``); ``move`` is ``region/area`` or None; ``text`` is one plain
        sentence; ``facts`` are JSON values. Never raises, never blocks."""
        ...

    def progress(self, move: str, **figures: Any) -> None:
        """Current figures of a move: ``state, objects_copied, bytes_copied, objects_deleted, lag_objects, scanned,
        expected``, or while its source is being counted ``counted`` (objects so far); called often, may be dropped."""
        ...
