"""Budgets: what migration may ask of each account, and how it gives way.

The account that is read is the one that is overloaded, so migration is a scavenger: every request waits for a grant of its
account, a server-side copy for one of both. The pace is even (a virtual clock per account, not a bucket that fills up and
bursts): with a limit of N a minute no sliding ten seconds hold more than N/6 requests and a fifth of a second's worth.
An answer of "throttled" halves the pace; it recovers by a twentieth of the limit each second without another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from migrator.model.schedule import Budget
from migrator.ports.clock import Clock

BURST_SECONDS = 0.2
"""How far the pace may run ahead after idling."""
FLOOR_PER_SECOND = 1.0
"""The pace never halves below this."""
UNLIMITED_START_PER_SECOND = 2000.0
"""Where an account without a limit begins when it is throttled for the first time and no pace was measured."""
RECOVERY_PER_SECOND = 0.05


@dataclass(slots=True)
class AccountLimits:
    """The pace of one account. ``requests_per_minute`` and ``bytes_per_second`` may be changed while it runs."""

    clock: Clock
    requests_per_minute: float | None = None
    bytes_per_second: float | None = None
    throttled_count: int = 0
    _next_request: float = 0.0
    _next_byte: float = 0.0
    _reduced_per_second: float | None = field(default=None)
    _reduced_at: float = 0.0
    _window_begin: float = 0.0
    _window_granted: int = 0
    _measured_per_second: float = 0.0

    @property
    def pace_per_second(self) -> float | None:
        """Requests a second that are granted now; None is unlimited."""
        limit = self.requests_per_minute / 60.0 if self.requests_per_minute else None
        if self._reduced_per_second is None:
            return limit
        ceiling = limit or max(self._measured_per_second, UNLIMITED_START_PER_SECOND)
        recovered = self._reduced_per_second + RECOVERY_PER_SECOND * ceiling * (
            self.clock.monotonic() - self._reduced_at
        )
        if recovered >= ceiling:
            self._reduced_per_second = None
            return limit
        return recovered

    @property
    def is_throttled(self) -> bool:
        """Has the service asked for less, and the pace not recovered yet?"""
        return self._reduced_per_second is not None

    async def grant(self, *, requests: int = 1, bytes: int = 0) -> None:
        """Wait for the turn of ``requests`` requests that move ``bytes`` bytes."""
        now = self.clock.monotonic()
        self._measure(now, requests)
        wait = 0.0
        pace = self.pace_per_second
        if pace is not None:
            turn = max(self._next_request, now - BURST_SECONDS)
            self._next_request = turn + requests / pace
            wait = turn - now
        if bytes and self.bytes_per_second:
            turn = max(self._next_byte, now - BURST_SECONDS)
            self._next_byte = turn + bytes / self.bytes_per_second
            wait = max(wait, turn - now)
        if wait > 0:
            await self.clock.sleep(wait)

    def give_way(self) -> None:
        """The service said "throttled": halve the pace."""
        self.throttled_count += 1
        now = self.clock.monotonic()
        if self._reduced_per_second is not None and now - self._reduced_at < 1.0:
            return  # the requests that were under way together count as one sign
        current = self.pace_per_second or max(self._measured_per_second, 2 * FLOOR_PER_SECOND)
        self._reduced_per_second = max(current / 2, FLOOR_PER_SECOND)
        self._reduced_at = now

    def _measure(self, now: float, requests: int) -> None:
        if now - self._window_begin >= 1.0:
            self._measured_per_second = self._window_granted / max(now - self._window_begin, 1.0)
            self._window_begin, self._window_granted = now, 0
        self._window_granted += requests


class Limits:
    """The paces of all accounts of a run, shared by its moves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accounts: dict[str, AccountLimits] = {}

    def account(self, name: str) -> AccountLimits:
        if name not in self._accounts:
            self._accounts[name] = AccountLimits(self._clock)
        return self._accounts[name]

    def set(self, name: str, budget: Budget) -> None:
        limits = self.account(name)
        limits.requests_per_minute = budget.requests_per_minute
        limits.bytes_per_second = budget.bytes_per_second
