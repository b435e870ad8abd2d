"""The traffic of each area as its accounts measured it: what a plan's `traffic` can be filled in with.

Decides what of an account's figures is one area's. Leaves asking to whoever has the sources of figures. Pure. Rule: what several
areas share is never divided: a guess would look like a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord
from migrator.model.samples import Point
from migrator.model.schedule import PlannedMove
from migrator.model.values import value

BUSIEST: Final = timedelta(hours=1)
"""The mean of the busiest hour is the figure: a mean of days is no peak, and a minute is one burst."""


@value(frozen=True, slots=True)
class Peak:
    """Requests a minute in the busiest hour, which begins at ``begin``; ``minutes`` of that hour had requests."""

    per_minute: float
    begin: datetime
    minutes: int


def sharers(moves: Iterable[PlannedMove], routes: Mapping[str, RouteRecord]) -> dict[str, tuple[MoveId, ...]]:
    """By account, the moves whose customers use it now: the route's account where it is one of the move's own, else the source.
    Ascending."""
    found: dict[str, list[MoveId]] = {}
    for move in moves:
        record = routes.get(str(move.id))
        at_target = record is not None and record.account == move.target
        found.setdefault(move.target if at_target else move.source, []).append(move.id)
    return {account: tuple(sorted(ids, key=str)) for account, ids in sorted(found.items())}


def busiest(points: Sequence[Point]) -> Peak | None:
    """The busiest hour of points of one minute each; a minute without a point had no request. None without any point."""
    ordered = sorted(points, key=lambda point: point.at)
    best: Peak | None = None
    begin, total = 0, 0.0
    for number, point in enumerate(ordered):
        total += point.value
        while ordered[begin].at <= point.at - BUSIEST:
            total -= ordered[begin].value
            begin += 1
        per_minute = total / (BUSIEST.total_seconds() / 60)
        if best is None or per_minute > best.per_minute:
            best = Peak(per_minute, ordered[begin].at, number - begin + 1)
    return best
