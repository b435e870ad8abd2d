"""Readings -> verdicts. A reading is written as one figure a minute; ``None`` is a minute without a point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migrator.errors import InternalError, Unreachable
from migrator.gates.judge import Baseline, Judgement, could_not_ask, judge
from migrator.model.samples import Point, Reading, Verdict
from migrator.model.schedule import Gate

BEGIN = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
PASSED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE


def gate(**given: Any) -> Gate:
    if "query" not in given:
        given.setdefault("metric", "requests_per_minute")
    return Gate(name="g", source="s", on_no_data=given.pop("on_no_data", "fail"), **given)


def reading(*values: float | None, volumes: Sequence[float | None] | float | None = None) -> Reading:
    per_point = volumes if isinstance(volumes, Sequence) else [volumes] * len(values)
    return Reading(
        tuple(
            Point(BEGIN + timedelta(minutes=minute), value, volume)
            for minute, (value, volume) in enumerate(zip(values, per_point, strict=True))
            if value is not None
        )
    )


def say(
    gate: Gate,
    reading: Reading,
    *,
    baseline: Reading | None = None,
    baseline_own: float | None = 0.0,
    own: float | None = 0.0,
    minutes: float | None = None,
    late: timedelta = timedelta(),
) -> Judgement:
    """Judge a window that ends with the last point; ``late``: how long after the window."""
    end = BEGIN + timedelta(minutes=minutes or max(len(reading.points), 1))
    base = Baseline(baseline, baseline_own) if baseline else None
    return judge(gate, reading, baseline=base, own_requests=own, begin=BEGIN, end=end, now=end + late)


QUERY = {"query": "q"}
BOUNDS = [
    (gate(max=10, **QUERY), 10, PASSED, "a bound itself passes"),
    (gate(max=10, **QUERY), 10.1, FAILED, "above max"),
    (gate(min=10, **QUERY), 10, PASSED, "at min"),
    (gate(min=10, **QUERY), 9.9, FAILED, "below min"),
    (gate(min=1, max=2, **QUERY), 1.5, PASSED, "between both"),
    (gate(min=1, max=2, **QUERY), 0.5, FAILED, "below both"),
    (gate(near=2e6, within_ratio=0.15, **QUERY), 1.7e6, PASSED, "15% below"),
    (gate(near=2e6, within_ratio=0.15, **QUERY), 2.3e6, PASSED, "15% above"),
    (gate(near=2e6, within_ratio=0.15, **QUERY), 1.69e6, FAILED, "more than 15% below"),
    (gate(near=2e6, within_ratio=0.15, **QUERY), 2.31e6, FAILED, "more than 15% above"),
    (gate(near=2e6, within_ratio=0.15, max=2.1e6, **QUERY), 2.2e6, FAILED, "the narrower bound decides"),
    (gate(near=-10, within_ratio=0.1, **QUERY), -10.5, PASSED, "near a negative figure"),
    (gate(max=1, fail_above=5, **QUERY), 1, PASSED, "below the band"),
    (gate(max=1, fail_above=5, **QUERY), 3, INCONCLUSIVE, "in the band"),
    (gate(max=1, fail_above=5, **QUERY), 5, INCONCLUSIVE, "the band's end belongs to it"),
    (gate(max=1, fail_above=5, **QUERY), 5.1, FAILED, "above the band"),
    (gate(min=10, fail_below=5, **QUERY), 7, INCONCLUSIVE, "in the band below"),
    (gate(min=10, fail_below=5, **QUERY), 4.9, FAILED, "below the band"),
    (gate(near=100, within_ratio=0.1, fail_above=150, **QUERY), 120, INCONCLUSIVE, "a band above near"),
    (gate(near=100, within_ratio=0.1, fail_above=150, **QUERY), 80, FAILED, "and none below it"),
    (gate(near=100, within_ratio=0.1, fail_above=150, fail_below=50, **QUERY), 80, INCONCLUSIVE, "or one below too"),
    (gate(fail_above=5, **QUERY), 4, PASSED, "fail_above alone is a bound"),
    (gate(fail_above=5, **QUERY), 6, FAILED, "without a band"),
    (gate(**QUERY), 1, INCONCLUSIVE, "a gate without a bound never passes"),
    (gate(max=0, **QUERY), 0, PASSED, "zero is a value"),
    (gate(min=10, **QUERY), math.inf, INCONCLUSIVE, "an infinite value proves nothing"),
]


@pytest.mark.parametrize(("gate", "value", "verdict", "shows"), BOUNDS, ids=[one[3] for one in BOUNDS])
def test_bounds(gate: Gate, value: float, verdict: Verdict, shows: str) -> None:
    assert say(gate, reading(value)).verdict is verdict


@pytest.mark.parametrize(
    ("on_no_data", "verdict"), [("fail", FAILED), ("inconclusive", INCONCLUSIVE), ("pass", PASSED)]
)
class TestSilence:
    """Only ``on_no_data`` says what silence means, and silence has no value."""

    def test_no_points(self, on_no_data: Any, verdict: Verdict) -> None:
        for one in (gate(max=1, on_no_data=on_no_data), gate(max=1, on_no_data=on_no_data, query="q")):
            judgement = say(one, Reading(()))
            assert (judgement.verdict, judgement.value) == (verdict, None)
            assert f"on_no_data: {on_no_data}" in judgement.reason

    def test_nothing_but_nan(self, on_no_data: Any, verdict: Verdict) -> None:
        assert say(gate(max=1, on_no_data=on_no_data, query="q"), reading(math.nan)).verdict is verdict

    def test_points_outside_the_window_only(self, on_no_data: Any, verdict: Verdict) -> None:
        end = Point(BEGIN + timedelta(minutes=10), 0.5, 100)
        before = Point(BEGIN - timedelta(seconds=1), 0.5, 100)
        one = gate(metric="error_ratio", max=1, on_no_data=on_no_data)
        assert say(one, Reading((before, end)), minutes=10).verdict is verdict

    def test_minutes_without_a_request(self, on_no_data: Any, verdict: Verdict) -> None:
        """A source's own zeros are not customers."""
        one = gate(metric="throttled_ratio", max=0.1, on_no_data=on_no_data)
        assert say(one, reading(0, 0, 0, volumes=0)).verdict is verdict
        assert say(gate(max=5e6, on_no_data=on_no_data), reading(0, 0, 0)).verdict is verdict

    def test_customers_at_zero_and_our_scans_at_5000_a_minute(self, on_no_data: Any, verdict: Verdict) -> None:
        """The account is busy, with us: that is no data, not "settled"."""
        busy = reading(*[5000.0] * 10)
        settled = gate(near=5000, within_ratio=0.15, on_no_data=on_no_data)
        judgement = say(settled, busy, own=50_000)
        assert (judgement.verdict, judgement.value) == (verdict, None)
        assert "migration's own" in judgement.reason
        assert say(gate(metric="throttled_ratio", max=1, on_no_data=on_no_data), busy, own=1).verdict is INCONCLUSIVE
        ratio = reading(*[0.0] * 10, volumes=5000.0)
        assert say(gate(metric="throttled_ratio", max=1, on_no_data=on_no_data), ratio, own=50_000).verdict is verdict


