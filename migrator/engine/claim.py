"""Whose the route is: whatever is written, the route names the account that the move does not write to, and the lock is ours.

Leaves what a route may say to the law (``machine.agreement``). Rule: what was asked is old after ``claim_seconds``, and is asked
again before a write is sent on it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from migrator.engine import stays
from migrator.engine.context import Waiting
from migrator.engine.disagreement import ADOPT_HINT, said
from migrator.engine.ledger import Ledger
from migrator.errors import RouteDisagreement
from migrator.machine.agreement import is_own_old_fence, may_write
from migrator.machine.states import is_in_fence
from migrator.model.happenings.fences import OldFenceReleased
from migrator.model.happenings.waits import PauseObeyed
from migrator.model.routes import RouteRecord
from migrator.words.happenings import PAUSED


@dataclass(slots=True)
class Claimant(Ledger):
    """A move, and its claim to be the one that writes."""

    _claim_at: float = -1e9
    _claim_turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def unpaused(self) -> None:
        """Wait while an operator wants no request sent; a move inside its fence is finished first. Waiting, if impatient."""
        while not is_in_fence(self.record.state) and self.shared.is_wished("pause", self.wave.name):
            if self.waiting_for != PAUSED:
                self.tell(PauseObeyed())
            self.waiting_for = PAUSED
            if not self.is_patient:
                raise Waiting(f"{self.id}: {PAUSED}")
            await self.world.clock.sleep(self.world.rhythm.wishes_seconds)
        self.waiting_for = ""

    async def admit(self) -> None:
        """Before every action: wait while paused, and stop if the lock or the claim is lost."""
        await self._look_at_claim(self.shared.claim_seconds)

    async def admit_until(self) -> float:
        """Before a write is sent, or a batch goes to other hands: as ``admit``, and until when (monotonic) it may be sent. The
        claim is read again when half its time is over, so that nothing starts with less."""
        await self._look_at_claim(self.shared.claim_seconds / 2)
        return self.claimed_until(self._claim_at)

    def claimed_until(self, asked: float) -> float:
        """Until when (monotonic) something may be sent on a route that was asked for at ``asked``."""
        return min(asked + self.shared.claim_seconds, self.shared.session.good_until)

    async def _look_at_claim(self, oldest_seconds: float) -> None:
        await self.unpaused()
        self.shared.session.check()
        if self.world.clock.monotonic() - self._claim_at <= oldest_seconds:
            return
        async with self._claim_turn:  # one look is enough for all that wait for it
            while self.world.clock.monotonic() - self._claim_at > oldest_seconds:
                await self.check_claim()
                # An answer that was long in coming says what the route said then: whoever writes must know it as of now.
                oldest_seconds = self.shared.claim_seconds

    async def may_write(self) -> float:
        """``admit_until``, once there is a record to claim: the container and the canary of a first preflight come before."""
        if self.record.ever_routed:
            return await self.admit_until()
        await self.unpaused()
        self.shared.session.check()
        return self.shared.session.good_until

    async def check_claim(self) -> RouteRecord:
        """Read the route record; RouteDisagreement unless it is ours and names the account we do not write to. RouteChanged if
        somebody else wrote the document since our fence: a release is due then, whatever the record says now."""
        asked = self.world.clock.monotonic()
        found = await self.desk.record(self.id)
        record, run = self.record, self.shared.run.id
        if record.intent is not None:
            self.desk.require_closed(self.id)
        elif found is not None and is_own_old_fence(record, found, run=run, endpoint=self.live_endpoint):
            return await self._free_again(found, asked)
        lineage, live, endpoint = self.world.state.lineage, self.live_name, self.live_endpoint
        if found is None or not may_write(record, found, live=live, lineage=lineage, run=run, endpoint=endpoint):
            expected = f"{live} at {endpoint}, epoch {record.epoch}"
            raise RouteDisagreement(
                f"cannot go on with {self.id}: route and state disagree (the route says {said(found)}; expected {expected})",
                hint=ADOPT_HINT,
            )
        self._claim_at = asked
        return found

    async def _free_again(self, found: RouteRecord, asked: float) -> RouteRecord:
        """Somebody put a fence of this run back that had been released: nobody else would ever open it."""
        released = self.desk.released(self.id, found, above=self.record.epoch)
        await self.desk.change(self.id, found, released)
        stays.learn(self, released.epoch, OldFenceReleased(found.account, released.epoch, found.epoch))
        self._claim_at = asked
        return released

    def forget_claim(self) -> None:
        """The route was changed, or may have been: ask again before the next write."""
        self._claim_at = -1e9
