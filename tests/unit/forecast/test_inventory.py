"""Inventories add up, keep their origin, and an estimate is right on average and says how far off it may be."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator.forecast.inventory import (
    LARGE_ABOVE_BYTES,
    NOTHING,
    Descent,
    Inventory,
    changed_since,
    declared,
    estimated,
    from_note,
    summed,
    to_note,
)
from migrator.model.schedule import Declared

AT = datetime(2026, 12, 1, tzinfo=UTC)


def test_objects_above_the_limit_of_one_request_are_large() -> None:
    inventory = NOTHING.with_objects([10]).with_objects([LARGE_ABOVE_BYTES, LARGE_ABOVE_BYTES + 1])
    assert (inventory.objects, inventory.large_objects, inventory.large_bytes) == (3, 1, LARGE_ABOVE_BYTES + 1)
    assert inventory.bytes == 2 * LARGE_ABOVE_BYTES + 11


def test_listings_add_up_and_one_estimate_makes_the_whole_an_estimate() -> None:
    counted, guessed = Inventory(100, 1_000), Inventory(300, 9_000, origin="sampled", error_ratio=0.2)
    whole = summed([counted, guessed, guessed])
    assert (whole.objects, whole.bytes, whole.prefixes, whole.origin) == (700, 19_000, 3, "sampled")
    assert whole.error_ratio == pytest.approx((2 * 60**2) ** 0.5 / 700)
    assert summed([counted, counted]).origin == "counted"
    assert summed([]) == NOTHING


def test_what_the_plan_says_is_declared() -> None:
    assert declared(Declared(6, 7.0)) == Inventory(6, 7, origin="declared")


def test_descents_that_agree_leave_no_error() -> None:
    found = estimated([Descent(16.0, Inventory(250, 2_500))] * 4)
    assert (found.objects, found.bytes, found.error_ratio, found.origin) == (4_000, 40_000, 0.0, "sampled")


def test_one_descent_alone_is_wholly_uncertain() -> None:
    assert estimated([Descent(2.0, Inventory(5, 5))]).error_ratio == 1.0


def test_the_estimate_of_an_uneven_tree_is_right_on_average_and_its_error_is_honest() -> None:
    """Four branches of very different size: 10, 200, 3,000 and 50 objects."""
    sizes, chance = [10, 200, 3_000, 50], random.Random(7)
    runs = [estimated([Descent(4.0, Inventory(chance.choice(sizes), 0)) for _ in range(12)]) for _ in range(400)]
    mean = sum(run.objects for run in runs) / len(runs)
    assert mean == pytest.approx(sum(sizes), rel=0.1)
    within = sum(abs(run.objects - sum(sizes)) <= 2 * run.error_ratio * run.objects for run in runs)
    assert within >= 0.75 * len(runs)


def test_what_is_kept_comes_back_with_its_age_and_anything_else_is_nothing() -> None:
    inventory = Inventory(5, 6, 1, 2, 3, origin="sampled", error_ratio=0.1)
    tiers = replace(inventory, cool_bytes=4, cold_bytes=1, archive_bytes=1)
    assert from_note(to_note(tiers, AT)) == replace(tiers, origin="kept", counted_at=AT)
    of_before = {
        key: held for key, held in to_note(tiers, AT).items() if not key.startswith(("cool", "cold", "archive"))
    }
    assert from_note(of_before) == replace(inventory, origin="kept", counted_at=AT)
    kept = from_note(to_note(inventory, AT))
    assert kept == Inventory(5, 6, 1, 2, 3, origin="kept", error_ratio=0.1, counted_at=AT)
    for damaged in (
        None,
        {},
        [],
        {**to_note(inventory, AT), "objects": "many"},
        {**to_note(inventory, AT), "counted_at": 3},
    ):
        assert from_note(damaged) is None


def test_two_listings_tell_how_much_customers_change() -> None:
    then = datetime(2026, 12, 1, tzinfo=UTC)
    before = replace(Inventory(1_000, 100_000), counted_at=then, origin="kept")
    later = then + timedelta(seconds=100)
    assert changed_since(before, Inventory(1_500, 150_000), later).changes_per_second == 5.0, "objects came"
    assert changed_since(before, Inventory(900, 90_000), later).changes_per_second == 1.0, "or went"
    assert changed_since(before, Inventory(1_000, 120_000), later).changes_per_second == pytest.approx(
        20_000 / 120 / 100
    )
    assert changed_since(before, Inventory(1_000, 100_000), later).changes_per_second == 0.0
    many = changed_since(before, Inventory(1_000, 10**9), later).changes_per_second
    assert many == pytest.approx(10.0, rel=0.001), "no more than there are"
    for unknown in (None, replace(before, counted_at=None), replace(before, error_ratio=0.1)):
        assert changed_since(unknown, Inventory(1_500, 1), later).changes_per_second is None
    known = replace(before, changes_per_second=3.0)
    assert changed_since(known, Inventory(1_500, 1), then).changes_per_second == 3.0, "too soon to tell anything new"
    assert from_note(to_note(known, then)) == replace(known, origin="kept")
