"""What is kept of a long past, and what is said of who must act."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from migrator.model.happenings.rollouts import RunEnded
from migrator.model.happenings.soaks import GateFailed
from migrator.report.actions import actions, waiting
from migrator.report.facts import ReportFacts, gather
from migrator.report.gate_history import histories
from migrator.report.history import MOST_INCIDENTS, MOST_ROWS, told
from migrator.report.remembered import AGAIN, Remembered
from migrator.report.story import what_it_is, where_it_stands
from migrator.report.thinning import thin
from migrator.report.wave_parts import spans, wave_part
from migrator.standing.assess import assess
from migrator.words.journal import entry
from tests.unit.report import rollouts
from tests.unit.report.rollouts import EMAIL, NOW, START, WEB, hours
from tests.unit.report.test_page import page_of

POINTS = st.lists(
    st.tuples(st.integers(0, 10**6).map(lambda one: START + timedelta(seconds=one)), st.floats(-1e9, 1e9)), max_size=300
)


@given(POINTS, st.integers(1, 40))
def test_thinning_loses_no_peak_and_no_figure(points: list[tuple[datetime, float]], columns: int) -> None:
    buckets = thin(points, columns)
    assert len(buckets) <= columns
    assert sum(one.number for one in buckets) == len(points)
    figures = [figure for _, figure in points]
    assert max((one.high for one in buckets), default=None) == max(figures, default=None)
    assert min((one.low for one in buckets), default=None) == min(figures, default=None)
    assert all(one.begin <= one.end for one in buckets)
    assert [one.begin for one in buckets] == sorted(one.begin for one in buckets)
    assert all(one.low <= one.high for one in buckets)


def test_a_long_journal_keeps_its_newest_rows_and_counts_the_others() -> None:
    rows = [
        entry(GateFailed("g", "too much") if place % 2 else RunEnded("0", "apply"), START, actor="engine", move=WEB)
        for place in range(2 * MOST_ROWS + 2 * MOST_INCIDENTS)
    ]
    found = told(rows)
    assert found.total == len(rows)
    assert found.total_incidents == len(rows) // 2
    assert len(found.rows) == MOST_ROWS
    assert len(found.incidents) == MOST_INCIDENTS
    assert found.rows[-1] is rows[-1]


def test_a_gate_has_its_bounds_and_its_counts() -> None:
    made = rollouts.running()
    gate = histories(made.store.samples(WEB), made.schedule.wave("na-first"))[0]
    assert (gate.name, gate.number) == ("settled-na", 1100)
    assert (gate.low, gate.high) == (1.7e6, 2.3e6)
    assert gate.wanted == "1.7M to 2.3M requests a minute"
    assert gate.counts == {"passed": 1099, "failed": 1}
    assert gate.unhealthy == ((rollouts.hours(6) + timedelta(minutes=5 * 300), "failed"),)
    assert max(one.high for one in gate.buckets) == 3.1e6


def test_nobody_must_act_while_a_run_is_at_work() -> None:
    found = actions(rollouts.running().facts())
    assert [one.who for one in found if not one.is_early] == []
    assert [one.why for one in found] == [
        "Wave europe will wait for approval before it switches.",
        "Wave asia-pacific will wait for approval before it switches.",
    ]


def test_a_halted_move_asks_for_an_operator_and_says_what_to_do() -> None:
    facts = rollouts.halted().facts()
    first = actions(facts)[0]
    assert first.who == "An operator"
    assert first.what == facts.next_action
    assert "1 has stopped and needs a person" in where_it_stands(facts.standing)


def test_a_wave_with_a_move_that_stopped_is_not_said_to_wait_for_time_alone() -> None:
    said = {one.who: one.what for one in waiting(rollouts.halted().facts())}
    assert "Wave na-rest" not in said, "a person must decide about it first"
    assert said["Wave europe"] == "waits for wave na-rest to be complete"


def test_only_time_is_waited_for_is_said_apart() -> None:
    found = [f"{one.who} {one.what}" for one in waiting(rollouts.running().facts())]
    assert found[0].startswith("Wave na-rest waits for the end of its watch, if all health checks stay good, ")
    assert "Wave europe waits for wave na-rest to be complete" in found
    assert not [one for one in found if "approval" in one]


def test_two_sentences_say_what_it_is_and_where_it_stands() -> None:
    standing = rollouts.running().facts().standing
    assert what_it_is(standing) == (
        "This rollout moves the data of web-tracking, email-events, campaign-automation and image-manager in north-america,"
        " europe and asia-pacific from 3 storage accounts to 12 accounts of their own, in 4 careful steps (waves), while"
        " customers keep using it."
    )
    assert where_it_stands(standing).startswith(
        "1 of 12 moves is complete, 1 has switched and is being watched, 1 is under way and 9 have not begun; if nothing goes"
    )


def test_a_complete_rollout_says_since_when() -> None:
    facts = rollouts.complete().facts(NOW + timedelta(days=9))
    assert where_it_stands(facts.standing).startswith("All 12 moves are complete, the last one since 8 Dec 2026")
    assert actions(facts) == ()


def test_a_wave_that_went_back_ends_where_it_stopped() -> None:
    facts = rollouts.rolled_back().facts()
    wave = wave_part(facts, facts.standing.waves[0])
    bars = [one for one in spans([wave], NOW) if one.lane == "actual"]
    assert wave.expected.complete is None
    assert bars[-1].end == rollouts.hours(12)
    assert all(one.is_past for one in bars)


def test_a_running_wave_has_what_happened_and_what_is_expected() -> None:
    facts = rollouts.running().facts()
    bars = spans([wave_part(facts, facts.standing.waves[1])], NOW)
    past = [one for one in bars if one.lane == "actual" and one.is_past]
    ahead = [one for one in bars if one.lane == "actual" and not one.is_past]
    assert past[-1].end == NOW == ahead[0].begin
    assert ahead[-1].end > datetime(2026, 12, 10, tzinfo=UTC)


class Counting:
    """A store that counts what is read of it."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.read = 0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name not in ("samples", "journal", "requests_by_minute"):
            return found

        def counted(*given: Any, **named: Any) -> Any:
            rows = found(*given, **named)
            self.read += len(rows)
            return rows

        return counted


