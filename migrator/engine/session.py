"""The lock and its heartbeat: proof, as long as a session is good, that this run is the only one.

A run whose last good heartbeat is older than half of LOCK_TIMEOUT_SECONDS sends nothing before it has a new one: a machine
that stood still goes on if nobody took its lock meanwhile, and sends no more than a release if somebody did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress

from migrator.engine.world import Run
from migrator.errors import LockedError, StateError
from migrator.model.moves import LockRecord
from migrator.ports.clock import Clock
from migrator.ports.state_store import SetNote, StateStore

LOCK_TIMEOUT_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0
ENDED = "runs-ended-in-order"
TAKEN = "runs-taken-over"
ENDED_RUNS = 200
PROVEN_DEAD_SECONDS = 30.0
"""How long the requests of a process that is proven gone may still be under way."""


class Session:
    """Holds the lock from ``open`` to ``close``; ``token`` goes with every commit."""

    def __init__(self, state: StateStore, clock: Clock, run: Run, write_bounds: Mapping[str, float]) -> None:
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
        self.taken_over: LockRecord | None = None
        """The lock of the run before, which ended without giving it back."""

    def open(self, is_dead: Callable[[LockRecord], bool]) -> None:
        """Take the lock.

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
        gone = before is not None and is_dead(before)
        got = self._state.acquire(wanted, is_dead=gone)
        self.token = got.token
        self._good_at = self._clock.monotonic()
        self.taken_over = before
        if before is not None:
            bound = min(before.bound_seconds, PROVEN_DEAD_SECONDS) if gone else before.bound_seconds
            self.wait_until = self._good_at + bound
            self._remember_taken(before.run, bound)
        self._beat = asyncio.create_task(self._beats())

    async def close(self) -> None:
        """Give the lock back, and write down that this run ended in order: nothing of it is under way but what is on record."""
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        with suppress(LockedError, StateError):
            ended = [*self._ended(), self._run.id][-ENDED_RUNS:]
            self._state.commit([SetNote(ENDED, ended)], token=self.token)
        self._state.release(self.token)

    def succeed(self, run: str) -> None:
        """A record that ``run`` had claimed is claimed now. Unless this store knows that it ended in order, requests of it may
        still be under way: a store that was put back or copied knows nothing of the runs of its own future. The run whose
        lock was taken over is waited for already, as long as its credentials hold or its death was proven; one whose lock an
        earlier run took over, and died before it claimed, is waited for as long as that run would have."""
        if self.taken_over is not None and run == self.taken_over.run:
            return
        if run and run != self._run.id and run not in self._ended():
            bound = self._taken().get(run, self._bound)
            self.wait_until = max(self.wait_until, self._clock.monotonic() + bound)

    def _remember_taken(self, run: str, bound_seconds: float) -> None:
        taken = {**self._taken(), run: bound_seconds}
        self._state.commit([SetNote(TAKEN, dict(list(taken.items())[-ENDED_RUNS:]))], token=self.token)

    def _taken(self) -> dict[str, float]:
        """Runs whose lock was taken over in this store, and how long their requests may outlive that."""
        return dict(self._state.note(TAKEN) or {})

    def _ended(self) -> list[str]:
        return list(self._state.note(ENDED) or ())

    @property
    def good_until(self) -> float:
        """On the monotonic clock: nothing may be sent after it unless another heartbeat is good."""
        return self._good_at + LOCK_TIMEOUT_SECONDS / 2

    def check(self) -> None:
        """Raises LockedError if this run may not send anything any more."""
        age = self._clock.monotonic() - self._good_at
        if not self._lost and age > LOCK_TIMEOUT_SECONDS / 2:
            self._beat_now()
            age = self._clock.monotonic() - self._good_at
        if self._lost or age > LOCK_TIMEOUT_SECONDS / 2:
            raise LockedError(
                f"cannot go on: {self._lost or f'the last heartbeat is {age:.0f} s old'}",
                hint="look at migrate status, then run migrate apply again",
            )

    def _beat_now(self) -> None:
        asked = self._clock.monotonic()
        try:
            self._state.heartbeat(self.token, self._clock.now())
            self._good_at = asked
        except LockedError as loss:
            self._lost = loss.message
        except StateError:
            return  # the age of the last good one says when to stop

    async def _beats(self) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT_SECONDS)
            self._beat_now()
            if self._lost:
                return
