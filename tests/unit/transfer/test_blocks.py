"""Blocks that a service copies: as many of one blob at once as pay, and committed in their order."""

from __future__ import annotations

import asyncio

import pytest

from migrator.model.objects import CREATE, Listed
from migrator.model.rhythm import Rhythm, Sizes
from migrator.ports.object_store import Written
from migrator.transfer.copying import Copier

BLOCK = 8
BLOCKS = 600


class Turning:
    """A clock that goes on by what a service's answers take: ``blocks_per_second`` of them at most, each after ``seconds``."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class Service:
    account = "dst"

    def __init__(self, clock: Turning, seconds: float, blocks_per_second: float) -> None:
        self.clock, self.seconds, self.blocks_per_second = clock, seconds, blocks_per_second
        self.under_way = self.most = 0
        self.committed: list[str] = []
        self.staged: list[str] = []

    def can_copy_from(self, other: object) -> bool:
        return True

    async def stage_block_from(self, origin, container, name, block_id, *, offset, length) -> None:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        beside = self.under_way  # all that were begun together
        await asyncio.sleep(0)
        self.clock.now += max(self.seconds / beside, 1.0 / self.blocks_per_second)
        self.under_way -= 1
        self.staged.append(block_id)

    async def commit_blocks(self, container, name, block_ids, shape, *, condition) -> Written:
        self.committed = list(block_ids)
        return Written("e")


@pytest.mark.parametrize(("blocks_per_second", "grows"), [(1e9, True), (4.0, False)])
async def test_as_many_blocks_are_under_way_as_pay(blocks_per_second: float, grows: bool) -> None:
    clock = Turning()
    service = Service(clock, 1.0, blocks_per_second)
    sizes = Sizes(sync_copy_limit_bytes=BLOCK, server_block_bytes=BLOCK)
    copier = Copier(service, service, clock, Rhythm(sizes=sizes))  # type: ignore[arg-type]
    await copier.copy("box", Listed("large", "e1", BLOCK * BLOCKS), condition=CREATE, in_fence=False)
    assert len(service.committed) == len(set(service.committed)) == BLOCKS
    assert sorted(service.staged) == sorted(service.committed)
    assert (service.most > 2 * sizes.parallel_blocks) == grows
    assert service.most <= sizes.most_parallel_blocks


async def test_a_world_that_says_so_keeps_to_what_it_began_with() -> None:
    clock = Turning()
    service = Service(clock, 1.0, 1e9)
    sizes = Sizes(sync_copy_limit_bytes=BLOCK, server_block_bytes=BLOCK, most_parallel_blocks=0)
    copier = Copier(service, service, clock, Rhythm(sizes=sizes))  # type: ignore[arg-type]
    await copier.copy("box", Listed("large", "e1", BLOCK * BLOCKS), condition=CREATE, in_fence=False)
    assert service.most == sizes.parallel_blocks
