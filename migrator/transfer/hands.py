"""What goes out to other hands: small copies in batches, and lanes to be looked at.

Who may go out together, when, and what becomes of those that come back unsent.

Only a block blob that one request copies whole goes this way; everything else climbs the ladder of copying.py one by one.
Rules, for each batch:

- both accounts grant before it is handed out, in slices of ``SLICE_SECONDS`` of the slower pace, so that all workers
  together never run ahead of a budget by more than the slices that are out;
- it carries the moment at which the claim of the route would be too old: nothing of it is sent after that;
- what was asked for first goes out first, so that its names are settled while the next are copied;
- what comes back throttled or unsent is granted and handed out again; every other answer is settled once, by the caller.

Rules, for each lane: both accounts grant its pages before it goes out; it is handed out once, with a moment after which nothing
of it is sent; an answer that does not come in time, or is not the one of this very look, is none. Whoever asked looks himself
then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count as counting
from typing import Final

from migrator.model.looks import LaneLooked, LaneToLook
from migrator.model.objects import BlobType, Listed
from migrator.model.rhythm import Sizes
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.ports.executor import BatchAnswer, CopyBatch, CopyUnit, CutOff, Executor, LaneAnswer, Refusal
from migrator.transfer.limits import grant_together
from migrator.transfer.paced import ATTEMPTS, HURRIED_SECONDS, SLOW_ORIGIN, SLOWING, PacedStore
from migrator.transfer.together import together
from migrator.transfer.turns import Turns

BATCH: Final = 256
"""Most copies of one batch: some ten milliseconds of a worker's time, so that a claim is never near its end."""
SLICE_SECONDS: Final = 0.1
MARGIN_SECONDS: Final = 1.0
"""A batch with less time than this is admitted again before it goes out."""
FIRST_WAIT_SECONDS: Final = 0.2
STANDSTILL_SECONDS: Final = 300.0
"""A batch that comes back unsent again and again for so long - its hands have too much before them - is an error."""

LOOK_SECONDS: Final = 15.0
"""A lane that is not looked at in so long is the asker's: its hand may be stopped, or the service far too slow for it."""
NO_LOOKS_SECONDS: Final = 60.0
"""After such a one lanes are kept for so long."""
SPARE_PAGES: Final = 3
"""Of a lane, at each side, beside those that its names need: what is asked for of these is granted afterwards."""

Settle = Callable[[int, str | Refusal], None]
"""Takes the index of a copy and its answer: the new ETag, or a refusal that another try would not change."""


Lost = Callable[[Sequence[int]], None]
"""Takes the indexes of copies that were out when everything ended early: nobody knows what becomes of them."""


def fits_batch(blob: Listed, sizes: Sizes) -> bool:
    """Can the service copy it whole in one request?"""
    return blob.blob_type is BlobType.BLOCK and blob.size <= sizes.sync_copy_limit_bytes and not blob.is_archived


