"""How a writer waits for a route: gently, each at its own moment, and never beyond its patience. No sleeping here."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

from migrator.client.errors import RouteFenced, RouteUnpublished, Unfetched
from migrator.client.lease import Clock

FETCH_SECONDS = 5.0
"""Default timeout of one read of the route document."""
FIRST_DELAY_SECONDS = 0.25
BUSY = (429, 500, 503)
"""Answers of a service that does not mean this request: 503 ServerBusy, 500 OperationTimedOut, 429 of a gateway before it."""
BUSY_PAUSES_SECONDS = (0.1, 0.3)
"""Before the second and the third read of a document whose service refused the one before: most refusals are of one request."""
LAST_DELAY_SECONDS = 1.0
"""The longest nominal pause between two reads of a fenced route; thousands of writers may be waiting."""


def default_label() -> str:
    """This process, for people."""
    return f"{socket.gethostname()}/{os.getpid()}"


WATCHED_DELAY_SECONDS = 0.25
"""Between two looks at a record that a registered process reads every second by itself: they cost nothing."""


def busy_pause(fault: Unfetched, attempt: int, chance: Callable[[], float]) -> float | None:
    """Seconds until the document is read again at once; None: this fetch has failed."""
    if not fault.is_busy or attempt >= len(BUSY_PAUSES_SECONDS):
        return None
    return BUSY_PAUSES_SECONDS[attempt] * (0.75 + chance() / 2)


class RetryPauses:
    """One call of ``writable``: the pauses between its attempts, a quarter more or less by chance."""

    def __init__(self, key: str, clock: Clock, chance: Callable[[], float], timeout: float | None) -> None:
        self._key = key
        self._clock = clock
        self._chance = chance
        self._timeout = timeout
        self._began = clock()
        self._delay = FIRST_DELAY_SECONDS

    def next_delay(self, fenced: RouteFenced | RouteUnpublished, *, is_watching: bool = False) -> float:
        """Seconds to pause. When the time is up, an error of the same kind with the wait's length."""
        pause = self._delay * (0.75 + self._chance() / 2)
        if is_watching:
            pause = min(pause, WATCHED_DELAY_SECONDS)
        self._delay = min(self._delay * 1.5, LAST_DELAY_SECONDS)
        if self._timeout is None:
            if isinstance(fenced, RouteUnpublished):  # a misspelt name must not wait for ever
                raise fenced
            return pause
        left = self._began + self._timeout - self._clock()
        if left <= 0:
            message = f"{fenced.message}, still so after {self._timeout:g} s"
            if isinstance(fenced, RouteUnpublished):
                raise RouteUnpublished(message, hint=fenced.hint) from fenced
            raise RouteFenced(message, reason=fenced.reason, hint=fenced.hint) from fenced
        return min(pause, left)
