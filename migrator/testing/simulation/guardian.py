"""The guardian of a simulated engine: the real one's loop on a node of its own, at the other end of a simulated pipe.

Decides only when the pipe ends: when the engine's process dies, or closes it. What is released and when is the real
``migrator.engine.guardian.serve``. Rule: it lives on the engine's machine; it dies with the machine, not with the engine.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from migrator.engine.guardian import serve
from migrator.errors import CloudError
from migrator.model.moves import RevokedPolicy
from migrator.model.routes import RouteRecord
from migrator.ports.clock import Clock
from migrator.ports.router import Router
from migrator.ports.write_policy import PolicyHolder
from migrator.testing.simulation.loop import Node, NodeDead

ANSWER_SECONDS = 25.0


class SimGuardian:
    """The engine's end; implements GuardianPort. The other end runs on ``post``."""

    def __init__(
        self, engine: Node, post: Node, router: Router, clock: Clock, holders: Mapping[str, PolicyHolder]
    ) -> None:
        self._engine = engine
        self._post = post
        self._orders: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._number = 0
        self._is_open = True
        self._over = asyncio.Event()
        post.on_death.append(self._over.set)
        engine.on_death.append(self._hang_up)
        self.served = post.start(serve(router, _Lines(self._orders), self._answer, clock, holders=holders.get))

    async def watch(self, key: str, before: RouteRecord, fence: RouteRecord, deadline_seconds: float) -> None:
        answer = await self._ask(
            {
                "cmd": "watch",
                "key": key,
                "before": asdict(before),
                "fence": asdict(fence),
                "deadline_seconds": deadline_seconds,
            }
        )
        if not answer.get("ok"):
            raise CloudError(f"cannot fence {key}: its guardian refuses ({answer.get('error')})")

    async def keep(self, key: str, revoked: Sequence[RevokedPolicy]) -> None:
        answer = await self._ask({"cmd": "keep", "key": key, "revoked": [asdict(one) for one in revoked]})
        if not answer.get("ok"):
            raise CloudError(f"cannot enforce the fence of {key}: its guardian refuses ({answer.get('error')})")

    async def unwatched(self, key: str) -> str:
        await self._over.wait()
        return "it died"

    async def done(self, key: str) -> None:
        try:
            await self._ask({"cmd": "done", "key": key})
        except CloudError:
            return

    async def close(self) -> None:
        self._hang_up()
        if self._post.alive:
            await asyncio.wait([self.served], timeout=5.0)

    async def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        if not self._engine.alive:
            raise NodeDead(self._engine.name)
        self._engine.step()
        if not self._is_open or not self._post.alive:
            raise CloudError("cannot fence: no guardian answers")
        self._number += 1
        answer: asyncio.Future[dict[str, Any]] = self._engine.loop.create_future()
        self._answers[self._number] = answer
        self._orders.put_nowait(json.dumps({**order, "id": self._number}).encode())
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError as silence:
            raise CloudError("cannot fence: the guardian does not answer") from silence

    def _answer(self, line: str) -> None:
        answer = json.loads(line)
        waiting = self._answers.pop(answer["id"], None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def _hang_up(self) -> None:
        if self._is_open:
            self._is_open = False
            self._orders.put_nowait(None)


class _Lines:
    """Orders until ``None``. Not a generator: one that is left waiting outlives the task that reads it, and the world's end."""

    def __init__(self, orders: asyncio.Queue[bytes | None]) -> None:
        self._orders = orders

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        line = await self._orders.get()
        if line is None:
            raise StopAsyncIteration
        return line
