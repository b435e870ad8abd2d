"""The words of a forecast: ranges of waves ahead, what was assumed, and what outcomes of earlier waves corrected."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.forecast import Inventory, Outlook, StartingPoint, look_ahead
from migrator.forecast.means import Means, pair
from migrator.forecast.outlook import to_record
from migrator.forecast.told import assumed, more_cores, processes, ranges_ahead, ranges_of
from migrator.model.moves import MoveRecord, MoveState, WaveRecord
from migrator.model.names import MoveId
from tests.unit.forecast.worlds import schedule

NOW = datetime(2026, 12, 1, tzinfo=UTC)
WEB = MoveId("eu", "web")
INVENTORIES = {WEB: Inventory(60_000, 0, page_seconds=0.2)}


def ahead(here: StartingPoint) -> Outlook:
    return look_ahead(schedule({"web": ("new", None)}), INVENTORIES, here)


def test_a_wave_ahead_is_told_with_its_ranges_and_what_was_assumed() -> None:
    outlook = ahead(StartingPoint(NOW))
    ((name, said),) = ranges_ahead(outlook)
    assert name == "all"
    assert said.startswith("copied in ")
    assert " to " in said
    assert "writers paused 1 min 35 s to 1 min 3" in said
    assert list(assumed(outlook)) == [
        "this machine is as quick as the one that the figures were measured on",
        "a copy takes 16 ms (--probe tries one)",
        "customers change little meanwhile (two listings some time apart tell how much)",
    ]
    assert processes(outlook) == "with 2 processes on 2 cores"
    nobody = look_ahead(schedule({"web": ("new", None)}), {}, StartingPoint(NOW))
    assert ranges_of(nobody, "all") == ""
    assert list(ranges_ahead(nobody)) == []


def test_what_was_measured_is_not_assumed_and_makes_the_range_narrower() -> None:
    means = Means(slowness=2.0, copies={pair("old", "new"): 0.02}, measured_at=NOW)
    outlook = ahead(StartingPoint(NOW, means=means))
    assert list(assumed(outlook)) == ["customers change little meanwhile (two listings some time apart tell how much)"]
    said = "with 2 processes on this machine of 2 cores, which is 2.0 times as slow now as the one the figures are of"
    assert processes(outlook) == said
    one, unsure = outlook.copying("all"), ahead(StartingPoint(NOW)).copying("all")
    assert one is not None
    assert unsure is not None
    assert one.high / one.low < unsure.high / unsure.low


def test_the_outcome_of_a_wave_corrects_the_next_one_and_its_own_record_says_by_how_much() -> None:
    first = ahead(StartingPoint(NOW))
    kept = to_record(first, "all")
    said = kept["moves"]["eu/web"]
    assert kept["corrected"] == {"copy_seconds": 1.0, "fence_seconds": 1.0, "requests": 1.0}
    low, high = kept["ranges"]["copy_seconds"]
    assert low < said["copy_seconds"] < high
    outcome = {
        "copy_seconds": {"actual": 3 * said["copy_seconds"], "forecast": said["copy_seconds"]},
        "fence_seconds": {"actual": said["fence_seconds"], "forecast": said["fence_seconds"]},
        "requests": {"actual": 1.1 * kept["requests"], "forecast": kept["requests"]},
    }
    over = WaveRecord(
        "before", 0, begun_at=NOW, ended_at=NOW + timedelta(hours=1), forecast={**kept, "outcome": outcome}
    )
    next_one = ahead(StartingPoint(NOW, waves={"before": over}))
    assert next_one.moves[WEB].copy_seconds == pytest.approx(3 * first.moves[WEB].copy_seconds)
    assert next_one.moves[WEB].fence_seconds == pytest.approx(first.moves[WEB].fence_seconds)
    assert next_one.requests_of("all").total == pytest.approx(1.1 * first.requests_of("all").total, rel=1e-4)
    assert to_record(next_one, "all")["corrected"]["copy_seconds"] == pytest.approx(3.0)
    assert next_one.learned.waves == 1


def test_a_wave_that_has_begun_is_told_no_more() -> None:
    begun = MoveRecord(WEB, "all", "old", "new", MoveState.COPYING, since=NOW)
    here = StartingPoint(NOW, {WEB: begun}, {"all": WaveRecord("all", 0, begun_at=NOW)})
    assert list(ranges_ahead(replace(ahead(here)))) == []


def test_moves_that_go_side_by_side_share_this_machine() -> None:
    areas = {f"a{number}": (f"new-{number}", None) for number in range(8)}
    plan, slow = schedule(areas), Means(commit_seconds=0.1, slowness=5.0, measured_at=NOW)
    alone = look_ahead(plan, {MoveId("eu", "a0"): Inventory(2_000, 0)}, StartingPoint(NOW, means=slow))
    each = {move.id: Inventory(2_000, 0) for move in plan.moves}
    together = look_ahead(plan, each, StartingPoint(NOW, means=slow))
    one = MoveId("eu", "a0")
    assert together.moves[one].bound_by == "this machine"
    assert together.moves[one].copy_seconds > 3 * alone.moves[one].copy_seconds
    assert together.moves[one].fence_seconds > alone.moves[one].fence_seconds + 1.0


def test_what_more_cores_make_of_a_long_pause_is_said() -> None:
    plan, millions = schedule({"web": ("new", None)}), {WEB: Inventory(100_000_000, 0, page_seconds=0.2)}
    plan = replace(plan, routing=replace(plan.routing, protocol=2))
    looking = Means(processes=2, cores=2, looks=6)
    outlook = look_ahead(plan, millions, StartingPoint(NOW, means=looking))
    assert more_cores(outlook) == (
        "the writers of eu/web wait about 5 min 37 s, and 2 min 50 s with 4, 1 min 27 s with 8 processes (--workers) on as many"
        " cores"
    )
    assert more_cores(look_ahead(plan, INVENTORIES, StartingPoint(NOW, means=looking))) == "", "it is short"
    assert more_cores(look_ahead(plan, millions, StartingPoint(NOW))) == "", "nobody else looks"
    six = look_ahead(plan, {WEB: Inventory(6_000_000, 0, page_seconds=0.2)}, StartingPoint(NOW, means=looking))
    assert six.moves[WEB].fence_seconds < 30.0
