"""A soak of 96 hours with samples every 5 minutes, in virtual time: what restarts, gaps, bad samples and cron make of it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from migrator.errors import Unreachable
from migrator.model.moves import ExceptionRow, MoveState
from migrator.model.names import MoveId
from migrator.ports.state_store import PutException, SetNote
from migrator.testing.simulation.loop import WORLD_BEGINS, SimClock
from migrator.transfer import passes
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer
from tests.scenario.weeks import HOURS, MINUTES, Weeks

WEB = "europe/web"
SOAK = 96 * HOURS


@pytest.fixture
def weeks(tmp_path: Path) -> Iterator[Weeks]:
    made = Weeks(tmp_path)
    made.wave("first", WEB)
    made.fill()
    yield made
    made.end()


def switched_at(weeks: Weeks) -> datetime:
    found = weeks.record(WEB).switched_at
    assert found is not None
    return found


def soaked_after(weeks: Weeks) -> float:
    """Hours from the switch to soaked."""
    since = weeks.record(WEB).since
    assert since is not None
    return (since - switched_at(weeks)).total_seconds() / HOURS


def test_without_trouble_it_takes_96_hours_and_the_first_window(weeks: Weeks) -> None:
    outcome = weeks.apply()
    assert outcome is not None
    assert outcome.code == "done"
    assert weeks.record(WEB).state is MoveState.SOAKED
    assert weeks.record(WEB).figures.soak_seconds == pytest.approx(SOAK, abs=5 * MINUTES)
    assert 96 < soaked_after(weeks) < 96.3
    assert 1150 < len(weeks.samples(WEB, "app-errors")) < 1160


def test_three_restarts_add_nothing_and_take_nothing(weeks: Weeks) -> None:
    for hours in (20, 50, 80):
        assert weeks.apply(until=WORLD_BEGINS + timedelta(hours=hours, minutes=2.5)) is None
    assert weeks.apply() is not None
    assert weeks.record(WEB).state is MoveState.SOAKED
    assert 96 < soaked_after(weeks) < 96.5
    taken = [one.at for one in weeks.samples(WEB, "app-errors")]
    apart = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(taken)]
    assert min(apart) > 0.9 * 5 * MINUTES - 1, "a restart took a sample that was not due"


def test_a_bad_sample_at_hour_95_starts_the_96_hours_again(weeks: Weeks) -> None:
    bad = WORLD_BEGINS + timedelta(hours=95)
    weeks.app.figure = lambda at: 9.0 if bad <= at < bad + timedelta(minutes=5) else 0.0
    assert weeks.apply() is not None
    assert weeks.record(WEB).state is MoveState.SOAKED
    assert 191 < soaked_after(weeks) < 191.5
    assert weeks.record(WEB).figures.soak_seconds == pytest.approx(SOAK, abs=5 * MINUTES)
    (said,) = weeks.journal("soak-restarted")
    assert "of healthy time are lost (gate app-errors failed)" in said
    verdicts = [text.partition(": gate ")[2].partition(":")[0] for text in weeks.journal("verdict")]
    assert [one for one in verdicts if "app-errors" in one] == [
        "app-errors passed",
        "app-errors failed",
        "app-errors passed",
    ]


def test_a_day_without_a_process_adds_nothing(weeks: Weeks) -> None:
    assert weeks.apply(until=WORLD_BEGINS + timedelta(hours=40)) is None
    before = weeks.record(WEB).figures.soak_seconds
    weeks.pass_time(24 * HOURS)
    assert weeks.apply(until=weeks.now() + timedelta(minutes=1)) is None
    assert weeks.record(WEB).figures.soak_seconds == before
    assert weeks.apply() is not None
    assert 120 < soaked_after(weeks) < 120.5


def test_a_source_that_is_silent_for_a_day_stands_still_and_says_why(weeks: Weeks) -> None:
    begin, end = WORLD_BEGINS + timedelta(hours=10), WORLD_BEGINS + timedelta(hours=34)

    def figure(at: datetime) -> float | None:
        if begin <= weeks.now() < end:
            raise Unreachable("cannot reach Prometheus: nothing listens there")
        return 0.0

    weeks.app.figure = figure
    outcome = weeks.apply(until=begin + timedelta(hours=1))
    assert outcome is None
    stood = weeks.record(WEB).figures.soak_seconds
    (waiting,) = weeks.cron(times=1)
    assert waiting.code == "waiting"
    assert "healthy time left" in waiting.reasons[0]
    assert "gate app-errors errored: the source could not be asked: cannot reach Prometheus" in waiting.reasons[0]
    assert weeks.apply(until=end - timedelta(hours=1)) is None
    assert weeks.record(WEB).figures.soak_seconds == stood
    assert weeks.apply() is not None
    assert 120 < soaked_after(weeks) < 120.6


class TestCron:
    """``apply --no-wait``, every five minutes, each a process of its own."""

    def test_it_comes_to_the_end_of_the_soak(self, weeks: Weeks) -> None:
        weeks.change_wave("first", soak_seconds=24 * HOURS)
        outcomes = weeks.cron(times=296)
        assert [one.code for one in outcomes[:288]] == ["waiting"] * 288
        assert outcomes[-1].code == "done"
        assert weeks.record(WEB).state is MoveState.SOAKED
        assert 24 < soaked_after(weeks) < 24.4

    def test_it_says_what_it_waits_for_and_until_when(self, weeks: Weeks) -> None:
        first, *_, later = weeks.cron(times=4)
        assert "gate app-errors is first asked at 2026-12-01 00:" in first.reasons[0]
        assert "soak: 3 d 23 h of healthy time left, 2026-12-05 00:" in later.reasons[0]
        assert "UTC at the earliest" in later.reasons[0]

    def test_a_run_between_two_samples_takes_none(self, weeks: Weeks) -> None:
        weeks.cron(times=10)
        before = len(weeks.samples(WEB, "app-errors")), len(weeks.samples(WEB, "no-stragglers"))
        weeks.apply(wait=False)
        taken = len(weeks.samples(WEB, "app-errors"))
        for _ in range(3):
            weeks.pass_time(60)
            assert weeks.apply(wait=False) is not None
        assert len(weeks.samples(WEB, "app-errors")) == taken
        assert before[0] + 1 == taken
        assert len(weeks.samples(WEB, "no-stragglers")) == before[1]

    def test_a_scheduler_that_is_early_or_late_by_seconds_misses_nothing(self, weeks: Weeks) -> None:
        weeks.cron(times=4)
        before = weeks.record(WEB).figures.soak_seconds
        for jitter in (-20, 25, -15, 20, -25, 15):
            weeks.cron(times=1, every=5 * MINUTES + jitter)
        weeks.apply(wait=False)
        assert weeks.record(WEB).figures.soak_seconds - before == pytest.approx(6 * 5 * MINUTES, abs=5 * MINUTES)

    def test_hosts_that_take_turns_are_told_apart_and_add_nothing(self, weeks: Weeks) -> None:
        weeks.cron(times=4)
        before = weeks.record(WEB).figures.soak_seconds
        for turn in range(12):
            (last,) = weeks.cron(times=1, host=("there", "here")[turn % 2], skew_seconds=(2.0, 0.0)[turn % 2])
        assert weeks.record(WEB).figures.soak_seconds == before
        assert "rounds timed by one machine" in last.reasons[0]

    @pytest.mark.parametrize("minutes_ahead", [-60.0, -9.0, -2.0, 2.0, 4.0, 9.0, 60.0])
    def test_whatever_two_clocks_say_no_more_than_the_time_that_passed_is_healthy(
        self, weeks: Weeks, minutes_ahead: float
    ) -> None:
        weeks.cron(times=4)
        before, begun = weeks.record(WEB).figures.soak_seconds, weeks.now()
        for turn in range(24):
            is_other = turn % 5 in (1, 2)
            skew = minutes_ahead * MINUTES if is_other else 0.0
            weeks.cron(times=1, host="there" if is_other else "here", skew_seconds=skew)
        claimed = weeks.record(WEB).figures.soak_seconds - before
        assert 0 < claimed <= (weeks.now() - begun).total_seconds()


def test_a_failed_gate_takes_the_wave_back_and_no_later_apply_tries_again(weeks: Weeks) -> None:
    bad = WORLD_BEGINS + timedelta(hours=12)
    weeks.app.figure = lambda at: 9.0 if at >= bad else 0.0
    outcome = weeks.apply()
    assert outcome is not None
    assert outcome.code == "halted"
    assert "gate app-errors of europe/web failed: gate app-errors failed 3 times in a row" in outcome.reasons[0]
    assert weeks.record(WEB).state is MoveState.REVERSED
    epoch = weeks.record(WEB).epoch
    weeks.app.figure = lambda at: 0.0
    for again in weeks.cron(times=3):
        assert again.code == "halted"
        assert "europe/web is reversed" in again.reasons[0]
        assert "migrate retry" in again.reasons[0]
    assert weeks.record(WEB).epoch == epoch


def test_stragglers_that_a_killed_look_listed_fail_the_next_one(weeks: Weeks) -> None:
    """The row is on the list, so the next look finds nothing new; but no sample spoke of it yet."""
    assert weeks.apply(until=WORLD_BEGINS + timedelta(hours=2)) is None
    move, now = MoveId("europe", "web"), weeks.now()
    row = ExceptionRow("web", "n1", "straggler", None, None, "written after the switch", at=now)
    lock = weeks.state.lock()
    assert lock is not None
    noted = SetNote(f"looking {move}", (now - timedelta(seconds=5)).isoformat())
    weeks.state.commit([PutException(move, row), noted], token=lock.token)
    outcome = weeks.apply()
    assert outcome is not None
    assert outcome.code == "halted"
    assert "gate no-stragglers of europe/web needs a person" in outcome.reasons[0]
    assert "n1" in outcome.reasons[0]


@pytest.mark.parametrize("is_set_right", [True, False])
def test_what_a_look_found_counts_though_it_began_before_the_switch_by_this_machines_clock(
    weeks: Weeks, monkeypatch: pytest.MonkeyPatch, is_set_right: bool
) -> None:
    """The clock is set right in its middle, or the look ends before the switch too."""
    wrong, right, watch, found_at = timedelta(), SimClock.now, passes.watch, list[datetime]()

    def set_back() -> None:
        nonlocal wrong
        wrong = timedelta(hours=60)

    async def found(transfer: Transfer) -> PassResult:
        nonlocal wrong
        result = await watch(transfer)
        if wrong and not found_at:  # later looks find it on the list
            found_at.append(weeks.now())
            wrong, result.stragglers_new = timedelta() if is_set_right else wrong, 1
            result.named.append("web/n1: written after the switch")
        return result

    monkeypatch.setattr(SimClock, "now", lambda clock: right(clock) - wrong)
    monkeypatch.setattr(passes, "watch", found)
    weeks.loop.call_later(20 * HOURS, set_back)
    outcome = weeks.apply()
    assert outcome is not None
    assert outcome.code == "halted"
    assert "gate no-stragglers of europe/web needs a person" in outcome.reasons[0]
    assert "n1" in outcome.reasons[0]
    assert weeks.now() - found_at[0] < timedelta(minutes=1), "it was halted by this look, and by no later one"


def test_an_earlier_stay_counts_nothing_however_far_ahead_its_clock_was(weeks: Weeks) -> None:
    assert weeks.apply(until=WORLD_BEGINS + timedelta(hours=30), host="ahead", skew_seconds=40 * HOURS) is None
    weeks.run(weeks.rollout().rollback())
    weeks.run(weeks.rollout().retry(reason="again", who="somebody"))
    assert weeks.apply() is not None
    assert weeks.record(WEB).state is MoveState.SOAKED
    assert 96 < soaked_after(weeks) < 96.5
