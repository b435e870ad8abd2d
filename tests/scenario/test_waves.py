"""Waves in virtual time: what they wait for, in which order they go and go back, and what a failure stops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from migrator.engine.world import Outcome
from migrator.model.moves import Approval, Control, MoveState, WaveState
from migrator.model.samples import Question
from migrator.model.schedule import ChangeWindow, Cutover, Freeze
from migrator.ports.state_store import AddApproval, SetControl
from migrator.testing.simulation.loop import WORLD_BEGINS
from tests.scenario.weeks import HOURS, MINUTES, Weeks

HOUR = timedelta(hours=1)
SOAK = {"soak_seconds": 2 * HOURS}
WEEKEND = ChangeWindow(frozenset({5, 6}), 2 * 60, 6 * 60, "Europe/Berlin")
"""The world begins on a Tuesday."""
SATURDAY = datetime(2026, 12, 5, 1, 0, tzinfo=UTC)


@pytest.fixture
def weeks(tmp_path: Path) -> Iterator[Weeks]:
    made = Weeks(tmp_path)
    yield made
    made.end()


def switched(weeks: Weeks, move: str) -> datetime:
    found = weeks.record(move).switched_at
    assert found is not None
    return found


def begun(weeks: Weeks, wave: str) -> datetime:
    found = next(one for one in weeks.state.waves() if one.name == wave).begun_at
    assert found is not None
    return found


def apply(weeks: Weeks, *, wait: bool = True, until: datetime | None = None) -> Outcome:
    outcome = weeks.apply(wait=wait, until=until)
    assert outcome is not None
    return outcome


class TestOrder:
    def test_a_wave_begins_when_the_one_above_has_soaked(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", **SOAK)
        weeks.wave("second", "eu/web", after=("first",), **SOAK)
        weeks.fill()
        assert apply(weeks).code == "done"
        soaked = weeks.record("na/web").since
        assert soaked is not None
        assert begun(weeks, "second") >= soaked

    def test_waves_that_wait_for_nobody_go_side_by_side(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", **SOAK)
        weeks.wave("second", "eu/web", **SOAK)
        weeks.wave("third", "ap/web", after=("first", "second"), **SOAK)
        weeks.fill()
        assert apply(weeks).code == "done"
        assert begun(weeks, "second") - begun(weeks, "first") < timedelta(minutes=1)
        assert begun(weeks, "third") - begun(weeks, "second") > 2 * HOUR

    def test_at_most_max_moves_cut_over_at_once(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/a", "na/b", "na/c", max_moves=1, **SOAK)
        weeks.fill()
        assert apply(weeks).code == "done"
        ends = sorted(switched(weeks, f"na/{area}") for area in "abc")
        fence = timedelta(seconds=weeks.schedule.routing.drain_seconds)
        assert ends[1] - ends[0] >= fence
        assert ends[2] - ends[1] >= fence
        assert ends[2] - ends[0] < HOUR, "they soak side by side"

    def test_one_round_of_questions_serves_all_moves_that_soak(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/a", "na/b", "na/c", max_moves=1, **SOAK)
        weeks.fill()
        apply(weeks)
        asked: dict[datetime, set[Question]] = {}
        for at, question in weeks.app.asked:
            asked.setdefault(at, set()).add(question)
        together = [questions for questions in asked.values() if len(questions) == 3]
        assert len(together) > 20
        assert len(asked) < len(together) + 6


class TestNotBefore:
    def test_nothing_is_sent_before_the_date(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", not_before=WORLD_BEGINS + 5 * HOUR, **SOAK)
        weeks.fill()
        outcome = apply(weeks, wait=False)
        assert outcome == Outcome("waiting", ("wave first waits for its earliest start, 2026-12-01 05:00 UTC",))
        assert weeks.record("na/web").state is MoveState.PENDING
        assert apply(weeks).code == "done"
        assert WORLD_BEGINS + 5 * HOUR <= begun(weeks, "first") < WORLD_BEGINS + 5 * HOUR + timedelta(minutes=2)


class TestApproval:
    def approve(self, weeks: Weeks, fingerprint: str) -> None:
        given = Approval("first", fingerprint, "anna", "looked at it", weeks.now())
        weeks.state.commit([AddApproval(given)], token=None)

    def test_it_copies_and_waits_for_a_person_before_its_cut_over(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", approval_required=True, fingerprint="abc", **SOAK)
        weeks.fill()
        outcome = apply(weeks, wait=False)
        assert outcome.code == "waiting"
        assert outcome.reasons == ("na/web: waits for approval: `migrate approve PLAN first --reason TEXT`",)
        assert weeks.record("na/web").figures.objects_copied == 3
        assert weeks.record("na/web").switched_at is None

    def test_a_run_that_waits_goes_on_once_it_is_given(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", approval_required=True, fingerprint="abc", **SOAK)
        weeks.fill()
        weeks.loop.call_later(5 * HOURS, lambda: self.approve(weeks, "abc"))
        assert apply(weeks).code == "done"
        assert WORLD_BEGINS + 5 * HOUR < switched(weeks, "na/web") < WORLD_BEGINS + 5.2 * HOUR

    def test_an_approval_of_another_text_of_the_wave_is_none(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", approval_required=True, fingerprint="edited", **SOAK)
        weeks.fill()
        self.approve(weeks, "abc")
        assert apply(weeks, wait=False).code == "waiting"
        assert weeks.record("na/web").switched_at is None
        self.approve(weeks, "edited")
        assert apply(weeks, wait=False).code == "waiting"
        assert weeks.record("na/web").state is MoveState.SOAKING


class TestWindows:
    def test_it_copies_on_friday_and_cuts_over_on_saturday(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", change_windows=(WEEKEND,), **SOAK)
        weeks.fill()
        weeks.pass_time((SATURDAY - 5 * HOUR - weeks.now()).total_seconds())
        outcome = apply(weeks, wait=False)
        assert outcome.reasons == ("na/web: waits for a change window with room for its fence, 2026-12-05 01:00 UTC",)
        assert apply(weeks).code == "done"
        assert SATURDAY < switched(weeks, "na/web") < SATURDAY + timedelta(minutes=10)

    def test_a_fence_that_would_not_end_inside_does_not_begin(self, weeks: Weeks) -> None:
        """The window closes in a minute, and the drain alone takes 95 s."""
        weeks.wave("first", "na/web", change_windows=(WEEKEND,), **SOAK)
        weeks.fill()
        weeks.pass_time((SATURDAY + 4 * HOUR - timedelta(minutes=1) - weeks.now()).total_seconds())
        outcome = apply(weeks, wait=False)
        assert "waits for a change window with room for its fence, 2026-12-06 01:00 UTC" in outcome.reasons[0]

    def test_a_window_too_short_for_any_fence_is_said(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", change_windows=(replace(WEEKEND, end_minute=2 * 60 + 1),), **SOAK)
        weeks.fill()
        assert "a change window with room for its fence (none comes)" in apply(weeks, wait=False).reasons[0]

    def test_cron_keeps_it_warm_and_catches_the_window(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", change_windows=(WEEKEND,), **SOAK)
        weeks.fill()
        weeks.pass_time((SATURDAY - 20.5 * HOUR - weeks.now()).total_seconds())
        weeks.cron(every=HOURS, times=24)
        assert SATURDAY <= switched(weeks, "na/web") < SATURDAY + HOUR

    def test_nothing_switches_in_a_freeze(self, weeks: Weeks) -> None:
        weeks.freeze = (Freeze(WORLD_BEGINS, WORLD_BEGINS + 8 * HOUR),)
        weeks.wave("first", "na/web", **SOAK)
        weeks.fill()
        assert "waits for the end of a freeze, 2026-12-01 08:00 UTC" in apply(weeks, wait=False).reasons[0]
        assert apply(weeks).code == "done"
        assert WORLD_BEGINS + 8 * HOUR < switched(weeks, "na/web") < WORLD_BEGINS + 9 * HOUR

    def test_the_way_back_waits_for_no_window_and_no_freeze(self, weeks: Weeks) -> None:
        bad = WORLD_BEGINS + 1 * HOUR
        weeks.app.figure = lambda at: 9.0 if at >= bad else 0.0
        weeks.freeze = (Freeze(bad, bad + 48 * HOUR),)
        weeks.wave("first", "na/web", **SOAK)
        weeks.fill()
        assert apply(weeks, until=bad + 5 * HOUR).code == "halted"
        assert weeks.record("na/web").state is MoveState.REVERSED


class TestLate:
    def test_a_missed_date_is_said_once_and_stops_nothing(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", complete_by=WORLD_BEGINS + HOUR, **SOAK)
        weeks.fill()
        weeks.cron(times=60)
        assert weeks.record("na/web").state is MoveState.SOAKED
        (said,) = weeks.journal("late")
        assert said.startswith("wave first is ")
        assert said.endswith(" late: it was to be complete by 2026-12-01 01:00 UTC")

    def test_a_run_that_waits_says_it_when_the_date_passes(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", complete_by=WORLD_BEGINS + HOUR, **SOAK)
        weeks.fill()
        assert apply(weeks).code == "done"
        (entry,) = [one for one in weeks.state.journal() if one.kind == "late"]
        assert HOUR <= entry.at - WORLD_BEGINS < HOUR + timedelta(minutes=2)


class TestFailure:
    BAD = WORLD_BEGINS + HOUR

    @pytest.fixture
    def two(self, weeks: Weeks) -> Weeks:
        weeks.wave("first", "na/web", "na/mail", **SOAK)
        weeks.wave("second", "eu/web", after=("first",), **SOAK)
        weeks.fill()
        return weeks

    def only_web_is_bad(self, weeks: Weeks) -> None:
        gates = tuple(replace(gate, query="$area") for gate in weeks.waves[0].gates)
        weeks.change_wave("first", gates=gates)
        ask = weeks.app.ask

        async def asked(question: Question, *, begin: datetime, end: datetime):
            is_bad = question.query == "web" and weeks.now() >= self.BAD
            weeks.app.figure = lambda at: 9.0 if is_bad else 0.0
            return await ask(question, begin=begin, end=end)

        weeks.app.ask = asked  # type: ignore[method-assign]

    def test_the_whole_wave_goes_back_in_reverse_order_and_the_next_never_begins(self, two: Weeks) -> None:
        self.only_web_is_bad(two)
        outcome = apply(two)
        assert outcome.code == "halted"
        assert "gate app-errors of na/web failed" in outcome.reasons[0]
        assert not two.journal("fence-released"), "the way back was interrupted by its own decision"
        backs = [text for text in two.journal("state-changed") if text.endswith("-> reversed")]
        assert [text.partition(":")[0] for text in backs] == ["na/mail", "na/web"]
        assert two.record("eu/web").state is MoveState.PENDING
        again = two.cron(times=2)
        assert [one.code for one in again] == ["halted", "halted"]
        assert "na/web is reversed: gate app-errors of na/web failed" in again[0].reasons[0]
        assert two.record("eu/web").state is MoveState.PENDING

    def test_with_the_scope_of_a_move_the_others_stay_and_are_watched_on(self, two: Weeks) -> None:
        self.only_web_is_bad(two)
        two.change_wave("first", rollback_scope="move")
        assert apply(two).code == "halted"
        assert two.record("na/web").state is MoveState.REVERSED
        assert two.record("na/mail").state is MoveState.SOAKED
        assert two.record("eu/web").state is MoveState.PENDING

    def test_what_switches_beside_a_wave_that_needs_a_person_is_watched_on(self, weeks: Weeks) -> None:
        """Such a run waits for nothing that has not begun: what it switched itself soaks all the same."""
        weeks.wave("first", "na/web", not_before=WORLD_BEGINS + 5 * HOUR, **SOAK)
        weeks.wave("second", "eu/web", **SOAK)
        weeks.fill()
        weeks.apply(until=WORLD_BEGINS + HOUR)
        weeks.run(weeks.rollout().rollback(region="eu"))
        weeks.pass_time(6 * HOURS)
        outcome = apply(weeks)
        assert outcome.code == "halted"
        assert weeks.record("eu/web").state is MoveState.REVERSED
        assert weeks.record("na/web").state is MoveState.SOAKED

    def test_a_run_that_may_not_wait_leaves_what_it_switched_beside_such_a_wave(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", not_before=WORLD_BEGINS + 5 * HOUR, **SOAK)
        weeks.wave("second", "eu/web", **SOAK)
        weeks.fill()
        weeks.apply(until=WORLD_BEGINS + HOUR)
        weeks.run(weeks.rollout().rollback(region="eu"))
        weeks.pass_time(6 * HOURS)
        outcome = apply(weeks, wait=False)
        assert outcome.code == "halted"
        assert weeks.record("na/web").state is MoveState.SOAKING
        assert [text for text in outcome.reasons if "na/web is live at dst-na-web and nobody watches it" in text]

    def test_on_failure_halt_moves_nothing_and_what_is_live_is_watched_by_the_same_run(self, two: Weeks) -> None:
        self.only_web_is_bad(two)
        two.change_wave("first", on_failure="halt")
        outcome = apply(two)
        assert outcome.code == "halted"
        assert "gate app-errors of na/web failed" in outcome.reasons[0]
        assert two.record("na/web").state is MoveState.HALTED
        assert two.record("na/mail").state is MoveState.SOAKED
        assert two.record("eu/web").state is MoveState.PENDING
        assert "nothing begins any more; watched on: na/mail" in two.teller.said

    @pytest.mark.parametrize("scope", ["halt", "move"])
    def test_cron_goes_on_watching_what_is_live_and_names_it(self, two: Weeks, scope: str) -> None:
        self.only_web_is_bad(two)
        how = {"on_failure": "halt"} if scope == "halt" else {"rollback_scope": "move"}
        two.change_wave("first", soak_seconds=10 * HOURS, **how)
        two.cron(times=30)
        assert two.record("na/web").state in (MoveState.HALTED, MoveState.REVERSED)
        taken = len(two.samples("na/mail", "app-errors"))
        outcomes = two.cron(times=20)
        assert {one.code for one in outcomes} == {"halted"}
        assert len(two.samples("na/mail", "app-errors")) >= taken + 19
        assert "na/mail is live at dst-na-mail" in outcomes[0].reasons[-1]
        assert two.record("eu/web").state is MoveState.PENDING

    @pytest.mark.parametrize("wait", [True, False])
    def test_what_is_watched_beside_a_halt_goes_back_by_itself_too(self, two: Weeks, wait: bool) -> None:
        self.only_web_is_bad(two)
        two.change_wave("first", on_failure="halt", soak_seconds=10 * HOURS)
        two.cron(times=30)
        assert two.record("na/web").state is MoveState.HALTED
        two.change_wave("first", on_failure="rollback", rollback_scope="move")
        two.app.ask = type(two.app).ask.__get__(two.app)  # type: ignore[method-assign]
        two.app.figure = lambda at: 9.0
        codes = {apply(two).code} if wait else {one.code for one in two.cron(times=20)}
        assert codes == {"halted"}
        assert two.record("na/mail").state is MoveState.REVERSED
        assert two.record("na/web").state is MoveState.HALTED

    def test_a_move_that_has_not_switched_goes_no_further(self, weeks: Weeks) -> None:
        weeks.wave("first", "na/web", "na/mail", **SOAK)
        weeks.wave("second", "eu/web", approval_required=True, **SOAK)
        weeks.fill()
        self.only_web_is_bad(weeks)
        weeks.change_wave("first", on_failure="halt", max_moves=1)
        weeks.loop.call_later(1.5 * HOURS, lambda: TestApproval().approve(weeks, "second"))
        outcome = apply(weeks)
        assert outcome.code == "halted"
        assert weeks.record("na/mail").state is MoveState.SOAKED
        assert weeks.record("eu/web").switched_at is None, "it was approved after the halt"
        assert "eu/web was left in ready" in outcome.reasons[-1]

    def test_what_is_live_is_watched_beside_a_way_back_that_somebody_asked_for(self, two: Weeks) -> None:
        area = {"wave": "first", "region": "na", "area": "web", "on_conflict": None}
        wish = Control("rollback", "", area, "anna", WORLD_BEGINS)
        two.loop.call_later(1.0 * HOURS, lambda: two.state.commit([SetControl(wish)], token=None))
        assert apply(two).code == "halted", "another command took a move back while this run was at work"
        assert two.record("na/web").state is MoveState.REVERSED
        assert two.record("na/mail").state is MoveState.SOAKED
        assert two.record("eu/web").state is MoveState.PENDING

    def test_a_run_that_dies_in_the_way_back_is_followed_by_one_that_goes_on_with_it(self, two: Weeks) -> None:
        """It dies in the first move's fence; the other was not touched yet, and soaks with a gate that looks fine by now."""
        self.only_web_is_bad(two)
        two.change_wave("first", cutover=Cutover(straggler_interval_seconds=HOURS))
        dies = None
        for minutes in range(60, 240):
            at = WORLD_BEGINS + timedelta(minutes=minutes)
            if two.apply(until=at) is not None:
                raise AssertionError("it came to its end before it could die in its way back")
            if two.record("na/mail").direction == "reverse":
                dies = at
                break
        assert dies is not None
        two.app.figure = lambda at: 0.0
        outcome = apply(two)
        assert outcome.code == "halted"
        assert {two.record("na/mail").state, two.record("na/web").state} == {MoveState.REVERSED}
        assert not [one for one in two.state.controls() if one.kind == "rollback"]

    def test_after_a_retry_it_starts_afresh(self, two: Weeks) -> None:
        self.only_web_is_bad(two)
        apply(two)
        two.app.ask = type(two.app).ask.__get__(two.app)  # type: ignore[method-assign]
        two.app.figure = lambda at: 0.0
        two.run(two.rollout().retry(reason="mended", who="anna"))
        assert apply(two).code == "done"
        assert two.record("eu/web").state is MoveState.SOAKED

    def test_an_independent_wave_below_does_not_begin_but_one_that_has_switched_is_watched_on(
        self, weeks: Weeks
    ) -> None:
        bad = WORLD_BEGINS + HOUR
        weeks.wave("first", "na/web", **SOAK)
        quiet = replace(weeks.waves[0].gates[0], query="quiet", failure_limit=1000)
        weeks.wave("second", "eu/web", gates=(quiet,), **SOAK)
        weeks.wave("third", "ap/web", not_before=WORLD_BEGINS + 3 * HOUR, **SOAK)
        weeks.fill()
        weeks.app.figure = lambda at: 9.0 if bad <= at < bad + HOUR else 0.0
        weeks.cron(times=20)
        assert weeks.record("na/web").state is MoveState.REVERSED
        assert weeks.record("eu/web").state is MoveState.SOAKING
        taken = len(weeks.samples("eu/web", "app-errors"))
        weeks.pass_time(3 * HOURS)
        outcomes = weeks.cron(times=40)
        assert {one.code for one in outcomes} == {"halted"}
        assert len(weeks.samples("eu/web", "app-errors")) > taken + 20
        assert weeks.record("eu/web").state is MoveState.SOAKED
        assert weeks.record("ap/web").state is MoveState.PENDING
        assert any("wave third waits for wave first, which stopped" in text for text in outcomes[0].reasons)


def test_hold_is_obeyed_beside_all_of_these(weeks: Weeks) -> None:
    from migrator.model.moves import Control

    weeks.wave("first", "na/web", **SOAK)
    weeks.fill()
    held = Control("hold", "", {"on": True}, "anna", weeks.now())
    weeks.state.commit([SetControl(held)], token=None)
    assert "held by an operator" in apply(weeks, wait=False).reasons[0]
    assert next(one for one in weeks.state.waves() if one.name == "first").state is not WaveState.SOAKING
    weeks.state.commit([SetControl(replace(held, value={}))], token=None)
    assert apply(weeks).code == "done"
    assert MINUTES < HOURS
