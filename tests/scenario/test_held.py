"""``apply --no-wait`` on a held wave: it copies, or catches up once, and leaves; so a timer keeps the wave warm."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.model.moves import Control, MoveState
from migrator.ports.state_store import SetControl
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


async def test_the_first_run_copies_and_leaves_at_once(small):
    await small.fill()
    small.change_wave(cutover=replace(small.schedule.waves[0].cutover, hold=True))
    outcome = await small.rollout().apply(wait=False)
    assert (outcome.code, outcome.reasons) == ("waiting", (f"{ID}: the plan says hold",))
    record = small.state().move(ID)
    assert (record.state, record.figures.objects_copied, record.figures.passes) == (MoveState.CATCHING_UP, 30, 1)


async def test_each_later_run_makes_one_pass(small):
    await small.fill()
    hold = Control("hold", "wave:first", {"on": True}, "ann", datetime.now(UTC))
    small.state().commit([SetControl(hold)], token=None)
    await small.rollout().apply(wait=False)
    for run in (2, 3):
        await small.write("src", f"new-{run}", b"new")
        outcome = await small.rollout().apply(wait=False)
        assert (outcome.code, outcome.reasons) == ("waiting", (f"{ID}: held by an operator: migrate release",))
        assert small.state().move(ID).figures.passes == run
        assert await small.contents("dst") == await small.contents("src")
    small.state().commit([SetControl(replace(hold, value={}))], token=None)
    assert (await small.rollout().apply()).code == "done"
    assert small.state().move(ID).state is MoveState.SOAKED


@pytest.mark.parametrize("who", ["plan", "operator"])
async def test_no_hold_keeps_the_way_back(small, who):
    """It keeps cut-overs to the target; customers must be able to leave a failing one."""
    await small.fill()
    assert (await small.rollout().apply()).code == "done"
    if who == "plan":
        small.change_wave(cutover=replace(small.schedule.waves[0].cutover, hold=True))
    else:
        hold = Control("hold", "wave:first", {"on": True}, "ann", datetime.now(UTC))
        small.state().commit([SetControl(hold)], token=None)
    await small.write("dst", "n001", b"since")
    outcome = await asyncio.wait_for(small.rollout().rollback(), 60)
    assert outcome.code == "done"
    assert (await small.route()).account == "src"
    assert (await small.contents("src"))["n001"][0] == b"since"
