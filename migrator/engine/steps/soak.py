"""soaking: rounds of samples until the recorded ones add up to the soak, and looks at the old side beside them.

Decides when a round and a look are due. Leaves the clock to ``gates.soak`` and each sample to ``engine.sampling``. Rules:
whether something is due is read from what was recorded, so that restarts take nothing twice and add nothing; a look may take
hours and holds up no round; a pass that keeps the source warm never runs beside a look; moves that soak at the same time take
their rounds at the same time, so that one question to a source serves all of them. A second run reads the same samples.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from migrator.engine.ahead import Ahead
from migrator.engine.context import Halt, Waiting
from migrator.engine.keeping_warm import Warming
from migrator.engine.live_containers import lost_containers, way_out
from migrator.engine.mover import Mover
from migrator.engine.patience import passes_by_itself
from migrator.engine.sampling import sample
from migrator.engine.steps.cut import within
from migrator.errors import CloudError
from migrator.gates.soak import GateLimits, SoakClock
from migrator.machine.events import Event
from migrator.model import notes
from migrator.model.happenings.happening import Journaled
from migrator.model.happenings.soaks import AdoptedCompared, GateJudged, SoakRestarted
from migrator.model.samples import Sample, Verdict
from migrator.model.schedule import WAY_BACK_READY
from migrator.model.units import show_duration
from migrator.model.values import replace
from migrator.ports.state_store import AddSample, Change, SetNote
from migrator.standing.soak_waits import (
    LIVE_CONTAINERS,
    NO_STRAGGLERS,
    SoakWaits,
    kept,
    progress_key,
    read,
    soak_waits,
)
from migrator.transfer import containers, passes
from migrator.transfer.result import PassResult
from migrator.transfer.together import together

ALIVE: Final = "alive"
MOST_UNSAID: Final = 10_000
MOMENT: Final = timedelta(microseconds=1)


class GateStops(Exception):
    """A gate failed: the wave's ``on_failure`` decides. Raised to the rollout, past the runner."""

    def __init__(self, mover: Mover, gate: str, why: str) -> None:
        self.mover, self.gate, self.why = mover, gate, why
        self.reason = f"gate {gate} of {mover.id} failed: {why}"
        super().__init__(self.reason)


async def soaking(mover: Mover) -> Event:
    if mover.record.is_adopted:
        await _compare_adopted(mover)
    book = SoakBook(mover)
    if not mover.is_patient:
        return await _what_is_due(book)
    work = [asyncio.create_task(one) for one in (_rounds(book), _looks(book))]
    if book.warming.is_wanted:
        work.append(asyncio.create_task(_warms(book)))
    try:
        done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


def tells(ahead: Ahead) -> str:
    wave = ahead.wave
    left = wave.soak_seconds - (ahead.record.figures.soak_seconds if ahead.is_here else 0.0)
    compare = f"compare with {ahead.source} once; " if ahead.record.is_adopted else ""
    built_in = [WAY_BACK_READY, LIVE_CONTAINERS] if wave.needs_way_back else [LIVE_CONTAINERS]
    gates = ", ".join([*(gate.name for gate in wave.gates), *built_in])
    looks = f"look for writes at {ahead.source} every {show_duration(wave.cutover.straggler_interval_seconds)} ({NO_STRAGGLERS})"
    back = f"takes the {wave.rollback_scope} back" if wave.on_failure == "rollback" else "halts the move"
    failed = f"; a gate that fails {back}" if wave.gates else ""
    warm = f"keep {ahead.source} warm for the way back; " if wave.cutover.reverse == "continuous" else ""
    return (
        f"{compare}{warm}soak: {show_duration(max(0.0, left))} of healthy time left; ask {gates} every"
        f" {show_duration(wave.interval_seconds)}, {looks}{failed}"
    )


async def _compare_adopted(mover: Mover) -> None:
    """The route was adopted: what the old side has beyond the evidence is compared once, and listed where it is not equal.
    That is nobody's fault, so no sample fails; what is written there later does. A second run compares again."""
    result = await passes.watch(mover.transfer())
    compared = AdoptedCompared(mover.plan.source, result.adopted, result.stragglers_new, tuple(result.named))
    mover.save(replace(mover.record, is_adopted=False), compared)


async def _what_is_due(book: SoakBook) -> Event:
    """Take what is due and no more. Waiting if that is not the end."""
    if book.warming.seconds_to_pass() <= 0:
        await book.warm()
    if book.seconds_to_round() <= 0:
        await book.round()
    if book.seconds_to_look() <= 0 or book.wants_last_look:
        await book.look()
    event = book.conclude()
    if event is not None:
        return event
    raise Waiting(f"{book.mover.id}: {book.mover.waiting_for}")


