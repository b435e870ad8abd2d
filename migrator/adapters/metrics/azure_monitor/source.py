"""Figures of storage accounts from Azure Monitor: metric names of the plan -> what to ask, what came back -> points.

Decides which platform metrics are behind a name and how a minute's figure is made of them. Leaves sending and grouping to
``batch``, migration's own requests, the settling lag (the window's end) and judgement to the gates. Rules:

1. A point is one minute, or one hour where that will do, whose totals are then means of its minutes; a minute without a total is
   no point. Azure has no points where there was no traffic.
2. ``volume`` is the account's transactions in that minute, everybody's: migration's own are subtracted later.
3. An answer that may be cut short is an error, never a smaller figure.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from migrator.adapters.azure.endpoints import account_name_of
from migrator.adapters.metrics.azure_monitor.batch import BatchQuestion, QuestionBatches, RegionClients, Resource
from migrator.errors import CloudError
from migrator.model.discovered import Holding
from migrator.model.samples import Point, Question, Reading
from migrator.model.schedule import Account
from migrator.model.values import replace, value

MOST_SERIES: Final = 1_000
"""``top`` of a question with a filter: without it the service keeps 10 series a resource and says nothing of the rest."""

TOTALS: Final = BatchQuestion(("Transactions", "Ingress", "Egress"), "Total")
AVERAGES: Final = BatchQuestion(("SuccessE2ELatency", "SuccessServerLatency", "Availability"), "Average")
BY_RESPONSE: Final = BatchQuestion(("Transactions",), "Total", filter="ResponseType eq '*'", top=MOST_SERIES)

HOLDS: Final = BatchQuestion(
    ("BlobCount", "BlobCapacity"),
    "Average",
    filter="BlobType eq '*' and Tier eq '*'",
    top=MOST_SERIES,
    minutes=60,
    namespace="Microsoft.Storage/storageAccounts/blobServices",
)
"""By type and tier, for without them the service shows the mean of them all. Hourly, and up to a day late. Source: Azure
"Supported metrics for Microsoft.Storage/storageAccounts/blobServices"."""
HOLDS_BACK: Final = timedelta(days=3)

THROTTLED: Final = frozenset(
    {
        "serverbusyerror",
        "clientthrottlingerror",
        "clientaccountrequestthrottlingerror",
        "clientaccountbandwidththrottlingerror",
        "successwiththrottling",
    }
)
"""Values of ResponseType, lower case. Source: Azure "Monitoring data reference for Azure Blob Storage"."""
NO_ERROR: Final = THROTTLED | {"success", "clientothererror"}
"""ClientOtherError is what customers' programs expect: not found, a refused condition. All other values are errors."""


@value(frozen=True, slots=True)
class _Metric:
    """``name``: the platform metric that is the figure itself; None: a ratio over response types in or not in ``of``."""

    name: str | None
    asked: BatchQuestion
    of: frozenset[str] = frozenset()
    is_inverse: bool = False


_METRICS: Final[Mapping[str, _Metric]] = {
    "requests_per_minute": _Metric("Transactions", TOTALS),
    "ingress": _Metric("Ingress", TOTALS),
    "egress": _Metric("Egress", TOTALS),
    "e2e_latency_ms": _Metric("SuccessE2ELatency", AVERAGES),
    "server_latency_ms": _Metric("SuccessServerLatency", AVERAGES),
    "availability_percent": _Metric("Availability", AVERAGES),
    "throttled_ratio": _Metric(None, BY_RESPONSE, of=THROTTLED),
    "error_ratio": _Metric(None, BY_RESPONSE, of=NO_ERROR, is_inverse=True),
}
METRICS: Final = frozenset(_METRICS)
"""What can be asked. ``ingress`` and ``egress`` are bytes a minute, the ratios are of 1."""


