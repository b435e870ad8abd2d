"""Budgets: what migration may ask of each account, and how it gives way.

The account that is read is the one that is overloaded, so migration is a scavenger: every request waits for a grant of its
account, a server-side copy for one of both at the same moment. The pace is even (a virtual clock per account, not a bucket
that fills up and bursts) and a little below the budget (``HEADROOM``), so that what was granted together may arrive together.
A turn is taken when it is used, not when it is asked for: waiters stand in line and only the first looks at the clock, so
a process that was held up does not make up for it. An even pace needs no memory of what an earlier run sent: whatever it
used, this one goes on no faster. An answer of "throttled" halves the pace; it recovers by a twentieth of the limit each
second without another one, and a run that starts within a minute goes on from there (``remembered``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from migrator.model.pace import Brake
from migrator.model.schedule import Budget
from migrator.ports.clock import Clock
from migrator.transfer.turns import Turns

BURST_SECONDS = 0.35
"""How far the pace may run ahead after idling, or after being held up: what was lost beyond it is lost. Ten seconds hold
HEADROOM * (10 + BURST_SECONDS) / 10 of a budget at most, and what was granted before and sent in them: 1.004, of 1.05."""
HEADROOM = 0.97
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
BLINK_SECONDS = 0.02
"""An account whose turn had come may have to wait so long again without others in line being let past."""
HURRIED, ORDINARY = 0, 1
"""Ranks in a line."""
RESOLUTION_SECONDS = 1e-6
"""A turn that is nearer than this has come: no clock sleeps for less."""


@dataclass(slots=True)
class _Turns:
    """An even sequence of turns: the next one is ``owed`` units after ``since``, at whatever the pace is by then."""

    since: float | None = None
    owed: float = 0.0

    def wait_seconds(self, now: float, pace: float) -> float:
        """Until the next turn; 0 or less if it may be taken now."""
        return 0.0 if self.since is None else self.since + self.owed / pace - now

    def take(self, now: float, pace: float, units: float) -> None:
        """The first one makes up for nothing: an earlier run may have used every turn until now."""
        self.since = now if self.since is None else max(self.since + self.owed / pace, now - BURST_SECONDS)
        self.owed = units


@dataclass(slots=True)
class AccountLimits:
    """The pace of one account. ``requests_per_minute`` and ``bytes_per_second`` may be changed while it runs.

    ``rank``: of two accounts that grant together the lower is asked first; the same for all, so that no two requests wait
    for each other.
    """

    clock: Clock
    requests_per_minute: float | None = None
    bytes_per_second: float | None = None
    rank: int = 0
    throttled_count: int = 0
    _line: Turns = field(default_factory=lambda: Turns(1))
    _requests: _Turns = field(default_factory=_Turns)
    _bytes: _Turns = field(default_factory=_Turns)
    _not_before: float = -1e9
    _reduced_per_second: float | None = field(default=None)
    _reduced_at: float = 0.0
    _window_begin: float = 0.0
    _window_granted: int = 0
    _measured_per_second: float = 0.0
    _waited_at: float = -1e9

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

    async def grant(self, *, requests: int = 1, bytes: int = 0, is_hurried: bool = False) -> None:
        """Wait for the turn of ``requests`` requests that move ``bytes`` bytes."""
        await grant_together((self,), requests=requests, bytes=bytes, is_hurried=is_hurried)

    def set(self, budget: Budget) -> None:
        """Keep to ``budget`` from now on; who waits for a turn of the old pace soon notices."""
        self.requests_per_minute, self.bytes_per_second = budget.requests_per_minute, budget.bytes_per_second

    def give_way(self, retry_after_seconds: float | None = None) -> None:
        """The service said "throttled": halve the pace, and send nothing before it wants to be asked again."""
        self.throttled_count += 1
        now = self.clock.monotonic()
        if retry_after_seconds is not None:
            rest = min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS)
            self._not_before = max(self._not_before, now + rest)
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

    def _is_bounded(self, now: float, bytes: int) -> bool:
        if self.requests_per_minute or self._reduced_per_second is not None or (bytes and self.bytes_per_second):
            return True
        return self._not_before > now

    def _wait_seconds(self, now: float, requests: int, bytes: int) -> float:
        wait, pace = 0.0, self.pace_per_second
        if requests:
            wait = self._not_before - now
            if pace is not None:
                wait = max(wait, self._requests.wait_seconds(now, pace))
        if bytes and self.bytes_per_second:
            wait = max(wait, self._bytes.wait_seconds(now, self.bytes_per_second))
        return wait

    def _take(self, now: float, requests: int, bytes: int) -> None:
        pace = self.pace_per_second
        if pace is not None and requests:
            self._requests.take(now, pace, requests)
        if bytes and self.bytes_per_second:
            self._bytes.take(now, self.bytes_per_second, bytes)
        self._measure(now, requests)

    def _measure(self, now: float, requests: int) -> None:
        if now - self._window_begin >= 1.0:
            self._measured_per_second = self._window_granted / max(now - self._window_begin, 1.0)
            self._window_begin, self._window_granted = now, 0
        self._window_granted += requests


async def grant_together(
    accounts: Sequence[AccountLimits], *, requests: int = 1, bytes: int = 0, is_hurried: bool = False
) -> None:
    """Wait until all of these accounts (at least one) grant ``requests`` requests that move ``bytes`` bytes, at once: a
    grant that was given early and used late would be a burst. An account that is named twice grants twice as much.

    Lines are entered in the order of ``rank``, each when the turn of the one before has come. Should that one have to wait
    again - its service asked for less meanwhile - the later lines are left until its turn has come anew. So the account that
    many share is held up by nobody who still waits for another. ``is_hurried``: writers wait for it, so it goes before all
    others in each line.
    """
    if len(accounts) == 2 and accounts[0] is accounts[1]:
        accounts, requests, bytes = accounts[:1], 2 * requests, 2 * bytes
    now = accounts[0].clock.monotonic()
    bounded = [one for one in accounts if one._is_bounded(now, bytes)]
    if not bounded:
        for one in accounts:
            one._measure(now, requests)
        return
    order = sorted(bounded, key=lambda account: account.rank)
    entered: list[AccountLimits] = []
    try:
        while len(entered) < len(order):
            one = order[len(entered)]
            await one._line.take(HURRIED if is_hurried else ORDINARY)
            entered.append(one)
            while (again := await _turn_of(entered, requests, bytes)) is not None:
                while entered[-1] is not again:
                    entered.pop()._line.give()
        now = accounts[0].clock.monotonic()
        for one in accounts:
            one._take(now, requests, bytes)
    finally:
        while entered:
            entered.pop()._line.give()


async def _turn_of(accounts: Sequence[AccountLimits], requests: int, bytes: int) -> AccountLimits | None:
    """None when the turn of all has come; else the first of the earlier ones that has to wait again, for longer than a blink."""
    clock = accounts[0].clock
    while True:
        now = clock.monotonic()
        waits = [one._wait_seconds(now, requests, bytes) for one in accounts]
        if max(waits) <= RESOLUTION_SECONDS:
            return None
        for one, wait in zip(accounts, waits, strict=True):
            if wait > RESOLUTION_SECONDS:
                one._waited_at = now
        for one, wait in zip(accounts[:-1], waits, strict=False):
            if wait > BLINK_SECONDS:
                return one
        await clock.sleep(min(max(waits), LONGEST_SLEEP_SECONDS))


class Limits:
    """The paces of all accounts of a run, shared by its moves. ``order``: accounts, those that many moves share last."""

    def __init__(self, clock: Clock, order: Sequence[str] = ()) -> None:
        self._clock = clock
        self._accounts: dict[str, AccountLimits] = {}
        for name in order:
            self.account(name)

    def account(self, name: str) -> AccountLimits:
        if name not in self._accounts:
            self._accounts[name] = AccountLimits(self._clock, rank=len(self._accounts))
        return self._accounts[name]

    def set(self, name: str, budget: Budget) -> None:
        self.account(name).set(budget)

    def __iter__(self) -> Iterator[tuple[str, AccountLimits]]:
        return iter(self._accounts.items())
