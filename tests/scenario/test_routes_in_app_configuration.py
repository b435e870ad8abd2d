"""Whole rollouts whose routes are keys of App Configuration: each region's own, through the real SDK, on the double."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.adapters.routing.configuration import ConfigurationRouter, open_configuration
from migrator.client import Routes
from migrator.model.moves import MoveState
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.schedule import PlannedMove
from migrator.testing.estate import Configuration, Estate, running
from tests.scenario.world import ID, Small, shape

ASIA = MoveId("asia", "mail")


@pytest.fixture(scope="module")
def served() -> Iterator[Estate]:
    with running(Estate()) as estate:
        yield estate


class Regions:
    """Two moves of one wave, in two regions."""

    def __init__(self, served: Estate, folder: Path) -> None:
        served.stores.clear()
        self.small = Small(folder)
        self.store: Configuration = served.store("routing")
        self.endpoint = f"{served.public}/appconfig/routing"
        self.secret = self.store.connection_string(self.endpoint)
        wave = self.small.schedule.waves[0]
        mail = Area("mail", (Selector("mail"),))
        moves = (*wave.moves, PlannedMove(ASIA, mail, "src", "dst"))
        areas = {**self.small.schedule.areas, "mail": mail}
        self.small.schedule = replace(self.small.schedule, areas=areas)
        self.small.change_wave(moves=moves)
        self.small.router = self.router

    def router(self) -> ConfigurationRouter:
        return open_configuration(self.endpoint, "migrate", connection=self.secret)

    async def run(self, verb: str = "apply"):
        rollout = self.small.rollout()
        try:
            return await getattr(rollout, verb)()
        finally:
            await rollout.world.router.close()

    def records(self) -> dict[str, dict[str, object]]:
        documents = [json.loads(one.value) for one in self.store.values.values()]
        return {key: record for document in documents for key, record in document["routes"].items()}


@pytest.fixture
def regions(served: Estate, tmp_path: Path) -> Regions:
    return Regions(served, tmp_path)


async def fill(small: Small) -> None:
    await small.fill(5)
    store = small.store("src")
    await store.create_container(ContainerInfo("mail"))
    await store.put("mail", "m", b"post", shape(), condition=CREATE)
    await store.close()


async def test_a_rollout_switches_each_region_in_its_own_key_and_goes_back(regions: Regions) -> None:
    await fill(regions.small)
    assert (await regions.run()).code == "done"
    assert sorted(key for key, _ in regions.store.values) == ["migrate/asia", "migrate/europe"]
    assert {key: (one["account"], one["mode"]) for key, one in regions.records().items()} == {
        str(ASIA): ("dst", "read-write"),
        str(ID): ("dst", "read-write"),
    }
    async with Routes.from_url(
        f"appconfig+{regions.endpoint}?name=migrate", credential=regions.secret, hosts=["local:"]
    ) as routes:
        assert (await routes.resolve("asia", "mail")).account == "dst"
    assert (await regions.run("rollback")).code == "done"
    assert {one["account"] for one in regions.records().values()} == {"src"}
    assert {move.state for move in regions.small.state().moves()} == {MoveState.REVERSED}


async def test_a_store_that_asks_for_less_is_waited_for(regions: Regions) -> None:
    await fill(regions.small)
    regions.store.throttled = 3
    assert (await regions.run()).code == "done"
    assert [status for *_, status in regions.store.seen[:3]] == [429] * 3
