"""When a cut-over may start: change windows, freezes and ``not_before``.

Decides which moments are open, when they open next and how long they stay so. Leaves approvals, holds and the question
whether a cut-over fits its window to the callers (``room``, ``needed``). Rules:

1. A window is a stretch of the local day, from its begin up to and without its end. One that ends at or before its begin
   ends on the next day and belongs to the day it begins. Without windows every moment is open; windows are joined.
2. A local time that a clock change skips means the moment of the change: a window inside the gap does not open that day.
   A local time that happens twice means its first occurrence.
3. A freeze closes everything, from its begin up to and without its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from migrator.errors import PlanError
from migrator.model.schedule import ChangeWindow, Freeze

HORIZON: Final = timedelta(days=400)
"""What stays open longer than this never closes; what does not open within it never opens."""
_WEEKS_AHEAD: Final = timedelta(days=22)
"""A weekly window lost in a clock change is back a week later; three weeks are plenty."""
_LAST_YEAR: Final = 9000
"""Moments after this are "never" (datetime ends in 9999)."""


def is_open(windows: Sequence[ChangeWindow], freezes: Sequence[Freeze], at: datetime) -> bool:
    """May a cut-over start at this (aware) moment?"""
    frozen = any(freeze.begin <= at < freeze.end for freeze in freezes)
    return not frozen and (not windows or _window_end(windows, at) is not None)


def next_open(
    windows: Sequence[ChangeWindow],
    freezes: Sequence[Freeze],
    at: datetime,
    *,
    not_before: datetime | None = None,
    needed: timedelta = timedelta(),
) -> datetime | None:
    """The earliest moment, not before ``at`` and ``not_before``, at which a cut-over may start; UTC.

    Args:
        needed: how long it must stay open from there, for a cut-over that has to end inside.
    Returns:
        None if no such moment comes within 400 days after the last freeze that stands in the way.
    """
    moment = at.astimezone(UTC) if not_before is None else max(at, not_before).astimezone(UTC)
    limit = moment + HORIZON
    while moment <= limit:
        frozen_until = max((one.end for one in freezes if one.begin <= moment < one.end), default=None)
        if frozen_until is not None:
            if frozen_until.year > _LAST_YEAR:
                return None
            moment = frozen_until.astimezone(UTC)
            limit = moment + HORIZON
            continue
        opens = _window_from(windows, moment)
        if opens is None:
            return None
        if opens > moment:
            moment = opens
            continue
        closes = closes_at(windows, freezes, moment)
        if closes is None or closes - moment >= needed:
            return moment
        moment = closes
    return None


def closes_at(windows: Sequence[ChangeWindow], freezes: Sequence[Freeze], at: datetime) -> datetime | None:
    """When the open stretch around ``at`` ends, UTC: ``at`` itself if it is closed, None if it never ends."""
    if not is_open(windows, freezes, at):
        return at.astimezone(UTC)
    freeze = min((one.begin.astimezone(UTC) for one in freezes if one.begin > at), default=None)
    window = _joined_end(windows, at) if windows else None
    return min((end for end in (freeze, window) if end is not None), default=None)


def room(windows: Sequence[ChangeWindow], freezes: Sequence[Freeze], at: datetime) -> timedelta | None:
    """How much longer a cut-over may go on: zero if ``at`` is closed, None without end."""
    closes = closes_at(windows, freezes, at)
    return None if closes is None else closes - at


def stretch(window: ChangeWindow, day: date) -> tuple[datetime, datetime] | None:
    """The stretch, UTC, of a window on the local day it begins; None if that day has none.

    Raises:
        PlanError: no such timezone.
    """
    if day.weekday() not in window.days:
        return None
    zone = _zone(window.timezone)
    over_midnight = 24 * 60 if window.end_minute <= window.begin_minute else 0
    begin = _moment(zone, day, window.begin_minute)
    end = _moment(zone, day, window.end_minute + over_midnight)
    return (begin, end) if begin < end else None


def _window_from(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """``at`` if a window is open then, else the begin of the next one."""
    if not windows:
        return at
    begins = (begin for window in windows for begin, end in _stretches(window, at, _WEEKS_AHEAD) if end > at)
    earliest = min(begins, default=None)
    return None if earliest is None else max(at, earliest)


def _window_end(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """The latest end of the windows open at ``at``; None if none is."""
    ends = (end for window in windows for begin, end in _stretches(window, at, timedelta(days=1)) if begin <= at < end)
    return max(ends, default=None)


def _joined_end(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """The end of the windows open at ``at`` and of those that follow without a gap; None beyond the horizon."""
    end = at
    while end - at <= HORIZON:
        further = _window_end(windows, end)
        if further is None:
            return end
        end = further
    return None


def _stretches(window: ChangeWindow, at: datetime, ahead: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """The window's stretches around and after ``at``: those which begin from two days before it on."""
    today = at.astimezone(_zone(window.timezone)).date()
    for days in range(-2, ahead.days + 1):
        if (found := stretch(window, today + timedelta(days=days))) is not None:
            yield found


def _moment(zone: ZoneInfo, day: date, minutes: int) -> datetime:
    """A local time as the moment that rule 2 says, UTC."""
    wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
    moment = wall.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall:
        return moment
    return _change_between(zone, wall.replace(tzinfo=zone, fold=1).astimezone(UTC), moment)


def _change_between(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which the zone's offset becomes that of ``after``."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise PlanError(
            f"cannot use the timezone {name!r}: the timezone database does not have it",
            hint="write a name such as Europe/Berlin or UTC",
        ) from error
