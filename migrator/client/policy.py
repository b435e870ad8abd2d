"""Policies for azure-storage-blob clients: every write keeps the lease rule without a change in the application.

    routes = Routes.from_url(...)
    lease = await routes.writable("europe", "images")
    client = BlobServiceClient(lease.endpoint, credential, retry_policy=LeasePolicy(routes, "europe", "images"))

A policy takes the place of the client's *retry policy*: that is the one place which sees every try and still comes before the
signature, so that ``timeout=`` is signed. Decides nothing itself: ``writes.Attempt`` does. Reads and staged blocks get the SDK's
own retries. A write whose signature names a stored access policy, and that is refused (403), may have met an enforced fence: the
route is read again, and the write begins anew under a new lease. Each try is ended in time, whatever its connection does
(``ending``).
"""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Any

from azure.core.exceptions import AzureError, ServiceRequestError
from azure.storage.blob import ExponentialRetry
from azure.storage.blob.aio import ExponentialRetry as AsyncExponentialRetry

from migrator.client.ending import SyncTry, ended_in_time, ended_in_time_async
from migrator.client.errors import LeaseError, RouteUnusable
from migrator.client.lease import TryTimes, WriteLease
from migrator.client.routes import Routes
from migrator.client.sync import SyncRoutes
from migrator.client.writes import Attempt, WriteKind, is_signed_by_policy, kind_of, whole_seconds, with_timeout
from migrator.model.hosts import Hosts

_WAS_HERE = "migrate_was_here"
"""In the context of a request that came by before."""
RETRIES = 3
"""After about 2, 4 and 8 seconds: the SDK's own first pause of 15 s would use up a quarter of a ``max_write``."""
_LATE = frozenset({"ConnectExpired", "ConnectionTimeoutError"})
_NEVER_SENT = frozenset(
    {
        "ClientConnectorError",
        "ConnectionTimeoutError",
        "ConnectTimeout",
        "ConnectTimeoutError",
        "NewConnectionError",
        "ConnectExpired",
    }
)
"""Only these prove that nothing was sent. The SDK's ServiceRequestError does not: the async transport also raises it for
a connection that was cut after the request."""


class LeasePolicy(AsyncExponentialRetry):
    """``retry_policy`` of an ``azure.storage.blob.aio`` client bound to the account of one area.

    Args:
        routes: the application's ``Routes``; stays the application's to close.
        region, area: whose lease the writes need.
        wait: seconds a write may wait for a fence to end before its first try; 0 raises RouteFenced at once.
        options: as the SDK's ``ExponentialRetry``, with shorter pauses.
    """

    def __init__(self, routes: Routes, region: str, area: str, *, wait: float = 0.0, **options: Any) -> None:
        super().__init__(**_options(options))
        self._routes = routes
        self._region = region
        self._area = area
        self._wait = wait

    async def send(self, request: Any) -> Any:  # type: ignore[override]
        http = request.http_request
        _check_address(request, self._routes.hosts)
        if kind_of(http.method, http.url) in (WriteKind.READ, WriteKind.STAGED):
            return await super().send(request)  # type: ignore[no-untyped-call]
        settings = self.configure_retries(request)
        attempt, may_wait = self._begin(http), True
        try:
            while True:
                times = await self._admit(attempt, may_wait=may_wait)
                _bound(request, times)
                response: Any = None
                fault: Exception | None = None
                try:
                    async with ended_in_time_async(request.context.transport, times):
                        response = await self.next.send(request)  # type: ignore[misc]
                    again = _judge(attempt, response, http.url)
                except TimeoutError as cut:
                    fault, again = cut, attempt.unanswered()
                except AzureError as failed:
                    fault, again = failed, attempt.unanswered(is_sent=_was_sent(failed))
                pause = _next_pause(self, attempt, settings, request, response, fault) if again else None
                if pause is None:
                    return _end(attempt, settings, response, fault)
                may_wait = attempt.is_fenced
                if attempt.is_fenced:
                    attempt.over()
                    attempt = self._begin(http)
                    pause = await self._pause_if_granted(pause)
                await asyncio.sleep(pause)
        finally:
            attempt.over()

    def _begin(self, http: Any) -> Attempt:
        return Attempt(f"{self._region}/{self._area}", http.method, http.url, http.headers)

    async def _pause_if_granted(self, pause: float) -> float:
        """0 where the route says by now that nobody may write; else ``pause``: the service may need a while to see that the
        policy is back, or that somebody took it away for good."""
        await self._routes.look_again()
        try:
            (await self._lease(may_wait=False)).close()
        except LeaseError:
            return 0.0
        return pause

    async def _admit(self, attempt: Attempt, *, may_wait: bool) -> TryTimes:
        try:
            lease = await self._lease(may_wait=may_wait)
        except LeaseError as fault:
            attempt.refused(fault)
        with closing(lease):
            return attempt.admit(lease)

    async def _lease(self, *, may_wait: bool) -> WriteLease:
        if may_wait and self._wait > 0:
            return await self._routes.writable(self._region, self._area, timeout=self._wait)
        return await self._routes.write(self._region, self._area)


