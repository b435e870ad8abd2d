"""How many bytes may be held at once, by work that knows its size before it begins.

Rule: who came first goes first, so that a large one is not passed by small ones for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Room:
    """``most_bytes`` in all; no single piece of work may be larger."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def of(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes, as soon as there is room for them."""
        if self._line or size > self._left:
            await self._turn(size)
        else:
            self._left -= size
        try:
            yield
        finally:
            self._give_back(size)

    async def _turn(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back(size)  # it was given in the same moment
            elif (size, turn) in self._line:
                self._line.remove((size, turn))
                self._give_back(0)  # those behind may be smaller
            raise

    def _give_back(self, size: int) -> None:
        self._left += size
        while self._line and self._line[0][0] <= self._left:
            wanted, turn = self._line.popleft()
            if not turn.done():
                self._left -= wanted
                turn.set_result(None)
