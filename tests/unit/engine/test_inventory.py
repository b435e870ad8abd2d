"""Counting and sampling a source: exact where it is short, honest where it is long, and never a name of our own."""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterable

import pytest

from migrator.engine.inventory import sample, survey
from migrator.model.objects import Features, Listed, ListingPage, Survey
from migrator.ports.object_store import ObjectStore


class Shelf:
    """A listing in memory, pages and markers included; it counts what it is asked."""

    account = "shelf"

    def __init__(self, names: Iterable[str], size: int = 10) -> None:
        self.names, self.size, self.asked = sorted(names), size, 0

    async def page(
        self, container: str, *, prefix: str = "", marker: str | None = None, limit: int = 5000
    ) -> ListingPage:
        self.asked += 1
        begin = int(marker) if marker else bisect_left(self.names, prefix)
        names = [name for name in self.names[begin : begin + limit + 1] if name.startswith(prefix)]
        entries = tuple(Listed(name, "e", self.size) for name in names[:limit])
        return ListingPage(entries, str(begin + limit) if len(names) > limit else None)

    async def survey(self, container: str, *, prefix: str = "", marker: str | None = None) -> Survey:
        """Each page has one archived blob."""
        page = await self.page(container, prefix=prefix, marker=marker)
        sizes = [one.size for one in page.entries if not one.name.startswith(".migrate/")]
        return Survey(sizes, Features(archived=1), page.marker)


def shelf(names: Iterable[str]) -> tuple[ObjectStore, Shelf]:
    made = Shelf(names)
    return made, made  # type: ignore[return-value]


async def test_every_page_is_counted_and_our_own_names_are_not() -> None:
    store, _ = shelf([*(f"n/{index:05d}" for index in range(12_000)), ".migrate/canary"])
    pages: list[int] = []
    found, features = await survey(store, "c", "", now=lambda: 0.0, counted=pages.append)
    assert sum(pages) == found.objects
    assert features == Features(archived=3)
    assert (found.objects, found.bytes, found.prefixes, found.origin) == (12_000, 120_000, 1, "counted")


async def test_how_long_a_page_takes_is_measured_and_one_slow_page_is_no_slow_service() -> None:
    store, _ = shelf(f"n/{index:05d}" for index in range(20_001))
    moments = iter([0.0, 0.2, 1.0, 1.2, 2.0, 9.0, 10.0, 10.2, 11.0, 11.3])
    found, _ = await survey(store, "c", "", now=lambda: next(moments), counted=lambda objects: None)
    assert found.page_seconds == pytest.approx(0.2)
    moments = iter([0.0, 0.3])
    short, _ = shelf(["n"])
    assert (await sample(short, "c", "", now=lambda: next(moments), chance=random.random)).page_seconds == 0.3


async def test_a_short_listing_is_counted_also_by_a_sample() -> None:
    store, asked = shelf(f"n/{index:05d}" for index in range(9_999))
    found = await sample(store, "c", "n/", now=lambda: 0.0, chance=random.Random(1).random)
    assert (found.objects, found.origin, found.error_ratio) == (9_999, "counted", 0.0)
    assert asked.asked == 2


async def test_names_spread_evenly_are_estimated_closely_with_few_pages() -> None:
    chance = random.Random(3)
    store, _ = shelf(f"events/{chance.getrandbits(64):016x}" for _ in range(200_000))
    found = await sample(store, "c", "events/", now=lambda: 0.0, chance=chance.random)
    assert found.origin == "sampled"
    assert found.error_ratio < 0.05
    assert found.objects == pytest.approx(200_000, rel=0.05)
    assert found.bytes == pytest.approx(10 * found.objects, rel=0.001)


async def test_names_spread_unevenly_are_estimated_with_an_error_that_says_so() -> None:
    """Three years, each five times the one before."""
    years = ((2024, 4_000), (2025, 20_000), (2026, 100_000))
    names = [f"log/{year}/{index:06d}" for year, number in years for index in range(number)]
    store, _ = shelf(names)
    found = await sample(store, "c", "log/", now=lambda: 0.0, chance=random.Random(5).random)
    assert abs(found.objects - len(names)) <= 3 * found.error_ratio * found.objects + 0.02 * len(names)


async def test_names_beyond_ascii_do_not_hang_a_sample() -> None:
    store, _ = shelf(f"é{index:06d}" for index in range(12_000))
    found = await sample(store, "c", "", now=lambda: 0.0, chance=random.Random(1).random)
    assert found.origin == "sampled"
    assert found.objects == 10_000  # what was read: the characters that go on are not tried
