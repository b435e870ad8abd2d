"""Areas that hold nothing or less than somebody thinks, and accounts that are one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine.preview import preview
from migrator.model.findings import Finding
from migrator.model.moves import MoveState
from migrator.model.names import Area, Selector
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.schedule import Declared, PlannedMove
from migrator.model.values import replace as changed
from tests.scenario.findings.asking import found
from tests.scenario.world import ID, Small, shape


async def test_objects_in_no_area_are_counted(small):
    store = small.store("src")
    await store.create_container(ContainerInfo("other"))
    await store.put("other", "x", b"12", shape(), condition=CREATE)
    await store.close()
    assert "src/other has 1 objects (2 bytes) that are in no area" in (await found(small))["in-no-area"].text


@pytest.mark.parametrize(("container", "is_said"), [("$web", True), ("$root", True), ("$logs", False)])
async def test_customers_containers_with_odd_names_do_not_stay_behind_without_a_word(small, container, is_said):
    store = small.store("src")
    await store.create_container(ContainerInfo(container))
    await store.put(container, "index.html", b"12", shape(), condition=CREATE)
    await store.close()
    said = [one for code, one in (await found(small)).items() if code == "in-no-area"]
    assert [f"src/{container} has 1 objects" in one.text for one in said] == [True] * is_said


@pytest.mark.parametrize("selector", [Selector("gone"), Selector("gone-*")], ids=lambda one: one.container)
async def test_a_run_refuses_a_missing_container_before_its_first_copy_in_the_words_of_plan(small, selector):
    """It may have gone since the plan was looked at."""
    move = small.schedule.waves[0].moves[0]
    small.change_wave(moves=(replace(move, area=replace(move.area, selectors=(*move.area.selectors, selector))),))
    said = (await found(small))["missing-container"]
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert f"cannot move {ID}: {said.text}; {said.remedy}" in outcome.reasons[0]
    assert await small.store("dst").containers() == [], "nothing was made or copied"


def with_area(small: Small, *selectors: Selector, declared: Declared | None = None) -> None:
    area = Area("web", selectors)
    small.change_wave(moves=(PlannedMove(ID, area, "src", "dst", declared=declared),))


@pytest.mark.parametrize("mode", ["full", "sample"])
@pytest.mark.parametrize("prefix", ["n*", "/n", "n ", "N"])
async def test_a_prefix_that_matches_nothing_is_an_error_before_the_first_copy(small, prefix, mode):
    with_area(small, Selector("web", prefix))
    finding = (await found(small, mode=mode))["empty-area"]
    assert finding.severity == "error"
    assert "web holds objects of no area, such as n000" in finding.text
    assert "inventory: {web: {objects: 0}}" in finding.remedy


async def test_an_area_whose_containers_hold_only_what_is_in_other_areas_is_a_warning(small):
    await small.erase("src", "n000")
    await small.erase("src", "n001")
    assert (await found(small))["empty-area"].severity == "warning"


async def test_a_glob_that_matches_no_container_is_an_error(small):
    with_area(small, Selector("web-*"))
    finding = (await found(small))["missing-container"]
    assert (finding.severity, finding.text) == ("error", "no container of src is named like web-*")


@pytest.mark.parametrize("selector", [Selector("web", "n*"), Selector("web-*")])
async def test_the_plans_own_word_that_an_area_is_empty_is_enough(small, selector):
    with_area(small, selector, declared=Declared(0, 0.0))
    assert not {"empty-area", "missing-container"} & (await found(small)).keys()


async def test_an_area_that_is_on_its_way_is_not_asked(small):
    await small.rollout().apply()
    for name in ("n000", "n001"):
        await small.erase("src", name)
    assert "empty-area" not in await found(small)


async def test_what_a_move_copied_before_it_went_back_is_its_own_and_stands_not_in_the_way(small):
    await small.rollout().apply()
    await small.rollout().rollback()
    await small.rollout().retry(reason="mended", who="me")
    assert small.state().move(ID).state is MoveState.PREFLIGHT
    assert "target-not-empty" not in await found(small)
    assert (await small.rollout().apply()).code == "done"


class SameAccount:
    """Two names of one account, behind doors that say nothing of it."""

    def __init__(self, small: Small) -> None:
        self.store = small.store("src")

    async def preview(self, small: Small) -> dict[str, Finding]:
        kinds = {name: changed(account, kind="azure") for name, account in small.schedule.accounts.items()}
        small.schedule = changed(small.schedule, accounts=kinds)
        world = small.rollout().world
        world.stores = {"src": self.store, "dst": small.store("src")}
        return {one.code: one for one in (await preview(small.schedule, world)).findings}


async def test_one_account_under_two_addresses_is_never_told_to_be_emptied(small):
    said = await SameAccount(small).preview(small)
    assert "target-not-empty" not in said
    assert said["same-account"].severity == "error"
    assert "with the same ETags" in said["same-account"].text
    assert "remove nothing" in said["same-account"].remedy


async def test_objects_of_others_at_the_target_are_not_told_to_be_emptied(small):
    target = small.store("dst")
    await target.create_container(ContainerInfo("web"))
    await target.put("web", "theirs", b"12", shape(), condition=CREATE)
    await target.close()
    finding = (await found(small))["target-not-empty"]
    assert "empty it" not in finding.remedy
    assert "find out whose they are" in finding.remedy


async def test_a_move_between_two_names_of_one_account_halts_before_it_copies(small):
    source = small.schedule.accounts["src"]
    small.schedule = changed(small.schedule, accounts={"src": source, "dst": changed(source, name="dst")})
    rollout = small.rollout()
    await rollout.apply()
    record = rollout.world.state.move(ID)
    assert record.state is MoveState.HALTED
    assert "is seen at the other" in record.reason
    assert len(await small.contents("src")) == 2