class Hands:
    """The executor of a run, shared by its moves."""

    def __init__(self, executor: Executor, clock: Clock) -> None:
        self.executor = executor
        self.clock = clock
        self.turns = Turns(executor.batches_at_once)
        self._calls = counting()
        self._looks = Turns(max(1, executor.lanes_at_once))
        self._numbers = counting(1)
        self._no_looks_before = 0.0

    def expect(self, copies: int) -> None:
        """About so many are to come (``Executor.expect``)."""
        self.executor.expect(copies)

    async def copy(
        self,
        origin: PacedStore,
        destination: PacedStore,
        container: str,
        units: Sequence[CopyUnit],
        sizes: Sequence[int],
        *,
        admit: Callable[[], Awaitable[float]],
        settle: Settle,
        lost: Lost = lambda indexes: None,
    ) -> None:
        """Copy all of ``units``; returns when each is settled.

        Args:
            sizes: bytes of each, for the budgets.
            admit: waits while paused, raises when the run must stop; answers until when (monotonic) may be sent.
        """
        call = _CopyCall(self, next(self._calls), origin, destination, container, units, sizes, admit, settle, lost)
        await together(*(call.work() for _ in range(min(self.executor.batches_at_once, len(units)))))

    @property
    def can_look(self) -> bool:
        """May there ever be hands that look?"""
        return self.executor.lanes_at_once > 0

    def expect_looks(self, names: int) -> bool:
        """About so many names are to be looked at. Are there hands that look, now?"""
        if not self.can_look or self.clock.monotonic() < self._no_looks_before:
            return False
        return self.executor.expect_lanes(names)

    async def look(self, origin: PacedStore, destination: PacedStore, lane: LaneToLook) -> LaneLooked | None:
        """Have ``lane`` looked at, which gets its number and its time here. None: nobody has seen all of it."""
        hurried = destination.is_hurried
        await grant_together((destination.limits, origin.limits), requests=lane.pages - SPARE_PAGES, is_hurried=hurried)
        number = next(self._numbers)
        async with self._looks.turn(number):
            until = self.clock.monotonic() + LOOK_SECONDS
            answer = await self._in_time(replace(lane, number=number, until=until))
        if answer is None or (answer.looked is None and self.clock.monotonic() > until):
            self._no_looks_before = self.clock.monotonic() + NO_LOOKS_SECONDS
        if answer is None or not is_answer_to(number, answer):
            return None
        for side in (origin, destination):
            counts = [(minute, pages) for account, minute, pages in answer.answered if account == side.account]
            for minute, pages in counts:
                side.count_pages(minute, pages)
            more = sum(pages for _, pages in counts) - (lane.pages - SPARE_PAGES)
            if more > 0:
                await side.limits.grant(requests=more, is_hurried=hurried)
        if answer.refusal is not None and answer.refusal.kind == "throttled":
            side = origin if answer.refusal.is_origin else destination
            side.limits.give_way(answer.refusal.retry_after_seconds)
        return answer.looked

    async def _in_time(self, lane: LaneToLook) -> LaneAnswer | None:
        """None: no answer came in time; nothing more is asked for by whoever has the lane."""
        work = asyncio.create_task(self.executor.look(lane))
        try:
            await asyncio.wait([work], timeout=LOOK_SECONDS + MARGIN_SECONDS)
            return work.result() if work.done() else None
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


def is_answer_to(number: int, answer: LaneAnswer) -> bool:
    """Was it this look that saw what the answer says, and not an earlier one at the same lane?"""
    return answer.number == number


