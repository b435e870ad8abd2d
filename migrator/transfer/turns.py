"""Turns at something that only so many may use at once; whoever came first as a whole goes first with every part of it.

Fair shares would let all that was begun end at the same moment, and leave nothing to do while the next is prepared.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Turns:
    """``limit`` at once."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    @asynccontextmanager
    async def turn(self, rank: int) -> AsyncIterator[None]:
        """Wait for a turn and hold it; a lower ``rank`` goes first, within a rank who asked first."""
        await self.take(rank)
        try:
            yield
        finally:
            self.give()

    async def take(self, rank: int) -> None:
        """Wait for a turn; whoever got it gives it back."""
        if self._free > 0:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._arrivals), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was given at the last moment: somebody else takes it
                self.give()
            raise

    def give(self) -> None:
        while self._waiting:
            _, _, first = heapq.heappop(self._waiting)
            if not first.done():
                first.set_result(None)
                return
        self._free += 1
