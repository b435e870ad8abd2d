"""Does the run that holds the lock still live? Judged by its heartbeat's *change*, on one's own steady clock.

Decides for whoever wants the lock, removes it or shows it. Rules: the age of a heartbeat is a difference of two machines' clocks
and proves no silence, however old it looks, nor life, however young; it only saves a watch where it says "just now": nothing is
done then, and the next look is as good. How long silence lasts is the law's (``machine.liveness``). A process that is proven dead
needs no watch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from migrator.machine import liveness
from migrator.machine.liveness import HEARTBEAT_SECONDS, beat_just_now
from migrator.model.moves import LockRecord
from migrator.ports.clock import Clock
from migrator.ports.state_store import StateStore

SHOW_SECONDS = 1.5 * HEARTBEAT_SECONDS
"""How long it is watched only to be shown."""
LOOK_SECONDS = 0.5


async def silent(
    state: StateStore,
    clock: Clock,
    is_dead: Callable[[LockRecord], bool],
    say: Callable[[LockRecord], None] = lambda lock: None,
) -> LockRecord | None:
    """The lock whose run gave no sign of life for SILENT_SECONDS; None if there is none, it is proven dead, or it lives.

    Args:
        say: told before a watch begins, which takes as long.
    """
    lock = state.lock()
    if lock is None or is_dead(lock) or beat_just_now(lock, clock.now()):
        return None
    say(lock)
    return lock if await _is_still(state, clock, lock, liveness.SILENT_SECONDS) else None


async def is_beating(state: StateStore, clock: Clock, is_dead: Callable[[LockRecord], bool]) -> bool:
    """For a display: watched no longer than until the next heartbeat should be there."""
    lock = state.lock()
    if lock is None or is_dead(lock):
        return False
    return beat_just_now(lock, clock.now()) or not await _is_still(state, clock, lock, SHOW_SECONDS)


async def _is_still(state: StateStore, clock: Clock, lock: LockRecord, seconds: float) -> bool:
    """Was nothing changed in the lock for so long? False as soon as it was, or was given back."""
    # Up to a moment, not for a time: a rest of a difference can be too small to be added to any clock.
    until = clock.monotonic() + seconds
    while (left := until - clock.monotonic()) > 0:
        await clock.sleep(min(left, LOOK_SECONDS))
        if _beat(state.lock()) != _beat(lock):
            return False
    return True


def _beat(lock: LockRecord | None) -> tuple[str, datetime] | None:
    return (lock.nonce, lock.heartbeat) if lock is not None else None


@dataclass(slots=True)
class Pulse:
    """For a display that looks again and again: remembers when the heartbeat last changed."""

    clock: Clock
    _seen: tuple[str, datetime] | None = None
    _changed_at: float = 0.0
    _watched_from: float = 0.0

    def beats(self, lock: LockRecord, now: datetime) -> bool:
        """Until it was watched for long enough, the age has the word."""
        moment, beat = self.clock.monotonic(), _beat(lock)
        if self._seen is None or beat is None or self._seen[0] != lock.nonce:
            self._seen, self._changed_at, self._watched_from = beat, float("-inf"), moment
        elif self._seen != beat:
            self._seen, self._changed_at = beat, moment
        if moment - self._changed_at <= liveness.SILENT_SECONDS:
            return True
        return moment - self._watched_from <= liveness.SILENT_SECONDS and beat_just_now(lock, now)
