"""Forecasts laid into the calendar: what decides when a wave begins, cuts over and ends. All moments in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.forecast import Inventory, StartingPoint, WaveTimes, forecast_wave, timeline
from migrator.forecast.means import COMMIT_SECONDS, COPY_SECONDS
from migrator.forecast.move_times import soak_seconds
from migrator.forecast.scans import NAME_SECONDS, SAME_SECONDS
from migrator.forecast.timing import COMMITS, FENCE_SECONDS
from migrator.model.moves import Direction, Figures, MoveRecord, MoveState, WaveRecord
from migrator.model.names import Area, MoveId, Selector
from migrator.model.schedule import Budget, ChangeWindow, Freeze, Gate, PlannedMove, Schedule
from tests.unit.forecast.worlds import schedule

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)  # a Tuesday
A, B, C = (MoveId("eu", name) for name in "abc")
DRAIN, HOUR = 95.0, 3600.0
EMPTY: Mapping[MoveId, Inventory] = {one: Inventory(0, 0) for one in (A, B, C)}


def plan(*waves: tuple[str, str, dict[str, object]], freeze: tuple[Freeze, ...] = ()) -> Schedule:
    """Waves as (name, areas, changes); without changes they soak an hour in rounds of five minutes and have no gates."""
    plain = schedule({area: (f"new-{area}", None) for area in "abc"}, budgets={"old": Budget(6_000)})
    made = []
    for name, areas, changes in waves:
        moves = tuple(
            PlannedMove(MoveId("eu", one), Area(one, (Selector(one),)), "old", f"new-{one}", None) for one in areas
        )
        made.append(replace(plain.waves[0], name=name, moves=moves, soak_seconds=HOUR, **changes))  # type: ignore[arg-type]
    return replace(plain, waves=tuple(made), freeze=freeze)


def times(
    schedule: Schedule, here: StartingPoint | None = None, inventories: Mapping[MoveId, Inventory] = EMPTY
) -> dict[str, WaveTimes]:
    forecasts = {one.id: one for wave in schedule.waves for one in forecast_wave(schedule, wave, inventories)}
    return {one.name: one for one in timeline(schedule, forecasts, here or StartingPoint(NOW))}


def record(id: MoveId, state: MoveState, hours_ago: float = 0.0, **changes: object) -> MoveRecord:
    since = NOW - timedelta(hours=hours_ago)
    return MoveRecord(id, "w", "old", f"new-{id.area}", state=state, since=since, **changes)  # type: ignore[arg-type]


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class near:  # noqa: N801 - reads like pytest.approx
    """Equal to a moment within some milliseconds."""

    def __init__(self, seconds: float) -> None:
        self.at = later(seconds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, datetime) and abs((other - self.at).total_seconds()) < 0.1

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"near {self.at}"


AROUND = 2 * 0.2 + COMMITS * COMMIT_SECONDS
"""Around each pass: the containers before and after it, and its commits."""
FENCE = FENCE_SECONDS + COMMITS * COMMIT_SECONDS
# 60,000 objects at 97 requests a second, and this machine's work on each name of a scan
SCAN = 0.2 + 60_000 * NAME_SECONDS + AROUND
ASKED = 3 * 0.2
"""Where a first copy goes in parts: is the target empty, and does each account list from a name on?"""
COPY = AROUND + ASKED + (60_000 + 13) / 97 + SCAN
SHORT = 0.2 + AROUND
"""A pass over next to nothing: the containers, and a page."""
EMPTY = AROUND + 0.2 + COPY_SECONDS + SHORT
"""A copy of nothing."""


def test_a_wave_copies_fences_and_soaks() -> None:
    wave = times(plan(("w", "a", {})), inventories={A: Inventory(60_000, 0)})["w"]
    (move,) = wave.moves
    fence = DRAIN + 0.2 + 60_000 * SAME_SECONDS + 0.2 + AROUND + FENCE
    assert (wave.begins, move.ready) == (NOW, near(COPY))
    assert move.cut == move.ready
    assert move.switched == near(COPY + fence)
    assert wave.soaked == near(COPY + fence + HOUR)
    assert (wave.is_begun, wave.is_done, wave.is_lower_bound) == (False, False, False)


def test_a_later_wave_begins_when_the_last_it_waits_for_has_soaked() -> None:
    chain = plan(("one", "a", {}), ("two", "b", {"interval_seconds": 5 * HOUR}), ("c", "c", {"after": ("one", "two")}))
    found = times(chain)
    assert found["one"].begins == found["two"].begins == NOW
    assert found["one"].soaked < found["two"].soaked == found["c"].begins  # type: ignore[operator]
    assert (found["two"].after, found["c"].after) == ("", "two")


def test_a_wave_does_not_begin_before_its_not_before() -> None:
    early, late = NOW - timedelta(hours=1), NOW + timedelta(days=3)
    assert times(plan(("w", "a", {"not_before": early})))["w"].begins == NOW
    assert times(plan(("w", "a", {"not_before": late})))["w"].begins == late
    chain = times(plan(("one", "a", {"not_before": late}), ("two", "b", {"after": ("one",), "not_before": NOW})))
    assert chain["two"].begins == chain["one"].soaked


NIGHT = ChangeWindow(frozenset(range(7)), 22 * 60, 23 * 60, "Europe/Berlin")  # 21:00 to 22:00 UTC in winter


def test_a_cut_over_waits_for_its_window_and_copying_does_not() -> None:
    (move,) = times(plan(("w", "a", {"change_windows": (NIGHT,)})))["w"].moves
    assert move.ready < later(60)
    assert move.cut == datetime(2026, 12, 1, 21, tzinfo=UTC)
    assert move.switched == move.cut + timedelta(seconds=DRAIN + SHORT + FENCE)


def test_a_freeze_moves_the_cut_over_to_the_next_window() -> None:
    freeze = Freeze(datetime(2026, 12, 1, 20, tzinfo=UTC), datetime(2026, 12, 3, 12, tzinfo=UTC))
    (move,) = times(plan(("w", "a", {"change_windows": (NIGHT,)}), freeze=(freeze,)))["w"].moves
    assert move.cut == datetime(2026, 12, 3, 21, tzinfo=UTC)


def test_a_window_shorter_than_the_fence_never_opens_and_later_waves_have_no_dates() -> None:
    short = replace(NIGHT, end_minute=22 * 60 + 1)
    found = times(plan(("w", "a", {"change_windows": (short,)}), ("x", "b", {"after": ("w",)})))
    assert (found["w"].moves[0].cut, found["w"].soaked) == (None, None)
    assert (found["x"].begins, found["x"].moves, found["x"].soaked) == (None, (), None)


def test_a_move_that_is_ready_makes_room_for_the_next_one() -> None:
    inventories = {one: Inventory(60_000, 0) for one in (A, B, C)}
    moves = times(plan(("w", "abc", {"max_moves": 1})), inventories=inventories)["w"].moves
    assert moves[1].begins == moves[0].ready
    assert moves[2].begins == moves[1].ready
    together = times(plan(("w", "abc", {})), inventories=inventories)["w"].moves
    assert {move.begins for move in together} == {NOW}


def test_moves_that_wait_for_the_same_window_take_turns_in_it() -> None:
    wave = {"change_windows": (NIGHT,), "max_moves": 2}
    first, second, third = times(plan(("w", "abc", wave)))["w"].moves
    assert first.cut == second.cut == datetime(2026, 12, 1, 21, tzinfo=UTC)
    assert third.cut == first.switched
    one_fence_long = replace(NIGHT, end_minute=22 * 60 + 2)  # 95.4 s fit once
    moves = times(plan(("w", "abc", {**wave, "change_windows": (one_fence_long,)})))["w"].moves
    assert [move.cut and move.cut.day for move in moves] == [1, 1, 2]


def test_a_soak_begins_with_the_first_window_after_the_switch_and_counts_whole_intervals() -> None:
    gates = tuple(
        Gate(name, "m", "fail", window_seconds=w, settle_seconds=s) for name, w, s in (("x", 600, 60), ("y", 60, 300))
    )
    wave = plan(("w", "a", {"gates": gates, "interval_seconds": 2_000.0})).waves[0]
    assert soak_seconds(wave) == 660 + 2 * 2_000
    assert soak_seconds(replace(wave, gates=())) == 4_000


def test_without_an_inventory_the_dates_are_the_earliest_thinkable_and_say_so() -> None:
    found = times(
        plan(("w", "ab", {}), ("x", "c", {"after": ("w",)})), inventories={A: Inventory(0, 0), C: Inventory(0, 0)}
    )
    assert found["w"].is_lower_bound
    assert found["x"].is_lower_bound
    assert found["w"].soaked == near(EMPTY + DRAIN + SHORT + FENCE + HOUR)


# Where the rollout stands.

BEGUN = {"w": WaveRecord("w", 0, begun_at=NOW - timedelta(hours=5))}


def here(*records: MoveRecord, approved: tuple[str, ...] = ()) -> StartingPoint:
    return StartingPoint(NOW, {one.id: one for one in records}, BEGUN, approved)


def test_what_is_copied_is_not_copied_again() -> None:
    half = record(A, MoveState.COPYING, 4, figures=Figures(objects_copied=30_000))
    wave = times(plan(("w", "a", {})), here(half), {A: Inventory(60_000, 0)})["w"]
    assert (wave.is_begun, wave.begins) == (True, NOW - timedelta(hours=5))
    assert wave.ready == near(COPY / 2)
    behind = replace(half, state=MoveState.CATCHING_UP)
    assert times(plan(("w", "a", {})), here(behind), {A: Inventory(60_000, 0)})["w"].ready == later(SCAN)


def test_a_soak_goes_on_from_its_recorded_healthy_time() -> None:
    soaking = record(A, MoveState.SOAKING, 1, switched_at=NOW - timedelta(hours=1), figures=Figures(soak_seconds=1_000))
    assert times(plan(("w", "a", {})), here(soaking))["w"].soaked == later(HOUR - 1_000)


def test_a_soak_without_healthy_time_yet_lies_wholly_ahead() -> None:
    gate = Gate("x", "m", "fail", window_seconds=600, settle_seconds=60)
    fresh = record(A, MoveState.SOAKING, 0, switched_at=NOW - timedelta(seconds=100))
    assert times(plan(("w", "a", {"gates": (gate,)})), here(fresh))["w"].soaked == later(560 + HOUR)


def test_what_has_soaked_is_history() -> None:
    done = record(A, MoveState.SOAKED, 2, switched_at=NOW - timedelta(hours=4))
    found = times(plan(("w", "a", {}), ("x", "b", {"after": ("w",)})), here(done))
    assert (found["w"].is_done, found["w"].soaked) == (True, NOW - timedelta(hours=2))
    assert found["x"].begins == NOW


def test_an_open_fence_waits_for_no_window() -> None:
    (move,) = times(plan(("w", "a", {"change_windows": (NIGHT,)})), here(record(A, MoveState.DRAINING)))["w"].moves
    assert move.cut == NOW


ASSUMED = [
    ({"approval_required": True}, (), "wave w is approved at once"),
    ({"approval_required": True}, ("w",), None),
]


@pytest.mark.parametrize(("changes", "approved", "assumed"), ASSUMED)
def test_an_approval_that_is_not_given_is_taken_to_be_given_at_once(
    changes: dict[str, object], approved: tuple[str, ...], assumed: str | None
) -> None:
    wave = times(plan(("w", "a", changes)), here(approved=approved))["w"]
    assert wave.assumes == (() if assumed is None else (assumed,))
    assert wave.begins == NOW


@pytest.mark.parametrize(
    ("state", "waits"), [(MoveState.COPYING, True), (MoveState.READY, True), (MoveState.SOAKING, False)]
)
def test_a_wave_that_copies_already_still_waits_for_its_approval(state: MoveState, waits: bool) -> None:
    wave = times(plan(("w", "a", {"approval_required": True})), here(record(A, state)))["w"]
    assert (wave.assumes == ("wave w is approved at once",)) is waits


def test_what_an_operator_holds_is_taken_to_be_let_go_at_once() -> None:
    held = replace(here(), held=frozenset({"w"}))
    found = times(plan(("w", "a", {}), ("x", "b", {"after": ("w",)})), held)
    assert found["w"].assumes == ("wave w, which an operator holds or pauses, is let go at once",)
    assert found["x"].assumes == ()


def test_a_halted_move_goes_on_from_where_it_stopped_and_a_reversed_one_from_the_beginning() -> None:
    halted = record(
        A, MoveState.HALTED, resume_from=MoveState.SOAKING, switched_at=NOW, figures=Figures(soak_seconds=600)
    )
    back = record(B, MoveState.REVERSED, direction=Direction.REVERSE)
    wave = times(plan(("w", "ab", {})), here(halted, back), {A: Inventory(60_000, 0), B: Inventory(60_000, 0)})["w"]
    assert wave.assumes == ("eu/a (halted) is retried at once", "eu/b (reversed) is retried at once")
    assert wave.moves[0].soaked == later(HOUR - 600)
    assert wave.moves[1].ready > later(COPY)


def test_slack_is_counted_to_the_promised_date() -> None:
    wave = times(plan(("w", "a", {"complete_by": NOW + timedelta(hours=2)})))["w"]
    assert wave.slack_seconds == pytest.approx(HOUR - EMPTY - DRAIN - SHORT - FENCE)
    assert times(plan(("w", "a", {})))["w"].slack_seconds is None


def test_a_plan_need_not_name_its_waves_in_their_order() -> None:
    found = times(plan(("x", "b", {"after": ("w",)}), ("w", "a", {})))
    assert list(found) == ["x", "w"]
    assert found["x"].begins == found["w"].soaked
