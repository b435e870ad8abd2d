"""The simulated route document: one value behind a compare-and-swap, and the many ways a swap's answer gets lost.

Rule: a swap is judged at the instant it is applied; a late one is applied only if nobody was faster, as at a real service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

from migrator.errors import MigrateError, OutcomeUnknown, RouteChanged, Unreachable
from migrator.model.routes import RouteDocument
from migrator.ports.router import RouteSnapshot
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.loop import Node, SimLoop
from migrator.testing.simulation.store import ORPHAN_SECONDS
from migrator.testing.simulation.weather import Weather

SwapHook = Callable[[Sender, RouteDocument | None, RouteDocument, float], None]


class RouteBoard:
    """The document as the service holds it. ``swapped`` is called after every change with (sender, before, after, sent)."""

    def __init__(self, loop: SimLoop, weather: Weather, seed: str) -> None:
        self.loop = loop
        self.weather = weather
        self.random = Random(seed)
        self.document: RouteDocument | None = None
        self.swapped: SwapHook = lambda *facts: None
        self._version = 0

    @property
    def etag(self) -> str | None:
        return f"v{self._version}" if self.document is not None else None

    def as_seen_by(self, node: Node, sender: Sender, weather: Weather | None = None) -> SimRouter:
        """A door for ``node``; ``weather`` where its way to the document is another one than the tool's."""
        return SimRouter(self, node, sender, weather or self.weather)

    def put(self, document: RouteDocument, expected_etag: str | None, sender: Sender, sent_at: float) -> str:
        """The atomic step of a swap."""
        if expected_etag != self.etag:
            raise RouteChanged(f"cannot change the routes: somebody else wrote first ({self.etag})")
        before, self.document = self.document, document
        self._version += 1
        self.swapped(sender, before, document, sent_at)
        return f"v{self._version}"

    def edit(self, change: Callable[[RouteDocument], RouteDocument], by: Sender) -> None:
        """A person edits the document by hand; nothing happens while there is none."""
        if self.document is not None:
            self.put(change(self.document), self.etag, by, self.loop.time())


class SimRouter:
    """One node's door to the route document; implements Router."""

    def __init__(self, board: RouteBoard, node: Node, sender: Sender, weather: Weather) -> None:
        self._board = board
        self._weather = weather
        self._node = node
        self._sender = sender

    async def read(self) -> RouteSnapshot:
        self._node.step()
        board, answer = self._board, self._board.loop.create_future()
        loop, weather = board.loop, self._weather
        if self._is_unanswered():
            fault = Unreachable("cannot read the routes: no answer")
            loop.call_at(loop.time() + weather.unanswered_after_seconds, _answer, answer, fault)
        else:
            now, delay = loop.time(), self._delay()
            seen = delay * board.random.random()  # what comes back may be old by then
            loop.call_at(now + seen, self._look, answer, now + delay, context=loop.world)
        return await answer  # type: ignore[no-any-return]

    async def swap(self, document: RouteDocument, *, expected_etag: str | None) -> str:
        self._node.step()
        board, answer = self._board, self._board.loop.create_future()
        loop, weather, now = board.loop, self._weather, board.loop.time()
        if not self._is_unanswered():
            when = now + self._delay()
            loop.call_at(when, self._apply, answer, document, expected_etag, now, context=loop.world)
            return await answer  # type: ignore[no-any-return]
        fate = board.random.choice(("lost", "late", "never"))
        if fate != "never":
            when = now + (self._delay() if fate == "lost" else board.random.uniform(0.0, weather.late_seconds))
            loop.call_at(when, self._apply, None, document, expected_etag, now, context=loop.world)
        fault = OutcomeUnknown("cannot tell whether the routes were changed: no answer")
        loop.call_at(now + weather.unanswered_after_seconds, _answer, answer, fault)
        return await answer  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Nothing is held open."""

    def _look(self, answer: asyncio.Future[Any], answered_at: float) -> None:
        seen = RouteSnapshot(self._board.document, self._board.etag)
        self._board.loop.call_at(answered_at, _answer, answer, seen)

    def _apply(
        self, answer: asyncio.Future[Any] | None, document: RouteDocument, expected_etag: str | None, sent_at: float
    ) -> None:
        board, node = self._board, self._node
        if not node.alive and (
            board.random.random() < 0.5 or board.loop.time() > node.sockets_closed_at + ORPHAN_SECONDS
        ):
            return
        outcome: Any
        try:
            outcome = board.put(document, expected_etag, self._sender, sent_at)
        except MigrateError as refusal:
            outcome = refusal
        if node.alive:
            node.tick()
        if answer is not None and node.alive:
            _answer(answer, outcome)

    def _is_unanswered(self) -> bool:
        weather, loop = self._weather, self._board.loop
        if not weather.bad_from <= loop.time() < weather.bad_until:
            return False
        return self._board.random.random() < weather.unanswered_chance

    def _delay(self) -> float:
        draw, weather = self._board.random.random(), self._weather
        if draw < weather.slow_chance:
            return self._board.random.uniform(0.0, weather.slow_seconds)
        return weather.fast_seconds * (0.5 + draw)


def _answer(future: asyncio.Future[Any], outcome: Any) -> None:
    if future.done():
        return
    if isinstance(outcome, MigrateError):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
