"""An executor in this process. A worker's process has the same inside (``worker``).

How many copies are under way is a window's (``migrator.model.window``); a batch has its share of it.
Memory: the batches under way, of which the caller bounds the number (``batches_at_once``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

from migrator.errors import CloudError, Unreachable
from migrator.model.looks import LaneToLook
from migrator.model.objects import CREATE, BlobType, Condition, ContentHeaders, Shape
from migrator.model.window import Window
from migrator.ports.clock import Clock
from migrator.ports.executor import UNSENT, BatchAnswer, CopyBatch, CopyUnit, CutOff, LaneAnswer, Refusal
from migrator.ports.object_store import MAY_SEND, ObjectStore, Origin, minute_of_answer

BATCHES: Final = 4
"""Batches at once."""
START: Final = 64
"""Copies under way at first: 6,400 a second where one takes 10 ms."""
LEAST: Final = 16
MOST: Final = 1024
"""Copies under way: each is an open file and some ten kilobytes, and a batch has no more than a quarter of them."""
_PLAIN: Final = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
_UNDER_WAY: Final = Refusal("unknown", "cannot tell whether it was copied: it was cut off")
_UNANSWERED: Final = frozenset({"unsent", "unknown", "unreachable"})


Look = Callable[[ObjectStore, ObjectStore, LaneToLook, Clock, Callable[[], bool]], Awaitable[LaneAnswer]]
"""Looks at a lane between two accounts, asking before each page whether it may; every trouble is in its answer."""
LOOKS: Final = 6
"""Lanes that one process looks at at once: some 60 MB of pages."""


class InlineExecutor:
    """Implements ``Executor`` over open accounts, which stay the caller's to close. ``adapts``: as many copies are under way as
    pay, else always as many as at first. ``look``: how it looks at lanes; None: it looks at none."""

    batches_at_once = BATCHES

    def __init__(
        self, stores: Mapping[str, ObjectStore], clock: Clock, *, adapts: bool = False, look: Look | None = None
    ) -> None:
        self._stores = stores
        self._look = look
        self.lanes_at_once = LOOKS if look is not None else 0
        self._clock = clock
        self._window = Window(start=START, least=LEAST if adapts else START, most=MOST if adapts else START)
        self._under_way = 0

    @property
    def window(self) -> int:
        """So many copies may be under way now."""
        return self._window.limit if self._under_way else 0

    def bind_run(self, token: int) -> None:
        """Nothing: whoever opened the accounts bound them."""

    def expect(self, copies: int) -> None:
        """Nothing: this process is ready."""

    async def copy(self, batch: CopyBatch, *, is_wanted: Callable[[], bool] = lambda: True) -> BatchAnswer:
        """``is_wanted`` is asked before each copy: once it says no, the rest stays unsent."""
        origin, destination = self._stores[batch.origin], self._stores[batch.destination]
        job = _Job(batch, origin, destination, self._clock, is_wanted, self._window)
        share = max(1, self._window.limit // BATCHES)
        hands = [asyncio.create_task(job.work()) for _ in range(min(share, len(batch.units)))]
        self._under_way += 1
        try:
            await asyncio.gather(*hands)
        except asyncio.CancelledError:
            await _end(hands)
            raise CutOff(BatchAnswer(tuple(job.answers), self._by_minute(batch, job.answers))) from None
        finally:
            self._window.look(self._clock.monotonic(), was_full=self._under_way >= BATCHES)
            self._under_way -= 1
            await _end(hands)
        return BatchAnswer(tuple(job.answers), self._by_minute(batch, job.answers), self._window.limit)

    def expect_lanes(self, names: int) -> bool:
        """This process is ready, if it looks at all."""
        return self._look is not None

    async def look(self, lane: LaneToLook, *, is_wanted: Callable[[], bool] = lambda: True) -> LaneAnswer:
        """``is_wanted`` is asked before each page: once it says no, the look ends."""
        if self._look is None:
            return LaneAnswer(lane.number, None, UNSENT)
        origin, destination = self._stores[lane.origin], self._stores[lane.destination]

        def may_send() -> bool:
            return self._clock.monotonic() <= lane.until and is_wanted()

        before = MAY_SEND.get()
        MAY_SEND.set(may_send)
        try:
            return await self._look(origin, destination, lane, self._clock, may_send)
        finally:
            MAY_SEND.set(before)

    def _by_minute(self, batch: CopyBatch, answers: list[str | Refusal]) -> dict[int, int]:
        """All in the minute of the last one: a batch takes some ten milliseconds."""
        answered = sum(isinstance(one, str) or one.kind not in _UNANSWERED for one in answers)
        return {minute_of_answer(self._stores[batch.destination], self._clock): answered} if answered else {}

    async def close(self) -> None:
        """Nothing: each call of ``copy`` ends what it began."""


class _Job:
    """A batch under way."""

    def __init__(
        self,
        batch: CopyBatch,
        origin: ObjectStore,
        destination: ObjectStore,
        clock: Clock,
        is_wanted: Callable[[], bool],
        window: Window,
    ) -> None:
        self._window = window
        self.answers: list[str | Refusal] = [UNSENT] * len(batch.units)
        self._batch = batch
        self._origin = origin
        self._destination = destination
        self._clock = clock
        self._is_wanted = is_wanted
        self._rest: Iterator[tuple[int, CopyUnit]] = iter(enumerate(batch.units))
        self._is_refused = False

    async def work(self) -> None:
        """One hand: takes the next copy until there is none, time is over or the service asks for less."""
        MAY_SEND.set(self._may_send)
        for index, unit in self._rest:
            if not self._may_send():
                return
            self.answers[index] = _UNDER_WAY  # and stays so if this hand is cancelled
            self.answers[index] = await self._send(unit)
            self._window.answered()

    def _may_send(self) -> bool:
        return not self._is_refused and self._clock.monotonic() <= self._batch.until and self._is_wanted()

    async def _send(self, unit: CopyUnit) -> str | Refusal:
        container = self._batch.container
        shape = _PLAIN
        if unit.tags or unit.tier:
            shape = Shape(BlobType.BLOCK, _PLAIN.headers, {}, unit.tags or {}, unit.tier)
        condition = CREATE if unit.if_match is None else Condition(unit.if_match)
        origin = Origin(self._origin, container, unit.name, unit.etag)
        try:
            return (await self._destination.copy(origin, container, unit.name, shape, condition=condition)).etag
        except CloudError as fault:
            if isinstance(fault, Unreachable) and not self._may_send():
                return UNSENT
            refusal = Refusal.of(fault)
            if refusal.kind == "throttled" and not self._is_refused:
                self._is_refused = True
                self._window.refused()
            return refusal


async def _end(hands: Sequence[asyncio.Task[None]]) -> None:
    for hand in hands:
        hand.cancel()
    await asyncio.gather(*hands, return_exceptions=True)
