"""A customer's process that follows a document of version 2: it enters the register, looks, and answers fences.

What it may write, what its entry promises, and what it does next is decided by the real client (``migrator.client.book``); here
are only its requests, as its asyncio shell sends them. Rule: it looks at the world through its own node's doors alone.
"""

from __future__ import annotations

import asyncio

from migrator.client.book import Book
from migrator.client.errors import RouteFenced, Unwritten
from migrator.client.follower import Grant, Refresh
from migrator.client.presence import Letter
from migrator.client.work import Counted
from migrator.errors import CloudError
from migrator.model.hosts import Hosts
from migrator.model.names import MoveId
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.loop import Node, SimClock
from migrator.testing.simulation.register import SimRegister
from migrator.testing.simulation.router import SimRouter
from migrator.testing.simulation.weather import Weather


class Attendee:
    """One process."""

    def __init__(
        self, name: str, node: Node, clock: SimClock, router: SimRouter, pen: SimRegister, hosts: Hosts, seed: str
    ) -> None:
        self.node = node
        self.clock = clock
        self.random = Chance(f"attendee {seed}")
        self._router = router
        self._pen = pen
        self.ways: tuple[Weather, ...] = (router.weather, pen.weather)
        """To the document and to the register: its own."""
        self._book = Book("the simulated routes", hosts, label=name, ids=self._new_id)
        self._looking = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._attending: asyncio.Task[None] | None = None
        self.has_left = False

    def _new_id(self) -> str:
        return f"{self.random.getrandbits(128):032x}"

    async def lease(self, move: MoveId) -> tuple[Grant, Counted]:
        """A lease, counted as under way until it is said to be over. LeaseError: there is none now."""
        book, follower = self._book, self._book.follower(move.region, move.area)
        if self.has_left:
            raise RouteFenced(f"cannot write {move}: this process ends", reason="unregistered")
        await self._freshen(move)
        if book.want(follower, self.clock.monotonic()):
            if book.must_enter(follower, self.clock.monotonic()):
                await self._write_letters()
                await self._freshen(move)
            self._attend()
        return book.lease(follower, self.clock.monotonic())

    async def _freshen(self, move: MoveId) -> None:
        follower = self._book.follower(move.region, move.area)
        if self._book.write_refresh(follower, self.clock.monotonic()) is not Refresh.NO:
            await self.look()

    async def look(self) -> None:
        """Read the route; reads do not overlap."""
        async with self._looking:
            sent_at = self.clock.monotonic()
            try:
                seen = await self._router.read_text()
            except CloudError as fault:
                self._book.fail(str(fault), sent_at)
                return
            self._book.take(seen, sent_at)

    async def leave(self) -> None:
        """As a process that is asked to end: what it has under way goes on, and it gets no further lease."""
        self.has_left = True
        if self._attending is not None:
            self._attending.cancel()
        async with self._writing:
            for letter in self._book.farewells(self.clock.monotonic()):
                await self._send(letter)

    def _attend(self) -> None:
        if self._attending is None or self._attending.done():
            self._attending = self.node.start(self._attend_on())

    async def _attend_on(self) -> None:
        while True:
            await self._write_letters()
            turn, pause = self._book.next_turn(self.clock.monotonic(), share=1 - 0.3 * self.random.random())
            if turn == "rest":
                return
            if turn == "look":
                await self.look()
            else:
                await self.clock.sleep(pause)

    async def _write_letters(self) -> None:
        if not self._writing.locked() and self._book.is_quiet(self.clock.monotonic()):
            return
        async with self._writing:
            while (letter := self._book.letter(self.clock.monotonic())) is not None:
                await self._send(letter)

    async def _send(self, letter: Letter) -> None:
        sent_at = self.clock.monotonic()
        try:
            if letter.text is None:
                await self._pen.take_back(letter.generation, letter.id)
            else:
                await self._pen.put(letter.generation, letter.id, letter.text, is_new=letter.is_new)
        except Unwritten as fault:
            self._book.unwritten(letter, str(fault), self.clock.monotonic(), is_gone=fault.is_gone)
        else:
            self._book.written(letter, sent_at, self.clock.monotonic())