class TestOwnTraffic:
    settled = gate(near=2e6, within_ratio=0.05)

    def test_our_requests_are_subtracted_from_the_rate(self) -> None:
        judgement = say(self.settled, reading(*[2.2e6] * 10), own=2e6)
        assert judgement.verdict is PASSED
        assert judgement.value == pytest.approx(2e6)

    def test_and_without_the_subtraction_the_gate_would_have_failed(self) -> None:
        assert say(self.settled, reading(*[2.2e6] * 10), own=0).verdict is FAILED

    @pytest.mark.parametrize(("own", "verdict"), [(100, PASSED), (101, INCONCLUSIVE), (999, INCONCLUSIVE)])
    def test_above_a_tenth_the_sample_is_inconclusive(self, own: float, verdict: Verdict) -> None:
        assert say(gate(min=1), reading(1000), own=own).verdict is verdict
        ratio = gate(metric="error_ratio", max=0.1)
        assert say(ratio, reading(0.01, volumes=1000), own=own).verdict is verdict

    def test_lost_counters_are_inconclusive(self) -> None:
        assert say(gate(min=1), reading(1000), own=None).verdict is INCONCLUSIVE
        assert say(gate(min=1), reading(0), own=None).verdict is FAILED, "no request at all is silence all the same"

    @pytest.mark.parametrize(
        ("metric", "seen", "customers"),
        [
            ("error_ratio", 0.09, 0.1),
            ("throttled_ratio", 0.0, 0.0),
            ("error_ratio", 0.95, 1.0),
            ("availability_percent", 99.1, 99.0),
            ("availability_percent", 5.0, 0.0),
        ],
    )
    def test_of_a_ratio_ours_are_taken_for_good_ones(self, metric: str, seen: float, customers: float) -> None:
        """A tenth of the requests are ours and went well: then it is customers who failed, all the more of them."""
        judgement = say(gate(metric=metric, min=0), reading(seen, volumes=1000), own=100)
        assert judgement.value == pytest.approx(customers)

    def test_a_query_knows_nothing_of_our_requests(self) -> None:
        assert say(gate(max=1, query="q"), reading(0.5), own=None).verdict is PASSED
        assert say(gate(max=1, query="q"), reading(0.5, volumes=10), own=1000).verdict is PASSED

    def test_a_source_that_does_not_count_cannot_tell_ours_from_theirs(self) -> None:
        latency = gate(metric="e2e_latency_ms", max=100)
        assert say(latency, reading(20), own=0).verdict is PASSED
        assert say(latency, reading(20), own=1).verdict is INCONCLUSIVE


