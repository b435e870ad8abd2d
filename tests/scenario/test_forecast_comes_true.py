"""The forecast held against the real engine in virtual time: what it says of days comes true within two intervals of samples."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from migrator.forecast import Inventory, WaveTimes, look_ahead
from migrator.model.moves import MoveState
from migrator.standing.starting import starting_point
from migrator.testing.simulation.loop import WORLD_BEGINS
from tests.scenario.weeks import APP_ERRORS, HOURS, MINUTES, Weeks

INTERVAL = 5 * MINUTES
SOAK = 12 * HOURS


@pytest.fixture
def weeks(tmp_path: Path) -> Iterator[Weeks]:
    made = Weeks(tmp_path)
    yield made
    made.end()


def forecast(weeks: Weeks) -> dict[str, WaveTimes]:
    schedule = weeks.schedule
    inventories = {move.id: Inventory(3, 3) for move in schedule.moves}
    outlook = look_ahead(schedule, inventories, starting_point(schedule, weeks.state, weeks.now()))
    return {wave.name: wave for wave in outlook.waves}


def ended(weeks: Weeks, wave: str) -> datetime:
    found = next(one for one in weeks.state.waves() if one.name == wave).ended_at
    assert found is not None
    return found


def apart(one: datetime | None, other: datetime | None) -> float:
    assert one is not None
    assert other is not None
    return abs((one - other).total_seconds())


@pytest.mark.parametrize(("window", "settle"), [(300, 0), (600, 300), (60, 1_200)])
def test_two_waves_end_when_the_forecast_said_at_their_begin(weeks: Weeks, window: float, settle: float) -> None:
    gate = replace(APP_ERRORS, window_seconds=window, settle_seconds=settle)
    weeks.wave("first", "america/web", gates=(gate,), soak_seconds=SOAK)
    weeks.wave("second", "europe/web", after=("first",), gates=(gate,), soak_seconds=SOAK / 2)
    weeks.fill()
    said = forecast(weeks)
    assert weeks.apply() is not None
    assert apart(said["first"].soaked, ended(weeks, "first")) <= 2 * INTERVAL
    assert apart(said["second"].soaked, ended(weeks, "second")) <= 4 * INTERVAL


@pytest.mark.parametrize("hours", [0.2, 5, 11])
def test_a_forecast_from_the_middle_of_a_soak_comes_true_as_well(weeks: Weeks, hours: float) -> None:
    weeks.wave("first", "america/web", soak_seconds=SOAK)
    weeks.fill()
    assert weeks.apply(until=WORLD_BEGINS + timedelta(hours=hours)) is None
    said = forecast(weeks)["first"]
    assert said.is_begun
    assert weeks.apply() is not None
    assert apart(said.soaked, ended(weeks, "first")) <= 2 * INTERVAL


def test_moves_that_take_turns_end_when_the_forecast_said(weeks: Weeks) -> None:
    """Both soak side by side: the second one only waits for the first one's cut-over."""
    weeks.wave("both", "america/web", "europe/web", max_moves=1, soak_seconds=SOAK)
    weeks.fill()
    said = forecast(weeks)["both"]
    assert weeks.apply() is not None
    assert weeks.record("europe/web").state is MoveState.SOAKED
    assert apart(said.soaked, ended(weeks, "both")) <= 2 * INTERVAL
    assert ended(weeks, "both") < WORLD_BEGINS + timedelta(hours=13)


def test_a_soak_that_starts_again_moves_the_dates_of_the_waves_after_it(weeks: Weeks) -> None:
    weeks.wave("first", "america/web", soak_seconds=SOAK)
    weeks.wave("second", "europe/web", after=("first",), soak_seconds=SOAK)
    weeks.fill()
    bad = WORLD_BEGINS + timedelta(hours=8)
    weeks.app.figure = lambda at: 9.0 if bad <= at < bad + timedelta(minutes=5) else 0.0
    at_first = forecast(weeks)
    assert weeks.apply(until=bad + timedelta(hours=1)) is None
    later = forecast(weeks)
    moved = (later["second"].soaked or bad) - (at_first["second"].soaked or bad)
    assert timedelta(hours=7) < moved < timedelta(hours=9)
    assert weeks.apply() is not None
    assert apart(later["second"].soaked, ended(weeks, "second")) <= 4 * INTERVAL
