"""Numbers for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from migrator.cli.views.figures import count, duration, instant, size, stamp


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (3.0, "3 s"),
        (2.44, "2.4 s"),
        (42.9, "42 s"),
        (60, "1 min"),
        (310, "5 min 10 s"),
        (12_000, "3 h 20 min"),
        (345_600, "4 d"),
        (352_800, "4 d 2 h"),
        (-30, "-30 s"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (1023, "1,023 B"), (1024, "1 KiB"), (1_288_490_189, "1.2 GiB"), (2**60, "1,024 PiB")],
)
def test_sizes_have_binary_steps(amount: int, text: str) -> None:
    assert size(amount) == text


def test_counts_have_thousands_and_instants_are_utc() -> None:
    assert count(12034) == "12,034"
    berlin = datetime(2026, 12, 1, 3, 0, tzinfo=timezone(timedelta(hours=1)))
    assert instant(berlin) == "2026-12-01 02:00:00 UTC"
    assert stamp(berlin) == "2026-12-01T02:00:00Z"
    assert stamp(datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC)) == "2026-01-01T00:00:00.500000Z"
    assert instant(None) == "—"
