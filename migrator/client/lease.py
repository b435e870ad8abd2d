"""A write lease as an application holds it: a grant of the follower together with a clock.

Decides nothing new: a lease is over at its grant's ``expires``, a request is over ``max_write`` after it began. The clock
is the one that also counts while the machine sleeps, where there is such a clock: a lease must not outlive a suspend.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from migrator.client.errors import RouteFenced
from migrator.client.follower import Grant, UploadToken
from migrator.client.work import Counted

Clock = Callable[[], float]
ROUNDING_SECONDS = 0.05
"""The service's ``timeout=`` is in whole seconds: so little is rounded up, everything else down. Far inside the engine's
``clock_margin``; without it a ``max_write`` of one second would leave no whole second to any request."""
CONNECT_SHARE = 0.25
CONNECT_SECONDS = 10.0
"""A try may spend a quarter of what is left, and at most ten seconds, before its request leaves: on a signature, a place in the
pool, a name, a connection, TLS. The service counts ``timeout=`` from the arrival, so it is given only the rest in whole seconds;
what rounding leaves is for connecting, too."""


def monotonic() -> float:
    """Seconds since some fixed moment, sleep of the machine included; never goes back."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@dataclass(frozen=True, slots=True)
class TryTimes:
    """What one try may take, in seconds from now: ``connect_seconds + timeout_seconds`` is at most ``end_seconds``, but for
    ``ROUNDING_SECONDS``.

    >>> TryTimes.of(60.0)
    TryTimes(connect_seconds=10.0, timeout_seconds=50, end_seconds=60.0)
    >>> TryTimes.of(6.0)
    TryTimes(connect_seconds=2.0, timeout_seconds=4, end_seconds=6.0)
    """

    connect_seconds: float
    """The request must have begun to leave by then; if it has not, it is not sent."""
    timeout_seconds: int
    """For the service's ``timeout=``, which it counts from the arrival."""
    end_seconds: float
    """The connection is ended then, whatever it does."""

    @classmethod
    def of(cls, left: float) -> TryTimes | None:
        """The times of a try for which ``left`` seconds are left; None: too few, send nothing."""
        if left + ROUNDING_SECONDS < 1:
            return None
        timeout = max(1, int(left - min(CONNECT_SECONDS, left * CONNECT_SHARE) + ROUNDING_SECONDS))
        return cls(max(ROUNDING_SECONDS, left - timeout), timeout, left)


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """One write, from its first try to its last: it must end before ``deadline`` (same clock as the lease)."""

    lease: WriteLease
    deadline: float
    counted: Counted | None = field(default=None, repr=False, compare=False)

    def done(self) -> None:
        """The request has ended: its answer says whether it was applied, and so did that of each try before. Without this it
        counts as under way until ``deadline``, and a cut-over waits for it."""
        if self.counted is not None:
            self.counted.over()

    def __enter__(self) -> WriteRequest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """``done`` unless something was raised: who knows what of it was sent."""
        if kind is None:
            self.done()

    def remaining(self) -> float:
        """Seconds left for all tries together; 0 when there are none."""
        return max(0.0, self.deadline - self.lease.clock())

    def times(self) -> TryTimes:
        """How long a try that begins now may take to connect, at the service, and altogether.

        Raises:
            RouteFenced: less than a second is left; do not send.
        """
        times = TryTimes.of(self.remaining())
        if times is None:
            raise self._late()
        return times

    @property
    def timeout_seconds(self) -> int:
        """What to give the service as ``timeout=`` for a try that begins now and connects within ``times().connect_seconds``.

        Raises:
            RouteFenced: less than a second is left; do not send.
        """
        return self.times().timeout_seconds

    def check(self) -> None:
        """Before every try: RouteFenced if the lease is over or the time is used up."""
        self.lease.check()
        if not self.remaining():
            raise self._late()

    def _late(self) -> RouteFenced:
        return RouteFenced(
            f"cannot write to {self.lease.key}: the request has used up its {self.lease.max_write_seconds:g} s",
            reason="late",
            hint="if a try was sent, read what is there before repeating it",
        )


@dataclass(frozen=True, slots=True)
class WriteLease:
    """The right to *start* writes at ``endpoint`` until ``expires``; each must end within ``max_write_seconds``.

    >>> lease = WriteLease(Grant("europe/images", "https://x", "eu-img", 7, 130.0, 60.0), clock=lambda: 100.0)
    >>> lease.remaining(), lease.request().deadline
    (30.0, 160.0)
    """

    grant: Grant
    clock: Clock = monotonic
    counted: Counted | None = field(default=None, repr=False, compare=False)

    @property
    def key(self) -> str:
        """``region/area``."""
        return self.grant.key

    @property
    def endpoint(self) -> str:
        return self.grant.endpoint

    @property
    def services(self) -> Mapping[str, str]:
        """Addresses of the account's other services (``table``, ``queue``), where the route has some that ``hosts`` trusts."""
        return self.grant.services

    @property
    def account(self) -> str:
        """The account's name in the plan."""
        return self.grant.account

    @property
    def epoch(self) -> int:
        return self.grant.epoch

    @property
    def expires(self) -> float:
        """The end, on ``clock``."""
        return self.grant.expires

    @property
    def max_write_seconds(self) -> float:
        return self.grant.max_write_seconds

    @property
    def upload_token(self) -> UploadToken:
        """Keep it beside staged blocks; ``check_upload`` it before the commit."""
        return self.grant.token

    def remaining(self) -> float:
        """Seconds until the lease ends; 0 afterwards."""
        return max(0.0, self.expires - self.clock())

    def check(self) -> None:
        """Call directly before sending a write: RouteFenced if the lease is over, or was closed."""
        if self.clock() >= self.expires or (self.counted is not None and self.counted.is_over):
            raise self._over()

    def request(self) -> WriteRequest:
        """Begin one write: checks the lease and starts its ``max_write`` clock. It is under way until ``done``. RouteFenced if
        the lease is over."""
        self.check()
        deadline = self.clock() + self.max_write_seconds
        if self.counted is None:
            return WriteRequest(self, deadline)
        counted = self.counted.also(deadline)
        if counted is None:
            raise self._over()
        return WriteRequest(self, deadline, counted)

    def close(self) -> None:
        """No write begins under it any more; those that ``request`` began have ends of their own. Without this the lease counts
        as in use until its end, and a cut-over waits for what could have begun under it."""
        if self.counted is not None:
            self.counted.over()

    def __enter__(self) -> WriteLease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """``close`` unless something was raised: who knows what was sent."""
        if kind is None:
            self.close()

    def _over(self) -> RouteFenced:
        return RouteFenced(
            f"cannot write to {self.key}: the lease of epoch {self.epoch} is over",
            reason="expired",
            hint="ask for a new one",
        )

    def check_upload(self, token: UploadToken) -> None:
        """RestartUpload if blocks staged under ``token`` lie in another account than this lease's."""
        self.grant.check_upload(token)