async def _rounds(book: SoakBook) -> Event:
    clock = book.mover.world.clock
    while True:
        await clock.sleep(book.until_round())
        await book.round()
        if book.wants_last_look:
            await book.look()
        event = book.conclude()
        if event is not None:
            return event


async def _looks(book: SoakBook) -> Event:
    clock, shortest = book.mover.world.clock, book.mover.world.rhythm.shortest_sleep_seconds
    while True:
        await clock.sleep(max(shortest, book.seconds_to_look()))
        if book.seconds_to_look() <= 0:
            await book.look()
            event = book.conclude()
            if event is not None:
                return event


async def _warms(book: SoakBook) -> Event:
    clock, shortest = book.mover.world.clock, book.mover.world.rhythm.shortest_sleep_seconds
    while True:
        await clock.sleep(max(shortest, book.warming.seconds_to_pass()))
        if book.warming.seconds_to_pass() <= 0:
            await book.warm()


class SoakBook:
    """The samples of one move's soak: what was recorded, what is due, what it comes to."""

    def __init__(self, mover: Mover) -> None:
        self.mover = mover
        since = mover.record.switched_at or mover.record.since
        assert since is not None
        self.since = since
        last = mover.world.state.last_samples(mover.id)
        self._last = {gate: one for gate, one in last.items() if one.at >= since and self._is_ours(one)}
        """Of this soak only: an earlier one's say nothing of what is due."""
        self._looking = asyncio.Lock()
        """Of whoever compares the two sides: a look must not take for a stranger's what a pass is about to put on record."""
        self.warming = Warming(mover)
        self._clock = SoakClock(
            gates=[
                ALIVE,
                *(gate.name for gate in mover.wave.gates),
                *([WAY_BACK_READY] if mover.wave.needs_way_back else []),
            ],
            since=since,
            interval_seconds=mover.wave.interval_seconds,
            required_seconds=mover.wave.soak_seconds,
            limits=limits_of(mover),
            occasional=[NO_STRAGGLERS, LIVE_CONTAINERS],
            limits_since=mover.record.since,
        )
        samples = mover.world.state.samples(mover.id, after=since)
        self._clock.take([one for one in samples if self._is_ours(one)])
        kept = read(mover.record, mover.world.state.note(notes.soak_waits(mover.id)))
        self._still_since = kept.still_since if kept else mover.world.clock.now()
        self._progress = progress_key(self._clock.state())
        self._kept: SetNote | None = None

    def _is_ours(self, one: Sample) -> bool:
        """Of this stay: the clock of whoever took an earlier stay's samples may have been ahead."""
        return one.epoch in (0, self.mover.record.epoch)

    # When.

    def seconds_to_round(self) -> float:
        """Until the next round is due; 0 or less: now."""
        return self._left(ALIVE, self.mover.world.rhythm.due_share * self.mover.wave.interval_seconds)

    def until_round(self) -> float:
        """How long to sleep until a round that is due, so that all moves wake together."""
        left, interval = self.seconds_to_round(), self.mover.wave.interval_seconds
        if left <= 0:
            return 0.0
        rhythm = self.mover.world.rhythm
        if interval < rhythm.aligned_seconds:
            return left + (1 - rhythm.due_share) * interval
        due = self.mover.world.clock.now().timestamp() + left
        return left + -due % interval + rhythm.shortest_sleep_seconds

    def seconds_to_look(self) -> float:
        last = self._last.get(NO_STRAGGLERS)
        took = (last.end - last.begin).total_seconds() if last else 0.0
        if last is not None and last.verdict is Verdict.ERRORED:
            again = self.mover.world.rhythm.look_again_seconds
            soon = min(again, self.mover.wave.cutover.straggler_interval_seconds)
            return self._left(NO_STRAGGLERS, max(soon, took))
        return self._left(NO_STRAGGLERS, max(self.mover.wave.cutover.straggler_interval_seconds, 10 * took))

    @property
    def wants_last_look(self) -> bool:
        return NO_STRAGGLERS in self._clock.state().looks_left

    def _left(self, gate: str, interval_seconds: float) -> float:
        last, clock = self._last.get(gate), self.mover.world.clock
        if last is None:
            return 0.0
        if last.clock == self.mover.shared.run.clock:
            passed = clock.monotonic() - last.tick
        else:
            passed = (clock.now() - last.at).total_seconds()
        return min(interval_seconds, interval_seconds - passed)

    # What.

    async def round(self) -> None:
        """Ask every gate, and record the round in one commit with what it changes. A route that cannot be read makes a round
        that says nothing of the soak; the gates are asked all the same, for the customers are there."""
        mover = self.mover
        verdict, why = Verdict.PASSED, "the engine is watching"
        try:
            await mover.admit()
        except CloudError as fault:
            if not passes_by_itself(fault):
                raise
            verdict, why = Verdict.ERRORED, f"the route cannot be read: {fault.message}"
        now = mover.world.clock.now()
        begin = max(now - timedelta(seconds=mover.wave.interval_seconds), self.since)
        alive = self._sample(ALIVE, begin, now, verdict, 1.0, why)
        held, *asked = await together(
            self._containers(begin, now),
            *(sample(mover, gate, now, since=self.since) for gate in mover.wave.gates),
        )
        assert held is not None
        if mover.wave.needs_way_back:
            asked.append(self._sample(WAY_BACK_READY, begin, now, *self.warming.verdict()))
        if held.verdict is Verdict.ERRORED:  # nobody knows what customers find there: the soak stands still
            alive = replace(alive, verdict=Verdict.ERRORED, reason=held.reason)
        self._record([alive, *(one for one in asked if one is not None), held])

    async def _containers(self, begin: datetime, now: datetime) -> Sample:
        """Does the account that customers use still have all containers that it had? One that is gone takes the soak back to its
        beginning, and soon needs a person, who puts it back or says that customers dropped it."""
        mover = self.mover
        try:
            lost = await within(mover.world.clock, mover.world.rhythm.live_seconds, lost_containers(mover))
        except CloudError as fault:
            return self._sample(LIVE_CONTAINERS, begin, now, Verdict.ERRORED, None, fault.message)
        if lost is None:
            why = f"{mover.plan.target} did not list its containers within {mover.world.rhythm.live_seconds:.0f} s"
            return self._sample(LIVE_CONTAINERS, begin, now, Verdict.ERRORED, None, why)
        if not lost:
            why = f"{mover.plan.target} has its containers"
            return self._sample(LIVE_CONTAINERS, begin, now, Verdict.PASSED, 0.0, why)
        why = f"{containers.in_words(lost, mover.plan.target)}; {way_out(mover, lost)}"
        return self._sample(LIVE_CONTAINERS, begin, now, Verdict.FAILED, float(len(lost)), why)

    async def warm(self) -> None:
        """One pass that keeps the source warm, and no look beside it."""
        async with self._looking:
            await self.warming.one_pass()

    async def look(self) -> None:
        """Scan the old side for writes that should not be there; one scan at a time."""
        mover, clock = self.mover, self.mover.world.clock
        async with self._looking:
            begin, unsaid = clock.now(), self._unsaid()
            if self._begun_look() is None:
                mover.commit(SetNote(notes.looking(self.mover.id), begin.isoformat()))
            try:
                result = await self._compared()
            except CloudError as fault:
                if not passes_by_itself(fault):
                    raise
                # What it listed before it broke off stays unsaid: the note is left for the look that comes to its end.
                self._note_errored(begin, fault)
                return
            found = result.stragglers_new + len(unsaid)
            if result.unsure and not found:
                self._note_unsettled(begin, result.unsure)
                self._require_settling(result.unsure)
                return
            verdict = Verdict.FAILED if found else Verdict.PASSED
            why = ", ".join([*result.named, *unsaid][:3]) if found else "the old side is still"
            # A look of this soak began after the switch, whatever a clock said that was set right while it went on.
            sample = self._sample(NO_STRAGGLERS, max(begin, self.since), clock.now(), verdict, float(found), why)
            self._record([sample], SetNote(notes.looking(self.mover.id), None))

    async def _compared(self) -> PassResult:
        """The old side against the evidence. Where a write of ours was announced there and is not on record, a pass settles it
        first."""
        transfer = self.mover.transfer()
        transfer.is_kept_warm = self.warming.has_begun
        result = await passes.watch(transfer)
        if not result.unsure:
            return result
        await self.warming.one_pass()
        again = await passes.watch(transfer)
        again.stragglers_new += result.stragglers_new
        again.named = [*result.named, *again.named]
        return again

    def _note_unsettled(self, begin: datetime, unsure: int) -> None:
        """Nobody can tell yet whose these are: no verdict, and another look soon."""
        why = f"writes of ours to {unsure:,} objects of {self.mover.plan.source} are not on record yet"
        self._record([self._sample(NO_STRAGGLERS, begin, self.mover.world.clock.now(), Verdict.ERRORED, 0.0, why)])

    def _require_settling(self, unsure: int) -> None:
        """Halt where nothing but a person can let a pass settle them: time alone would never end that soak."""
        mover, blocks, now = self.mover, self.warming.blocks, self.mover.world.clock.monotonic()
        # One that is expired stays on record until a pass has settled its name, and that is what cannot be done.
        if blocks and not any(mover.waits.left(one, now) > 0 for one in mover.world.state.outstanding(mover.id)):
            raise Halt(
                f"cannot tell whose {unsure:,} objects of {mover.plan.source} are, ours or a stranger's: {blocks};"
                " mend that, then migrate retry"
            )

    def _note_errored(self, begin: datetime, fault: CloudError) -> None:
        """A look that could not be made: a sample under a limit of its own, and another try soon."""
        now = self.mover.world.clock.now()
        why = f"{self.mover.plan.source} and {self.mover.plan.target} cannot be compared: {fault.message}"
        self._record([self._sample(NO_STRAGGLERS, begin, now, Verdict.ERRORED, 0.0, why)])

    def _begun_look(self) -> datetime | None:
        """When the oldest look of this stay began that no sample speaks of."""
        begun = self.mover.world.state.note(notes.looking(self.mover.id))
        after = datetime.fromisoformat(begun) if begun is not None else None
        return after if after is not None and after >= self.since else None

    def _unsaid(self) -> list[str]:
        """Stragglers that an earlier look listed, and that no sample speaks of: its process died in between."""
        after = self._begun_look()
        if after is None:
            return []
        rows = self.mover.world.state.exceptions(self.mover.id, limit=MOST_UNSAID)
        return [row.name for row in rows if row.kind == "straggler" and row.at is not None and row.at >= after]

    def _sample(
        self, gate: str, begin: datetime, now: datetime, verdict: Verdict, value: float | None, reason: str
    ) -> Sample:
        clock, tick = self.mover.shared.run.clock, self.mover.world.clock.monotonic()
        if verdict is Verdict.FAILED:
            # Whatever this machine's clock says by now, it was seen in this stay. What is dated before it counts nothing: for
            # what is healthy that is right, but what was found would be forgotten.
            since = max(self.since, self.mover.record.since or self.since)
            begin, now = max(begin, since), max(now, since + MOMENT)
        return Sample(
            self.mover.id,
            gate,
            now,
            min(begin, now),
            now,
            verdict,
            value,
            reason,
            clock=clock,
            tick=tick,
            epoch=self.mover.record.epoch,
        )

    def _record(self, samples: list[Sample], *more: Change) -> None:
        changes: list[Change | Journaled] = [*(AddSample(one) for one in samples), *more]
        for one in samples:
            known = self._last.get(one.gate)
            if one.gate == ALIVE or (known is not None and known.verdict is one.verdict):
                continue  # a soak of weeks says what changed, not every sample
            changes.append(GateJudged(one.gate, one.verdict.value, one.value, one.reason))
        self.mover.commit(*changes)
        self._last.update({one.gate: one for one in samples})
        self._clock.take(samples)
        self._keep_reading()

    def waits(self) -> SoakWaits:
        """What the soak waits for now."""
        return soak_waits(
            self._clock.state(), self.mover.wave, self._last, since=self.since, still_since=self._still_since
        )

    def _keep_reading(self) -> None:
        """The healthy time so far goes into the move's figures, what the soak waits for into a note; healthy time that was
        lost, into the journal."""
        state = self._clock.state()
        if progress_key(state) != self._progress:
            self._progress, self._still_since = progress_key(state), self.mover.world.clock.now()
        waits = self.waits()
        reading = kept(self.mover.record, waits)
        before, now = self.mover.record.figures.soak_seconds, state.healthy_seconds
        changes: list[Change | Journaled] = []
        if now < before:
            failed = tuple(one.gate for one in self._last.values() if one.verdict is Verdict.FAILED)
            changes.append(SoakRestarted(before, failed))
        if now != before:
            self.mover.save(self.mover.figures(soak_seconds=now), reading, *changes)
        elif reading != self._kept:
            self.mover.commit(reading)
        self._kept = reading
        self.mover.show(soak_left_seconds=waits.left_seconds, waits="; ".join(waits.lacks))

    # What it comes to.

    def conclude(self) -> Event | None:
        """The event that ends the soak, or None while it goes on.

        Raises:
            GateStops, Halt: as their names say.
        """
        state = self._clock.state()
        if state.verdict == "failed":
            raise GateStops(self.mover, state.gate or "", state.reason)
        if state.verdict == "halt":
            raise Halt(f"gate {state.gate} of {self.mover.id} needs a person: {state.reason}")
        if state.verdict == "soaked":
            return Event.SOAKED
        self.mover.waiting_for = "; ".join(self.waits().clauses)
        return None


def limits_of(mover: Mover) -> Mapping[str, GateLimits]:
    """Of the wave's gates, and of the built-in one that needs a person."""
    limits = {gate.name: GateLimits.of(gate) for gate in mover.wave.gates}
    return {
        **limits,
        NO_STRAGGLERS: GateLimits(failure_limit=1, on_failure="halt"),
        LIVE_CONTAINERS: GateLimits(failure_limit=mover.world.rhythm.lost_rounds, on_failure="halt"),
        WAY_BACK_READY: GateLimits(failure_limit=mover.world.rhythm.lost_rounds, on_failure="halt"),
    }
