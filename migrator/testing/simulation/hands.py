"""Workers that die: an executor whose batches now and then end without an answer, some of their copies under way.

The hands are the real ones of ``migrator.adapters.workers``; only their deaths are simulated. Rule: the requests of a dead
worker that were sent may still be applied, the others never are, and the engine is told "unknown" of all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random

from migrator.adapters.workers import InlineExecutor
from migrator.ports.clock import Clock
from migrator.ports.executor import BatchAnswer, CopyBatch, Refusal
from migrator.ports.object_store import ObjectStore

DEATH_CHANCE = 0.03
LIFE_SECONDS = 0.05
"""A worker that dies does so within this time from the start of a batch."""


class FrailHands(InlineExecutor):
    """Implements ``Executor``."""

    def __init__(self, stores: Mapping[str, ObjectStore], clock: Clock, random: Random) -> None:
        super().__init__(stores, clock)
        self._random = random

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
