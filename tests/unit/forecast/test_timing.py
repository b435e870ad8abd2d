"""Time under the budget is the slowest of four bounds; the writers' pause is drain, scans and lag."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from migrator.forecast import Inventory, forecast_move, forecast_wave, timing_findings
from migrator.forecast.grounds import Grounds
from migrator.forecast.means import COMMIT_SECONDS, Means
from migrator.forecast.requests import RequestCounts
from migrator.forecast.scans import NAME_SECONDS, SAME_SECONDS
from migrator.forecast.timing import COMMITS, COPY_BLOCK_BYTES, FENCE_SECONDS, drain_findings
from migrator.model.names import MoveId
from migrator.model.rhythm import USUAL
from migrator.model.schedule import ROLL_CALL_SECONDS, Budget, Cutover, Routing, Schedule, Verify
from tests.unit.forecast.worlds import schedule

WEB = MoveId("eu", "web")
MIB = 1024**2
AROUND = 2 * 0.2 + COMMITS * COMMIT_SECONDS
"""Around each pass: the containers before and after it, and its commits."""
FENCE = FENCE_SECONDS + COMMITS * COMMIT_SECONDS
ASKED = 3 * 0.2
"""Where a first copy goes in parts: is the target empty, and does each account list from a name on?"""


def _plan(old: Budget, new: Budget, **options: object) -> Schedule:
    return schedule({"web": ("new", None)}, budgets={"old": old, "new": new}, **options)  # type: ignore[arg-type]


def test_every_object_costs_a_request_on_each_side_and_every_pass_its_pages() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(1_000_000, 0))
    assert one.source_requests == RequestCounts(list=2 * 201, read=1_000_000)  # 200 pages, and one for the containers
    assert one.target_requests == RequestCounts(list=2 * 201, write=1_000_000)
    assert one.fence_requests == RequestCounts(list=402), "a scan of both sides; nobody is known to change anything"
    assert one.requests == 2 * 1_000_402 + 402
    catching_up = 0.2 + 1_000_000 * NAME_SECONDS + AROUND
    assert one.copy_seconds == pytest.approx(AROUND + ASKED + 1_000_201 / 970 + catching_up)


def test_a_large_object_costs_a_request_a_block_and_one_to_commit() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(3, 800 * MIB, large_objects=1, large_bytes=800 * MIB))
    assert (one.source_requests.read, one.target_requests.write) == (2 + 13, 2 + 13 + 1)


def test_blocks_are_counted_as_the_copier_cuts_them() -> None:
    assert USUAL.sizes.server_block_bytes == COPY_BLOCK_BYTES


# old's budget, new's budget -> seconds for 60,000 objects of 1 MiB, and what bounds them
BOUNDS = [
    (Budget(6_000), Budget(60_000), 60_013 / 97, "requests of old"),
    (Budget(60_000), Budget(6_000), 60_013 / 97, "requests of new"),
    (Budget(60_000, 10 * MIB), Budget(60_000, 20 * MIB), 6_000, "bytes of old"),
    (Budget(60_000, 20 * MIB), Budget(60_000, 10 * MIB), 6_000, "bytes of new"),
    # 128 copies under way at first, 16 ms each, twice as many after half a second; 27.5 us of two cores for each, and commits
    (Budget(), Budget(), 0.2 + math.hypot(3 * 0.5 + 32 * 0.016, 1.858), "copies under way at once (16 ms each)"),
]


@pytest.mark.parametrize(("old", "new", "seconds", "bound_by"), BOUNDS)
def test_the_slowest_bound_decides(old: Budget, new: Budget, seconds: float, bound_by: str) -> None:
    plan = _plan(old, new)
    one = forecast_move(plan, plan.move(WEB), Inventory(60_000, 60_000 * MIB))
    catching_up = 0.2 + 60_000 * NAME_SECONDS + AROUND
    assert one.copy_seconds == pytest.approx(AROUND + ASKED + seconds + catching_up, abs=0.001)
    assert one.bound_by == bound_by


def test_many_containers_are_listed_some_at_a_time_and_far_pages_hold_a_copy_up() -> None:
    plan = _plan(Budget(), Budget())
    one = forecast_move(plan, plan.move(WEB), Inventory(2_000, 0, prefixes=200))
    assert one.bound_by == "listings"
    # eight at a time, which nobody knows to be short, each with a page and its copies; then 64 at a time
    catching_up = 4 * 0.2 + 2_000 / 4 * NAME_SECONDS + AROUND
    assert one.copy_seconds == pytest.approx(AROUND + 25 * (0.2 + 0.016) + catching_up)


def test_a_machine_that_is_slow_or_whose_disk_is_holds_a_copy_up() -> None:
    plan = _plan(Budget(), Budget())
    quick, slow = (Grounds(Means(slowness=one, commit_seconds=0.001)) for one in (1.0, 50.0))
    inventory = Inventory(60_000, 0)
    assert forecast_move(plan, plan.move(WEB), inventory, slow).copy_seconds > 20 * 60_000 * 55e-6
    assert forecast_move(plan, plan.move(WEB), inventory, quick).copy_seconds < 10
    many, lazy = Inventory(2_000, 0, prefixes=1_000), Grounds(Means(commit_seconds=0.1))
    assert forecast_move(plan, plan.move(WEB), many, lazy).bound_by == "this machine"


def test_the_pause_is_a_drain_and_a_scan_and_at_most_two_scans_and_the_lag() -> None:
    plan = _plan(Budget(60_000), Budget(120_000), cutover=Cutover(max_lag_objects=500))
    one = forecast_move(plan, plan.move(WEB), Inventory(50_000, 0))
    drain, scans, lag = 30 + 60 + 5, 2 * (0.2 + 50_000 * NAME_SECONDS + AROUND), 500 / 970
    assert one.most_seconds == pytest.approx(drain + scans + lag + FENCE, abs=0.1), "500 changes are in all ten ranges"
    assert one.fence_seconds == pytest.approx(drain + 2 * 0.2 + 50_000 / 2 * SAME_SECONDS + AROUND + FENCE)
    assert one.pause.low < one.pause.likely < one.pause.high
    assert one.pause.low > drain
    assert one.pause.high == one.most_seconds, "how much changes nobody knows"
    assert one.fence_timeout_seconds == 95 + 300
    assert one.fence_fits


def test_followers_that_answer_shorten_the_pause_and_a_fence_must_fit_without_them() -> None:
    plan = _plan(Budget(60_000), Budget(60_000), cutover=Cutover(max_pause_seconds=90))
    waited = forecast_move(plan, plan.move(WEB), Inventory(1_000, 0))
    called = replace(plan, routing=replace(plan.routing, protocol=2))
    one = forecast_move(called, called.move(WEB), Inventory(1_000, 0))
    assert (one.drain_seconds, one.bound_seconds) == (ROLL_CALL_SECONDS, 95)
    assert waited.fence_seconds - one.fence_seconds == pytest.approx(95 - ROLL_CALL_SECONDS)
    assert one.longest_seconds == pytest.approx(waited.most_seconds)
    assert one.fence_seconds < 90 < one.longest_seconds
    assert not one.fence_fits
    assert timing_findings([one])[0].code == "fence-too-long"
    enforced = replace(called, waves=(replace(called.waves[0], cutover=Cutover(fence="access-policy")),))
    assert forecast_move(enforced, called.move(WEB), Inventory(1_000, 0)).drain_seconds == 95


def test_a_lag_can_be_no_larger_than_the_area_and_its_bytes_count() -> None:
    plan = _plan(Budget(60_000, 1 * MIB), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(10, 40 * MIB))
    assert one.most_seconds == pytest.approx(
        95 + 2 * (0.2 + AROUND) + 40 + FENCE, abs=0.001
    )  # the containers, and a page


def test_an_enforced_fence_waits_for_the_propagation_of_policies_too() -> None:
    routing = Routing("file", ttl_seconds=5.0, max_write_seconds=60.0, clock_margin_seconds=5.0)
    assert (routing.drain_seconds, routing.enforced_drain_seconds) == (70.0, 90.0)
    assert replace(routing, ttl_seconds=300.0).enforced_drain_seconds == 365.0


def test_an_empty_area_takes_no_time_to_copy_but_its_writers_still_drain() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    one = forecast_move(plan, plan.move(WEB), Inventory(0, 0))
    assert one.source_requests == RequestCounts(list=4)
    assert one.fence_seconds == one.most_seconds == pytest.approx(95 + 0.2 + AROUND + FENCE)


def test_each_listing_costs_a_page_at_least() -> None:
    plan = _plan(Budget(60_000), Budget(60_000))
    assert forecast_move(plan, plan.move(WEB), Inventory(10, 0, prefixes=7)).source_requests.list == 2 * 8


def test_a_fence_that_cannot_fit_is_an_error_with_its_remedy() -> None:
    plan = _plan(Budget(60_000), Budget(60_000), cutover=Cutover(fence_timeout_seconds=60))
    (finding,) = timing_findings(forecast_wave(plan, plan.waves[0], {WEB: Inventory(5_000_000, 0)}))
    assert (finding.severity, finding.code, finding.subject) == ("error", "fence-too-long", "eu/web")
    assert finding.text == (
        "the writers of eu/web would pause 3 min 22 s (a comparison of 54 s, and 50 s for a second look at what "
        "changed), and drain and fence_timeout allow 2 min 35 s, so no cut-over would begin"
    )
    assert finding.remedy == (
        "split area web by prefix into 3 areas that switch one by one; or allow 1 min more in cutover.fence_timeout; or lower "
        "max_lag_objects or raise the budget"
    )
    assert timing_findings(forecast_wave(plan, plan.waves[0], {WEB: Inventory(5_000, 0)})) == ()
    split = forecast_move(plan, plan.move(WEB), Inventory(5_000_000 // 3, 0))
    longer = _plan(Budget(60_000), Budget(60_000), cutover=Cutover(fence_timeout_seconds=60 + 60))
    assert split.fence_fits
    assert forecast_move(longer, longer.move(WEB), Inventory(5_000_000, 0)).fence_fits


def test_a_pause_that_the_plan_does_not_allow_is_an_error_although_the_fence_has_time() -> None:
    plan = _plan(Budget(60_000), Budget(60_000), cutover=Cutover(max_pause_seconds=97))
    (finding,) = timing_findings(forecast_wave(plan, plan.waves[0], {WEB: Inventory(50_000, 0)}))
    assert (finding.severity, finding.code) == ("error", "fence-too-long")
    assert "cutover.max_pause allows 1 min 37 s, so no cut-over would begin" in finding.text
    assert "allow 1 min more in cutover.max_pause" in finding.remedy
    assert timing_findings(forecast_wave(plan, plan.waves[0], {WEB: Inventory(50, 0)})) == ()


TWO = {WEB: Inventory(1_000_000, 0), MoveId("eu", "email"): Inventory(500_000, 0)}


def _two(max_moves: int | None) -> Schedule:
    plan = schedule(
        {"web": ("new-web", None), "email": ("new-email", None)},
        budgets={"old": Budget(60_000), "new-web": Budget(60_000), "new-email": Budget(60_000)},
    )
    return replace(plan, waves=(replace(plan.waves[0], max_moves=max_moves),))


def test_moves_of_a_wave_share_the_source_s_budget() -> None:
    """Half of it each until the smaller one is done: 1,000 s; the larger one then has it alone."""
    plan = _two(None)
    web, email = forecast_wave(plan, plan.waves[0], TWO)
    assert [web.copy_seconds, email.copy_seconds] == pytest.approx([1_500_604 / 970, 2 * 500_202 / 970])
    assert {one.bound_by for one in (web, email)} == {"requests of old"}


def test_moves_that_run_one_after_the_other_share_nothing() -> None:
    plan = _two(1)
    web, email = forecast_wave(plan, plan.waves[0], TWO)
    alone = [
        AROUND + ASKED + (objects + objects / 5_000 + 1) / 970 + 0.2 + objects * NAME_SECONDS + AROUND
        for objects in (1_000_000, 500_000)
    ]
    assert [web.copy_seconds, email.copy_seconds] == pytest.approx(alone)


def test_a_move_without_an_inventory_is_left_out() -> None:
    plan = schedule({"web": ("new", None), "email": ("new", None)})
    (one,) = forecast_wave(plan, plan.waves[0], {WEB: Inventory(1, 1)})
    assert one.id == WEB


def test_what_a_fence_may_have_to_stream_is_told_apart_and_forbids_nothing() -> None:
    plan = _plan(Budget(60_000, 10 * MIB), Budget(60_000))
    held = Inventory(10_000, 6_000 * MIB, streamed_objects=4, streamed_bytes=6_000 * MIB)
    one = forecast_move(plan, plan.move(WEB), held)
    assert one.streaming_seconds == pytest.approx(600.0)
    assert one.fence_seconds == forecast_move(plan, plan.move(WEB), replace(held, streamed_objects=0)).fence_seconds
    (said,) = timing_findings([one])
    assert (said.severity, said.code) == ("warning", "streamed-in-fence")
    assert "4 append and page blobs (5.9 GiB)" in said.text
    assert "10 min longer" in said.text
    small = forecast_move(plan, plan.move(WEB), replace(held, streamed_bytes=60 * MIB))
    assert [one.severity for one in timing_findings([small])] == ["info"]


TIB = 1024**4


def test_proving_by_content_reads_both_sides_through_this_machine() -> None:
    plan = _plan(Budget(), Budget())
    wave = replace(plan.waves[0], verify=Verify("content"))
    proved = replace(plan, waves=(wave,))
    inventory = Inventory(1_000_000, 10 * TIB)
    plain, content = (forecast_move(one, one.move(WEB), inventory) for one in (plan, proved))
    assert content.source_requests.read == plain.source_requests.read + 1_000_000
    assert content.target_requests.read == 1_000_000
    assert content.copy_seconds == pytest.approx(20 * TIB / (100 * MIB), rel=0.001)
    assert content.bound_by == "bytes through this machine (verify: content)"
    half = replace(plan, waves=(replace(wave, verify=Verify("content", 0.5)),))
    assert forecast_move(half, half.move(WEB), inventory).copy_seconds == pytest.approx(
        10 * TIB / (100 * MIB), rel=0.001
    )
    budgeted = _plan(Budget(None, 10 * MIB), Budget())
    budgeted = replace(budgeted, waves=(replace(budgeted.waves[0], verify=Verify("content")),))
    found = forecast_move(budgeted, budgeted.move(WEB), inventory)
    assert (found.bound_by, found.copy_seconds) == ("bytes of old", pytest.approx(20 * TIB / (10 * MIB), rel=0.001))


def test_moves_that_are_proved_side_by_side_share_this_machine() -> None:
    plan = schedule({"web": ("new", None), "mail": ("other", None)}, budgets={})
    plan = replace(plan, waves=(replace(plan.waves[0], verify=Verify("content")),))
    sizes = {move.id: Inventory(1_000, TIB) for move in plan.moves}
    for one in forecast_wave(plan, plan.waves[0], sizes):
        assert one.copy_seconds == pytest.approx(4 * TIB / (100 * MIB))


@pytest.mark.parametrize(("ttl", "codes"), [(30.0, []), (3_600.0, ["long-drain"])])
def test_a_drain_that_is_long_by_itself_is_warned_of(ttl: float, codes: list[str]) -> None:
    found = list(drain_findings(Routing("file", path="r", ttl_seconds=ttl)))
    assert [one.code for one in found] == codes
    assert all("pauses its writers for 1 h 1 min" in one.text for one in found)
