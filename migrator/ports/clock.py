"""Time and chance, so that a simulation can own both."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall time, UTC, for people and for windows."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for every bound that protects data."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    def random(self) -> float:
        """In [0, 1), for jitter and nonces that need no secrecy."""
        ...

    def nonce(self) -> str:
        """A fresh identifier of 16 lower-case hex digits."""
        ...
