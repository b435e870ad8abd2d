"""A plan edited in mid-rollout: what has begun keeps the ground it stands on, what has not may still be changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from migrator.errors import PlanError
from migrator.model.names import Area, Selector
from migrator.model.schedule import Schedule
from tests.scenario.world import Small


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path)


def elsewhere(schedule: Schedule, account: str, path: str) -> Schedule:
    accounts = {**schedule.accounts, account: replace(schedule.accounts[account], path=path)}
    return replace(schedule, accounts=accounts, fingerprint="edited")


def with_area(schedule: Schedule, *selectors: Selector) -> Schedule:
    (wave,) = schedule.waves
    (move,) = wave.moves
    area = Area("web", selectors)
    return replace(
        schedule, areas={"web": area}, waves=(replace(wave, moves=(replace(move, area=area),)),), fingerprint="edited"
    )


EDITS = {
    "its source account was": lambda s, folder: elsewhere(s, "src", f"{folder}/other.db"),
    "its target account was": lambda s, folder: elsewhere(s, "dst", f"{folder}/other.db"),
    "area web was web/ then, not web/, web2/": lambda s, folder: with_area(s, Selector("web"), Selector("web2")),
    "the route document was file:": lambda s, folder: replace(
        s, routing=replace(s.routing, path=f"{folder}/other.json"), fingerprint="edited"
    ),
}


@pytest.mark.parametrize("said", EDITS)
async def test_what_a_begun_move_stands_on_is_not_moved_under_it(small: Small, said: str) -> None:
    await small.fill(3)
    await small.rollout().apply()
    before = await small.route()
    small.schedule = EDITS[said](small.schedule, small.folder)
    with pytest.raises(PlanError, match="cannot apply this edit: europe/web has begun") as refusal:
        await small.rollout().apply()
    assert said in str(refusal.value)
    assert await small.route() == before
    assert not small.state().lock()


async def test_before_a_move_begins_all_of_it_may_be_edited(small: Small) -> None:
    await small.fill(3)
    small.change_wave(after=("first",))  # it waits for itself, so nothing begins
    await small.rollout().apply(wait=False)
    small.change_wave(after=())
    small.schedule = elsewhere(small.schedule, "dst", f"{small.folder}/other.db")
    assert (await small.rollout().apply()).code == "done"
    assert (await small.route()).account == "dst"
