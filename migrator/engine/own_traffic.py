"""Migration's own requests: counted as they are answered, kept by account and minute, and known to be whole or not.

Decides when the counts of a stretch of time are complete. Leaves subtracting them to ``gates.judge``. Rules: what was counted
is in the state store within ``Rhythm.counter_seconds``; a run that did not end by itself leaves a mark of how far its counts
go, and the stretch in which it may have sent more is a gap for good: figures of it cannot be told from customers'.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from migrator.model import notes
from migrator.model.rhythm import USUAL, Rhythm
from migrator.ports.clock import Clock
from migrator.ports.state_store import Change, CountRequests, SetNote, StateStore

SILENT_AFTER_SECONDS: Final = 30.0
"""A run whose heartbeat fails sends nothing more after half of the lock's timeout; the rest is for what was under way."""
MOST_GAPS: Final = 100


class OwnTraffic:
    """The counter of one run; implements RequestCounter.

    Args:
        commit: writes changes under the run's lock.
    """

    def __init__(
        self, state: StateStore, clock: Clock, run: str, commit: Callable[..., None], rhythm: Rhythm = USUAL
    ) -> None:
        self._mark_seconds = rhythm.mark_seconds
        self._state = state
        self._clock = clock
        self._run = run
        self._commit = commit
        self._counts: dict[tuple[str, int, str], int] = {}
        self._marked_at = -self._mark_seconds

    def begin(self) -> None:
        """With the lock fresh in hand: note the gap that an earlier run left, and that this one counts."""
        now = self._clock.now()
        changes: list[Change] = []
        left = self._state.note(notes.COUNTING)
        if left:
            until = datetime.fromisoformat(left["until"])
            end = max(until, min(now, until + timedelta(seconds=self._mark_seconds + SILENT_AFTER_SECONDS)))
            gaps = [*(self._state.note(notes.UNCOUNTED) or []), [_minute(until), _minute(end)]]
            changes.append(SetNote(notes.UNCOUNTED, gaps[-MOST_GAPS:]))
        self._commit(*changes, self._mark(now))
        self._marked_at = self._clock.monotonic()

    def end(self) -> None:
        """The run ends by itself: everything it sent is counted."""
        self._write(SetNote(notes.COUNTING, None))

    def count(self, account: str, operation: str, *, minute: int, requests: int = 1) -> None:
        key = (account, minute, operation)
        self._counts[key] = self._counts.get(key, 0) + requests

    def flush(self) -> None:
        """Nothing is lost where the store refuses: what was counted stays for the next time."""
        if self._counts or self._clock.monotonic() - self._marked_at >= self._mark_seconds:
            self._write(self._mark(self._clock.now()))

    def within(self, account: str, begin: datetime, end: datetime) -> float | None:
        """Own answered requests in the minutes of [begin, end), or None if some of them may not have been counted."""
        self.flush()
        first, last = _minute(begin), _minute(end - timedelta(microseconds=1))
        if any(
            gap_first <= last and first <= gap_last for gap_first, gap_last in self._state.note(notes.UNCOUNTED) or []
        ):
            return None
        return float(sum(self._state.requests(account, first_minute=first, last_minute=last).values()))

    def _write(self, mark: SetNote) -> None:
        counts = self._counts
        changes = [CountRequests(account, minute, kind, number) for (account, minute, kind), number in counts.items()]
        self._commit(*changes, mark)
        self._counts, self._marked_at = {}, self._clock.monotonic()

    def _mark(self, now: datetime) -> SetNote:
        mark: dict[str, Any] = {"run": self._run, "until": now.isoformat()}
        return SetNote(notes.COUNTING, mark)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp() // 60)