class SyncLeasePolicy(ExponentialRetry):
    """As ``LeasePolicy``, for ``azure.storage.blob`` clients and ``SyncRoutes``."""

    def __init__(self, routes: SyncRoutes, region: str, area: str, *, wait: float = 0.0, **options: Any) -> None:
        super().__init__(**_options(options))
        self._routes = routes
        self._region = region
        self._area = area
        self._wait = wait

    def send(self, request: Any) -> Any:
        http = request.http_request
        _check_address(request, self._routes.hosts)
        if kind_of(http.method, http.url) in (WriteKind.READ, WriteKind.STAGED):
            return super().send(request)  # type: ignore[no-untyped-call]
        settings = self.configure_retries(request)
        attempt, may_wait = self._begin(http), True
        try:
            while True:
                times = self._admit(attempt, may_wait=may_wait)
                _bound(request, times)
                response: Any = None
                fault: Exception | None = None
                each: SyncTry | None = None
                try:
                    with ended_in_time(request.context.transport, times) as each:
                        response = self.next.send(request)
                    again = _judge(attempt, response, http.url)
                except AzureError as failed:
                    fault, again = failed, attempt.unanswered(is_sent=_was_sent(failed))
                except OSError as failed:  # of a socket that was ended under the transport
                    if each is None or not each.was_cut:
                        raise
                    fault, again = failed, attempt.unanswered()
                pause = _next_pause(self, attempt, settings, request, response, fault) if again else None
                if pause is None:
                    return _end(attempt, settings, response, fault)
                may_wait = attempt.is_fenced
                if attempt.is_fenced:
                    attempt.over()
                    attempt = self._begin(http)
                    pause = self._pause_if_granted(pause)
                request.context.transport.sleep(pause)
        finally:
            attempt.over()

    def _begin(self, http: Any) -> Attempt:
        return Attempt(f"{self._region}/{self._area}", http.method, http.url, http.headers)

    def _pause_if_granted(self, pause: float) -> float:
        """As ``LeasePolicy._pause_if_granted``."""
        self._routes.look_again()
        try:
            self._lease(may_wait=False).close()
        except LeaseError:
            return 0.0
        return pause

    def _admit(self, attempt: Attempt, *, may_wait: bool) -> TryTimes:
        try:
            lease = self._lease(may_wait=may_wait)
        except LeaseError as fault:
            attempt.refused(fault)
        with closing(lease):
            return attempt.admit(lease)

    def _lease(self, *, may_wait: bool) -> WriteLease:
        if may_wait and self._wait > 0:
            return self._routes.writable(self._region, self._area, timeout=self._wait)
        return self._routes.write(self._region, self._area)


def _check_address(request: Any, hosts: Hosts) -> None:
    """Before a credential is added, for reads too: the client may have been made for any host, and the SDK follows redirects,
    which no blob service sends, with whatever it signs. RouteUnusable."""
    why = hosts.objection_to_url(request.http_request.url)
    if why is not None:
        raise RouteUnusable(
            f"cannot send a request: {why}", hint="hosts= of Routes.from_url names addresses that are yours"
        )
    if request.context.get(_WAS_HERE):
        raise RouteUnusable("cannot send a request on to where the service redirects it", hint="nothing was sent there")
    request.context[_WAS_HERE] = True


def _options(given: dict[str, Any]) -> dict[str, Any]:
    return {
        "initial_backoff": 0,
        "increment_base": 2,
        "random_jitter_range": 1,
        "retry_total": RETRIES,
    } | given


def _bound(request: Any, times: TryTimes) -> None:
    """What the service and the transport themselves can be told of ``times``."""
    request.http_request.url = with_timeout(request.http_request.url, times.timeout_seconds)
    options = request.context.options
    for name, seconds in (("connection_timeout", times.connect_seconds), ("read_timeout", times.end_seconds)):
        given = options.get(name)
        options[name] = min(given, seconds) if isinstance(given, (int, float)) else seconds


def _judge(attempt: Attempt, response: Any, url: str) -> bool:
    answer = response.http_response
    return attempt.answered(answer.status_code, answer.headers, signed_by_policy=is_signed_by_policy(url))


def _next_pause(
    policy: Any, attempt: Attempt, settings: Any, request: Any, response: Any, fault: Exception | None
) -> float | None:
    """Seconds before the next try, or None if there will be none; counts the retry and rewinds the body."""
    error = fault if isinstance(fault, AzureError) else None
    answer = None if response is None else response.http_response
    if not policy.increment(settings, request=request.http_request, response=answer, error=error):
        return None
    if _is_late(fault):
        return 0.0 if attempt.has_time_for(0) else None  # it waited long enough, and nobody was asked for anything
    wish = None if answer is None else whole_seconds(str(answer.headers.get("Retry-After", "")))
    pause = max(float(policy.get_backoff_time(settings) or 0), float(wish or 0))
    return pause if attempt.has_time_for(pause) else None


def _end(attempt: Attempt, settings: Any, response: Any, fault: BaseException | None) -> Any:
    attempt.finish(fault)
    if fault is not None and _is_late(fault):  # requests takes it for a connection that broke in the answer
        raise ServiceRequestError(f"no request could leave in time, nothing was sent ({fault})", error=fault) from fault
    if fault is not None:
        raise fault
    response.http_response.location_mode = settings["mode"]
    return response


def _was_sent(fault: AzureError) -> bool:
    """May the service have got the request? Yes, unless the connection was surely never made."""
    return not _is_of(fault, _NEVER_SENT)


def _is_late(fault: BaseException | None) -> bool:
    """Was the time for connecting over, so that nothing was sent?"""
    return fault is not None and _is_of(fault, _LATE)


def _is_of(fault: BaseException, names: frozenset[str]) -> bool:
    """Is one of these its cause? requests wraps urllib3's reason in two layers."""
    seen: list[Any] = [getattr(fault, "inner_exception", None) or fault.__cause__]
    for cause in seen:  # grows
        if cause is None or len(seen) > 8:
            continue
        if any(kind.__name__ in names for kind in type(cause).__mro__):
            return True
        seen.extend(part for part in (*getattr(cause, "args", ()), getattr(cause, "reason", None)) if _is_fault(part))
    return False


def _is_fault(part: Any) -> bool:
    return isinstance(part, BaseException)