def looked(made: rollouts.Rollout, store: Any, now: datetime, remembered: Remembered | None = None) -> ReportFacts:
    standing = assess(made.schedule.name, schedule=made.schedule, store=made.store, now=now)
    return gather(standing, next_action="", place="", schedule=made.schedule, store=store, remembered=remembered)


def test_a_page_that_is_made_again_reads_what_is_new_and_says_the_same() -> None:
    made, remembered = rollouts.running(), Remembered()
    store = Counting(made.store)
    looked(made, store, NOW, remembered)
    assert store.read > 2_000
    store.read = 0
    looked(made, store, NOW + timedelta(seconds=5), remembered)
    assert store.read < 50  # the open minutes of the requests
    made.sample(EMAIL, "settled-na", NOW, 1)
    made.request("na-core", NOW - timedelta(minutes=1), 2)
    made.says(GateFailed("settled-na", "too much"), NOW, EMAIL, "na-rest")
    later = NOW + timedelta(seconds=10)
    store.read = 0
    found = looked(made, store, later, remembered)
    assert store.read < 1_100  # samples of the one move, not of the other
    assert found == looked(made, made.store, later)


def test_samples_of_a_clock_that_was_set_back_are_found_after_a_while() -> None:
    made, remembered = rollouts.running(), Remembered()
    looked(made, made.store, NOW, remembered)
    made.sample(WEB, "settled-na", hours(20), 1)
    later = NOW + AGAIN
    assert looked(made, made.store, later, remembered) == looked(made, made.store, later)


def test_another_store_is_read_from_its_beginning() -> None:
    remembered = Remembered()
    made, other = rollouts.running(), rollouts.complete()
    other.store.lineage = "another"
    looked(made, made.store, NOW, remembered)
    assert looked(other, other.store, NOW, remembered) == looked(other, other.store, NOW)


def test_a_wave_whose_requests_nobody_has_counted_yet_does_not_say_that_it_sent_none() -> None:
    (wave,) = [one for one in rollouts.running().facts().standing.waves if one.name == "na-rest"]
    assert wave.outcome is not None
    assert wave.outcome.requests.actual is None
    assert " 0 requests" not in page_of("running")


def test_who_must_act_for_a_move_that_stopped_reads_which_and_why() -> None:
    (first, *_) = actions(rollouts.halted().facts())
    assert "north-america/campaign-automation: 1 object of na-campaign was written by somebody else" in first.why


def test_no_window_of_today_is_named_for_a_wave_that_comes_after_another() -> None:
    said = [one.what for one in waiting(rollouts.running().facts()) if one.who == "Wave europe"]
    assert said == ["waits for wave na-rest to be complete"]
