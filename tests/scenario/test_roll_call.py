"""A whole rollout with followers that enter the register: real files, the real client, the real engine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from migrator.adapters.routing import FileRegister, FileRouter
from migrator.client import Routes
from migrator.client.errors import LeaseError
from migrator.model.objects import Condition
from migrator.model.rhythm import USUAL
from tests.scenario.world import ID, Small, shape

BOUND = 3.0


@pytest.fixture
async def small(tmp_path):
    small = Small(
        tmp_path, rhythm=replace(USUAL, near_margin_seconds=0.3, roll_watch_seconds=0.2, roll_told_seconds=0.5)
    )
    routing = replace(
        small.schedule.routing, ttl_seconds=0.5, max_write_seconds=2.0, clock_margin_seconds=0.5, protocol=2
    )
    small.schedule = replace(small.schedule, routing=routing)
    await small.fill()
    return small


def rollout_of(small: Small):
    rollout = small.rollout()
    rollout.world.register = FileRegister(small.folder / "routes.json")
    return type(rollout)(small.schedule, world=rollout.world, run=rollout.run)


async def write_on(small: Small, written: dict[str, bytes]) -> None:
    """A customer who overwrites one object again and again, wherever the route says."""
    stores = {f"local:{small.folder}/{name}.db": small.store(name) for name in ("src", "dst")}
    number = 0
    async with Routes.from_url(f"file:{small.folder}/routes.json", label="images/pod-7") as routes:
        while True:
            await asyncio.sleep(0.05)
            try:
                lease = await routes.write(ID.region, ID.area)
            except LeaseError:
                continue
            with lease, lease.request() as request:
                number += 1
                store = stores[lease.endpoint]
                etag = (await store.head("web", "n000")).etag
                body = f"turn {number}".encode()
                await store.put("web", "n000", body, shape(i="0"), condition=Condition(if_match=etag))
                request.done()
            written["n000"] = body


async def published(small: Small) -> None:
    router = FileRouter(str(small.folder / "routes.json"))
    for _ in range(200):
        if (await router.read("europe")).document is not None:
            return
        await asyncio.sleep(0.05)
    pytest.fail("no route was published")


def drained(rollout) -> list[str]:
    return [text for _, _, text in rollout.world.reporter.events if "drain" in text and "->" not in text]


async def test_writers_wait_until_all_followers_have_answered_and_no_longer(small):
    written: dict[str, bytes] = {}
    rollout = rollout_of(small)
    applying = asyncio.create_task(rollout.apply())
    await published(small)
    customer = asyncio.create_task(write_on(small, written))
    outcome = await applying
    customer.cancel()
    await asyncio.gather(customer, return_exceptions=True)
    assert outcome.code == "done"
    assert (await small.route()).account == "dst"
    (said,) = drained(rollout)
    assert "drained by roll-call after" in said
    assert said.endswith("1 of 1 followers answered")
    (entry,) = [one for one in rollout.world.state.journal() if one.kind == "drained"]
    assert entry.evidence["seconds"] < BOUND / 2
    target = small.store("dst")
    async with target.read("web", "n000", if_match=(await target.head("web", "n000")).etag) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == written["n000"]


async def test_a_follower_that_holds_a_lease_is_waited_for(small):
    rollout = rollout_of(small)
    applying = asyncio.create_task(rollout.apply())
    await published(small)
    async with Routes.from_url(f"file:{small.folder}/routes.json", label="images/pod-7") as routes:
        lease = None
        while not applying.done():
            try:
                lease = await routes.write(ID.region, ID.area)  # never closed
            except LeaseError:
                if lease is not None:
                    break
            await asyncio.sleep(0.05)
        assert (await applying).code == "done"
    (entry,) = [one for one in rollout.world.state.journal() if one.kind == "drained"]
    assert entry.evidence["seconds"] > BOUND / 2
    said = [text for kind, _, text in rollout.world.reporter.events if kind == "fence"]
    (waits,) = [text for text in said if "waits for" in text]
    assert "waits for 1 of 1 followers to answer the fence: images/pod-7; without them it drains for another" in waits
