"""Azure Monitor's metrics batch API, with its habits: ten series unless ``top`` is given, no points where there was no traffic,
one subscription and fifty resources a request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from migrator.testing.estate.wire import Answer, Request

HOLDS = {"BlobCount": "Count", "BlobCapacity": "Bytes"}
"""Of a blob service, by its types and tiers."""
AVERAGES = {
    "SuccessE2ELatency": "MilliSeconds",
    "SuccessServerLatency": "MilliSeconds",
    "Availability": "Percent",
    **HOLDS,
}
UNITS = {**AVERAGES, "Transactions": "Count", "Ingress": "Bytes", "Egress": "Bytes"}


@dataclass
class Minute:
    """What one account did in one minute; ``figures`` of other metrics by name. ``is_hole``: a point without figures."""

    responses: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, float] = field(default_factory=dict)
    is_hole: bool = False


@dataclass
class AzureMonitor:
    """``minutes``: resource id -> minute -> what happened. ``asked``: every request's path, query, ids and token."""

    minutes: dict[str, dict[datetime, Minute]] = field(default_factory=dict)
    error_codes: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    asked: list[dict[str, Any]] = field(default_factory=list)
    instead: web.Response | None = None
    seen: Callable[[str], Mapping[datetime, Mapping[str, float]]] | None = None
    """Of an account by its name: what its data plane was asked, by minute and response type. It is told beside ``minutes``."""
    held: dict[str, dict[tuple[str, str], tuple[float, float]]] = field(default_factory=dict)
    """By account: of each type and tier the blobs and bytes that it holds, told as of each hour that is asked for but the
    last."""

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """As a handler of a server of its own."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self.instead is not None:
            self._note(Request(request.method, request.raw_path, headers, await request.read()))
            return self.instead
        answer = await self.answer(Request(request.method, request.raw_path, headers, await request.read()))
        return web.json_response(answer.document, status=answer.status)

    async def answer(self, request: Request) -> Answer:
        ids, query = self._note(request)
        if len(ids) > 50 or any(not one.startswith(request.path.partition("/metrics:")[0] + "/") for one in ids):
            return Answer(400, {"error": {"code": "BadRequest", "message": "resources"}})
        names = query["metricnames"].split(",")
        if query["aggregation"] == "Average" and not set(names) <= set(AVERAGES):
            return Answer(400, {"error": {"code": "BadRequest", "message": "aggregation"}})
        values = [self._result(one, names, query) for one in reversed(ids) if one not in self.left_out]
        return Answer(200, {"values": values})

    def _note(self, request: Request) -> tuple[list[str], dict[str, str]]:
        ids, query = list(request.document["resourceids"]), request.query
        self.asked.append({"path": request.path, "ids": ids, "token": request.headers.get("authorization"), **query})
        return ids, query

    def _minutes(self, id: str) -> dict[datetime, Minute]:
        told = dict(self.minutes.get(id, {}))
        for at, responses in self.seen(id.rpartition("/")[2]).items() if self.seen is not None else ():
            known = told.get(at, Minute())
            told[at] = replace(known, responses=Counter(known.responses) + Counter(responses))
        return told

    def _result(self, id: str, names: list[str], query: Mapping[str, str]) -> dict[str, Any]:
        begin, end = (datetime.fromisoformat(query[key]) for key in ("starttime", "endtime"))
        hold = self.held.get(id.lower().partition("/storageaccounts/")[2].partition("/")[0], {})
        minutes = {at: one for at, one in sorted(self._minutes(id).items()) if begin <= at < end}
        if query["interval"] == "PT1H":
            minutes = _hours(minutes)
        return {
            "starttime": query["starttime"],
            "endtime": query["endtime"],
            "interval": query["interval"],
            "namespace": query["metricnamespace"],
            "resourceregion": "eastus2",
            "resourceid": id,
            "value": [
                {
                    "id": f"{id.upper()}/providers/Microsoft.Insights/metrics/{name}",
                    "type": "Microsoft.Insights/metrics",
                    "name": {"value": name, "localizedValue": name},
                    "displayDescription": name,
                    "unit": UNITS[name],
                    "timeseries": _held(name, hold, begin, end) if name in HOLDS else _series(name, minutes, query),
                    "errorCode": self.error_codes.get(id, "Success"),
                }
                for name in names
            ],
        }


def _hours(minutes: Mapping[datetime, Minute]) -> dict[datetime, Minute]:
    hours: dict[datetime, list[Minute]] = {}
    for at, one in minutes.items():
        hours.setdefault(at.replace(minute=0), []).append(one)
    found = {}
    for at, parts in hours.items():
        responses = sum((Counter(one.responses) for one in parts), Counter[str]())
        names = {name for one in parts for name in one.figures}
        sums = {name: [one.figures[name] for one in parts if name in one.figures] for name in names}
        figures = {name: sum(all) / (len(all) if name in AVERAGES else 1) for name, all in sums.items()}
        found[at] = Minute(responses, figures, all(one.is_hole for one in parts))
    return found


def _held(
    name: str, hold: Mapping[tuple[str, str], tuple[float, float]], begin: datetime, end: datetime
) -> list[dict[str, Any]]:
    """Hourly, and late: the last hour has a point without a figure."""
    hours = [begin + timedelta(hours=number) for number in range(int((end - begin) / timedelta(hours=1)))]
    place = list(HOLDS).index(name)
    return [
        {
            "metadatavalues": [
                {"name": {"value": key, "localizedValue": key}, "value": value}
                for key, value in zip(("blobtype", "tier"), kinds, strict=True)
            ],
            "data": [
                {"timeStamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
                | ({"average": figures[place]} if at != hours[-1] else {})
                for at in hours
            ],
        }
        for kinds, figures in hold.items()
    ]


def _series(name: str, minutes: Mapping[datetime, Minute], query: Mapping[str, str]) -> list[dict[str, Any]]:
    if not minutes:
        return []
    if query.get("filter") != "ResponseType eq '*'":
        return [{"metadatavalues": [], "data": [_point(name, at, one, None) for at, one in minutes.items()]}]
    types = list(dict.fromkeys(response for one in minutes.values() for response in one.responses))
    return [
        {
            "metadatavalues": [{"name": {"value": "responsetype", "localizedValue": "Response type"}, "value": type}],
            "data": [_point(name, at, one, type) for at, one in minutes.items()],
        }
        for type in types[: int(query.get("top", 10))]
    ]


def _point(name: str, at: datetime, minute: Minute, type: str | None) -> dict[str, Any]:
    stamp = {"timeStamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    if minute.is_hole:
        return stamp
    if type is not None:
        return {**stamp, "total": minute.responses[type]} if type in minute.responses else stamp
    if name == "Transactions":
        return {**stamp, "total": sum(minute.responses.values())}
    if name not in minute.figures:
        return stamp
    return {**stamp, "average" if name in AVERAGES else "total": minute.figures[name]}


def every_minute(begin: datetime, minutes: int, **given: Any) -> dict[datetime, Minute]:
    return {begin + timedelta(minutes=number): Minute(**given) for number in range(minutes)}
