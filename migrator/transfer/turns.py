"""Turns at something that only so many may use at once; whoever came first as a whole goes first with every part of it.

Fair shares would let all that was begun end at the same moment, and leave nothing to do while the next is prepared.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

from migrator.model.window import Window


class Turns:
    """``limit`` at once; where that is a window's (``now``: of a clock that does not go back), as many as pay: each turn that is
    given back tells it of an answer."""

    def __init__(self, limit: int | Window, now: Callable[[], float] = lambda: 0.0) -> None:
        self._window = limit if isinstance(limit, Window) else Window.up_to(limit, limit)
        self._learns, self._now = isinstance(limit, Window), now
        self._held = 0
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
        if self._held < self._window.limit and not self._waiting:
            self._held += 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._arrivals), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # it was given at the last moment: somebody else takes it
                self._give_on()
            raise

    def give(self) -> None:
        if self._learns:
            self._window.answered()
            self._window.look(self._now(), was_full=bool(self._waiting))
        self._give_on()

    def _give_on(self) -> None:
        self._held -= 1
        while self._waiting and self._held < self._window.limit:
            _, _, first = heapq.heappop(self._waiting)
            if not first.done():
                self._held += 1
                first.set_result(None)
