"""The simulated comparison counts pages as lanes share them, and takes no time of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.simulated_lanes import PAGE_SECONDS, VirtualLoop, measure


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    one = VirtualLoop()
    yield one
    one.close()


@pytest.mark.parametrize(("lanes", "rounds"), [(1, 41), (4, 11)])
def test_lanes_share_the_pages(loop: VirtualLoop, tmp_path: Path, lanes: int, rounds: int) -> None:
    """Forty ranges of a page each, the containers first, and one page that shows that services begin in the middle."""
    found = measure(loop, str(tmp_path), ranges=40, names=20, page=20, lanes=lanes)
    assert found["under_way"] == lanes
    assert rounds * PAGE_SECONDS <= found["seconds"] <= 2.5 * rounds * PAGE_SECONDS
