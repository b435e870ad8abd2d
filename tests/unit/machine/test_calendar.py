"""Change windows over real clock changes. Tables: what the plan says, the local moment, what follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from migrator.errors import PlanError
from migrator.machine.calendar import closes_at, is_open, next_open, room, stretch
from migrator.model.schedule import ChangeWindow, Freeze

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BERLIN, NEW_YORK, LORD_HOWE, KOLKATA = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"


def window(text: str) -> ChangeWindow:
    """``"sat sun 02:00-06:00 Europe/Berlin"``; ``daily`` is every day."""
    *days, span, timezone = text.split()
    chosen = range(7) if days == ["daily"] else [DAYS.index(day) for day in days]
    begin, end = (int(one[:2]) * 60 + int(one[3:]) for one in span.split("-"))
    return ChangeWindow(frozenset(chosen), begin, end, timezone)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def freeze(begin: str, end: str) -> Freeze:
    return Freeze(utc(begin), utc(end))


# 2026-12-05 is a Saturday
PLAIN = [
    ("sat 02:00-06:00 UTC", "2026-12-05 01:59", "2026-12-05 02:00", None, "before it"),
    ("sat 02:00-06:00 UTC", "2026-12-05 02:00", "2026-12-05 02:00", "2026-12-05 06:00", "its begin is open"),
    ("sat 02:00-06:00 UTC", "2026-12-05 05:59", "2026-12-05 05:59", "2026-12-05 06:00", "inside"),
    ("sat 02:00-06:00 UTC", "2026-12-05 06:00", "2026-12-12 02:00", None, "its end is closed"),
    ("sat sun 02:00-06:00 UTC", "2026-12-05 06:00", "2026-12-06 02:00", None, "the next day"),
    ("sat 22:00-02:00 UTC", "2026-12-06 01:00", "2026-12-06 01:00", "2026-12-06 02:00", "over midnight, on Sunday"),
    ("sat 22:00-02:00 UTC", "2026-12-05 01:00", "2026-12-05 22:00", None, "Friday's night is not Saturday's window"),
    ("sat sun 22:00-02:00 UTC", "2026-12-07 01:59", "2026-12-07 01:59", "2026-12-07 02:00", "Sunday's, on Monday"),
    ("sat 00:00-00:00 UTC", "2026-12-05 12:00", "2026-12-05 12:00", "2026-12-06 00:00", "a whole day"),
    ("sat sun 00:00-24:00 UTC", "2026-12-05 12:00", "2026-12-05 12:00", "2026-12-07 00:00", "two days joined"),
    ("sat 02:00-06:00 " + BERLIN, "2026-12-05 01:00", "2026-12-05 01:00", "2026-12-05 05:00", "an hour ahead of UTC"),
    ("sat 02:00-06:00 " + KOLKATA, "2026-12-05 00:00", "2026-12-05 00:00", "2026-12-05 00:30", "five hours and a half"),
    ("sat 02:00-06:00 " + KOLKATA, "2026-12-04 20:29", "2026-12-04 20:30", None, "Saturday there, Friday in UTC"),
    ("fri 20:00-23:00 " + NEW_YORK, "2026-12-05 01:00", "2026-12-05 01:00", "2026-12-05 04:00", "Friday there"),
]


@pytest.mark.parametrize(("text", "at", "opens", "closes", "shows"), PLAIN, ids=[one[4] for one in PLAIN])
def test_windows(text: str, at: str, opens: str, closes: str | None, shows: str) -> None:
    """All moments in UTC; ``closes`` None: it is not open at ``at``."""
    windows = [window(text)]
    assert next_open(windows, [], utc(at)) == utc(opens)
    assert is_open(windows, [], utc(at)) == (closes is not None)
    assert closes_at(windows, [], utc(at)) == utc(closes or at)


CHANGES = [
    # Berlin, 2026-03-29: 02:00 -> 03:00 at 01:00 UTC
    ("daily 02:00-06:00 " + BERLIN, "2026-03-29", "01:00", "04:00", "three hours, from the change on"),
    ("daily 01:00-05:00 " + BERLIN, "2026-03-29", "00:00", "03:00", "the skipped hour is missing inside"),
    ("daily 02:30-06:00 " + BERLIN, "2026-03-29", "01:00", "04:00", "a begin that is skipped is the change"),
    ("daily 01:00-02:30 " + BERLIN, "2026-03-29", "00:00", "01:00", "an end that is skipped is the change"),
    ("daily 02:15-02:45 " + BERLIN, "2026-03-29", None, None, "a window inside the gap does not open"),
    ("daily 02:00-03:00 " + BERLIN, "2026-03-29", None, None, "nor one that is the gap"),
    ("daily 22:00-06:00 " + BERLIN, "2026-03-28", "21:00", "+04:00", "the night of the change has seven hours"),
    # Berlin, 2026-10-25: 03:00 -> 02:00 at 01:00 UTC
    ("daily 02:00-06:00 " + BERLIN, "2026-10-25", "00:00", "05:00", "five hours: it begins with the first 02:00"),
    ("daily 01:00-02:30 " + BERLIN, "2026-10-24", "-23:00", "00:30", "the day before is a plain one"),
    ("daily 01:00-02:30 " + BERLIN, "2026-10-25", "-23:00", "00:30", "it ends with the first 02:30"),
    ("daily 02:15-02:45 " + BERLIN, "2026-10-25", "00:15", "00:45", "once, not twice"),
    ("daily 22:00-06:00 " + BERLIN, "2026-10-24", "20:00", "+05:00", "the night of the change has nine hours"),
    # New York, 2026-03-08: 02:00 -> 03:00 at 07:00 UTC; 2026-11-01: 02:00 -> 01:00 at 06:00 UTC
    ("sun 02:00-06:00 " + NEW_YORK, "2026-03-08", "07:00", "10:00", "three hours in spring"),
    ("sun 01:00-03:00 " + NEW_YORK, "2026-11-01", "05:00", "08:00", "three hours in autumn"),
    ("sun 01:30-02:00 " + NEW_YORK, "2026-11-01", "05:30", "07:00", "from the first 01:30 to the only 02:00"),
    # Lord Howe moves by half an hour: 2026-10-04 02:00 -> 02:30 at 15:30 UTC; 2026-04-05 02:00 -> 01:30 at 15:00 UTC
    ("sun 02:00-04:00 " + LORD_HOWE, "2026-10-04", "-15:30", "-17:00", "half an hour shorter"),
    ("sun 02:15-04:00 " + LORD_HOWE, "2026-10-04", "-15:30", "-17:00", "a begin in the half hour that is skipped"),
    ("sun 02:10-02:20 " + LORD_HOWE, "2026-10-04", None, None, "nothing inside it"),
    ("sun 01:30-03:00 " + LORD_HOWE, "2026-04-05", "-14:30", "-16:30", "half an hour longer"),
    ("sun 01:00-01:45 " + LORD_HOWE, "2026-04-05", "-14:00", "-14:45", "it ends with the first 01:45"),
    # Kolkata never moves
    ("sun 02:00-06:00 " + KOLKATA, "2026-03-29", "-20:30", "00:30", "four hours in spring"),
    ("sun 02:00-06:00 " + KOLKATA, "2026-10-25", "-20:30", "00:30", "four hours in autumn"),
    # Apia skipped the whole of 2011-12-30
    ("daily 02:00-06:00 Pacific/Apia", "2011-12-30", None, None, "a day that did not happen"),
]


@pytest.mark.parametrize(("text", "day", "opens", "closes", "shows"), CHANGES, ids=[f"{c[0]}: {c[4]}" for c in CHANGES])
def test_windows_over_clock_changes(text: str, day: str, opens: str | None, closes: str | None, shows: str) -> None:
    """``opens`` and ``closes`` in UTC on that day; ``-`` the UTC day before, ``+`` the one after."""

    def moment(mark: str) -> datetime:
        shift = {"-": -1, "+": 1}.get(mark[0], 0)
        return utc(f"{day} {mark[-5:]}") + timedelta(days=shift)

    one = window(text)
    found = stretch(one, utc(f"{day} 00:00").date())
    assert found == (None if opens is None or closes is None else (moment(opens), moment(closes)))
    if found is None:
        return
    begin, end = found
    tick = timedelta(seconds=1)
    assert is_open([one], [], begin)
    assert not is_open([one], [], begin - tick)
    assert is_open([one], [], end - tick)
    assert not is_open([one], [], end)
    assert next_open([one], [], begin - tick) == begin


def test_a_window_lost_in_the_gap_opens_a_week_later() -> None:
    windows = [window("sun 02:15-02:45 " + BERLIN)]
    assert next_open(windows, [], utc("2026-03-28 12:00")) == utc("2026-04-05 00:15")


def test_without_windows_every_moment_is_open() -> None:
    at = utc("2026-12-05 12:00")
    assert next_open([], [], at) == at
    assert closes_at([], [], at) is None
    assert room([], [], at) is None


def test_windows_that_never_close_never_close() -> None:
    """Also over every clock change of a year."""
    always = [window("daily 00:00-24:00 " + BERLIN)]
    assert room(always, [], utc("2026-12-05 12:00")) is None
    halves = [window("daily 00:00-12:00 " + BERLIN), window("daily 12:00-00:00 " + BERLIN)]
    assert room(halves, [], utc("2026-12-05 12:00")) is None


def test_windows_of_several_timezones_are_joined() -> None:
    windows = [window("sat 02:00-06:00 " + NEW_YORK), window("sat 02:00-09:00 " + BERLIN)]
    assert closes_at(windows, [], utc("2026-12-05 02:00")) == utc("2026-12-05 11:00")


FREEZES = [
    ("2026-12-05 01:00", "2026-12-05 02:00", "2026-12-05 03:00", "open until the freeze begins"),
    ("2026-12-05 03:00", "2026-12-05 05:00", "2026-12-05 03:00", "frozen inside the window"),
    ("2026-12-05 05:00", "2026-12-05 05:00", "2026-12-05 06:00", "the freeze's end is open"),
]


@pytest.mark.parametrize(("at", "opens", "closes", "shows"), FREEZES, ids=[one[3] for one in FREEZES])
def test_a_freeze_closes_everything(at: str, opens: str, closes: str, shows: str) -> None:
    windows, freezes = [window("sat 02:00-06:00 UTC")], [freeze("2026-12-05 03:00", "2026-12-05 05:00")]
    assert next_open(windows, freezes, utc(at)) == utc(opens)
    moment = max(utc(at), utc("2026-12-05 02:00"))
    assert closes_at(windows, freezes, moment) == utc(closes)


def test_freezes_over_several_windows_are_waited_for() -> None:
    windows = [window("sat 02:00-06:00 UTC")]
    freezes = [freeze("2026-12-04 00:00", "2026-12-12 03:00"), freeze("2026-12-12 02:30", "2027-01-02 05:30")]
    assert next_open(windows, freezes, utc("2026-12-05 02:00")) == utc("2027-01-02 05:30")
    assert next_open([], freezes, utc("2026-12-05 02:00")) == utc("2027-01-02 05:30")


def test_a_freeze_without_end_never_opens() -> None:
    assert (
        next_open([], [Freeze(utc("2026-12-01 00:00"), datetime.max.replace(tzinfo=UTC))], utc("2026-12-05 02:00"))
        is None
    )


def test_a_freeze_of_many_years_opens_after_it() -> None:
    freezes = [freeze("2026-12-01 00:00", "2040-01-01 00:00")]
    assert next_open([window("sat 02:00-06:00 UTC")], freezes, utc("2026-12-05 02:00")) == utc("2040-01-07 02:00")


@pytest.mark.parametrize(
    ("not_before", "opens"),
    [
        ("2026-12-01 00:00", "2026-12-05 03:00"),
        ("2026-12-05 04:00", "2026-12-05 04:00"),
        ("2026-12-05 06:00", "2026-12-12 02:00"),
        ("2027-06-01 00:00", "2027-06-05 02:00"),
    ],
)
def test_not_before(not_before: str, opens: str) -> None:
    windows = [window("sat 02:00-06:00 UTC")]
    assert next_open(windows, [], utc("2026-12-05 03:00"), not_before=utc(not_before)) == utc(opens)


def test_a_cut_over_that_needs_time_starts_only_where_it_fits() -> None:
    windows = [window("sat 02:00-03:00 UTC"), window("sun 02:00-06:00 UTC")]
    at = utc("2026-12-05 02:30")
    assert next_open(windows, [], at) == at
    assert next_open(windows, [], at, needed=timedelta(minutes=30)) == at
    assert next_open(windows, [], at, needed=timedelta(minutes=31)) == utc("2026-12-06 02:00")
    assert next_open(windows, [], at, needed=timedelta(hours=4)) == utc("2026-12-06 02:00")
    assert next_open(windows, [], at, needed=timedelta(hours=5)) is None


def test_a_window_on_no_day_never_opens() -> None:
    assert next_open([ChangeWindow(frozenset(), 0, 60, "UTC")], [], utc("2026-12-05 02:30")) is None


def test_room_is_what_is_left() -> None:
    windows = [window("sat 02:00-06:00 UTC")]
    assert room(windows, [], utc("2026-12-05 05:00")) == timedelta(hours=1)
    assert room(windows, [], utc("2026-12-05 07:00")) == timedelta()


def test_moments_may_be_given_in_any_timezone() -> None:
    at = datetime(2026, 12, 5, 3, 0, tzinfo=ZoneInfo(BERLIN))
    found = next_open([window("sat 02:00-06:00 UTC")], [], at)
    assert found is not None
    assert (found, found.tzinfo) == (at, UTC)
    earlier = datetime(2026, 12, 5, 2, 59, tzinfo=ZoneInfo(BERLIN))
    assert not is_open([window("sat 02:00-06:00 UTC")], [], earlier)


def test_an_unknown_timezone_is_said() -> None:
    with pytest.raises(PlanError, match="Mars/Olympus"):
        is_open([window("sat 02:00-06:00 Mars/Olympus")], [], utc("2026-12-05 02:30"))


@settings(max_examples=60, deadline=None)
@given(
    begin=st.integers(0, 1439),
    end=st.integers(0, 1440),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, KOLKATA, "UTC"]),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    frozen=st.timedeltas(timedelta(), timedelta(days=9)),
)
def test_what_opens_next_is_open_and_nothing_before_it_is(
    begin: int, end: int, days: frozenset[int], zone: str, at: datetime, frozen: timedelta
) -> None:
    windows, now = [ChangeWindow(days, begin, end, zone)], at.replace(tzinfo=UTC)
    freezes = [Freeze(now - timedelta(hours=1), now + frozen)]
    opens = next_open(windows, freezes, now)
    assert opens is not None
    assert is_open(windows, freezes, opens)
    assert opens == now or not is_open(windows, freezes, opens - timedelta(microseconds=1))
    for part in range(1, 10):
        between = now + (opens - now) * part / 10
        assert between >= opens or not is_open(windows, freezes, between)
    closes = closes_at(windows, freezes, opens)
    if closes is not None:
        assert closes > opens
        assert is_open(windows, freezes, closes - timedelta(microseconds=1))
        assert not is_open(windows, freezes, closes)


NEAR_A_BLOCK_S_END = [window("mon tue 10:01-00:01 UTC"), window("mon wed 00:00-00:01 Pacific/Kiritimati")]


@example(NEAR_A_BLOCK_S_END, utc("2026-08-11 00:01"))
@given(
    st.lists(
        st.builds(
            ChangeWindow,
            st.frozensets(st.integers(0, 6), min_size=1),
            st.integers(0, 1439),
            st.integers(1, 1440),
            st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Kiritimati"]),
        ),
        min_size=1,
        max_size=4,
    ),
    st.datetimes(datetime(2026, 3, 20), datetime(2026, 11, 5), timezones=st.just(UTC)),
)
def test_a_moment_is_open_exactly_if_a_stretch_of_a_window_holds_it(windows: list[ChangeWindow], at: datetime) -> None:
    """However the stretches are kept: those of every window on each day around the moment are asked."""
    days = [at.date() + timedelta(days=number) for number in range(-3, 25)]
    stretches = [found for window in windows for day in days if (found := stretch(window, day))]
    assert is_open(windows, (), at) is any(begin <= at < end for begin, end in stretches)
    begins = [max(at, begin) for begin, end in stretches if end > at]
    assert next_open(windows, (), at) == min(begins, default=None)
