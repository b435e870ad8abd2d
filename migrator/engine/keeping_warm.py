"""``cutover.reverse: continuous``: while customers are at the target, passes of the way back keep the source warm.

Decides when such a pass is due, and how it ends early. Leaves the pass to ``transfer.passes``, and what it comes to for whoever
reads it to ``standing.way_back``. Rules: no pass runs beside a look for stragglers (its caller sees to that), for its writes are
told from a stranger's by the evidence that follows them; a trouble of it is said and stops no soak, but the gate
``way-back-ready`` may demand better; whoever ends it waits for the answers of what it has sent, for a way back would have to wait
until what was cut off cannot be applied any more.
"""

from __future__ import annotations

import asyncio
import math
from datetime import datetime
from typing import Any, Final

from migrator.engine.mover import Mover
from migrator.errors import CloudError, JudgementError, RouteDisagreement
from migrator.model import notes
from migrator.model.happenings.soaks import SourceKeptWarm, WayBackJudged
from migrator.model.samples import Verdict
from migrator.model.values import replace
from migrator.ports.state_store import SetNote
from migrator.standing.way_back import Readiness, Warm, kept, read, way_back
from migrator.transfer import passes
from migrator.transfer.result import PassResult
from migrator.transfer.subject import GivenUp, Transfer

REST: Final = 10
"""Times as long as a pass took, nothing is compared again."""
NAMED: Final = 3


class Warming:
    """The passes of one move's stay at the target."""

    def __init__(self, mover: Mover) -> None:
        self.mover = mover
        note = mover.world.state.note(notes.warm(mover.id))
        self.has_begun = note is not None
        """Was a pass ever begun, so that a write of ours may lie at the source without a record?"""
        self._warm = read(mover.record, note)
        self._transfer: Transfer | None = None
        """Of the pass under way."""
        self._known: Transfer | None = None
        """That of the last whole pass: it knows how its two services copy."""
        self._due_at = mover.world.clock.monotonic() + self._left()

    @property
    def is_wanted(self) -> bool:
        return self.mover.wave.cutover.reverse == "continuous"

    @property
    def blocks(self) -> str:
        """What the last pass left to a person, a clause."""
        return self._warm.blocks

    def seconds_to_pass(self) -> float:
        """Until one is due; 0 or less: now."""
        return self._due_at - self.mover.world.clock.monotonic() if self.is_wanted else math.inf

    def _left(self) -> float:
        """By the wall clock, which another process may have read: no longer than between two passes."""
        warm = self._warm
        if warm.ended is None:
            return 0.0
        gone = (self.mover.world.clock.now() - warm.ended).total_seconds()
        return min(warm.again_seconds, warm.again_seconds - gone)

    def way_back(self) -> Readiness | None:
        """What it comes to now."""
        return self._reading(self._warm)

    def verdict(self) -> tuple[Verdict, float | None, str]:
        """Of the gate ``way-back-ready``: verdict, objects behind, and why. A source that is not warm yet fails nobody's soak; it
        stands still."""
        found = self.way_back()
        if found is None:
            return (
                Verdict.INCONCLUSIVE,
                None,
                "nothing keeps the source warm: the plan does not say reverse: continuous",
            )
        behind = None if found.behind is None else float(found.behind)
        if found.is_ready:
            return Verdict.PASSED, behind, found.in_words()
        return Verdict.FAILED if found.needs_person else Verdict.INCONCLUSIVE, behind, found.why

    async def one_pass(self) -> None:
        """Carry back what changed at the target. Cancelled, it begins no more, and waits for the answers of what it has sent."""
        work = asyncio.create_task(self._pass())
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            await self._let_end(work)
            raise

    async def _let_end(self, work: asyncio.Task[None]) -> None:
        if self._transfer is not None:
            self._transfer.is_ending = True
        alarm = asyncio.create_task(self.mover.world.clock.sleep(self.mover.world.rhythm.warm_ending_seconds))
        try:
            await asyncio.wait({work, alarm}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in (work, alarm):
                one.cancel()
            await asyncio.gather(work, alarm, return_exceptions=True)

    async def _pass(self) -> None:
        mover, clock, rhythm = self.mover, self.mover.world.clock, self.mover.world.rhythm
        if self._warm.stay != (now := read(mover.record, None)).stay:
            self._warm = now  # another stay
        if not self.has_begun:
            mover.commit(kept(mover.record, self._warm))  # before its first write: see ``has_begun``
            self.has_begun = True
        begun, tick = clock.now(), clock.monotonic()
        self._transfer = transfer = self._known or mover.warm_transfer()
        self._known = None  # what a pass that is broken off knows may not be on record
        result, blocks = PassResult(), ""
        try:
            result = await passes.run(transfer)
        except GivenUp:
            return
        except RouteDisagreement:
            raise
        except JudgementError as fault:  # raised once all but the deletes is carried back
            blocks = str(fault)
        except CloudError as fault:
            self._due_at = clock.monotonic() + rhythm.look_again_seconds
            self._keep(replace(self._warm, trouble=fault.message))
            return
        finally:
            self._transfer = None
        self._known = transfer
        seconds = clock.monotonic() - tick
        often = min(rhythm.warm_pass_seconds, mover.wave.cutover.straggler_interval_seconds)
        again = max(often, REST * seconds)
        self._due_at = clock.monotonic() + again
        left = result.superseded + result.waiting + result.failed + result.conflicts
        warm = Warm(
            self._warm.stay,
            begun,
            clock.now(),
            round(seconds, 3),
            left,
            self._rate(begun, result.carried + left),
            again,
            blocks or _blocks(result),
            "",
            self._warm.is_ready,
        )
        self._keep(warm)
        mover.tell(
            SourceKeptWarm(result.scanned, result.copied, result.marked, result.deleted, left, round(seconds, 3))
        )

    def _rate(self, begun: datetime, changes: int) -> float:
        """Objects that change in a second, by what changed since the pass before, or since the switch."""
        before = self._warm.begun or self.mover.record.switched_at
        seconds = (begun - before).total_seconds() if before is not None else 0.0
        return changes / seconds if seconds > 0 else 0.0

    def _keep(self, warm: Warm) -> None:
        """Into the note, and into the journal if the way back is ready now and was not, or the other way round."""
        found = self._reading(warm)
        changed: list[Any] = []
        if found is not None and found.is_ready is not warm.is_ready:
            warm = replace(warm, is_ready=found.is_ready)
            changed.append(WayBackJudged(found.is_ready, found.in_words()))
        note: SetNote = kept(self.mover.record, warm)
        self.mover.commit(note, *changed)
        self._warm = warm

    def _reading(self, warm: Warm) -> Readiness | None:
        mover = self.mover
        return way_back(mover.record, mover.wave, mover.routing, warm, mover.world.clock.now())


def _blocks(result: PassResult) -> str:
    """What a way back would ask a person, a clause."""
    if result.conflicts:
        return f"{result.conflicts:,} objects changed on both sides ({_some(result)}): it asks for --on-conflict source or target"
    if result.failed:
        return f"{result.failed:,} objects cannot be carried back ({_some(result)})"
    return ""


def _some(result: PassResult) -> str:
    return ", ".join(result.named[:NAMED]) + (", ..." if len(result.named) > NAMED else "")
