"""How many bytes may be held at once, by work that knows its size before it begins.

Rule: who came first goes first, so that a large one is not passed by small ones for ever.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass


class Room:
    """``most_bytes`` in all; no single piece of work may be larger."""

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    def of(self, size: int) -> Held:
        """Hold ``size`` bytes, as soon as there is room for them."""
        return Held(self, size)

    async def take(self, size: int) -> None:
        if self._line or size > self._left:
            await self._turn(size)
        else:
            self._left -= size

    async def _turn(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(size)  # it was given in the same moment
            elif (size, turn) in self._line:
                self._line.remove((size, turn))
                self.give_back(0)  # those behind may be smaller
            raise

    def give_back(self, size: int) -> None:
        self._left += size
        while self._line and self._line[0][0] <= self._left:
            wanted, turn = self._line.popleft()
            if not turn.done():
                self._left -= wanted
                turn.set_result(None)


@dataclass(slots=True)
class Held:
    """``async with``: some room of it, held meanwhile."""

    room: Room
    size: int

    async def __aenter__(self) -> None:
        await self.room.take(self.size)

    async def __aexit__(self, *raised: object) -> None:
        self.room.give_back(self.size)


__all__ = ["Held", "Room"]
