"""The simulated register: one set of entries, read and written over the same kind of network as the route document.

Rules: an entry is judged at the instant it arrives, however late; a roll comes in two pages, each as it stood at its own instant,
and no earlier than it was asked for. Chance is drawn from streams of its own, so that a world without a register is what it was.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from migrator.client.errors import Unwritten
from migrator.errors import CloudError, NotFound, OutcomeUnknown, Unreachable
from migrator.ports.register import Attendant
from migrator.testing.register import MemoryRegister
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.loop import Node, SimLoop, nap
from migrator.testing.simulation.store import Answer
from migrator.testing.simulation.weather import Weather

T = TypeVar("T")
PAGES = ("", "8")
"""From which id on each page is."""


class RegisterBoard:
    """The register as the service holds it."""

    def __init__(self, loop: SimLoop, weather: Weather, seed: str) -> None:
        self.loop = loop
        self.weather = weather
        self.random = Chance(seed)
        self.held = MemoryRegister()

    def as_seen_by(self, node: Node, weather: Weather | None = None) -> SimRegister:
        """A door for ``node``; ``weather`` where its way is another one than the tool's."""
        return SimRegister(self, node, weather or self.weather)


class SimRegister:
    """One node's door to the register; implements Register, and what followers write through."""

    place = "the simulated register"

    def __init__(self, board: RegisterBoard, node: Node, weather: Weather) -> None:
        self._board = board
        self._node = node
        self.weather = weather

    async def open(self, generation: str) -> None:
        await self._write(lambda: _at_once(self._board.held.open(generation)))

    async def roll(self, generation: str) -> tuple[Attendant, ...]:
        self._node.step()
        board, weather = self._board, self.weather
        loop, now = board.loop, board.loop.virtual_now
        if self._is_unanswered(now):
            await nap(loop, now + weather.unanswered_after_seconds)
            raise Unreachable("cannot read the register: no answer")
        delay = self._delay()
        pages, moments = [Answer() for _ in PAGES], sorted(board.random.random() for _ in PAGES)
        for page, moment in zip(pages, moments, strict=True):
            loop.happen(now + delay * moment, page.write, lambda: _at_once(board.held.roll(generation)))
        await nap(loop, now + delay)
        found: list[Attendant] = []
        for page, first, end in zip(pages, PAGES, (*PAGES[1:], "~"), strict=True):
            found += [one for one in page.opened() if first <= one.id < end]
        return tuple(found)

    async def remove(self, generation: str, attendant: Attendant) -> None:
        await self._write(lambda: _at_once(self._board.held.remove(generation, attendant)))

    async def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        """Of a follower. Unwritten: it is not known, or was refused."""

        def act() -> None:
            held = self._board.held
            try:
                if not is_new and id not in held.ids(generation):
                    raise NotFound("cannot renew the entry: it is gone", what="blob")
                held.put(generation, id, text)
            except LookupError as fault:
                raise NotFound("cannot enter the register: it is not there", what="container") from fault

        await self._told(act)

    async def take_back(self, generation: str, id: str) -> None:
        """As ``put``."""
        await self._told(lambda: self._board.held.take_back(generation, id))

    async def close(self) -> None:
        """Nothing is held open."""

    async def _told(self, act: Any) -> None:
        try:
            await self._write(act)
        except CloudError as fault:
            raise Unwritten(str(fault), is_gone=isinstance(fault, NotFound)) from fault

    async def _write(self, act: Any) -> None:
        self._node.step()
        board, weather = self._board, self.weather
        loop, now, answer = board.loop, board.loop.virtual_now, Answer()
        if not self._is_unanswered(now):
            when = now + self._delay()
            loop.happen(when, answer.write, act)
            await nap(loop, when)
            answer.opened()
            return
        fate = board.random.choice(("lost", "late", "never"))
        if fate != "never":
            when = now + (self._delay() if fate == "lost" else board.random.uniform(0.0, weather.late_seconds))
            loop.happen(when, answer.write, act)
        await nap(loop, now + weather.unanswered_after_seconds)
        raise OutcomeUnknown("cannot tell whether the register was written: no answer")

    def _is_unanswered(self, now: float) -> bool:
        weather = self.weather
        if not weather.bad_from <= now < weather.bad_until:
            return False
        return self._board.random.random() < weather.unanswered_chance

    def _delay(self) -> float:
        draw, weather = self._board.random.random(), self.weather
        if draw < weather.slow_chance:
            return self._board.random.uniform(0.0, weather.slow_seconds)
        return weather.fast_seconds * (0.5 + draw)


def _at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of what never waits."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    raise AssertionError("the register in memory waits for something")
