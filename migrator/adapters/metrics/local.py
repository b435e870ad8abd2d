"""Figures of embedded accounts, from the counters in their own files.

Decides what each metric means here and how finely it is cut: a window of seconds (a rehearsal, a demo) into seconds, one of
ten minutes or more into minutes. Leaves judgement to the gates. Rules: requests of migration itself are left out where they
are counted, not subtracted later; a stretch without a customer's request has no point; counts reach the file within about
half a second of their request, so a window should end a second ago or more.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from migrator.adapters.local.counters import Status
from migrator.adapters.local.file import AccountFile
from migrator.errors import CloudError
from migrator.model.samples import Point, Question, Reading
from migrator.model.values import value

CUTS: Final = 10
"""A window is cut into about so many points, of one second to one minute."""


@value(frozen=True, slots=True)
class _Cut:
    """One stretch of ``seconds``: requests by status, and sums over them."""

    seconds: int
    requests: Mapping[Status, int]
    ingress_bytes: int
    egress_bytes: int
    latency_ms: float

    @property
    def total(self) -> int:
        return sum(self.requests.values())

    def ratio(self, status: Status) -> float:
        return self.requests.get(status, 0) / self.total


_METRICS: Final[Mapping[str, Callable[[_Cut], float]]] = {
    "requests_per_minute": lambda cut: cut.total * 60 / cut.seconds,
    "throttled_ratio": lambda cut: cut.ratio("throttled"),
    "error_ratio": lambda cut: cut.ratio("error"),
    "e2e_latency_ms": lambda cut: cut.latency_ms / cut.total,
    "availability_percent": lambda cut: 100 * (1 - cut.ratio("error")),
    "ingress": lambda cut: float(cut.ingress_bytes),
    "egress": lambda cut: float(cut.egress_bytes),
}
METRICS: Final = frozenset(_METRICS)
"""What can be asked; ``ingress`` and ``egress`` are bytes per point, the ratios are of 1."""


class LocalMetrics:
    """A ``MetricSource`` on local accounts.

    Args:
        paths: the file of each account, by the account's name in the plan.
        include_own: count migration's own requests too.
    """

    def __init__(self, paths: Mapping[str, Path], *, include_own: bool = False) -> None:
        self._paths = dict(paths)
        self._include_own = include_own

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        """``Point.volume`` is the number of requests behind the value.

        Raises:
            CloudError: an unknown metric or account, a query, or a file that cannot be read; NotFound if it is not there.
        """
        figure = _METRICS.get(question.metric or "")
        path = self._paths.get(question.account)
        if figure is None:
            raise CloudError(
                f"cannot ask a local account for {question.metric or 'a query'}: it does not count that",
                hint=f"use one of {', '.join(sorted(_METRICS))}",
            )
        if path is None:
            raise CloudError(f"cannot ask for figures of {question.account}: it is not a local account")
        first, last = int(begin.timestamp()), int(end.timestamp())
        cuts = await asyncio.to_thread(self._cuts, question.account, path, first, last)
        points = tuple(
            Point(datetime.fromtimestamp(at, UTC), figure(cut), float(cut.total)) for at, cut in sorted(cuts.items())
        )
        note = "" if self._include_own else "migration's own requests are left out"
        return Reading(points, note=note, includes_own=self._include_own)

    async def close(self) -> None:
        """Nothing stays open."""

    def _cuts(self, account: str, path: Path, first: int, last: int) -> dict[int, _Cut]:
        """Stretches with a request in them, by the second they begin."""
        width = max(1, min(60, (last - first) // CUTS))
        with closing(AccountFile(account, path, create=False)) as file:
            rows = file.read(lambda connection: _rows(connection, first, last, include_own=self._include_own))
        found: dict[int, list[tuple[Status, int, int, int, float]]] = {}
        for second, *sums in rows:
            found.setdefault(second - (second - first) % width, []).append(tuple(sums))  # type: ignore[arg-type]
        cuts = {at: _cut(rows, min(width, last - at)) for at, rows in found.items()}
        return {at: cut for at, cut in cuts.items() if cut.total}


def _rows(
    connection: sqlite3.Connection, first: int, last: int, *, include_own: bool
) -> list[tuple[int, Status, int, int, int, float]]:
    return connection.execute(
        "SELECT second, status, requests, ingress, egress, latency_ms FROM requests"
        " WHERE second >= ? AND second < ? AND (caller = 'app' OR ?)",
        (first, last, include_own),
    ).fetchall()


def _cut(rows: list[tuple[Status, int, int, int, float]], seconds: int) -> _Cut:
    requests: Counter[Status] = Counter()
    for status, number, *_ in rows:
        requests[status] += number
    return _Cut(
        seconds,
        requests,
        ingress_bytes=sum(row[2] for row in rows),
        egress_bytes=sum(row[3] for row in rows),
        latency_ms=sum(row[4] for row in rows),
    )
