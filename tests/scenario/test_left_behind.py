"""After a way back the target is watched: what still arrives there is detected, listed and kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.engine import left_target, waves
from migrator.engine.world import Outcome
from migrator.errors import Unreachable
from migrator.model.moves import Control, MoveState
from migrator.model.rhythm import Rhythm
from migrator.model.schedule import Cutover
from migrator.ports.state_store import SetControl
from migrator.transfer import passes
from tests.scenario.test_rollout import until
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    """Every run finds a look due."""
    made = Small(tmp_path, rhythm=Rhythm(left_target_rest=0))
    made.change_wave(cutover=Cutover(straggler_interval_seconds=0.0))
    return made


async def there_and_back(small):
    await small.fill(5)
    assert (await small.rollout().apply()).code == "done"
    outcome = await small.rollout().rollback()
    assert outcome.code == "done"
    return outcome


def listed(small):
    return [(row.name, row.kind) for row in small.state().exceptions(ID)]


async def test_a_target_that_is_still_is_looked_at_once_and_said_so(small):
    outcome = await there_and_back(small)
    assert outcome.reasons == ("europe/web is back at src",)
    texts = [entry.text for entry in small.state().journal() if entry.kind == "left-target-still"]
    assert texts == ["europe/web: dst is still since customers left it"]
    assert listed(small) == []


async def test_what_customers_write_at_the_source_afterwards_is_nobodys_trouble(small):
    await there_and_back(small)
    await small.write("src", "n001", b"newer")
    await small.write("src", "made", b"new")
    await small.erase("src", "n002")
    assert "lease" not in str((await small.rollout().apply()).reasons)
    assert listed(small) == []


@pytest.mark.parametrize("command", ["apply", "rollback"])
async def test_a_write_a_create_and_a_delete_at_the_target_are_listed_and_kept(small, command):
    await there_and_back(small)
    await small.write("dst", "n001", b"late")
    await small.write("dst", "made", b"late")
    await small.erase("dst", "n002")
    outcome = await getattr(small.rollout(), command)()
    assert outcome.code == "halted"
    (said,) = [text for text in outcome.reasons if "without a lease" in text]
    assert "3 objects were changed on dst after customers had gone back to src" in said
    assert "web/made, web/n001, web/n002" in said
    assert listed(small) == [("made", "straggler"), ("n001", "straggler"), ("n002", "straggler")]
    assert (await small.contents("dst"))["n001"][0] == b"late"
    assert (await small.contents("src"))["n001"][0] == b"v1"
    again = await getattr(small.rollout(), command)()
    assert said in again.reasons, "until the move starts again, every run says so"
    assert len([entry for entry in small.state().journal() if entry.kind == "left-target-changed"]) == 1


async def test_going_forward_again_halts_before_it_overwrites_what_was_written_there(small):
    await there_and_back(small)
    await small.write("dst", "n001", b"late")
    await small.rollout().rollback()
    await small.rollout().retry(reason="again", who="me")
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert "not copied from src" in outcome.reasons[0]
    assert (await small.contents("dst"))["n001"][0] == b"late"
    assert (await small.route()).account == "src"


async def test_rows_of_a_look_that_died_are_said_by_the_next_one(small, monkeypatch):
    await there_and_back(small)
    await small.write("dst", "n001", b"late")
    right = passes.watch

    async def watch(transfer):
        await right(transfer)
        raise asyncio.CancelledError

    monkeypatch.setattr(passes, "watch", watch)
    with pytest.raises(asyncio.CancelledError):
        await small.rollout().rollback()
    monkeypatch.setattr(passes, "watch", right)
    assert "n001" in (await small.rollout().rollback()).reasons[0]
    assert len([entry for entry in small.state().journal() if entry.kind == "left-target-changed"]) == 1


async def test_a_target_that_cannot_be_read_is_said_and_the_way_back_is_done_all_the_same(small, monkeypatch):
    async def watch(transfer):
        raise Unreachable("cannot list dst: no answer")

    await small.fill(5)
    await small.rollout().apply()
    right = passes.watch
    monkeypatch.setattr(passes, "watch", watch)
    rollout = small.rollout()
    assert (await rollout.rollback()).code == "done"
    assert "cannot look whether dst is still, which was left: cannot list dst" in str(rollout.world.reporter.events)
    assert left_target.last_look(small.state(), small.state().move(ID)) is None
    monkeypatch.setattr(passes, "watch", right)
    await small.rollout().rollback()
    assert left_target.last_look(small.state(), small.state().move(ID)).found == 0


async def test_looks_are_no_more_often_than_the_interval(small, monkeypatch):
    small.change_wave(cutover=Cutover(straggler_interval_seconds=3600.0))
    await there_and_back(small)
    monkeypatch.setattr(passes, "watch", None)
    assert (await small.rollout().rollback()).code == "done"


async def test_a_run_that_stays_at_work_looks_again(small, monkeypatch):
    """Another wave may soak for days."""
    small.rhythm = replace(small.rhythm, left_target_round_seconds=0.02)
    await there_and_back(small)

    async def work(self):
        await asyncio.sleep(0.2)
        await small.write("dst", "n001", b"late")
        await until(lambda: listed(small))
        return Outcome("done")

    monkeypatch.setattr(waves._Applying, "_work", work)
    outcome = await asyncio.wait_for(small.rollout().apply(), 60)
    assert outcome.code == "halted"
    assert "n001" in outcome.reasons[0]


async def test_no_run_stays_for_a_look_while_everything_is_paused(small):
    await there_and_back(small)
    await small.write("dst", "n001", b"late")
    pause = Control("pause", "", {"on": True}, "ann", datetime.now(UTC))
    small.state().commit([SetControl(pause)], token=None)
    assert "lease" not in str((await asyncio.wait_for(small.rollout().apply(wait=False), 30)).reasons)
    small.state().commit([SetControl(replace(pause, value={}))], token=None)
    assert "n001" in str((await small.rollout().apply(wait=False)).reasons)


async def test_a_move_that_never_switched_left_nothing(small, monkeypatch):
    await small.fill(5)
    small.change_wave(cutover=Cutover(hold=True))
    await small.rollout().apply(wait=False)
    monkeypatch.setattr(passes, "watch", None)
    assert (await small.rollout().rollback()).code == "done"
    assert small.state().move(ID).state is MoveState.REVERSED
