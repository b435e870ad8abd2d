"""How long unanswered writes must still be waited for, by this process's monotonic clock alone.

A write of an earlier run is as old as this process knows it: wall clocks of two machines are never compared, so a restart may
wait longer than needed, but never too short.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from migrator.model.moves import Outstanding


@dataclass(slots=True)
class Waits:
    """Shared by the two directions of a move. Seconds of the monotonic clock everywhere."""

    _since: dict[Outstanding, float] = field(default_factory=dict)

    def see(self, writes: Iterable[Outstanding], now: float) -> None:
        """These are on record now; those seen before keep their age."""
        for write in writes:
            self._since.setdefault(write, now)

    def left(self, write: Outstanding, now: float) -> float:
        """Seconds until ``write`` cannot be applied any more; zero or less: it cannot."""
        return self._since.setdefault(write, now) + write.bound_seconds - now
