"""The roll-call: a drain that ends as soon as every follower that may write has said that nothing of its own is under way.

Decides when the register is read and when a roll tells anything. Leaves who has answered to ``attendance``, the document to
``routes``, when followers are told that a fence is near to ``nearing``, the drain to its step. Rules:

- a roll tells nothing before every version of the document has named its register for a whole drain (``RouteDesk``), and none
  that was asked for before the fence was there: whoever enters later reads the document later, and sees the fence;
- it only shortens. Whatever is unknown - a register that is lost, a question without an answer - leaves the drain as it was;
- a register whose head is gone has lost entries that nobody can name: another generation takes its place, and never the same one
  again. Nothing of that happens in a fence;
- the register is read long before a fence, so that by then the dead are known to be dead, and what vanishes is missed.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field

from migrator.engine.attendance import Attendance
from migrator.engine.routes import RouteDesk
from migrator.engine.session import Session
from migrator.errors import CloudError, MigrateError
from migrator.model.names import MoveId
from migrator.model.rhythm import Rhythm
from migrator.model.values import value
from migrator.ports.clock import Clock
from migrator.ports.register import Register, RollUnknown


@value(frozen=True, slots=True)
class Roll:
    """What is known of a move's followers. ``why_not``: why no roll ends a drain now; "" if one may."""

    followers: int
    missing: int = 0
    """How many of them have not answered."""
    awaited: tuple[str, ...] = ()
    """Who has not answered, as people call them: the first few."""
    silent: tuple[str, ...] = ()
    """Who was not heard of for so long that no answer is expected."""
    why_not: str = ""

    @property
    def is_expected(self) -> bool:
        """Will a drain that began now end by it?"""
        return not self.why_not and not self.silent


@dataclass(slots=True)
class RollCall:
    """Of one run. ``register`` None: the plan wants none."""

    register: Register | None
    desk: RouteDesk
    clock: Clock
    session: Session
    rhythm: Rhythm
    _generation: str | None = None
    _attendance: Attendance = field(default_factory=Attendance)
    _is_lost: bool = False
    _trouble: str = ""
    """Why the last roll was none."""
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def keep(self) -> None:
        """Look again and again, until cancelled: for as long as the run lasts."""
        while self.register is not None:
            await self.prepare()
            await self.clock.sleep(self.rhythm.roll_watch_seconds)

    async def prepare(self) -> None:
        """Outside fences: see to it that the document names a register that is there, look who is in it, and take away what is
        over. What fails is tried again at the next time: nothing depends on it but how long drains take."""
        if self.register is None:
            return
        try:
            await self._publish()
            if await self.look():
                await self._sweep(self.register)
        except MigrateError as fault:
            self._trouble = fault.message

    async def _publish(self) -> None:
        """A first register, or another in place of one that is lost."""
        assert self.register is not None
        known = self.desk.register
        if known is not None and not (self._is_lost and known == self._generation):
            return
        self.session.check()
        generation = self.clock.nonce() + self.clock.nonce()
        await self.register.open(generation)
        await self.desk.publish_register(generation, instead_of=known)

    async def look(self) -> bool:
        """Read the roll once; False: what was read is none. Never raises CloudError."""
        if self.register is None:
            return False
        async with self._turn:
            generation = self.desk.register
            if generation is None:
                self._trouble = "the route document names no register"
                return False
            if generation != self._generation:
                self._generation, self._attendance, self._is_lost = generation, Attendance(), False
            asked_at = self.clock.monotonic()
            try:
                roll = await self.register.roll(generation)
            except RollUnknown as fault:
                self._is_lost, self._trouble = True, fault.message
                return False
            except CloudError as fault:
                self._trouble = fault.message
                return False
            self._is_lost, self._trouble = False, ""
            self._attendance.take(roll, asked_at=asked_at, answered_at=self.clock.monotonic())
            return True

    async def _sweep(self, register: Register) -> None:
        generation = self._generation
        over = list(self._attendance.over(self.clock.monotonic(), self._write_seconds))
        for attendant in over[: self.rhythm.roll_sweep]:
            self.session.check()
            async with self._turn:
                if generation is None or generation != self._generation:
                    return
                await register.remove(generation, attendant)
                self._attendance.forget(attendant)

    def roll(self, move: MoveId, epoch: int = 0, *, asked_after: float = -math.inf) -> Roll:
        """What is known of the followers of ``move``, and who of them has not answered the fence of ``epoch``; only a roll that
        was asked for after ``asked_after`` (monotonic) counts."""
        key, now, write_seconds = str(move), self.clock.monotonic(), self._write_seconds
        known = self._attendance
        living = known.of(key, now=now, write_seconds=write_seconds)
        awaited = known.awaited(key, epoch, now=now, write_seconds=write_seconds)
        silent = known.silent(key, now=now, write_seconds=write_seconds)
        why_not = self._why_not(now, asked_after)
        return Roll(len(living), len(awaited), known.names(awaited), known.names(silent), why_not)

    def _why_not(self, now: float, asked_after: float) -> str:
        if self.register is None:
            return "the plan has no roll-call"
        if self.desk.register is None:
            return "the route document is of version 1"
        if (left := self.desk.all_entered_at - now) > 0:
            return f"clients may still go by an earlier route document for {left:.0f} s"
        if self._trouble or self.desk.register != self._generation or self._attendance.asked_at <= asked_after:
            return f"the register could not be read{f' ({self._trouble})' if self._trouble else ''}"
        return ""

    @property
    def _write_seconds(self) -> float:
        """How long after its end a lease may still be writing."""
        return self.desk.drain_seconds - self.desk.ttl_seconds

    async def until_answered(self, move: MoveId, epoch: int, *, after: float) -> Roll:
        """Ask until everybody has answered the fence of ``epoch``, which was there at ``after`` (monotonic)."""
        while True:
            if self.register is not None:
                await self.look()
            roll = self.roll(move, epoch, asked_after=after)
            if not roll.why_not and not roll.missing:
                return roll
            await self.clock.sleep(self.rhythm.roll_look_seconds)
