"""What of an account's figures is one area's, and what its busiest hour was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from migrator.forecast.measured import Peak, busiest, sharers, traffic_of
from migrator.model.discovered import FoundTraffic, Quiet
from migrator.model.names import Area, MoveId, Selector
from migrator.model.routes import RouteRecord
from migrator.model.samples import Point, Reading
from migrator.model.schedule import PlannedMove

BEGIN = datetime(2026, 12, 1, tzinfo=UTC)
WEB, MAIL = MoveId("europe", "web"), MoveId("europe", "mail")


def move(id: MoveId, source: str = "core") -> PlannedMove:
    return PlannedMove(id, Area(id.area, (Selector(id.area),)), source, f"eu-{id.area}")


def record(account: str) -> RouteRecord:
    return RouteRecord(account, "https://x", "read-write", 1, "l", "", "")


def points(*values: float, every: int = 1) -> list[Point]:
    return [Point(BEGIN + timedelta(minutes=number * every), value) for number, value in enumerate(values)]


def test_areas_that_are_still_at_their_source_share_its_meter() -> None:
    assert sharers([move(WEB), move(MAIL)], {}) == {"core": (MAIL, WEB)}


def test_an_area_that_has_switched_has_a_meter_of_its_own_and_so_has_the_one_that_is_left() -> None:
    routes = {str(WEB): record("eu-web"), str(MAIL): record("core")}
    assert sharers([move(WEB), move(MAIL)], routes) == {"core": (MAIL,), "eu-web": (WEB,)}


def test_a_route_to_an_account_of_nobodys_says_nothing() -> None:
    assert sharers([move(WEB)], {str(WEB): record("elsewhere")}) == {"core": (WEB,)}


def test_the_busiest_hour_is_found_wherever_it_begins() -> None:
    peak = busiest(points(*[100.0] * 90, *[700.0] * 60, *[100.0] * 90))
    assert peak == Peak(700.0, BEGIN + timedelta(minutes=90), 60)


def test_minutes_without_a_point_had_no_request() -> None:
    peak = busiest(points(*[600.0] * 12, every=5))
    assert peak is not None
    assert (peak.per_minute, peak.minutes) == (120.0, 12)
    assert busiest([]) is None


def test_two_short_bursts_far_apart_are_not_one_hour() -> None:
    peak = busiest([Point(BEGIN, 6000.0), Point(BEGIN + timedelta(hours=1), 6000.0)])
    assert peak == Peak(100.0, BEGIN, 1)


def test_the_busiest_of_whole_hours_is_one_of_them() -> None:
    assert busiest(points(5.0, 70.0, 6.0, every=60), minutes=60) == Peak(70.0, BEGIN + timedelta(hours=1), 60)


def test_a_week_has_a_busiest_hour_a_median_one_and_quiet_nights() -> None:
    week = [Point(BEGIN + timedelta(hours=hour), 0.0 if 2 <= hour % 24 < 6 else 100.0) for hour in range(168)]
    week[40] = Point(week[40].at, 900.0)
    silent = [point for point in week if point.value]  # the service has no points where there was no traffic
    found = traffic_of(Reading(tuple(silent), minutes=60), BEGIN, BEGIN + timedelta(days=7))
    assert found == FoundTraffic(900.0, week[40].at, 100.0, 168, Quiet(2, 4, 0.0))
    minutes = Reading(tuple(points(*[30.0] * 30, *[90.0] * 60)))  # half an hour of 30, then an hour of 90
    short = traffic_of(minutes, BEGIN, BEGIN + timedelta(hours=3))
    assert short == FoundTraffic(60.0, BEGIN, 45.0, 3)
    idle = traffic_of(Reading(()), BEGIN, BEGIN + timedelta(days=7))  # the meter was asked, and saw nobody
    assert idle == FoundTraffic(0.0, BEGIN, 0.0, 168)
    assert traffic_of(Reading(()), BEGIN, BEGIN) is None


def test_quiet_hours_may_lie_around_midnight() -> None:
    week = [Point(BEGIN + timedelta(hours=hour), 10.0 if hour % 24 in (22, 23, 0, 1) else 100.0) for hour in range(96)]
    found = traffic_of(Reading(tuple(week), minutes=60), BEGIN, BEGIN + timedelta(days=4))
    assert found is not None
    assert found.quiet is not None
    assert (found.quiet.begin, round(found.quiet.share, 3)) == (22, 0.118)
