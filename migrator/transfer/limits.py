"""Budgets: what migration may ask of each account, and how it gives way.

The account that is read is the one that is overloaded, so migration is a scavenger: every request waits for a grant of its
account, a server-side copy for one of both. The pace is even (a virtual clock per account, not a bucket that fills up and
bursts) and a little below the budget (``HEADROOM``), so that what was granted together may arrive together. An even pace
needs no memory of what an earlier run sent: whatever it used, this one goes on no faster. An answer of "throttled" halves
the pace; it recovers by a twentieth of the limit each second without another one, and a run that starts within a minute
goes on from there (``remembered``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from migrator.model.schedule import Budget
from migrator.ports.clock import Clock

BURST_SECONDS = 0.2
"""How far the pace may run ahead after idling."""
HEADROOM = 0.96
"""Part of a budget that is granted: the rest makes up for grants whose requests were held up and go out together."""
FLOOR_PER_SECOND = 1.0
"""The pace never halves below this."""
UNLIMITED_START_PER_SECOND = 2000.0
"""Where an account without a limit begins when it is throttled for the first time and no pace was measured."""
RECOVERY_PER_SECOND = 0.05
LONGEST_RETRY_AFTER_SECONDS = 60.0
"""A service that asks for more is asked again after this."""
MEMORY_SECONDS = 60.0
LONGEST_SLEEP_SECONDS = 1.0
"""So soon does a request that waits for its turn notice a new budget."""

Brake = Literal["", "budget", "service"]


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
    _waited_at: float = -1e9
    _settings: int = 0

    @property
    def pace_per_second(self) -> float | None:
        """Requests a second that are granted now; None is unlimited."""
        limit = self._limit
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
    def _limit(self) -> float | None:
        return HEADROOM * self.requests_per_minute / 60.0 if self.requests_per_minute else None

    @property
    def rate_per_second(self) -> float:
        """Requests a second that were granted, over the last second or so."""
        now = self.clock.monotonic()
        age = now - self._window_begin
        if age > 3.0:
            return 0.0 if age > 10.0 else self._window_granted / age
        return self._measured_per_second

    @property
    def brake(self) -> Brake:
        """What slows this account down now: the service's refusals, or a budget that requests had to wait for."""
        if self.pace_per_second is not None and self._reduced_per_second is not None:
            return "service"
        return "budget" if self.clock.monotonic() - self._waited_at < 2.0 else ""

    async def grant(self, *, requests: int = 1, bytes: int = 0) -> None:
        """Wait for the turn of ``requests`` requests that move ``bytes`` bytes."""
        now = self.clock.monotonic()
        self._measure(now, requests)
        turn, settings = self._turn(now, requests, bytes), self._settings
        while turn > now:
            self._waited_at = now
            await self.clock.sleep(min(turn - now, LONGEST_SLEEP_SECONDS))
            now = self.clock.monotonic()
            if settings != self._settings:
                turn, settings = self._turn(now, requests, bytes), self._settings

    def _turn(self, now: float, requests: int, bytes: int) -> float:
        """When these may be sent, on the monotonic clock; the turn is theirs from now on."""
        turn = self._next_request
        pace = self.pace_per_second
        if pace is not None:
            turn = max(turn, now - BURST_SECONDS)
            self._next_request = turn + requests / pace
        if bytes and self.bytes_per_second:
            byte_turn = max(self._next_byte, now - BURST_SECONDS)
            self._next_byte = byte_turn + bytes / self.bytes_per_second
            turn = max(turn, byte_turn)
        return turn

    def set(self, budget: Budget) -> None:
        """Keep to ``budget`` from now on; requests that wait for a turn of the old pace take a new one."""
        if (self.requests_per_minute, self.bytes_per_second) == (budget.requests_per_minute, budget.bytes_per_second):
            return
        self.requests_per_minute, self.bytes_per_second = budget.requests_per_minute, budget.bytes_per_second
        now = self.clock.monotonic()
        self._next_request, self._next_byte = min(self._next_request, now), min(self._next_byte, now)
        self._settings += 1

    def give_way(self, retry_after_seconds: float | None = None) -> None:
        """The service said "throttled": halve the pace, and send nothing before it wants to be asked again."""
        self.throttled_count += 1
        now = self.clock.monotonic()
        if retry_after_seconds is not None:
            rest = min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS)
            self._next_request = max(self._next_request, now + rest)
        if self._reduced_per_second is not None and now - self._reduced_at < 1.0:
            return  # the requests that were under way together count as one sign
        current = self.pace_per_second or max(self._measured_per_second, 2 * FLOOR_PER_SECOND)
        self._reduced_per_second = max(current / 2, FLOOR_PER_SECOND)
        self._reduced_at = now

    def remembered(self, pace_per_second: float, age_seconds: float) -> None:
        """An earlier run was slowed down by the service to this pace so long ago: do not begin at full speed."""
        if 0.0 <= age_seconds < MEMORY_SECONDS:
            self._reduced_per_second = max(pace_per_second, FLOOR_PER_SECOND)
            self._reduced_at = self.clock.monotonic() - age_seconds

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
        self.account(name).set(budget)

    def __iter__(self) -> Iterator[tuple[str, AccountLimits]]:
        return iter(self._accounts.items())
