"""What earlier waves showed: outcomes become factors, the latest counts most, and what was corrected already is taken out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from migrator.forecast.grounds import Grounds
from migrator.forecast.inventory import Inventory
from migrator.forecast.learned import MOST, NOTHING_LEARNED, change_share, corrections_of
from migrator.model.moves import Figures, MoveRecord, MoveState, WaveRecord
from migrator.model.names import MoveId

NOW = datetime(2026, 11, 25, tzinfo=UTC)
WEB = MoveId("eu", "web")


def ended(
    name: str,
    hours: float,
    copy: tuple[float, float] | None = None,
    pause: tuple[float, float] | None = None,
    requests: tuple[float, float] | None = None,
    *,
    drain: float = 0.0,
    corrected: Mapping[str, float] | None = None,
) -> WaveRecord:
    """``(actual, forecast)`` of each."""
    figures = {"copy_seconds": copy, "fence_seconds": pause, "requests": requests}
    outcome = {
        kind: {"actual": one[0] if one else None, "forecast": one[1] if one else None} for kind, one in figures.items()
    }
    kept: dict[str, Any] = {"outcome": outcome, "moves": {"eu/web": {"objects": 1_000, "drain_seconds": drain}}}
    if corrected is not None:
        kept["corrected"] = corrected
    return WaveRecord(name, 0, begun_at=NOW, ended_at=NOW + timedelta(hours=hours), forecast=kept)


def test_nothing_is_learned_from_nothing() -> None:
    assert corrections_of([]) == NOTHING_LEARNED
    assert corrections_of([WaveRecord("w", 0, begun_at=NOW, forecast={"moves": {}})]) == NOTHING_LEARNED
    odd = WaveRecord("w", 0, ended_at=NOW, forecast={"outcome": "lost", "corrected": 7})
    assert corrections_of([odd]) == NOTHING_LEARNED
    assert corrections_of([ended("w", 1, (3.0, 0.0), None, (5.0, 0.0))]) == NOTHING_LEARNED
    assert NOTHING_LEARNED.in_words() == ""


def test_an_outcome_corrects_each_kind_by_itself_and_no_drain() -> None:
    found = corrections_of([ended("w", 1, (20.0, 10.0), (97.0, 96.0), (90.0, 100.0), drain=95.0)])
    assert (found.copy, found.pause, found.requests, found.waves) == pytest.approx((2.0, 2.0, 0.9, 1))
    assert found.in_words() == "copying x 2.00, pause x 2.00, requests x 0.90 after the outcome of one wave"


def test_what_a_forecast_was_corrected_with_is_taken_out() -> None:
    first = ended("w", 1, (20.0, 10.0))
    second = ended("x", 2, (20.0, 20.0), corrected={"copy_seconds": 2.0})
    assert corrections_of([first, second]).copy == pytest.approx(2.0), "it came true, so the factor stays"


def test_the_latest_counts_most_and_none_goes_to_extremes() -> None:
    waves = [ended("x", 2, (10.0, 10.0)), ended("w", 1, (40.0, 10.0))]
    assert corrections_of(waves).copy == pytest.approx(4.0 ** (0.5 / 1.5))
    assert corrections_of([ended("w", 1, (1e6, 1.0))]).copy == pytest.approx(MOST)
    assert corrections_of([ended("w", 1, (1.0, 1e6))]).copy == pytest.approx(1 / MOST)


def test_what_was_copied_beyond_what_there_was_is_what_customers_changed() -> None:
    def record(copied: int) -> MoveRecord:
        figures = Figures(objects_copied=copied, copy_seconds=10.0)
        return MoveRecord(WEB, "w", "a", "b", MoveState.SOAKED, figures=figures)

    waves = [ended("w", 1)]
    assert change_share(waves, {WEB: record(1_100)}) == pytest.approx(0.01)
    assert change_share(waves, {WEB: record(900)}) == 0.0
    assert change_share([], {WEB: record(1_100)}) is None
    assert change_share(waves, {}) is None
    grounds = Grounds(change_share=0.01)
    assert grounds.changes_per_second(Inventory(500, 0)) == pytest.approx(5.0)
    assert grounds.changes_per_second(Inventory(500, 0, changes_per_second=2.0)) == 2.0, (
        "listings of its own count first"
    )
    assert Grounds().changes_per_second(Inventory(500, 0)) is None
