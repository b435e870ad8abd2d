"""Where progress goes: observers, never prints."""

from __future__ import annotations

from typing import Any, Protocol

from migrator.model.happenings.happening import Shown


class Reporter(Protocol):
    def event(self, happening: Shown, move: str | None = None) -> None:
        """One thing that happened, of the list ``model.happenings``; ``move`` is the ``region/area`` that it happened to, if
        it was one. Its words are ``migrator.words``' business. Never raises, never blocks."""
        ...

    def progress(self, move: str, **figures: Any) -> None:
        """Current figures of a move: ``state, objects_copied, bytes_copied, objects_deleted, lag_objects, scanned,
        expected``, or while its source is being counted ``counted`` (objects so far); called often, may be dropped."""
        ...
