"""Quantities are read as people write them, refused in one clause otherwise, and shown with at most two figures."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.model.units import (
    parse_bound,
    parse_count,
    parse_duration,
    parse_ratio,
    parse_size,
    show_bytes,
    show_count,
    show_duration,
    show_ratio,
)

READ = [
    (parse_duration, "500ms", 0.5),
    (parse_duration, "30s", 30),
    (parse_duration, "5m", 300),
    (parse_duration, "96h", 345_600),
    (parse_duration, "7d", 604_800),
    (parse_duration, "1h30m", 5400),
    (parse_duration, "1.5h", 5400),
    (parse_duration, "1m500ms", 60.5),
    (parse_duration, " 5s ", 5),
    (parse_duration, 0, 0),
    (parse_duration, "0", 0),
    (parse_size, "500MiB", 500 * 1024**2),
    (parse_size, "2GB", 2 * 10**9),
    (parse_size, "1.5KiB", 1536),
    (parse_size, "12 B", 12),
    (parse_size, 0, 0),
    (parse_count, "60k", 60_000),
    (parse_count, "2.4M", 2_400_000),
    (parse_count, "1G", 10**9),
    (parse_count, 17, 17),
    (parse_count, 0.001, 0.001),
    (parse_count, 1e-7, 1e-7),
    (parse_ratio, "15%", 0.15),
    (parse_ratio, "0.1 %", 0.001),
    (parse_ratio, "150%", 1.5),
    (parse_bound, -3, -3),
    (parse_bound, 0.001, 0.001),
    (parse_bound, "2M", 2_000_000),
    (parse_bound, "15%", 0.15),
]


@pytest.mark.parametrize(("read", "written", "value"), READ)
def test_what_people_write_is_read(read: Callable[[object], float], written: object, value: float) -> None:
    assert read(written) == value


REFUSED = [
    (parse_duration, "30", "'30' is not a duration: write a number and ms, s, m, h or d, such as 30s or 96h"),
    (parse_duration, 30, "'30' is not a duration"),
    (parse_duration, "5M", "'5M' is not a duration"),
    (parse_duration, "-5s", "'-5s' is not a duration"),
    (parse_duration, "30m1h", "larger units come first, each once"),
    (parse_duration, "1h1h", "larger units come first, each once"),
    (parse_duration, "5s ago", "'5s ago' is not a duration"),
    (parse_duration, "", "'' is not a duration"),
    (parse_duration, "٣s", "is not a duration"),
    (parse_duration, "1e3s", "is not a duration"),
    (parse_duration, "9999d", "is more than ten years"),
    (parse_duration, True, "expected a quantity"),
    (parse_duration, None, "expected a quantity"),
    (parse_duration, ["5s"], "expected a quantity"),
    (parse_duration, "9" * 100 + "s", "is not a duration"),
    (parse_size, "500", "'500' is not a size: write a number and a unit, such as 500MiB or 2GB"),
    (parse_size, "500M", "'500M' is not a size"),
    (parse_size, "500mb", "'500mb' is not a size"),
    (parse_count, "2.4m", "'2.4m' is not a count: write a number, or one with k or M, such as 60k or 2.4M"),
    (parse_count, "-1", "'-1' is not a count"),
    (parse_count, float("inf"), "'inf' is not a count"),
    (parse_count, float("nan"), "'nan' is not a count"),
    (parse_ratio, "0.15", "'0.15' is not a percentage: write a number and %, such as 15%"),
    (parse_ratio, 0.15, "'0.15' is not a percentage"),
    (parse_bound, "much", "'much' is not a number: write one such as 0.001, 2M or 15%"),
    (parse_bound, float("inf"), "a bound must be a finite number"),
    (parse_bound, False, "expected a quantity"),
]


@pytest.mark.parametrize(("read", "written", "says"), REFUSED)
def test_anything_else_is_refused_in_one_clause(read: Callable[[object], float], written: object, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as caught:
        read(written)
    assert len(str(caught.value)) < 160


SHOWN = [
    (show_duration, 0, "0 s"),
    (show_duration, 0.04, "0.1 s"),
    (show_duration, 0.44, "0.4 s"),
    (show_duration, 9.96, "10.0 s"),
    (show_duration, 42.9, "42 s"),
    (show_duration, 60, "1 min"),
    (show_duration, 310, "5 min 10 s"),
    (show_duration, 12_000, "3 h 20 min"),
    (show_duration, 345_600, "4 d"),
    (show_duration, 352_800, "4 d 2 h"),
    (show_duration, -90, "-1 min 30 s"),
    (show_count, 0, "0"),
    (show_count, 950, "950"),
    (show_count, 999.96, "1 k"),
    (show_count, 60_000, "60 k"),
    (show_count, 999_960, "1 M"),
    (show_count, 2_400_000, "2.4 M"),
    (show_bytes, 0, "0 B"),
    (show_bytes, 512, "512 B"),
    (show_bytes, 1536, "1.5 KiB"),
    (show_bytes, 1024**2 - 1, "1 MiB"),
    (show_bytes, 3 * 2**40, "3 TiB"),
    (show_bytes, 3 * 2**60, "3,072 PiB"),
    (show_ratio, 0.15, "15%"),
    (show_ratio, 0.001, "0.1%"),
]


@pytest.mark.parametrize(("show", "value", "text"), SHOWN)
def test_quantities_are_shown_for_people(show: Callable[[float], str], value: float, text: str) -> None:
    assert show(value) == text


@given(st.integers(0, 3_000_000))
def test_a_duration_in_any_unit_is_the_same_time(seconds: int) -> None:
    hours, rest = divmod(seconds, 3600)
    assert parse_duration(f"{seconds}s") == parse_duration(f"{hours}h{rest}s") == seconds