class TestOneFigure:
    def test_the_mean_of_ratios_counts_each_request_once(self) -> None:
        """Half of two requests throttled in one minute is not half of the window."""
        judgement = say(gate(metric="throttled_ratio", max=0.001), reading(0.5, 0.0, volumes=[2, 999_998]))
        assert judgement.verdict is PASSED
        assert judgement.value == pytest.approx(1e-6)

    def test_the_mean_of_a_query_counts_each_point_once(self) -> None:
        assert say(gate(max=9, query="q"), reading(1, 3, volumes=[1, 99])).value == 2

    def test_max_is_the_worst_minute(self) -> None:
        one = gate(metric="throttled_ratio", max=0.001, aggregate="max")
        assert say(one, reading(0.5, 0.0, volumes=[2, 999_998])).verdict is FAILED
        assert say(gate(max=2.4e6, aggregate="max"), reading(2e6, 2.3e6)).value == 2.3e6

    def test_minutes_without_customers_do_not_count(self) -> None:
        one = gate(metric="availability_percent", min=99)
        assert say(one, reading(100, 0, 100, volumes=[10, 0, 10])).value == 100

    def test_missing_minutes_of_a_rate_may_be_silent_or_late(self) -> None:
        """Three minutes at 2 M and seven missing: 2 M if they are late, 0.6 M if they were silent. Nobody knows."""
        judgement = say(gate(near=2e6, within_ratio=0.15), reading(2e6, 2e6, 2e6), minutes=10)
        assert judgement.verdict is INCONCLUSIVE
        assert judgement.reason == (
            "minutes are missing: 2M requests a minute if they are late, 600k requests a minute if silent"
        )

    def test_missing_minutes_that_make_no_difference_do_not_matter(self) -> None:
        assert say(gate(near=2e6, within_ratio=0.15), reading(*[2e6] * 9), minutes=10).verdict is PASSED
        assert say(gate(max=2.4e6), reading(2e6), minutes=10).verdict is PASSED
        assert say(gate(min=5e6), reading(2e6), minutes=10).verdict is FAILED

    def test_a_window_of_seconds_has_no_minutes_to_miss(self) -> None:
        """Local accounts in a rehearsal: points of a second, a rate a minute."""
        points = tuple(Point(BEGIN + timedelta(seconds=second), 600.0, 10.0) for second in (0, 1, 3))
        assert say(gate(near=600, within_ratio=0.1), Reading(points), minutes=0.1).verdict is PASSED


class TestTooLittle:
    def test_min_volume(self) -> None:
        one = gate(metric="error_ratio", max=0.1, min_volume=100)
        assert say(one, reading(0, 0, volumes=50)).verdict is PASSED
        assert say(one, reading(0, 0, volumes=49)).verdict is INCONCLUSIVE
        assert say(one, reading(0.9, 0.9, volumes=49)).verdict is INCONCLUSIVE
        assert say(one, reading(0, 0, volumes=None)).verdict is INCONCLUSIVE

    def test_min_volume_counts_customers(self) -> None:
        one = gate(metric="error_ratio", max=0.1, min_volume=100)
        assert say(one, reading(0, volumes=104), own=5).verdict is INCONCLUSIVE
        assert say(one, reading(0, volumes=105), own=5).verdict is PASSED

    def test_max_age_is_that_of_the_newest_point(self) -> None:
        """Otherwise a source that stopped an hour ago would go on passing."""
        one = gate(max=1, query="q", max_age_seconds=300)
        assert say(one, reading(0, 0), late=timedelta(minutes=4)).verdict is PASSED
        assert say(one, reading(0, 0), late=timedelta(minutes=4, seconds=1)).verdict is INCONCLUSIVE

    def test_a_window_without_length_is_our_fault(self) -> None:
        with pytest.raises(InternalError):
            judge(gate(max=1), Reading(()), baseline=None, own_requests=0, begin=BEGIN, end=BEGIN, now=BEGIN)


