"""Questions to Azure Monitor, grouped and sent: one request for what is asked together of one subscription and region.

Decides what goes into one request, whose answer is whose, and what a refusal means. Leaves the figures' meaning to
``source``. Rules: a request is sent once and retried by nobody (the next sample is the retry); an answer is matched to
its account by the resource's id, never by its place in the list; a metric whose own error code is not "Success" is an error,
for the SDK would show it as no data.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.monitor.querymetrics.aio import MetricsClient

from migrator.adapters.azure.errors import Target
from migrator.adapters.azure.sdk_errors import code_of, translate
from migrator.adapters.azure.sdk_transport import OnceTransport
from migrator.errors import AccessRefused, CloudError, MigrateError, Throttled, Unreachable
from migrator.model.addresses import is_loopback
from migrator.model.values import value

PUBLIC: Final = "https://metrics.monitor.azure.com"
"""The endpoint is this with the region before it, the audience of its tokens this itself."""
NAMESPACE: Final = "Microsoft.Storage/storageAccounts"
MOST_RESOURCES: Final = 50
"""Source: Azure "Metrics Batch": one subscription, region and type, 50 ids at most."""
GATHER_SECONDS: Final = 0.05
"""How long a first question waits for others to go with it."""


@value(frozen=True, slots=True)
class BatchQuestion:
    """What one request asks for. ``top`` goes with ``filter`` and only then; ``minutes``: of one point."""

    names: tuple[str, ...]
    aggregation: str
    filter: str | None = None
    top: int | None = None
    minutes: int = 1
    namespace: str = NAMESPACE


@value(frozen=True, slots=True)
class Resource:
    """``account``: the plan's name; ``path``: the resource's id below its subscription; ``tenant``: the subscription's, where the
    plan names one."""

    account: str
    subscription: str
    region: str
    path: str
    tenant: str | None = None

    @property
    def id(self) -> str:
        return f"/subscriptions/{self.subscription}{self.path}"


Answer = Mapping[str, Sequence[Any]]
"""Platform metric -> its time series, as the SDK shows them."""


class RegionClients:
    """One SDK client a region and tenant, opened at its first question.

    Args:
        credential: of accounts whose tenant the plan does not name; ``tenants``: of the others.
    """

    def __init__(
        self, credential: Any, cloud: Mapping[str, str], timeout: float, tenants: Mapping[str, Any] | None = None
    ) -> None:
        self._credential = credential
        self._tenants = tenants or {}
        self._base = cloud.get("metrics", PUBLIC).rstrip("/")
        self._ca_file = cloud.get("ca_file")
        self._timeout = timeout
        self._clients: dict[tuple[str, str | None], Any] = {}

    async def send(
        self, resources: Sequence[Resource], asked: BatchQuestion, begin: datetime, end: datetime
    ) -> Mapping[str, Answer]:
        """Resource id, lower case -> what was said of it."""
        region = resources[0].region
        target = Target(", ".join(one.account for one in resources), self.endpoint(region), "read metrics of", "read")
        raw: list[Any] = []
        try:
            async with asyncio.timeout(self._timeout):
                results = await self._client(region, resources[0].tenant).query_resources(
                    resource_ids=[one.id for one in resources],
                    metric_namespace=asked.namespace,
                    metric_names=list(asked.names),
                    timespan=(begin, end),
                    granularity=timedelta(minutes=asked.minutes),
                    aggregations=[asked.aggregation],
                    filter=asked.filter,
                    max_results=asked.top,
                    raw_response_hook=lambda response: raw.append(response.http_response),
                )
            _refuse_partial(raw, target)
            return {id: answer for result in results for id, answer in [_answer(result)] if id}
        except HttpResponseError as failure:
            raise _refusal(failure, target) from None
        except (AzureError, aiohttp.ClientError, TimeoutError) as failure:
            raise _unreachable(failure, target) from None
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise CloudError(f"cannot understand what Azure Monitor said of {target.account}") from failure

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    def endpoint(self, region: str) -> str:
        scheme, _, rest = self._base.partition("://")
        return f"{scheme}://{region}.{rest}" if rest.startswith("metrics.") else self._base

    def _client(self, region: str, tenant: str | None) -> Any:
        key = self.endpoint(region), tenant
        if key not in self._clients:
            self._clients[key] = self._open(*key)
        return self._clients[key]

    def _open(self, endpoint: str, tenant: str | None) -> Any:
        known = self._tenants.get(tenant or "", self._credential)
        credential: Any = known or object()  # the SDK wants one, even where it is not used
        options: dict[str, Any] = {"transport": OnceTransport(self._trust()), "retry_total": 0}
        if not endpoint.startswith("https://"):
            if not is_loopback(endpoint):
                raise AccessRefused(
                    f"cannot ask Azure Monitor at {endpoint}: tokens of Microsoft Entra ID are only sent over https",
                    hint="use its https address",
                )
            options["authentication_policy"] = SansIOHTTPPolicy()
        audience = self._base if urlsplit(self._base).netloc.startswith("metrics.") else PUBLIC
        return MetricsClient(endpoint, credential, audience=audience, **options)

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as failure:
            raise CloudError(
                f"cannot ask Azure Monitor: the certificates in {self._ca_file} cannot be read",
                hint="correct ca_file in the plan",
            ) from failure


_Key = tuple[str, str, str | None, BatchQuestion, datetime, datetime]
"""Subscription, region and tenant, and what is asked about which minutes."""


@dataclass(slots=True)
class _Batch:
    waiting: dict[Resource, asyncio.Future[Answer]] = field(default_factory=dict)


class QuestionBatches:
    """Joins questions about the same minutes, subscription and region into requests."""

    def __init__(self, connection: RegionClients) -> None:
        self._connection = connection
        self._open: dict[_Key, _Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def ask(self, resource: Resource, asked: BatchQuestion, begin: datetime, end: datetime) -> Answer:
        """What is known of one account; every metric of ``asked`` is in it. Errors as ``RegionClients.send``."""
        if self._is_closed:
            raise _closed(resource)
        key = (resource.subscription, resource.region, resource.tenant, asked, begin, end)
        if key not in self._open:
            self._open[key] = _Batch()
            task = asyncio.create_task(self._send_soon(key))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting = self._open[key].waiting
        if resource not in waiting:
            waiting[resource] = asyncio.get_running_loop().create_future()
        return await asyncio.shield(waiting[resource])

    async def close(self) -> None:
        self._is_closed = True
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for batch in self._open.values():  # a task that was cancelled before its first step did not clean up
            _fail_all(batch.waiting)
        await self._connection.close()

    async def _send_soon(self, key: _Key) -> None:
        waiting: dict[Resource, asyncio.Future[Answer]] = {}
        try:
            await asyncio.sleep(GATHER_SECONDS)
            waiting = self._open.pop(key).waiting
            resources = list(waiting)
            for first in range(0, len(resources), MOST_RESOURCES):
                await self._send(resources[first : first + MOST_RESOURCES], waiting, key)
        finally:
            _fail_all(waiting or self._open.pop(key, _Batch()).waiting)

    async def _send(
        self,
        resources: Sequence[Resource],
        waiting: Mapping[Resource, asyncio.Future[Answer]],
        key: _Key,
    ) -> None:
        *_, asked, begin, end = key
        try:
            answers = await self._connection.send(resources, asked, begin, end)
        except MigrateError as error:
            for one in resources:
                _fail(waiting[one], error)
            return
        for one in resources:
            answer = answers.get(one.id.lower())
            if answer is None or not set(asked.names) <= set(answer):
                _fail(
                    waiting[one], CloudError(f"cannot ask Azure Monitor about {one.account}: its answer leaves it out")
                )
            elif not waiting[one].done():
                waiting[one].set_result(answer)


def _fail(future: asyncio.Future[Answer], error: MigrateError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # seen, should nobody wait any more


def _fail_all(waiting: Mapping[Resource, asyncio.Future[Answer]]) -> None:
    for resource, future in waiting.items():
        _fail(future, _closed(resource))


def _closed(resource: Resource) -> CloudError:
    return CloudError(f"cannot ask Azure Monitor about {resource.account}: it was closed meanwhile")


def _answer(result: Any) -> tuple[str, Answer]:
    """The resource's id, lower case, which only the ids of its metrics tell; empty if there is no metric."""
    series = {str(metric.name): metric.timeseries for metric in result.metrics}
    ids = {str(metric.id).lower().partition("/providers/microsoft.insights/")[0] for metric in result.metrics}
    if len(ids) > 1:
        raise ValueError("metrics of several resources in one result")
    return (ids.pop() if ids else ""), series


