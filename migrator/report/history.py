"""The journal, read once from its beginning: what a page says of the past.

Decides what is kept of a journal of months: the newest rows, the incidents, and of each move the moments and the proofs of its
newest way. Rule: memory does not grow with the journal, but for its incidents, and of those the newest are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from migrator.model.moves import JournalEntry
from migrator.ports.state_store import StateStore
from migrator.report.incidents import is_incident

MOST_ROWS: Final = 400
"""Newest rows of the journal on a page; the others are counted, and `migrate history` has them all."""
MOST_INCIDENTS: Final = 200
_AT_ONCE: Final = 2_000


@dataclass(slots=True)
class MovePast:
    """What the journal has of one move; None where it has nothing.

    ``entered``: when each state of its newest way forward was entered last. ``barrier``: both sides were proved equal before the
    newest switch. ``canary``: a small object went there and back. ``forecast_pause``: said before the newest fence, in seconds.
    """

    entered: dict[str, datetime] = field(default_factory=dict)
    barrier: JournalEntry | None = None
    canary: JournalEntry | None = None
    switched: JournalEntry | None = None
    drained: JournalEntry | None = None
    forecast_pause: float | None = None
    fences_released: int = 0


@dataclass(slots=True)
class History:
    """``rows`` and ``incidents`` ascend; ``total`` and ``total_incidents`` count those that were left out, too."""

    rows: deque[JournalEntry] = field(default_factory=lambda: deque(maxlen=MOST_ROWS))
    incidents: deque[JournalEntry] = field(default_factory=lambda: deque(maxlen=MOST_INCIDENTS))
    total: int = 0
    total_incidents: int = 0
    moves: dict[str, MovePast] = field(default_factory=dict)
    number: int = 0
    """Of the last row that is told."""

    def of(self, move: str) -> MovePast:
        return self.moves.get(move) or MovePast()


def read_on(store: StateStore, found: History) -> History:
    """``found`` with the rows that came after it."""
    return told(_rows(store, found.number), found)


def told(rows: Iterable[JournalEntry], found: History | None = None) -> History:
    """What ``rows``, ascending, come to, after what is ``found``."""
    found = found or History()
    for row in rows:
        found.number = row.number
        found.total += 1
        found.rows.append(row)
        if is_incident(row):
            found.total_incidents += 1
            found.incidents.append(row)
        if row.move is not None:
            _note(found.moves.setdefault(str(row.move), MovePast()), row)
    return found


def _rows(store: StateStore, after: int) -> Iterator[JournalEntry]:
    while page := store.journal(after=after, limit=_AT_ONCE):
        yield from page
        after = page[-1].number


def _note(past: MovePast, row: JournalEntry) -> None:
    match row.happening:
        case "state-changed":
            state = str(row.evidence.get("state", ""))
            if state == "preflight":  # it begins, or begins again after a way back
                past.entered.clear()
            if row.evidence.get("direction") == "forward":
                past.entered[state] = row.at
        case "barrier" | "barrier-skipped":
            past.barrier = row
        case "canary" | "canary-one-way":
            past.canary = row
        case "switched":
            past.switched = row
        case "drained":
            past.drained = row
        case "fence-forecast":
            seconds = row.evidence.get("forecast_seconds")
            past.forecast_pause = float(seconds) if isinstance(seconds, int | float) else None
        case "fence-released":
            past.fences_released += 1
