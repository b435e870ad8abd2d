"""Workers that die: an executor whose batches now and then end without an answer, some of their copies under way, and whose looks
at lanes are now and then lost, late, or answered with what was seen before.

The hands are the real ones of ``migrator.adapters.workers``; only their deaths are simulated. Rule: the requests of a dead
worker that were sent may still be applied, the others never are, and the engine is told "unknown" of all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

from migrator.adapters.workers import InlineExecutor
from migrator.model.looks import LaneToLook
from migrator.ports.clock import Clock
from migrator.ports.executor import BatchAnswer, CopyBatch, LaneAnswer, Refusal
from migrator.ports.object_store import ObjectStore
from migrator.transfer.looking import look

DEATH_CHANCE = 0.03
LIFE_SECONDS = 0.05
"""A worker that dies does so within this time from the start of a batch."""
LOST_CHANCE = 0.06
STALE_CHANCE = 0.3
"""Of an answer that is one of an earlier look at the same lane: a wire that delivers late, or twice."""
STOPPED_CHANCE = 0.01


class FrailHands(InlineExecutor):
    """Implements ``Executor``."""

    def __init__(self, stores: Mapping[str, ObjectStore], clock: Clock, random: Random, looks: Random) -> None:
        super().__init__(stores, clock, look=look)
        self._random = random
        self._fate = looks
        self._seen: dict[tuple[object, ...], LaneAnswer] = {}
        """Of each lane, what the last look at it saw."""

    async def look(self, lane: LaneToLook, **options: object) -> LaneAnswer:
        fate, place = (
            self._fate.random(),
            (lane.rule, lane.direction, lane.container, lane.prefix, lane.above, lane.upto),
        )
        if fate < STOPPED_CHANCE:
            await asyncio.sleep(60.0)
        if fate < LOST_CHANCE:
            await asyncio.sleep(self._fate.uniform(0.0, LIFE_SECONDS))
            return LaneAnswer(lane.number, None, Refusal("unknown", "the worker died"))
        before = self._seen.get(place)
        if before is not None and self._fate.random() < STALE_CHANCE:
            return before
        self._seen[place] = answer = await super().look(lane)
        return answer

    async def copy(self, batch: CopyBatch, **options: object) -> BatchAnswer:
        work = asyncio.create_task(super().copy(batch))
        try:
            if self._random.random() >= DEATH_CHANCE:
                return await work
            done, _ = await asyncio.wait([work], timeout=self._random.uniform(0.0, LIFE_SECONDS))
            if done:
                return work.result()
            return BatchAnswer((Refusal("unknown", "the worker died"),) * len(batch.units))
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
