"""Objects that the service is not done with: no fence is begun for them, and inside one they get its time and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.model import notes
from migrator.model.moves import MoveState
from migrator.model.names import MoveId
from migrator.model.schedule import Cutover
from migrator.testing.simulation.loop import WORLD_BEGINS
from migrator.transfer import passes
from tests.scenario.weeks import HOURS, MINUTES, Weeks

WEB = MoveId("na", "web")


@pytest.fixture
def weeks(tmp_path: Path) -> Iterator[Weeks]:
    made = Weeks(tmp_path)
    made.wave("first", "na/web", soak_seconds=2 * HOURS, cutover=Cutover(straggler_interval_seconds=HOURS))
    made.fill(20)
    yield made
    made.end()


@pytest.fixture
def busy(weeks, monkeypatch):
    """``busy(account, is_busy)``: while ``is_busy()`` the blob n3 of ``account`` says that the service is not done with it."""
    right = LocalStore.page

    def put(account: str, is_busy, **how: bool) -> None:
        async def page(self, container, **more):
            found = await right(self, container, **more)
            if self.account != account or not is_busy():
                return found
            entries = tuple(replace(e, **how) if e.name == "n3" else e for e in found.entries)
            return replace(found, entries=entries)

        monkeypatch.setattr(LocalStore, "page", page)

    return put


def states(weeks: Weeks) -> list[str]:
    return [text.rpartition("-> ")[2].split(" ")[0] for text in weeks.journal("state-changed")]


@pytest.mark.parametrize("how", [{"rehydrating": True}, {"copy_pending": True}])
def test_no_fence_is_begun_for_an_object_that_is_not_there_yet(weeks, busy, how):
    busy("src-na", lambda: weeks.loop.time() < 15 * HOURS, **how)
    assert weeks.apply(until=WORLD_BEGINS + timedelta(hours=10)) is None
    assert weeks.record("na/web").state is MoveState.READY
    note = weeks.state.note(notes.waits_out(WEB))
    assert "1 object is not there yet (web/n3: " in note
    assert weeks.apply().code == "done"
    assert states(weeks).count("fencing") == 1
    assert "halted" not in states(weeks)
    assert weeks.state.note(notes.waits_out(WEB)) is None
    said = [text for text in weeks.journal("waiting") if "n3" in text]
    assert len(said) == 2, "once by each run"
    passes_made = weeks.record("na/web").figures.passes
    assert 15 * HOURS / 400 < passes_made < 15 * HOURS / 200, "it is looked again every few minutes"


def test_a_run_that_may_not_wait_says_it_and_ends(weeks, busy):
    busy("src-na", lambda: weeks.loop.time() < HOURS, rehydrating=True)
    outcome = weeks.apply(wait=False)
    assert outcome.code == "waiting"
    assert "web/n3: it is being rehydrated at src-na" in outcome.reasons[0]
    weeks.pass_time(HOURS)
    assert weeks.apply(wait=False).code == "waiting"
    assert weeks.record("na/web").state is MoveState.SOAKING


def test_more_of_them_than_the_lag_may_have_do_not_count_as_a_lag(weeks, busy):
    weeks.change_wave("first", cutover=Cutover(max_lag_objects=0, max_passes=3))
    busy("src-na", lambda: weeks.loop.time() < 3 * HOURS, rehydrating=True)
    assert weeks.apply().code == "done"
    assert "halted" not in states(weeks)


def test_inside_a_fence_they_get_its_time_and_no_spinning(weeks, busy, monkeypatch):
    made = []
    right = passes.run

    async def run(transfer, *, in_fence=False, after=None):
        if in_fence:
            made.append(weeks.loop.time())
        return await right(transfer, in_fence=in_fence, after=after)

    monkeypatch.setattr(passes, "run", run)
    busy("src-na", lambda: weeks.record("na/web").state is MoveState.VERIFYING and len(made) < 10, copy_pending=True)
    assert weeks.apply().code == "done"
    assert states(weeks).count("fencing") == 1
    assert made[-2] - made[0] > 20.0


def test_a_fence_that_they_outlast_is_cancelled_and_the_next_waits_for_them(weeks, busy):
    begun = []

    def is_busy():
        if weeks.record("na/web").state is MoveState.VERIFYING and not begun:
            begun.append(weeks.loop.time())
        return bool(begun) and weeks.loop.time() < begun[0] + 2 * HOURS

    busy("src-na", is_busy, copy_pending=True)
    assert weeks.apply().code == "done"
    assert states(weeks).count("fencing") == 2
    released = weeks.journal("fence-released")
    assert "1 objects are not there yet (web/n3" in released[0]


def test_a_barrier_that_always_finds_something_new_counts_as_a_cancelled_fence(weeks, monkeypatch):
    right = passes.run
    fences = []

    async def run(transfer, *, in_fence=False, after=None):
        result = await right(transfer, in_fence=in_fence, after=after)
        if in_fence:
            fences.append(weeks.record("na/web").epoch)
            if len(set(fences)) < 2:
                result.copied += 1
        return result

    monkeypatch.setattr(passes, "run", run)
    assert weeks.apply().code == "done"
    assert states(weeks).count("fencing") == 2
    assert "halted" not in states(weeks)


def test_passes_that_keep_a_held_move_warm_use_up_nothing(weeks):
    weeks.change_wave("first", cutover=Cutover(hold=True, max_lag_objects=3, max_passes=5))
    weeks.cron(times=8)
    assert weeks.record("na/web").figures.passes == 8
    assert weeks.record("na/web").figures.passes_behind == 0
    weeks.change_wave("first", cutover=Cutover(max_lag_objects=3, max_passes=5))
    right, bursts = passes.run, [2]

    async def run(transfer, *, in_fence=False, after=None):
        result = await right(transfer, in_fence=in_fence, after=after)
        if bursts[0] and not in_fence:
            bursts[0] -= 1
            result.copied += 5
        return result

    try:
        passes.run = run
        weeks.cron(every=MINUTES, times=3)
    finally:
        passes.run = right
    assert weeks.record("na/web").state is MoveState.SOAKING
