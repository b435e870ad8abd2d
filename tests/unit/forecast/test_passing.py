"""How long passes take, by fixed inputs: copies under way, first listings, and passes until the lag is small."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from migrator.forecast import Inventory
from migrator.forecast.means import UNMEASURED, Means, means_from_note, means_to_note
from migrator.forecast.passing import (
    HEADROOM,
    MOST_PASSES,
    beginning_seconds,
    catching_up,
    first_lanes,
    first_listing_seconds,
    first_parts,
    machine_seconds,
    under_way_seconds,
)
from migrator.forecast.spread import Range
from migrator.transfer import limits


def test_copies_go_in_windows_that_grow() -> None:
    one = Means(processes=1)
    assert under_way_seconds(0, 0.02, one) == 0.0
    assert under_way_seconds(64, 0.02, one) == pytest.approx(0.02)
    assert under_way_seconds(65, 0.02, one) == pytest.approx(0.04)
    # 3,200 a second for half a second, then twice as many
    assert under_way_seconds(1_600 + 128, 0.02, one) == pytest.approx(0.5 + 0.02)
    assert under_way_seconds(10_000, 0.02, Means(processes=4)) == pytest.approx(0.5 + 3_600 / 512 * 0.02, abs=0.03)


def test_a_first_copy_lists_eight_containers_or_parts_of_them_at_a_time() -> None:
    assert (first_lanes(Inventory(5, 0)), first_lanes(Inventory(5, 0, prefixes=200))) == (1, 8)
    assert (first_parts(Inventory(25_000, 0)), first_parts(Inventory(400_000, 0))) == (2, 40)
    assert first_listing_seconds(Inventory(9_000, 0), 0.2, 0.02) == pytest.approx(2 * 0.2 + 0.02)
    assert first_listing_seconds(Inventory(20_000, 0), 0.2, 0.02) == pytest.approx(2 * 0.2 + 0.02)
    assert first_listing_seconds(Inventory(400_000, 0), 0.2, 0.02) == pytest.approx(5 * (2 * 0.2 + 0.02))
    assert first_listing_seconds(Inventory(20, 0, prefixes=16), 0.2, 0.02) == pytest.approx(2 * 0.22)


def test_for_a_first_copy_in_parts_both_accounts_are_asked_something() -> None:
    assert beginning_seconds(Inventory(20_000, 0), 0.2) == pytest.approx(0.6)
    assert beginning_seconds(Inventory(20, 0, prefixes=16), 0.2) == 0.0


def test_a_machine_s_work_is_spread_over_its_cores_and_an_embedded_one_s_is_not() -> None:
    inventory, free = Inventory(100_000, 0), {"commit_seconds": 0.0}
    two, eight, none = (Means(processes=n, cores=max(1, n), **free) for n in (2, 8, 0))
    assert machine_seconds(inventory, two, is_embedded=False) == pytest.approx(100_000 * 27.5e-6)
    assert machine_seconds(inventory, eight, is_embedded=False) == pytest.approx(100_000 * 25e-6), (
        "this process settles all"
    )
    assert machine_seconds(inventory, none, is_embedded=False) == pytest.approx(100_000 * 55e-6)
    here = Means(embedded_copy_seconds=0.001, **free)
    assert machine_seconds(inventory, here, is_embedded=True) == pytest.approx(100.0)


def test_passes_follow_until_the_lag_is_small_or_there_is_no_end() -> None:
    still = catching_up(100.0, 5.0, 0.001, 0.0, 1_000)
    assert (still.passes, still.changes, still.seconds) == (1, 0.0, 5.0)
    busy = catching_up(100.0, 5.0, 0.01, 20.0, 1_000)  # 2,000 in the first 100 s, 500 in the 25 s after that
    assert (busy.passes, busy.changes, busy.seconds, busy.last_seconds) == (2, 2_500, 25.0 + 10.0, 10.0)
    hopeless = catching_up(100.0, 5.0, 1.0, 2.0, 10)
    assert hopeless.passes == MOST_PASSES


def test_a_budget_is_used_as_far_as_it_is_granted() -> None:
    assert limits.HEADROOM == HEADROOM


def test_means_are_kept_and_odd_notes_count_as_nothing() -> None:
    means = Means(
        2.0, 4, 8, 0.001, 0.01, 6, {"a": 0.02}, {"a": 0.2}, {"a b": 0.03}, measured_at=datetime(2026, 12, 1, tzinfo=UTC)
    )
    assert means_from_note(means_to_note(means)) == means
    assert means_from_note(means_to_note(UNMEASURED)) == UNMEASURED
    for odd in (None, 7, {}, {**means_to_note(means), "answers": 7}, {**means_to_note(means), "slowness": "much"}):
        assert means_from_note(odd) == UNMEASURED


def test_a_range_is_a_factor_both_ways_and_keeps_what_is_exact() -> None:
    one = Range.around(12.0, 0.2, least=2.0)
    assert (one.low, one.likely, one.high) == pytest.approx((2.0 + 10.0 / 1.2, 12.0, 14.0))
    assert Range.around(12.0, 0.2, most=30.0).high == 30.0
    assert Range.around(10.0, 0.3, 0.4).high == pytest.approx(15.0)
