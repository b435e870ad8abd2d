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

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from migrator.errors import PlanError
from migrator.model.schedule import ChangeWindow, Freeze

HORIZON: Final = timedelta(days=400)
"""What stays open longer than this never closes; what does not open within it never opens."""
_WEEKS_AHEAD: Final = timedelta(days=22)
"""A weekly window lost in a clock change is back a week later; three weeks are plenty."""
_BLOCK_DAYS: Final = 32
"""Stretches are worked out for so many days at a time, and kept."""
_LAST_DAY: Final = date.max.toordinal() - 3
_LAST_YEAR: Final = 9000
"""Moments after this are "never" (datetime ends in 9999)."""

_Stretch = tuple[datetime, datetime]


def is_open(windows: Sequence[ChangeWindow], freezes: Sequence[Freeze], at: datetime) -> bool:
    """May a cut-over start at this (aware) moment?"""
    return _freeze_end(freezes, at) is None and (not windows or _window_end(windows, at) is not None)


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
        frozen_until = _freeze_end(freezes, moment)
        if frozen_until is not None:
            if frozen_until.year > _LAST_YEAR:
                return None
            moment = frozen_until
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
    after = bisect_right(_frozen(tuple(freezes)), at.astimezone(UTC), key=_begin)
    freeze = next((begin for begin, _ in _frozen(tuple(freezes))[after:]), None)
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


def _freeze_end(freezes: Sequence[Freeze], at: datetime) -> datetime | None:
    """When the freeze around ``at`` ends, UTC, and those that follow without a gap; None if there is none."""
    return _end_around(_frozen(tuple(freezes)), at.astimezone(UTC))


def _window_from(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """``at`` if a window is open then, else the begin of the next one. A day of the next block may begin earlier than one of
    this block: local days begin up to 14 hours before, or 12 hours after, those of UTC."""
    if not windows:
        return at
    begins = []
    for block in _blocks(at, _WEEKS_AHEAD):
        stretches = _opened(tuple(windows), block)
        number = bisect_right(stretches, at, key=_end)
        if number < len(stretches):
            begins.append(max(at, stretches[number][0]))
    return min(begins, default=None)


def _window_end(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """An end of the windows open at ``at``, and of those that follow within the same block of days; None if none is."""
    ends = (_end_around(_opened(tuple(windows), block), at) for block in _blocks(at, timedelta()))
    return max((end for end in ends if end is not None), default=None)


def _joined_end(windows: Sequence[ChangeWindow], at: datetime) -> datetime | None:
    """The end of the windows open at ``at`` and of those that follow without a gap; None beyond the horizon."""
    end = at
    while end - at <= HORIZON:
        further = _window_end(windows, end)
        if further is None:
            return end
        end = further
    return None


def _blocks(at: datetime, ahead: timedelta) -> range:
    """The blocks of days that hold every stretch around ``at``, and those that begin up to ``ahead`` later."""
    today = at.astimezone(UTC).toordinal()
    return range((today - 3) // _BLOCK_DAYS, (today + ahead.days + 2) // _BLOCK_DAYS + 1)


@lru_cache(maxsize=256)
def _opened(windows: tuple[ChangeWindow, ...], block: int) -> tuple[_Stretch, ...]:
    """The stretches that begin on the local days of a block, UTC, joined."""
    ordinals = range(max(1, block * _BLOCK_DAYS), min(_LAST_DAY, (block + 1) * _BLOCK_DAYS))
    days = [date.fromordinal(ordinal) for ordinal in ordinals]
    return _joined(found for window in windows for day in days if (found := stretch(window, day)) is not None)


@lru_cache(maxsize=16)
def _frozen(freezes: tuple[Freeze, ...]) -> tuple[_Stretch, ...]:
    return _joined((one.begin.astimezone(UTC), one.end.astimezone(UTC)) for one in freezes)


def _joined(stretches: Iterable[_Stretch]) -> tuple[_Stretch, ...]:
    """In order, those that overlap or touch as one."""
    found: list[_Stretch] = []
    for begin, end in sorted(stretches):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)


def _end_around(stretches: Sequence[_Stretch], at: datetime) -> datetime | None:
    """The end of the stretch that holds ``at``."""
    number = bisect_right(stretches, at, key=_end)
    return stretches[number][1] if number < len(stretches) and stretches[number][0] <= at else None


def _begin(stretch: _Stretch) -> datetime:
    return stretch[0]


def _end(stretch: _Stretch) -> datetime:
    return stretch[1]


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
