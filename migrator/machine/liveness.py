"""Is the run that holds the lock alive, and may it still send? The one figure that both sides of a takeover go by.

Decides what silence is, what a young heartbeat is worth, and when a run sends nothing more. Leaves watching to ``engine.pulse``
and proof of death to whoever knows the machine. Rules:

1. A run is silent when its heartbeat has not changed for ``SILENT_SECONDS`` of the watcher's own steady clock: then its lock may
   be taken, and its guardian frees its writers.
2. A run whose last good heartbeat is older than half of that sends nothing before it has a new one: whoever took its lock finds
   nothing of it under way but what was sent before.
3. The age of a heartbeat is a difference of two machines' clocks. It proves neither silence nor life; a young one only saves a
   watch.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from migrator.model.moves import LockRecord

SILENT_SECONDS = 30.0
"""Rule 1."""
HEARTBEAT_SECONDS = 5.0
"""How often a run gives a sign of life."""


def sending_seconds() -> float:
    """How old the last good heartbeat of a run that sends may be, on its own clock (rule 2)."""
    return SILENT_SECONDS / 2


def beat_just_now(lock: LockRecord, now: datetime) -> bool:
    """By the clocks of two machines: good enough to leave a lock alone."""
    return 0.0 <= (now - lock.heartbeat).total_seconds() <= SILENT_SECONDS


def is_alive(
    lock: LockRecord | None, now: datetime, is_dead: Callable[[LockRecord], bool], *, beats: bool | None = None
) -> bool:
    """Does a run hold the lock and work?

    Args:
        is_dead: is its process proven to be gone?
        beats: what a watch of the heartbeat found; None: nobody watched, and its age has the word.
    """
    if lock is None or is_dead(lock):
        return False
    return beat_just_now(lock, now) if beats is None else beats