def _refuse_partial(raw: Sequence[Any], target: Target) -> None:
    for response in raw:
        for result in response.json()["values"]:
            for metric in result.get("value", []):
                code = str(metric.get("errorCode") or "Success")
                if code.lower() != "success":
                    raise Unreachable(
                        f"cannot read metrics of {target.account}: Azure Monitor could not tell all of them ({code})",
                        code=code,
                    )


def _refusal(failure: HttpResponseError, target: Target) -> MigrateError:
    headers: Mapping[str, str] = getattr(failure.response, "headers", {})
    status = failure.status_code or 0
    code = code_of(failure) or str(getattr(failure.error, "code", "") or "")
    cannot, because = f"cannot read metrics of {target.account}", code or f"HTTP {status}"
    if status == 429:
        wish = headers.get("Retry-After", "")
        seconds = float(wish) if wish.isdecimal() and len(wish) < 7 else None
        return Throttled(f"{cannot}: Azure Monitor asks for fewer requests", code=code, retry_after_seconds=seconds)
    if code == "InvalidAuthenticationTokenTenant":
        return AccessRefused(
            f"{cannot}: the subscription is of another tenant than our credential",
            hint=f"give {target.account} its `tenant` in the plan, and a credential that can sign in there",
            code=code,
        )
    if status in (401, 403):
        return AccessRefused(
            f"{cannot}: Azure Monitor refused our credential ({because})",
            hint='grant it "Monitoring Reader" on the subscription',
            code=code,
        )
    if status >= 500:
        return Unreachable(f"{cannot}: Azure Monitor failed ({because})", code=code)
    return CloudError(
        f"{cannot}: Azure Monitor refused the question ({because})",
        hint="check subscription, resource_group and location of these accounts in the plan",
        code=code,
    )


def _unreachable(failure: Exception, target: Target) -> MigrateError:
    error = translate(failure, target)
    if isinstance(error, AccessRefused):
        return error
    why = error.message.rpartition(": ")[2]
    return Unreachable(
        f"cannot reach Azure Monitor at {target.endpoint}: {why}",
        hint="check the accounts' location and cloud.metrics in the plan, and this machine's network",
    )