class AzureMonitorSource:
    """A ``MetricSource`` on the metrics batch API.

    Questions asked at the same time about accounts of one subscription and region go out as one request.

    Args:
        accounts: by name in the plan; ``subscription``, ``resource_group``, ``location`` and ``endpoint`` are needed of
            those that are asked about.
        credential: an asynchronous token credential of azure-identity, with "Monitoring Reader" on the accounts; it stays
            the caller's to close. Not used over http on loopback.
        cloud: the plan's ``cloud``: ``metrics`` (an endpoint whose host begins with "metrics." gets the region before it;
            any other is used for all regions as it is) and ``ca_file``.
        timeout: seconds for one request.
        tenants: credentials for accounts whose ``tenant`` the plan names, by that; they stay the caller's too.
    """

    def __init__(
        self,
        accounts: Mapping[str, Account],
        credential: Any,
        *,
        cloud: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        tenants: Mapping[str, Any] | None = None,
    ) -> None:
        self._accounts = dict(accounts)
        self._batches = QuestionBatches(RegionClients(credential, cloud or {}, timeout, tenants))

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        """Whole minutes that begin in [begin, end), ascending.

        Raises:
            CloudError: an unknown metric or account, an account whose place is not in the plan, a cut or odd answer.
            AccessRefused, Throttled, Unreachable: as their names say.
        """
        metric = _METRICS.get(question.metric or "")
        if metric is None:
            raise CloudError(
                f"cannot ask Azure Monitor for {question.metric or 'a query'}: it is not among the known metrics",
                hint=f"use one of {', '.join(sorted(_METRICS))}",
            )
        resource = _resource(self._accounts.get(question.account), question.account)
        minutes = 60 if question.is_hourly else 1
        first, last = _minute(begin), _minute(end)
        if metric.name is None:
            series = await self._batches.ask(resource, replace(BY_RESPONSE, minutes=minutes), first, last)
            points = _ratios(metric, _by_response(series["Transactions"], question.account))
        else:
            calls = [metric.asked] if metric.asked == TOTALS else [metric.asked, TOTALS]
            answers = await asyncio.gather(
                *(self._batches.ask(resource, replace(one, minutes=minutes), first, last) for one in calls)
            )
            volumes = _minutes(answers[-1]["Transactions"], "total", of=minutes)
            parts = minutes if metric.asked == TOTALS else 1
            values = _minutes(answers[0][metric.name], metric.asked.aggregation.lower(), of=parts)
            points = [Point(at, value, volumes.get(at)) for at, value in sorted(values.items())]
        within = tuple(one for one in points if begin <= one.at < end)
        return Reading(within, includes_own=True, minutes=minutes)

    async def holds(self, account: str, now: datetime) -> Holding | None:
        """Blobs of an account and their bytes, as of the newest hour that is known; None: the service says nothing of it.

        Raises: as ``ask``.
        """
        resource = _resource(self._accounts.get(account), account)
        blobs = replace(resource, path=f"{resource.path}/blobServices/default")
        end = _minute(now).replace(minute=0)
        said = await self._batches.ask(blobs, HOLDS, end - HOLDS_BACK, end)
        numbers, sizes = (_newest(said[name], account) for name in HOLDS.names)
        if numbers is None or sizes is None:
            return None
        return Holding(round(numbers[1]), round(sizes[1]), min(numbers[0], sizes[0]))

    async def close(self) -> None:
        await self._batches.close()


def _resource(account: Account | None, name: str) -> Resource:
    if account is None or account.kind != "azure":
        raise CloudError(f"cannot ask Azure Monitor about {name}: it is not an Azure account of the plan")
    needed = {"subscription": account.subscription, "resource_group": account.resource_group}
    missing = [key for key, value in {**needed, "location": account.location}.items() if not value]
    own_name = account_name_of(account.endpoint or "")
    if missing or not own_name:
        what = ", ".join(missing) or "an endpoint with its name in it"
        raise CloudError(
            f"cannot ask Azure Monitor about {name}: the plan does not say its {what}",
            hint=f"give account {name} subscription, resource_group and location",
        )
    path = f"/resourceGroups/{account.resource_group}/providers/Microsoft.Storage/storageAccounts/{own_name}"
    return Resource(name, str(account.subscription), _region(str(account.location)), path, account.tenant)


def _region(location: str) -> str:
    """``East US 2`` -> ``eastus2``."""
    return "".join(location.split()).lower()


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def _newest(series: Sequence[Any], account: str) -> tuple[datetime, float] | None:
    """The newest hour with a figure, and the sum of it over all series."""
    if len(series) >= MOST_SERIES:
        raise CloudError(f"cannot trust what Azure Monitor said of {account}: it may have left out types or tiers")
    hours: dict[datetime, float] = defaultdict(float)
    for one in series:
        for point in one.data:
            if point.average is not None:
                hours[point.timestamp.astimezone(UTC)] += float(point.average)
    return max(hours.items()) if hours else None


def _minutes(series: Sequence[Any], aggregation: str, *, of: int) -> dict[datetime, float]:
    """Moment -> figure, of the one series that a question without a filter gives; what has no figure is left out. ``of``: a total
    is of so many minutes, and becomes their mean."""
    return {
        value.timestamp.astimezone(UTC): float(figure) / of
        for one in series[:1]
        for value in one.data
        if (figure := getattr(value, aggregation)) is not None
    }


def _by_response(series: Sequence[Any], account: str) -> dict[datetime, dict[str, float]]:
    """Minute -> response type, lower case -> transactions."""
    if len(series) >= MOST_SERIES:
        raise CloudError(f"cannot trust what Azure Monitor said of {account}: it may have left out response types")
    found: dict[datetime, dict[str, float]] = defaultdict(dict)
    for one in series:
        names = {str(key).lower(): str(value).lower() for key, value in one.metadata_values.items()}
        response = names.get("responsetype")
        if response is None:
            raise CloudError(f"cannot understand what Azure Monitor said of {account}: a series has no ResponseType")
        for point in one.data:
            if point.total is not None:
                minute = found[point.timestamp.astimezone(UTC)]
                minute[response] = minute.get(response, 0.0) + float(point.total)
    return found


def _ratios(metric: _Metric, minutes: Mapping[datetime, Mapping[str, float]]) -> Iterable[Point]:
    for at, responses in sorted(minutes.items()):
        total = sum(responses.values())
        part = sum(number for response, number in responses.items() if (response in metric.of) is not metric.is_inverse)
        yield Point(at, part / total if total else 0.0, total)
