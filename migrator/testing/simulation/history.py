"""What came of one story, and its effects in words. Decides nothing."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from migrator.model.moves import MoveRecord
from migrator.testing.simulation.cases import Violation


@dataclass(slots=True)
class Report:
    """What came of one seed. ``notes``: every effect in order, as it was noted; put into words only for who reads them."""

    seed: int
    violations: tuple[Violation, ...]
    notes: list[tuple[float, tuple[Any, ...]]]
    moves: tuple[MoveRecord, ...] = ()
    is_unfinished: bool = False
    """At the end of time something was still going on: no broken promise, but worth a look."""
    figures: dict[str, Any] = field(default_factory=dict)
    reached: Counter[str] = field(default_factory=Counter)
    """How often what came to pass, by its name in ``reach``."""
    excused: Counter[str] = field(default_factory=Counter)
    """In how many switches which excuse was open, and what was let pass."""

    @property
    def history(self) -> list[tuple[Any, ...]]:
        """(virtual second, what, details...)"""
        return [(round(at, 6), *_in_words(facts)) for at, facts in self.notes]

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self.history).encode()).hexdigest()


def _in_words(facts: tuple[Any, ...]) -> tuple[Any, ...]:
    what, *rest = facts
    return (what, rest[0], *map(_short, rest[1:])) if str(what).startswith("committed") else facts


def _short(change: Any) -> str:
    """A commit's change in the history: enough to follow the story, and to notice any difference between two runs."""
    name = type(change).__name__
    if name == "SaveMove":
        move = change.move
        return f"{move.id} {move.direction} {move.state} epoch {move.epoch}"
    if name == "AddJournal":
        return str(change.entry.text)
    if name == "ReplaceRanges":
        opened = "open" if any(one.is_open for one in change.ranges) else "closed"
        return f"{change.container} {opened} {sum(len(one.records) for one in change.ranges) // 24}"
    if name in ("PutException", "DropException"):
        return repr(change)
    return name
