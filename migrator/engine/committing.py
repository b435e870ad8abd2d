"""A commit that is made again while the state store is busy or full, for as long as its caller can wait.

One whose answer was lost is made again under its identity, so that the store writes it only if it was not written then.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TypeVar

from migrator.errors import CommitUnknown, StateError, StateFull, StateUnusable
from migrator.model.rhythm import Rhythm
from migrator.ports.clock import Clock
from migrator.ports.state_store import made_again

T = TypeVar("T")


async def surely(
    clock: Clock,
    rhythm: Rhythm,
    act: Callable[[], T],
    *,
    within: float = inf,
    full_within: float = inf,
    say: Callable[[StateError], None] = lambda fault: None,
) -> T:
    """Commit; again while the store refuses, for ``within`` seconds, or ``full_within`` if its disk is full. LockedError,
    StateUnusable and the last refusal go up."""
    begun, pause = clock.monotonic(), rhythm.first_commit_pause_seconds
    lost = ""
    while True:
        try:
            with made_again(lost):
                return act()
        except StateUnusable:
            raise
        except StateError as fault:
            lost = fault.commit if isinstance(fault, CommitUnknown) else lost
            most = min(within, full_within) if isinstance(fault, StateFull) else within
            left = begun + most - clock.monotonic()
            if left <= 0:
                raise
            say(fault)
        await clock.sleep(min(left, pause * (0.5 + clock.random())))
        pause = min(2 * pause, rhythm.longest_commit_pause_seconds)
