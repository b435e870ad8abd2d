"""What a director asks, of the example plans: will the accounts carry the load, when is Europe done, what stands in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.forecast import Outlook, StartingPoint, look_ahead
from migrator.forecast.inventory import Inventory, declared
from migrator.forecast.outlook import CANARIES, READY_PASS_SECONDS, to_record
from migrator.forecast.requests import RequestCounts, cost_of
from migrator.forecast.tiers import Tiered
from migrator.model.findings import Finding
from migrator.model.moves import Figures, MoveRecord, MoveState, WaveRecord
from migrator.model.rhythm import USUAL
from migrator.model.schedule import ChangeWindow, Prices, Schedule
from migrator.plan import load

PLANS = Path(__file__).parents[3] / "plans"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture(scope="module")
def three_regions() -> Schedule:
    return load(PLANS / "three-regions.yaml").schedule


def ahead(schedule: Schedule, here: StartingPoint | None = None) -> Outlook:
    inventories = {move.id: declared(move.declared) for move in schedule.moves if move.declared}
    return look_ahead(schedule, inventories, here or StartingPoint(NOW))


def promised(schedule: Schedule, name: str, date: datetime) -> Schedule:
    waves = [replace(wave, complete_by=date if wave.name == name else None) for wave in schedule.waves]
    return replace(schedule, waves=tuple(waves))


def errors(outlook: Outlook) -> list[Finding]:
    return [finding for finding in outlook.findings if finding.severity == "error"]


# plans/three-regions.yaml


def test_the_real_case_holds_its_dates_with_no_account_over_its_limit(three_regions: Schedule) -> None:
    outlook = ahead(three_regions)
    assert errors(outlook) == []
    europe = outlook.wave("europe")
    assert europe.soaked is not None
    assert europe.soaked.replace(microsecond=0) == datetime(2026, 12, 11, 21, 17, 1, tzinfo=UTC)
    assert europe.slack_seconds == pytest.approx(8 * 86_400 + 9_778.5, abs=0.1)
    assert europe.assumes == ("wave europe is approved at once",)
    assert outlook.wave("asia-pacific").slack_seconds == pytest.approx(549_783.5, abs=0.1)
    assert not any(wave.is_lower_bound for wave in outlook.waves)
    assert all(load.used_ratio is not None and load.used_ratio <= 0.84 for load in outlook.loads)


def test_each_wave_takes_its_load_from_the_source(three_regions: Schedule) -> None:
    asia, europe, america = ahead(three_regions).reliefs
    assert america.after == (("na-first", 5_700_000), ("na-rest", 0))
    assert (america.account, america.before_per_minute, america.limit_per_minute) == ("na-core", 7_700_000, 2_400_000)
    assert (asia.after, europe.after) == ((("asia-pacific", 0),), (("europe", 0),))


def test_a_date_too_early_is_an_error_that_says_by_how_much_and_whom_to_blame(three_regions: Schedule) -> None:
    (finding,) = errors(ahead(promised(three_regions, "europe", datetime(2026, 12, 11, tzinfo=UTC))))
    assert (finding.code, finding.subject) == ("deadline-missed", "europe")
    assert finding.text == (
        "wave europe would be complete at 2026-12-11 21:17 UTC at the earliest, 21 h 17 min after its complete_by of "
        "2026-12-11 00:00 UTC; to blame is wave na-rest, whose soak takes 4 d"
    )
    assert finding.remedy == (
        "shorten the soak of wave na-rest from 4 d to 3 d 10 h; or let wave na-first begin by 2026-11-30 10:00 UTC (not_before)"
    )


def test_the_remedies_keep_the_date_and_an_hour_more_does_not(three_regions: Schedule) -> None:
    plan = promised(three_regions, "europe", datetime(2026, 12, 11, tzinfo=UTC))

    def soaking(hours: float) -> Schedule:
        waves = [replace(w, soak_seconds=hours * 3600) if w.name == "na-rest" else w for w in plan.waves]
        return replace(plan, waves=tuple(waves))

    def beginning(at: datetime) -> Schedule:
        waves = [replace(w, not_before=at) if w.name == "na-first" else w for w in plan.waves]
        return replace(plan, waves=tuple(waves))

    assert errors(ahead(soaking(82))) == []
    assert len(errors(ahead(soaking(83)))) == 1
    assert errors(ahead(beginning(datetime(2026, 11, 30, 10, tzinfo=UTC)))) == []
    assert len(errors(ahead(beginning(datetime(2026, 11, 30, 11, tzinfo=UTC))))) == 1


def test_where_no_single_soak_is_enough_all_of_them_are_capped(three_regions: Schedule) -> None:
    plan = promised(three_regions, "europe", datetime(2026, 12, 4, tzinfo=UTC))
    (finding,) = errors(ahead(plan))
    assert "7 d 21 h after" in finding.text
    assert finding.remedy == (
        "let no wave of na-first, na-rest, europe soak longer than 19 h; or it would have had to begin by 2026-11-23 10:00 UTC"
    )
    capped = [replace(wave, soak_seconds=min(wave.soak_seconds, 19 * 3600)) for wave in plan.waves]
    assert errors(ahead(replace(plan, waves=tuple(capped)))) == []


def test_a_date_in_the_past_has_no_remedy_but_another_date(three_regions: Schedule) -> None:
    begun = MoveRecord(three_regions.moves[0].id, "na-first", "na-core", "na-web", MoveState.SOAKING, since=NOW)
    here = StartingPoint(NOW, {begun.id: begun}, {"na-first": WaveRecord("na-first", 0, begun_at=NOW)})
    (finding,) = ahead(promised(three_regions, "europe", NOW), here).findings
    assert finding.severity == "warning"  # it has begun: refusing to go on would help nobody
    assert finding.remedy == "promise a later date: no shorter soak and no earlier start keeps this one"


def test_one_restart_that_would_miss_the_date_is_said(three_regions: Schedule) -> None:
    plan = promised(three_regions, "europe", datetime(2026, 12, 14, tzinfo=UTC))
    (finding,) = ahead(plan).findings
    assert (finding.severity, finding.code) == ("info", "deadline-without-reserve")
    assert "2 d 2 h to spare" in finding.text
    assert ahead(promised(three_regions, "europe", datetime(2026, 12, 20, tzinfo=UTC))).findings == ()


def test_a_window_too_short_for_the_fence_is_an_error(three_regions: Schedule) -> None:
    minute = ChangeWindow(frozenset({0}), 60, 61, "UTC")
    waves = [replace(w, change_windows=(minute,)) if w.name == "europe" else w for w in three_regions.waves]
    finding = errors(ahead(replace(three_regions, waves=tuple(waves))))[0]
    assert (finding.code, finding.subject) == ("window-never-opens", "europe")


def test_what_is_over_is_not_judged_any_more(three_regions: Schedule) -> None:
    late = promised(three_regions, "na-first", NOW - timedelta(days=9))
    move = late.moves[0]
    done = MoveRecord(move.id, "na-first", move.source, move.target, MoveState.SOAKED, figures=Figures(), since=NOW)
    assert len(errors(ahead(late))) == 1
    outlook = ahead(late, StartingPoint(NOW, {move.id: done}))
    assert errors(outlook) == []
    assert outlook.wave("na-first").slack_seconds == -9 * 86_400


def test_a_fence_that_is_over_is_not_judged_any_more(three_regions: Schedule) -> None:
    move = three_regions.moves[0]
    short = [replace(w, cutover=replace(w.cutover, fence_timeout_seconds=60.0)) for w in three_regions.waves]
    plan = replace(three_regions, waves=tuple(short))
    long_before = [finding.subject for finding in ahead(plan).findings if finding.code == "fence-too-long"]
    switched = MoveRecord(
        move.id,
        "na-first",
        move.source,
        move.target,
        MoveState.SOAKING,
        since=NOW,
        switched_at=NOW - timedelta(hours=1),
    )
    found = ahead(plan, StartingPoint(NOW, {move.id: switched})).findings
    long_after = [finding.subject for finding in found if finding.code == "fence-too-long"]
    assert long_before[0] == str(move.id)
    assert long_after == long_before[1:]


def test_the_cost_is_counted_by_class_of_operation(three_regions: Schedule) -> None:
    outlook = ahead(three_regions)
    assert outlook.cost is not None
    assert outlook.cost.currency == "EUR"
    # 35.7 million objects are written at 0.065 and read at 0.005; twelve moves prove both ways twice, on two sides
    canaries = CANARIES.times(2 * 12)
    assert outlook.cost.requests.write == pytest.approx((35_700_000 + canaries.write) / 10_000 * 0.065)
    assert outlook.cost.requests.read == pytest.approx((35_700_000 + canaries.read) / 10_000 * 0.005)
    assert 60 < outlook.cost.requests.list < 75
    assert outlook.cost.total == pytest.approx(outlook.cost.requests.total)
    assert ahead(replace(three_regions, prices=None)).cost is None


GIB = 2**30
COOL = Inventory(1_000, 100 * GIB, cool_bytes=60 * GIB, cold_bytes=30 * GIB, archive_bytes=10 * GIB)
TIERS = Prices(
    "USD",
    cool_read_per_gib=0.01,
    cold_read_per_gib=0.03,
    archive_read_per_gib=0.02,
    cool_month_per_gib=0.01,
    cold_month_per_gib=0.004,
    archive_month_per_gib=0.002,
)


def test_what_is_not_hot_costs_something_to_be_read() -> None:
    cost = cost_of(TIERS, RequestCounts(), 100 * GIB, [Tiered(COOL, 0.0, None)]).tiers
    assert cost.retrieval == pytest.approx(60 * 0.01 + 30 * 0.03 + 10 * 0.02)
    assert cost.early_deletion == pytest.approx(10 * 0.002 * 180 / 30)  # what is rehydrated has left the archive
    read_twice_more = cost_of(TIERS, RequestCounts(), 0, [Tiered(COOL, 1.0, None)]).tiers
    assert read_twice_more.retrieval == pytest.approx(3 * (60 * 0.01 + 30 * 0.03) + 10 * 0.02)


@pytest.mark.parametrize(
    ("days", "months"), [(0.0, (1.0, 3.0)), (18.0, (0.4, 2.4)), (30.0, (0.0, 2.0)), (90.0, (0, 0)), (400.0, (0, 0))]
)
def test_a_source_that_is_retired_early_is_billed_for_the_rest(days: float, months: tuple[float, float]) -> None:
    cost = cost_of(TIERS, RequestCounts(), 0, [Tiered(replace(COOL, archive_bytes=0), 0.0, days)]).tiers
    assert cost.early_deletion == pytest.approx(60 * months[0] * 0.01 + 30 * months[1] * 0.004)
    assert cost.unpriced == {}


def test_a_price_that_the_plan_does_not_say_is_missing_and_not_nothing() -> None:
    cost = cost_of(
        replace(TIERS, cold_read_per_gib=None, cool_month_per_gib=None), RequestCounts(), 0, [Tiered(COOL, 0, 15)]
    )
    assert cost.tiers.unpriced == {"cold_read_per_gib": 30.0, "cool_month_per_gib": 30.0}
    assert cost.tiers.retrieval == pytest.approx(60 * 0.01 + 10 * 0.02)
    free = cost_of(replace(TIERS, cold_read_per_gib=0.0), RequestCounts(), 0, [Tiered(COOL, 0, None)])
    assert free.tiers.unpriced == {}
    hot = cost_of(Prices("USD"), RequestCounts(), 0, [Tiered(Inventory(9, 9 * GIB), 0, 0.0)])
    assert (hot.tiers.unpriced, hot.total) == ({}, 0.0)


def test_the_days_that_a_source_is_kept_are_those_of_its_wave(three_regions: Schedule) -> None:
    assert three_regions.retire.is_planned
    schedule = replace(three_regions, prices=TIERS)
    cool = {move.id: replace(declared(move.declared), cool_bytes=GIB) for move in schedule.moves if move.declared}
    outlook = look_ahead(schedule, cool, StartingPoint(NOW))
    kept = {}
    for wave in outlook.waves:
        assert wave.soaked is not None
        kept.update({move.id: (wave.soaked - NOW).total_seconds() / 86_400 + 14 for move in wave.moves})
    assert outlook.cost is not None
    most = sum(max(0.0, 30 - kept[one]) / 30 * 0.01 for one in cool)
    assert outlook.cost.tiers.early_deletion == pytest.approx(most) != 0
    forever = replace(schedule, retire=replace(schedule.retire, is_planned=False))
    kept_forever = look_ahead(forever, cool, StartingPoint(NOW))
    assert kept_forever.cost is not None
    assert kept_forever.cost.tiers.early_deletion == 0


def test_bytes_cost_by_the_gib() -> None:
    cost = cost_of(Prices("USD", delete_per_10k=1, data_per_gib=0.02), RequestCounts(delete=5_000, other=7), 3 * 2**30)
    assert (cost.requests, cost.gib, cost.total) == (RequestCounts(delete=0.5), 0.06, 0.56)


def test_scans_of_the_soak_and_of_the_wait_for_a_window_are_counted(three_regions: Schedule) -> None:
    outlook = ahead(three_regions)
    source = outlook.requests["na-first"]["na-core"]
    # a scan is 1,201 requests and rests ten times as long as it takes; two passes before the fence, and what the fence compares
    (web,) = [one for id, one in outlook.moves.items() if str(id) == "north-america/web-tracking"]
    # a thousand changes lie in more than half of its 1,200 ranges, and the others look as before
    assert web.scan_seconds == pytest.approx(60.1, abs=0.1)
    scans = 1 + (96 * 3600 + 900) // (11 * web.scan_seconds)
    assert source.list == (2 + scans) * 1_201 + web.fence_requests.list / 2 + CANARIES.list
    assert web.fence_seconds < 300.0, "nobody need allow it more than the default"
    assert USUAL.ready_pass_seconds == READY_PASS_SECONDS
    waiting = outlook.requests["asia-pacific"]["ap-core"].list
    windows = [replace(w, change_windows=()) for w in three_regions.waves]
    assert ahead(replace(three_regions, waves=tuple(windows))).requests["asia-pacific"]["ap-core"].list < waiting


def test_the_record_of_a_wave_is_json_with_every_move(three_regions: Schedule) -> None:
    kept = to_record(ahead(three_regions), "na-rest")
    assert kept["made_at"] == "2026-11-25T00:00:00+00:00"
    assert kept["soaked"].startswith("2026-12-09T08:05:21")
    assert kept["moves"]["north-america/email-events"] == {
        "objects": 4_000_000,
        "bytes": 600 * 2**30,
        "origin": "declared",
        "copy_seconds": pytest.approx(8_250.726),
        "fence_seconds": 116.37,
        "drain_seconds": 95.0,
        "requests": 8_004_806,
    }


# plans/overload.yaml


def test_the_overload_is_refused_naming_load_limit_and_the_accounts_it_would_take() -> None:
    found = errors(ahead(load(PLANS / "overload.yaml").schedule))
    assert [finding.subject for finding in found] == ["na-campaign", "na-email", "na-images", "na-web"]
    for finding in found:
        assert "183,333 requests/s (11 M a minute)" in finding.text
        assert "40,000 requests/s (2.4 M a minute)" in finding.text
        assert "needs 6 accounts of this size" in finding.remedy
