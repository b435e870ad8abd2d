"""A comparison is bound by requests, by pages that are under way side by side, or by this machine's work on each name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.adapters.workers.pool import LOOKS_WORTH
from migrator.forecast import Inventory
from migrator.forecast.means import Means
from migrator.forecast.scans import (
    EMBEDDED_NAME_PART,
    HANDED_LEAST,
    HANDED_WORTH,
    NAME_SECONDS,
    PAGE_SECONDS,
    SAME_SECONDS,
    handed_lanes,
    has_lanes,
    lanes_of,
    scan_seconds,
    tells_texts,
)
from migrator.model.rhythm import USUAL, Sizes
from migrator.model.schedule import Account
from migrator.transfer.lanes import Lane, Looking, partition

FAST = 1e9


def held(objects: int, prefixes: int = 1, page_seconds: float = 0.0) -> Inventory:
    return Inventory(objects, 0, prefixes=prefixes, page_seconds=page_seconds)


@pytest.mark.parametrize("objects", [1, 10_000, 35_000, 100_000, 400_000, 6_000_000, 100_000_000])
@pytest.mark.parametrize("each", [2_500, 10_000])
def test_as_many_lanes_are_under_way_as_the_data_plane_makes(objects: int, each: int) -> None:
    whole, sizes = Lane("c", "", "utf-8"), USUAL.sizes
    bounds = [b"%09d" % number for number in range(1, -(-objects // each))]
    ranges = [(one, each * 24) for one in bounds] + [(None, (objects - each * len(bounds)) * 24)]
    lanes = partition(whole, ranges, sizes)
    looking = Looking(sizes, 128)
    weights = [looking.weight(lane, 5_000, is_known=True) for lane in lanes]
    most = min(sizes.lanes, sum(sum(weights[: number + 1]) <= sizes.names_listed for number in range(len(weights))))
    assert lanes_of(held(objects)) == pytest.approx(most, rel=0.3)


def test_small_containers_go_beside_each_other() -> None:
    assert lanes_of(held(2_000, prefixes=200)) == USUAL.sizes.lanes
    assert scan_seconds(held(2_000, prefixes=200), FAST) == pytest.approx(0.2 + 4 * 0.2 + 2_000 / 4 * NAME_SECONDS)
    assert lanes_of(held(2_000_000, prefixes=200)) < USUAL.sizes.lanes, "there is no room for so many full pages"


def test_the_slowest_bound_decides() -> None:
    assert scan_seconds(held(6_000_000), 10.0) == pytest.approx(1_201 / 10.0)
    assert scan_seconds(held(6_000_000), FAST) == pytest.approx(2 * 0.2 + 6_000_000 * NAME_SECONDS)
    distant, rounds = held(6_000_000, page_seconds=5.0), 1_200 / 8
    assert lanes_of(distant) == 8
    assert scan_seconds(distant, FAST) == pytest.approx(5.0 + rounds * 5.0 + 6_000_000 / rounds * NAME_SECONDS)


def test_a_slower_machine_takes_longer_and_files_of_it_have_no_pages() -> None:
    slow = Means(slowness=3.0, embedded_copy_seconds=0.001)
    assert scan_seconds(held(6_000_000), FAST, means=slow) == pytest.approx(0.4 + 3 * 6_000_000 * NAME_SECONDS)
    here = scan_seconds(held(10_000), FAST, means=slow, is_embedded=True)
    assert here == pytest.approx(10_000 * 0.001 * EMBEDDED_NAME_PART)
    assert scan_seconds(held(10_000), 1.0, means=slow, is_embedded=True) == 3.0


def test_what_looks_as_before_costs_an_eighth() -> None:
    known = 6_000_000 * SAME_SECONDS
    assert scan_seconds(held(6_000_000, page_seconds=0.01), FAST, known=1.0) == pytest.approx(0.02 + known)
    half = 3_000_000 * (SAME_SECONDS + NAME_SECONDS)
    assert scan_seconds(held(6_000_000), FAST, known=0.5) == pytest.approx(0.4 + half)
    pages = 0.2 + 150 * 0.2 + known / 150
    assert scan_seconds(held(6_000_000), FAST, known=1.0) == pytest.approx(pages), "pages take longer"
    assert tells_texts([Account("a", "azure"), Account("b", "azure")])
    assert not tells_texts([Account("a", "azure"), Account("b", "local", path="b.db")])


def test_what_was_measured_counts_before_what_is_assumed() -> None:
    assert scan_seconds(held(10), FAST) == pytest.approx(2 * PAGE_SECONDS + 10 * NAME_SECONDS)
    assert scan_seconds(held(10, page_seconds=0.03), FAST) == pytest.approx(2 * 0.03 + 10 * NAME_SECONDS)


def test_without_lanes_each_container_is_listed_page_after_page() -> None:
    one, many, work = held(100_000), held(100_000, prefixes=20), 100_000 * NAME_SECONDS
    assert scan_seconds(one, FAST, in_lanes=False) == pytest.approx(0.2 + 20 * 0.2 + work / 20)
    assert scan_seconds(many, FAST, in_lanes=False) == pytest.approx(0.4 + work)
    assert scan_seconds(one, FAST) == pytest.approx(0.4 + work)


def test_a_version_of_before_lists_page_after_page() -> None:
    newer, none = (Account("a", "azure", api_version=one) for one in ("2026-02-06", None))
    assert has_lanes([newer, none])
    assert not has_lanes([none, Account("b", "azure", api_version="2025-11-05")])


def test_less_room_is_fewer_lanes() -> None:
    inventory = held(6_000_000)
    assert lanes_of(inventory, replace(Sizes(), names_listed=80_000)) == 4


def test_what_is_worth_another_process_is_what_processes_take() -> None:
    assert (LOOKS_WORTH, USUAL.sizes.handed_least) == (HANDED_WORTH, HANDED_LEAST)


def test_worker_processes_look_at_lanes_of_their_own_where_there_are_many_names() -> None:
    two, eight = (Means(processes=number, cores=number, looks=6) for number in (2, 8))
    assert (handed_lanes(held(6_000_000), two), handed_lanes(held(6_000_000), eight)) == (12, 48)
    assert handed_lanes(held(6_000_000), Means(processes=0, looks=6)) == 0, "nobody else is there"
    assert handed_lanes(held(6_000_000), Means(processes=2)) == 0, "they only copy"
    assert handed_lanes(held(90_000), two) == 0, "too few to begin for"
    assert handed_lanes(held(200_000, prefixes=1_000), two) == 0, "too few in each"
    assert handed_lanes(held(100_000), eight) == 5, "no more than there are"
    known = 6_000_000 * SAME_SECONDS
    pages = 0.2 + 100 * 0.2 + known / 2 / 100
    assert scan_seconds(held(6_000_000), FAST, known=1.0, means=two) == pytest.approx(pages)
    assert scan_seconds(held(6_000_000), FAST, known=1.0, means=eight) == pytest.approx(0.2 + 25 * 0.2 + known / 8 / 25)
