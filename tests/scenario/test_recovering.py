"""What the first act of a run does about fences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.adapters.routing import FileRouter
from migrator.model.moves import MoveState
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from tests.scenario.world import ID, Small


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


async def put_route(small, **changes):
    router = FileRouter(str(small.folder / "routes.json"))
    seen = await router.read("europe")
    document = seen.document or RouteDocument(0.05, 0.05)
    lineage = small.state().lineage
    known = document.routes.get(str(ID)) or RouteRecord("src", "x", READ_WRITE, 1, lineage, "", "r")
    if "endpoint" not in changes:
        store = small.store(str(changes.get("account", known.account)))
        changes["endpoint"] = store.endpoint
        await store.close()
    await router.swap("europe", document.with_record(str(ID), replace(known, **changes)), expected_etag=seen.etag)


async def test_a_fence_of_this_stores_own_future_is_released_though_the_store_knows_nothing_of_it(small):
    """The store was put back from a backup made before the move began."""
    await small.fill(2)
    await put_route(small, account="dst", mode=READ_ONLY, epoch=12)
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"  # which account is right is a person's question
    route = await small.route()
    assert (route.account, route.mode, route.epoch) == ("dst", READ_WRITE, 13)
    assert any("its fence (epoch 12) is on no record" in entry.text for entry in small.state().journal())


async def test_a_fence_that_sends_customers_elsewhere_is_left_alone_for_a_person(small):
    await small.fill(2)
    await put_route(small, account="dst", mode=READ_ONLY, epoch=12, endpoint="https://evil.example")
    before = await small.route()
    outcome = await small.rollout().apply()
    assert outcome.code == "halted"
    assert await small.route() == before, "nothing was written"


async def test_a_fence_of_another_store_is_left_alone(small):
    await small.fill(2)
    await put_route(small, mode=READ_ONLY, epoch=12, lineage="another store")
    assert (await small.rollout().apply()).code == "halted"
    assert (await small.route()).mode == READ_ONLY
    assert small.state().move(ID).state is MoveState.HALTED


async def test_a_way_back_is_not_done_where_the_route_says_that_customers_are_elsewhere(small):
    """The store was put back from a backup made before the move began, and the customers had been switched."""
    await small.fill(2)
    await put_route(small, account="dst", epoch=6)
    assert (await small.rollout().apply()).code == "halted"
    outcome = await small.rollout().rollback()
    assert outcome.code == "halted"
    assert "the route says dst, read-write, epoch 6" in outcome.reasons[0]
    assert "retry --adopt-route" in outcome.reasons[0]
    assert small.state().move(ID).state is MoveState.HALTED
