"""What a run knows of the followers in a register, by what it read there itself: who has answered, who is dead, who is awaited.

Decides by promises and by how long an entry stayed as it was. Leaves reading to ``rollcall``, and what a drain makes of it to its
step. Rules:

- a promise holds for ever, so the highest that was ever read counts;
- an entry is dead once it stayed as it was for its lifetime and for as long as a write may take after that, from an answer that
  showed it to a question asked later. By this run's own clock alone: what the register says of times is for people;
- one that vanished may have been written again until it was first missed, and its follower may still write under that;
- what cannot be read may be anybody's who may write anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from migrator.model.register import LEFT, MAX_LIFETIME_SECONDS
from migrator.ports.register import Attendant

MOST_NAMED = 5


@dataclass(slots=True)
class _Heard:
    """``shown_at``: when the first answer came that shows it as it is; ``asked_at``: when the last question was asked that found
    it so; ``missed_at``: when the first answer came that lacks it."""

    newest: Attendant
    shown_at: float
    asked_at: float
    missed_at: float = math.inf
    lifetime_seconds: float = 0.0
    promises: dict[str, int] = field(default_factory=dict)

    def take(self, found: Attendant) -> None:
        self.newest = found
        if found.entry is None:
            self.lifetime_seconds = MAX_LIFETIME_SECONDS
            return
        self.lifetime_seconds = max(self.lifetime_seconds, found.entry.lifetime_seconds)
        for key, epoch in found.entry.clear.items():
            self.promises[key] = max(self.promises.get(key, 0), epoch)

    def concerns(self, key: str) -> bool:
        return self.newest.entry is None or key in self.promises

    def is_dead(self, now: float, write_seconds: float) -> bool:
        last, seen = (self.missed_at, now) if self.missed_at < math.inf else (self.shown_at, self.asked_at)
        return seen >= last + self.lifetime_seconds + write_seconds

    def is_silent(self, now: float) -> bool:
        """Has it not been written for longer than its follower may go on without?"""
        return now >= min(self.missed_at, self.shown_at + self.lifetime_seconds)

    @property
    def has_left(self) -> bool:
        entry = self.newest.entry
        return entry is not None and entry.has_left

    @property
    def name(self) -> str:
        entry = self.newest.entry
        return (entry.label if entry is not None else "") or self.newest.id[:8]


class Attendance:
    """Of one generation of a register, and one run. Times are of the run's monotonic clock."""

    def __init__(self) -> None:
        self._known: dict[str, _Heard] = {}
        self.asked_at = -math.inf
        """When the newest roll was asked for."""

    def take(self, roll: Sequence[Attendant], *, asked_at: float, answered_at: float) -> None:
        """One whole roll. Rolls come one after the other."""
        self.asked_at = asked_at
        for found in roll:
            known = self._known.get(found.id)
            if known is None:
                known = self._known[found.id] = _Heard(found, answered_at, asked_at)
            elif known.newest.token != found.token or known.missed_at < math.inf:
                known.shown_at, known.missed_at = answered_at, math.inf
            known.asked_at = asked_at
            known.take(found)
        for gone in self._known.keys() - {found.id for found in roll}:
            known = self._known[gone]
            known.missed_at = min(known.missed_at, answered_at)

    def of(self, key: str, *, now: float, write_seconds: float) -> list[str]:
        """The ids of all who may write under ``key``, or might a moment ago: the living."""
        return [
            id
            for id, one in self._known.items()
            if one.concerns(key) and one.promises.get(key) != LEFT and not one.is_dead(now, write_seconds)
        ]

    def awaited(self, key: str, epoch: int, *, now: float, write_seconds: float) -> list[str]:
        """The ids of those of them who have not said that nothing of before ``epoch`` is under way."""
        living = self.of(key, now=now, write_seconds=write_seconds)
        return [id for id in living if self._known[id].promises.get(key, 0) < epoch]

    def silent(self, key: str, *, now: float, write_seconds: float) -> list[str]:
        """The ids of those of them who were not heard of for too long to be expected to answer."""
        return [id for id in self.of(key, now=now, write_seconds=write_seconds) if self._known[id].is_silent(now)]

    def names(self, ids: Sequence[str]) -> tuple[str, ...]:
        """As people call them, the first few."""
        return tuple(sorted(self._known[id].name for id in ids)[:MOST_NAMED])

    def over(self, now: float, write_seconds: float) -> Iterator[Attendant]:
        """Entries that are there and say nothing any more: of the dead, and of those that have left."""
        for one in list(self._known.values()):
            if one.missed_at == math.inf and (one.has_left or one.is_dead(now, write_seconds)):
                yield one.newest

    def forget(self, attendant: Attendant) -> None:
        """It was taken away."""
        self._known.pop(attendant.id, None)

    @property
    def size(self) -> int:
        return len(self._known)
