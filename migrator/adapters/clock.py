"""The real clock, behind ``migrator.ports.clock``. Nothing is decided here."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime

_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux: goes on while the machine is suspended. A run that slept through its lock's timeout must see its heartbeat as old,
and leases and drains are about time that passes elsewhere. CLOCK_MONOTONIC stands still in a suspend there."""


class SystemClock:
    """Wall time and monotonic time of this machine, its sleep, its chance."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.clock_gettime(_STEADY)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))

    def random(self) -> float:
        return random.random()

    def nonce(self) -> str:
        return secrets.token_hex(8)