class TestRelativeToSource:
    one = gate(metric="e2e_latency_ms", relative_to="source", max_ratio=1.2)

    @pytest.mark.parametrize(("value", "verdict"), [(120, PASSED), (121, FAILED), (5, PASSED)])
    def test_at_most_the_ratio_of_what_the_source_showed(self, value: float, verdict: Verdict) -> None:
        assert say(self.one, reading(value), baseline=reading(90, 110)).verdict is verdict

    def test_without_anything_to_compare_with_it_is_inconclusive(self) -> None:
        assert say(self.one, reading(5)).verdict is INCONCLUSIVE
        assert say(self.one, reading(5), baseline=Reading(())).verdict is INCONCLUSIVE
        assert say(self.one, reading(5), baseline=reading(math.nan)).verdict is INCONCLUSIVE

    def test_a_source_at_zero_allows_only_zero(self) -> None:
        one = gate(metric="error_ratio", relative_to="source", max_ratio=2)
        assert say(one, reading(0, volumes=10), baseline=reading(0, volumes=10)).verdict is PASSED
        assert say(one, reading(0.1, volumes=10), baseline=reading(0, volumes=10)).verdict is FAILED

    def test_our_requests_before_the_switch_are_not_the_source_s_customers(self) -> None:
        one = gate(metric="error_ratio", relative_to="source", max_ratio=1.01)
        before = reading(0.09, volumes=1000)
        assert say(one, reading(0.1, volumes=10), baseline=before, baseline_own=100).verdict is PASSED
        assert say(one, reading(0.1, volumes=10), baseline=before).verdict is FAILED
        for own in (101, None):
            judgement = say(one, reading(0, volumes=10), baseline=before, baseline_own=own)
            assert judgement.verdict is INCONCLUSIVE
            assert "before the switch, at the source" in judgement.reason

    def test_without_max_ratio_the_target_must_be_no_worse(self) -> None:
        one = gate(metric="e2e_latency_ms", relative_to="source")
        assert say(one, reading(100), baseline=reading(100)).verdict is PASSED
        assert say(one, reading(101), baseline=reading(100)).verdict is FAILED

    def test_a_bound_beside_it_holds_too(self) -> None:
        one = gate(metric="e2e_latency_ms", relative_to="source", max_ratio=2, max=50)
        assert say(one, reading(60), baseline=reading(100)).verdict is FAILED
        assert say(one, reading(60)).verdict is FAILED, "a broken bound is worse than a missing comparison"
        assert say(one, reading(40)).verdict is INCONCLUSIVE


def test_reasons_speak_of_the_figure_and_of_what_was_wanted() -> None:
    assert say(gate(near=2e6, within_ratio=0.15), reading(2.4e6)).reason == (
        "2.4M requests a minute, wanted 1.7M to 2.3M"
    )
    assert say(gate(metric="throttled_ratio", max=0.001), reading(0.0004, volumes=1e4)).reason == (
        "0.0004 of requests throttled, wanted at most 0.001"
    )
    assert say(gate(metric="error_ratio", max=0.01), reading(0.0, volumes=1e4)).reason == (
        "no requests failed, wanted at most 0.01"
    )
    assert say(gate(metric="availability_percent", min=99.9), reading(99.0, volumes=1)).reason == (
        "99 % available, wanted at least 99.9"
    )
    said = say(gate(metric="e2e_latency_ms", relative_to="source", max_ratio=1.2), reading(300), baseline=reading(100))
    assert said.reason == "300 ms end to end, wanted at most 120 (1.2 times the source's 100 before the switch)"


def test_a_source_that_could_not_be_asked_is_errored() -> None:
    judgement = could_not_ask(Unreachable("cannot ask prometheus: connection refused", hint="start it"))
    assert judgement.verdict is Verdict.ERRORED
    assert judgement.reason == "the source could not be asked: cannot ask prometheus: connection refused"


@given(
    values=st.lists(st.one_of(st.none(), st.floats(min_value=0, max_value=1e9)), max_size=12),
    own=st.one_of(st.none(), st.floats(min_value=0, max_value=1e10)),
    near=st.floats(min_value=1, max_value=1e9),
)
def test_a_rate_gate_never_passes_without_customers(values: list[float | None], own: float | None, near: float) -> None:
    """Whatever the figures: a pass has a value within the bounds, at least nine tenths of it customers', known as such."""
    one = gate(near=near, within_ratio=0.15, on_no_data="inconclusive")
    total = math.fsum(value or 0 for value in values)
    judgement = say(one, reading(*values), own=own, minutes=len(values) or 1)
    if judgement.verdict is PASSED:
        assert own is not None
        assert total > 0
        assert own <= total * 0.1001
        assert judgement.value is not None
        assert near * 0.8499 <= judgement.value <= near * 1.1501
