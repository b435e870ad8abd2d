"""When a forecast came true, as ``python -m tests.forecasts`` judges it."""

from __future__ import annotations

from migrator.forecast.outcome import Comparison, Figure
from tests.forecasts.judging import Run, enough, is_within, off, table


def run(copy: float, pause: float = 3.0, requests: float = 100.0) -> Run:
    said = Comparison(Figure(copy, 10.0), Figure(pause, 3.0), Figure(requests, 100.0))
    return Run("shape", said)


def test_a_fifth_both_ways_is_within() -> None:
    assert [run(one).is_within for one in (7.9, 8.0, 10.0, 12.0, 12.1)] == [False, True, True, True, False]
    assert not run(10.0, pause=4.0).is_within
    assert not run(10.0, requests=79.0).is_within


def test_what_is_not_known_did_not_come_true() -> None:
    assert off(Figure(None, 1.0)) is None
    assert not any(map(is_within, (Figure(None, 1.0), Figure(1.0, None), Figure(1.0, 0.0))))


def test_nine_of_ten_are_enough() -> None:
    good, bad = run(10.0), run(99.0)
    assert enough([good] * 9 + [bad])
    assert not enough([good] * 8 + [bad] * 2)
    assert not enough([])


def test_the_table_says_what_was_forecast_and_what_came_of_it() -> None:
    told = table([run(11.0), run(99.0)])
    assert "10.00 s -> 11.00 s (+10%)" in told
    assert told.endswith("all three: 1 of 2 runs within 20 % (50%)")
