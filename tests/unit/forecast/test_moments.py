"""Sums of times end before the calendar does."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from migrator.forecast.moments import LONGEST, NEVER, later, span

NOW = datetime(2026, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [1e12, 1e30, math.inf, math.nan])
def test_what_takes_for_ever_never_ends(seconds: float) -> None:
    assert later(NOW, seconds) == NEVER
    assert later(NEVER, seconds) == NEVER
    assert span(seconds) == LONGEST


def test_what_ends_is_added() -> None:
    assert later(NOW, 90.0) == NOW + timedelta(seconds=90)
    assert later(NOW, -5.0) == NOW
