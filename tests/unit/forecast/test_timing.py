"""Time under the budget is the slowest of four bounds; the writers' pause is drain, scans and lag."""

from __future__ import annotations

import pytest

from migrator.forecast import Inventory, forecast_move, forecast_wave, timing_findings, wave_seconds
from migrator.model.names import MoveId
from migrator.model.schedule import Budget, Cutover, Schedule
from tests.unit.forecast.worlds import schedule

WEB = MoveId("eu", "web")
MIB = 1024**2


def _plan(old: Budget, new: Budget, **options: object) -> Schedule:
    return schedule({"web": ("new", None)}, budgets={"old": old, "new": new}, **options)  # type: ignore[arg-type]


def test_every_object_costs_a_request_on_each_side_and_every_pass_its_pages() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(1_000_000, 0))
    assert one.source_requests == one.target_requests == 1_000_000 + 2 * 200
    assert one.requests == 2_000_800
    assert one.copy_seconds == pytest.approx(1_000_400 / 1000)
    assert one.copy_hours == pytest.approx(one.copy_seconds / 3600)


def test_a_large_object_costs_a_request_a_block_and_one_to_commit() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(3, 800 * MIB, large_objects=1, large_bytes=800 * MIB))
    assert one.source_requests == 2 + 100 + 2
    assert one.target_requests == 2 + 100 + 1 + 2


# old's budget, new's budget -> seconds for 60,000 objects of 1 MiB, and what bounds them
BOUNDS = [
    (Budget(6_000), Budget(60_000), 600.24, "requests of old"),
    (Budget(60_000), Budget(6_000), 600.24, "requests of new"),
    (Budget(60_000, 10 * MIB), Budget(60_000, 20 * MIB), 6_000, "bytes of old"),
    (Budget(60_000, 20 * MIB), Budget(60_000, 10 * MIB), 6_000, "bytes of new"),
    (Budget(), Budget(), 120.048, "requests of old"),
]


@pytest.mark.parametrize(("old", "new", "seconds", "bound_by"), BOUNDS)
def test_the_slowest_bound_decides(old: Budget, new: Budget, seconds: float, bound_by: str) -> None:
    plan = _plan(old, new)
    one = forecast_move(plan, plan.move(WEB), Inventory(60_000, 60_000 * MIB))
    assert one.copy_seconds == pytest.approx(seconds)
    assert one.bound_by == bound_by


def test_the_pause_is_drain_scans_and_lag() -> None:
    plan = _plan(Budget(60_000), Budget(120_000), cutover=Cutover(max_lag_objects=500))
    one = forecast_move(plan, plan.move(WEB), Inventory(50_000, 0))
    drain, scans, lag = 30 + 60 + 5, 2 * 10 * 0.2, 500 / 1000
    assert one.fence_seconds == pytest.approx(drain + scans + lag)
    assert one.fence_timeout_seconds == 95 + 300
    assert one.fence_fits


def test_a_lag_can_be_no_larger_than_the_area_and_its_bytes_count() -> None:
    plan = _plan(Budget(60_000, 1 * MIB), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(10, 40 * MIB))
    assert one.fence_seconds == pytest.approx(95 + 0.4 + 40)


def test_an_empty_area_takes_no_time_to_copy_but_its_writers_still_drain() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(0, 0))
    assert one.source_requests == 2
    assert one.fence_seconds == pytest.approx(95 + 0.4)


def test_each_listing_costs_a_page_at_least() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    assert forecast_move(plan, plan.move(WEB), Inventory(10, 0, prefixes=7)).source_requests == 10 + 2 * 7


def test_a_fence_that_cannot_fit_is_a_warning() -> None:
    plan = _plan(Budget(60_000), Budget(60_000), cutover=Cutover(fence_timeout_seconds=60))
    inventories = {WEB: Inventory(5_000_000, 0)}
    (finding,) = timing_findings(forecast_wave(plan, plan.waves[0], inventories))
    assert (finding.severity, finding.code, finding.subject) == ("warning", "fence-too-long", "eu/web")
    assert finding.text == "the writers of eu/web would pause 8 min 16 s, and fence_timeout allows 2 min 35 s"
    assert timing_findings(forecast_wave(plan, plan.waves[0], {WEB: Inventory(5_000, 0)})) == ()


def test_moves_of_a_wave_share_the_source_s_budget() -> None:
    plan = schedule(
        {"web": ("new-web", None), "email": ("new-email", None)},
        budgets={"old": Budget(60_000), "new-web": Budget(60_000), "new-email": Budget(60_000)},
        soak_seconds=100,
    )
    inventories = {WEB: Inventory(1_000_000, 0), MoveId("eu", "email"): Inventory(500_000, 0)}
    both = forecast_wave(plan, plan.waves[0], inventories)
    assert [one.copy_seconds for one in both] == [pytest.approx(1500.6)] * 2
    assert {one.bound_by for one in both} == {"requests of old"}
    alone = forecast_move(plan, plan.move(WEB), inventories[WEB])
    assert alone.copy_seconds == pytest.approx(1000.4)
    assert wave_seconds(both, plan.waves[0]) == pytest.approx(1500.6 + max(one.fence_seconds for one in both) + 100)


def test_a_move_without_an_inventory_is_left_out() -> None:
    plan = schedule({"web": ("new", None), "email": ("new", None)})
    (one,) = forecast_wave(plan, plan.waves[0], {WEB: Inventory(1, 1)})
    assert one.id == WEB
    assert wave_seconds((), plan.waves[0]) == 0
