"""The traffic of each area as its accounts measured it: what a plan's `traffic` can be filled in with.

Decides what of an account's figures is one area's. Leaves asking to whoever has the sources of figures. Pure. Rule: what several
areas share is never divided: a guess would look like a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Final

from migrator.model.discovered import FoundTraffic, Quiet
from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord
from migrator.model.samples import Point, Reading
from migrator.model.schedule import PlannedMove, Schedule
from migrator.model.values import replace, value

BUSIEST: Final = timedelta(hours=1)
"""The mean of the busiest hour is the figure: a mean of days is no peak, and a minute is one burst."""
WHOLE: Final = int(BUSIEST.total_seconds() // 60)
QUIET_HOURS: Final = 4
LEAST_DAYS: Final = 2
"""One day's quiet hours are no habit."""


@value(frozen=True, slots=True)
class Peak:
    """Requests a minute in the busiest hour, which begins at ``begin``; ``minutes`` of that hour had requests."""

    per_minute: float
    begin: datetime
    minutes: int


@value(frozen=True, slots=True)
class MeasuredTraffic:
    """Of one area. ``peak``: None where there is no figure, and ``why_not`` says why; both where a later look could not tell what
    an earlier one had. ``account``: whose meter; ``at``: when it was asked, about so many ``hours``."""

    account: str
    at: datetime
    hours: int
    peak: Peak | None = None
    why_not: str = ""


def shared(account: str, areas: int) -> str:
    """Why a figure is nobody's, as a clause."""
    return f"{areas} areas share {account}, and its meter knows no containers"


def with_traffic(schedule: Schedule, found: Mapping[MoveId, MeasuredTraffic]) -> Schedule:
    """The schedule with what was measured, where the plan leaves it to the meter."""

    def told(move: PlannedMove) -> PlannedMove:
        peak = found[move.id].peak if move.is_measured and move.id in found else None
        return replace(move, traffic_per_minute=peak.per_minute) if peak is not None else move

    if not any(move.is_measured for move in schedule.moves):
        return schedule
    waves = tuple(replace(wave, moves=tuple(map(told, wave.moves))) for wave in schedule.waves)
    return replace(schedule, waves=waves)


def newest(
    before: Mapping[MoveId, MeasuredTraffic], now: Mapping[MoveId, MeasuredTraffic]
) -> dict[MoveId, MeasuredTraffic]:
    """What is known after a look: a figure that could not be had again stays what it was, and says since when and why."""
    found = dict(before)
    for move, one in now.items():
        earlier = before.get(move)
        keeps = one.peak is None and earlier is not None and earlier.peak is not None
        found[move] = replace(earlier, why_not=one.why_not) if keeps and earlier is not None else one
    return found


def sharers(moves: Iterable[PlannedMove], routes: Mapping[str, RouteRecord]) -> dict[str, tuple[MoveId, ...]]:
    """By account, the moves whose customers use it now: the route's account where it is one of the move's own, else the source.
    Ascending."""
    found: dict[str, list[MoveId]] = {}
    for move in moves:
        record = routes.get(str(move.id))
        at_target = record is not None and record.account == move.target
        found.setdefault(move.target if at_target else move.source, []).append(move.id)
    return {account: tuple(sorted(ids, key=str)) for account, ids in sorted(found.items())}


def busiest(points: Sequence[Point], *, minutes: int = 1) -> Peak | None:
    """The busiest hour of points of so many minutes each; a minute without a point had no request. None without any point."""
    ordered = sorted(points, key=lambda point: point.at)
    if minutes >= WHOLE:  # each is an hour, and its figure the mean of it
        top = max(ordered, key=lambda point: point.value, default=None)
        return Peak(top.value, top.at, minutes) if top is not None else None
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


def traffic_of(reading: Reading, begin: datetime, end: datetime) -> FoundTraffic | None:
    """What a meter said of the whole hours from ``begin`` to ``end``; an hour without a point had no request.
    None where there is no whole hour."""
    hours = {begin + BUSIEST * number: 0.0 for number in range(int((end - begin) / BUSIEST))}
    for point in reading.points:
        at = begin + BUSIEST * int((point.at - begin) / BUSIEST)
        if at in hours:
            hours[at] += point.value * reading.minutes / WHOLE
    peak_begin = max(hours, key=lambda at: hours[at], default=None)
    if peak_begin is None:
        return None
    typical = median(hours.values())
    return FoundTraffic(hours[peak_begin], peak_begin, typical, len(hours), _quiet(hours))


def _quiet(hours: Mapping[datetime, float]) -> Quiet | None:
    """The stretch of a day that is quietest, all days together; None where there is no telling."""
    if len(hours) < LEAST_DAYS * 24 or not any(hours.values()):
        return None
    by_hour: dict[int, list[float]] = {}
    for at, per_minute in hours.items():
        by_hour.setdefault(at.hour, []).append(per_minute)
    means = [fmean(by_hour[hour]) for hour in range(24)]
    stretches = {first: fmean(means[(first + more) % 24] for more in range(QUIET_HOURS)) for first in range(24)}
    first = min(stretches, key=lambda one: stretches[one])
    return Quiet(first, QUIET_HOURS, stretches[first] / fmean(means))
