"""The lock and its heartbeat: proof, as long as a session is good, that this run is the only one.

A run whose last good heartbeat is older than ``liveness.sending_seconds`` sends nothing before it has a new one: a machine
that stood still goes on if nobody took its lock meanwhile, and sends no more than a release if somebody did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from migrator.engine.committing import surely
from migrator.engine.lingering import Lingering, Moment, account_for, accounted, left_by, lingering, longer, noted
from migrator.engine.world import Run
from migrator.errors import LockedError, StateError
from migrator.machine import liveness
from migrator.model.moves import LockRecord
from migrator.model.rhythm import USUAL, Rhythm
from migrator.ports.clock import Clock
from migrator.ports.state_store import SetNote, StateStore


class Session:
    """Holds the lock from ``open`` to ``close``; ``token`` goes with every commit."""

    def __init__(
        self,
        state: StateStore,
        clock: Clock,
        run: Run,
        write_bounds: Mapping[str, float],
        rhythm: Rhythm = USUAL,
    ) -> None:
        self._rhythm = rhythm
        self._state = state
        self._clock = clock
        self._run = run
        self._bound = max(write_bounds.values(), default=0.0)
        self._beat: asyncio.Task[None] | None = None
        self._good_at = 0.0
        self._lost = ""
        self.token = 0
        self.wait_until = 0.0
        """On the monotonic clock: before it an earlier run's writes may still be applied, so ``ready`` does not end."""
        self._waits_for = ""
        self.named: Callable[[], Collection[str] | None] = lambda: None
        """The runs that route records name; None: nobody knows."""
        self.taken_over: LockRecord | None = None
        """The lock of the run before, which ended without giving it back."""

    def open(self, is_dead: Callable[[LockRecord], bool], silent: LockRecord | None = None) -> None:
        """Take the lock.

        Args:
            silent: a lock that was watched without a sign of life (``pulse.silent``).

        Raises:
            LockedError: another run holds it; names the holder.
        """
        now = self._clock.now()
        run = self._run
        before = self._state.lock()
        # A restored or another store must not give a token that an account has seen already.
        floor = int(now.timestamp() * 1000)
        wanted = LockRecord(
            self._clock.nonce(), floor, run.id, run.owner, run.host, run.pid, run.boot_id, now, now, self._bound
        )
        asked = self._moment()
        left, dead, changes = lingering(self._state, asked), "", list[SetNote]()
        beat = silent.heartbeat if silent is not None else None
        if before is not None:
            gone = is_dead(before)
            is_silent = silent is not None and silent.nonce == before.nonce
            dead, beat = (before.nonce, None if gone else beat) if gone or is_silent else ("", None)
            left = longer(left, left_by(before, is_dead=gone))
            changes = [account_for(self._state, before.run), noted(left, asked)]
        self.token = self._state.acquire(wanted, dead=dead, silent=beat, changes=changes).token
        self.wait_until, self._waits_for = asked.monotonic + left.seconds, left.lock or wanted.nonce
        self._good_at = self._clock.monotonic()
        self.taken_over = before
        self._beat = asyncio.create_task(self._beats())

    async def close(self) -> None:
        """Give the lock back, and write down that this run ended in order: nothing of it is under way but what is on record."""
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        with suppress(LockedError, StateError):
            await self._soon(self._account)
        await self._soon(lambda: self._state.give_back(self.token))

    async def _soon(self, act: Callable[[], object]) -> None:
        within = self._rhythm.closing_seconds
        await surely(self._clock, self._rhythm, act, within=within, full_within=0.0)

    def _account(self) -> None:
        accounted_for = account_for(self._state, self._run.id, self.named())
        self._state.commit([accounted_for, self._noted()], token=self.token)

    def succeed(self, run: str) -> None:
        """A record that ``run`` had claimed is claimed now. Unless this store has accounted for that run, requests of it may
        still be under way: a store that was put back or copied knows nothing of the runs of its own future."""
        if not run or run == self._run.id or run in accounted(self._state):
            return
        self.linger(self._bound)

    def linger(self, seconds: float) -> None:
        """A request may be applied for so long that nobody waits for the answer of: no cut-over of any move begins before."""
        until = self._clock.monotonic() + seconds
        if until <= self.wait_until or not seconds:
            return
        self.wait_until = until
        with suppress(StateError):  # a store that is full must not keep writers out: this run waits anyway
            self._state.commit([self._noted()], token=self.token)

    @property
    def lingering(self) -> Lingering:
        """What is still to be waited for."""
        return Lingering(max(0.0, self.wait_until - self._clock.monotonic()), self._waits_for)

    def _moment(self) -> Moment:
        return Moment.of(self._run.boot_id, self._clock.monotonic())

    def _noted(self) -> SetNote:
        """What the runs after this one still have to wait for."""
        return noted(self.lingering, self._moment())

    @property
    def good_until(self) -> float:
        """On the monotonic clock: nothing may be sent after it unless another heartbeat is good."""
        return self._good_at + liveness.sending_seconds()

    def check(self) -> None:
        """May this run send something?

        Raises:
            LockedError: not any more.
            StateError: not now: the store refuses the heartbeat, so nobody can say whose lock it is.
        """
        busy: StateError | None = None
        if not self._lost and self._age() > liveness.sending_seconds():
            busy = self._beat_now()
        if busy is not None:
            raise type(busy)(
                f"cannot go on: the last heartbeat is {self._age():.0f} s old; {busy.message}", hint=busy.hint
            ) from busy
        if self._lost or self._age() > liveness.sending_seconds():
            raise LockedError(
                f"cannot go on: {self._lost or f'the last heartbeat is {self._age():.0f} s old'}",
                hint="look at migrate status, then run migrate apply again",
            )

    def _age(self) -> float:
        return self._clock.monotonic() - self._good_at

    def _beat_now(self) -> StateError | None:
        """The store's refusal, if it did not take the heartbeat: the age of the last good one says when to stop."""
        asked = self._clock.monotonic()
        try:
            self._state.heartbeat(self.token, self._clock.now())
            self._good_at = asked
        except LockedError as loss:
            self._lost = loss.message
        except StateError as busy:
            return busy
        return None

    async def _beats(self) -> None:
        while True:
            await self._clock.sleep(liveness.HEARTBEAT_SECONDS)
            self._beat_now()
            if self._lost:
                return