class _CopyCall:
    """One call of ``Hands.copy``."""

    def __init__(
        self,
        hands: Hands,
        rank: int,
        origin: PacedStore,
        destination: PacedStore,
        container: str,
        units: Sequence[CopyUnit],
        sizes: Sequence[int],
        admit: Callable[[], Awaitable[float]],
        settle: Settle,
        lost: Lost,
    ) -> None:
        self._lost = lost
        self._hands = hands
        self._rank = rank
        self._origin = origin
        self._destination = destination
        self._container = container
        self._units = units
        self._sizes = sizes
        self._admit = admit
        self._settle = settle
        self._begin = 0

    async def work(self) -> None:
        """Take the next slice until there is none."""
        while self._begin < len(self._units):
            begin, self._begin = self._begin, self._end_of_slice(self._begin)
            await self._carry(list(range(begin, self._begin)))

    def _end_of_slice(self, begin: int) -> int:
        """At least one copy, at most a batch, and what both paces give in SLICE_SECONDS."""
        sides = (self._origin.limits, self._destination.limits)
        most = min([BATCH, *(int(side.pace_per_second * SLICE_SECONDS) for side in sides if side.pace_per_second)])
        end = min(begin + max(1, most), len(self._units))
        bytes_a_second = min((side.bytes_per_second for side in sides if side.bytes_per_second), default=None)
        if bytes_a_second is None:
            return end
        room = bytes_a_second * SLICE_SECONDS
        for index in range(begin, end):
            room -= self._sizes[index]
            if room < 0:
                return max(index, begin + 1)
        return end

    async def _carry(self, indexes: list[int]) -> None:
        """Hand these copies out until each is settled."""
        wait, fruitless = FIRST_WAIT_SECONDS, 0
        refused: Refusal | None = None
        clock = self._hands.clock
        progress_at = clock.monotonic()
        while indexes:
            until = await self._granted(indexes)
            async with self._hands.turns.turn(self._rank):
                if clock.monotonic() > until - MARGIN_SECONDS:
                    until = await self._admit()
                answer = await self._send(indexes, until)
            for minute, answered in answer.answered.items():
                self._destination.count_copies(minute, answered, origin=self._origin)
            rest, refusal = self._settled(indexes, answer.answers)
            if len(rest) < len(indexes):
                if refused is not None:
                    self._side(refused).tried(fruitless + 1)
                fruitless, progress_at, refused = 0, clock.monotonic(), None
                wait = FIRST_WAIT_SECONDS
            elif refusal is not None:
                fruitless += 1
            refused = refusal or refused
            stood = clock.monotonic() - progress_at
            stands = stood > STANDSTILL_SECONDS and refused is None
            if rest and (stands or not await self._keeps_trying(refused, fruitless, stood)):
                idle = f"cannot copy into {self._destination.account}: for {STANDSTILL_SECONDS:.0f} s nothing was sent"
                for index in rest:
                    self._settle(index, refused or Refusal("unreachable", idle))
                return
            indexes = rest
            if refusal is not None and indexes:
                wait = await self._give_way(refusal, wait, fruitless)

    async def _send(self, indexes: Sequence[int], until: float) -> BatchAnswer:
        """What both accounts have granted. Of what is cut off, only copies that may have been sent are lost."""
        units = tuple([self._units[index] for index in indexes])
        batch = CopyBatch(self._origin.account, self._destination.account, self._container, units, until)
        try:
            return await self._hands.executor.copy(batch)
        except CutOff as cut:
            answers = zip(indexes, cut.answer.answers, strict=True)
            self._lost([index for index, one in answers if isinstance(one, Refusal) and one.kind == "unknown"])
            raise
        except BaseException:
            self._lost(indexes)
            raise

    async def _granted(self, indexes: Sequence[int]) -> float:
        until = await self._admit()
        size = sum(self._sizes[index] for index in indexes)
        sides = (self._destination.limits, self._origin.limits)
        is_hurried = self._destination.is_hurried
        await grant_together(sides, requests=len(indexes), bytes=size, is_hurried=is_hurried)
        return until

    def _settled(self, indexes: Sequence[int], answers: Sequence[str | Refusal]) -> tuple[list[int], Refusal | None]:
        """Settle what is answered for good; what is left, and the refusal that says why (None: only unsent)."""
        rest: list[int] = []
        refusal: Refusal | None = None
        settle, slow, slow_origin = self._settle, False, False
        for index, answer in zip(indexes, answers, strict=True):
            if isinstance(answer, str) or answer.kind not in ("unsent", "throttled", "unreachable"):
                if not isinstance(answer, str):
                    slow = slow or answer.code in SLOWING
                    slow_origin = slow_origin or (answer.kind == "unknown" and answer.code in SLOW_ORIGIN)
                settle(index, answer)
                continue
            rest.append(index)
            if answer.kind != "unsent":
                refusal = answer
        if slow:
            self._destination.limits.give_way()
        if slow_origin:
            self._origin.limits.give_way()
        return rest, refusal

    async def _keeps_trying(self, refusal: Refusal | None, fruitless: int, stood_seconds: float) -> bool:
        if refusal is None:
            return True
        if refusal.kind == "unreachable" and self._destination.is_hurried:  # by time, as the store itself
            if stood_seconds < HURRIED_SECONDS:
                return True
            return await self._side(refusal).keeps_trying(refusal.as_error(), fruitless, free=0)
        if fruitless < ATTEMPTS:
            return True
        return await self._side(refusal).keeps_trying(refusal.as_error(), fruitless)

    def _side(self, refusal: Refusal) -> PacedStore:
        return self._origin if refusal.is_origin else self._destination

    async def _give_way(self, refusal: Refusal, wait: float, fruitless: int) -> float:
        if refusal.kind == "throttled":
            self._side(refusal).limits.give_way(refusal.retry_after_seconds)
        return await self._destination.back_off(wait, refusal.retry_after_seconds, fruitless)
