"""The rollout: waves in order, moves of a wave side by side, and the ways in from the command line.

Leaves each move to its mover. Rules: before anything else a run takes the lock, resolves every fence an earlier run left
open, and claims its records; a wave begins only when the waves it waits for are soaked; an automatic rollback is never
followed by an automatic retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from migrator.engine.mover import Halt, Mover, Shared, Step, Waiting, finish_switch, release
from migrator.engine.routes import RouteDesk
from migrator.engine.session import Session
from migrator.engine.steps import carry, cut, preflight, soak
from migrator.engine.world import Outcome, Run, World
from migrator.errors import InternalError, JudgementError, RouteDisagreement, UsageError
from migrator.machine.events import Event
from migrator.machine.transitions import FENCE_STATES, is_allowed
from migrator.machine.waves import blocked_by, wave_state
from migrator.model.moves import (
    Control,
    Direction,
    JournalEntry,
    MoveRecord,
    MoveState,
    PlanRecord,
    WaveRecord,
    WaveState,
)
from migrator.model.names import MoveId
from migrator.model.routes import READ_WRITE
from migrator.model.schedule import PlannedMove, PlannedWave, Schedule
from migrator.ports.state_store import AddJournal, Change, CountRequests, SaveMove, SavePlan, SaveWave, SetControl
from migrator.transfer.limits import Limits
from migrator.transfer.paced import PacedStore

S = MoveState
STEPS: Final[Mapping[MoveState, Step]] = {
    S.PENDING: preflight.begin,
    S.PREFLIGHT: preflight.preflight,
    S.COPYING: carry.copy,
    S.CATCHING_UP: carry.catch_up,
    S.READY: carry.ready,
    S.FENCING: cut.fence,
    S.DRAINING: cut.drain,
    S.VERIFYING: cut.verify,
    S.SWITCHING: cut.switch,
    S.SOAKING: soak.soaking,
}
CONTROL_SECONDS = 0.5
COUNTER_SECONDS = 5.0


class _Counter:
    """Own requests in memory, flushed into the state store now and then."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, int, str], int] = {}

    def count(self, account: str, operation: str, *, minute: int, requests: int = 1) -> None:
        key = (account, minute, operation)
        self._counts[key] = self._counts.get(key, 0) + requests

    def drain(self) -> list[Change]:
        counts, self._counts = self._counts, {}
        return [CountRequests(account, minute, op, n) for (account, minute, op), n in counts.items()]


class Rollout:
    """One run over one plan. Make one for each command; ``stop`` ends it early, with every fence released."""

    def __init__(self, schedule: Schedule, *, world: World, run: Run, text: str = "") -> None:
        self.schedule = schedule
        self.world = world
        self.run = run
        self._text = text
        self._limits = Limits(world.clock)
        self._counter = _Counter()
        self._session = Session(world.state, world.clock, run, world.write_bounds)
        desk = RouteDesk(world.router, world.clock, schedule.routing, lineage=world.state.lineage, run=run.id)
        stores = {
            name: PacedStore(store, self._limits.account(name), self._counter, world.clock)
            for name, store in world.stores.items()
        }
        for name in stores:
            self._limits.set(name, schedule.budget(name))
        self._shared = Shared(schedule, world, run, self._session, desk, stores)
        self._main: asyncio.Task[Outcome] | None = None
        self._stopped = False
        self._movers: dict[MoveId, Mover] = {}

    def stop(self) -> None:
        """Ask the run to end now: open fences are released, state is saved, the outcome is ``interrupted``."""
        self._stopped = True
        if self._main is not None:
            self._main.cancel()

    async def apply(self, *, wave: str | None = None, wait: bool = True) -> Outcome:
        """Start or resume. Raises LockedError if another run is at work."""
        return await self._guarded(lambda: self._apply(wave, wait))

    async def rollback(
        self,
        *,
        wave: str | None = None,
        region: str | None = None,
        area: str | None = None,
        on_conflict: str | None = None,
    ) -> Outcome:
        """Lossless way back, newest wave first. Raises LockedError if another run is at work: ``steer`` that one."""
        return await self._guarded(lambda: self._rollback(self._in_scope(wave, region, area), on_conflict, "asked for"))

    def steer(
        self, *, wave: str | None, region: str | None, area: str | None, on_conflict: str | None, who: str
    ) -> None:
        """Ask the running apply to roll back."""
        value = {"wave": wave, "region": region, "area": area, "on_conflict": on_conflict}
        now = self.world.clock.now()
        entry = JournalEntry(now, who, "control", "rollback asked of the running apply", wave=wave, evidence=value)
        self.world.state.commit([SetControl(Control("rollback", "", value, who, now)), AddJournal(entry)], token=None)

    async def retry(
        self,
        *,
        wave: str | None = None,
        region: str | None = None,
        area: str | None = None,
        reason: str,
        who: str,
        accept_deletes: int | None = None,
    ) -> Outcome:
        """Let halted and reversed moves go on with the next ``apply``."""
        return await self._guarded(lambda: self._retry(self._in_scope(wave, region, area), reason, who, accept_deletes))

    # One run around each of them.

    async def _guarded(self, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        self._main = asyncio.ensure_future(self._with_lock(work))
        try:
            return await asyncio.shield(self._main) if self._stopped else await self._main
        except asyncio.CancelledError:
            if not self._stopped:
                raise
            return Outcome("interrupted", ("stopped by a signal; state is saved",))

    async def _with_lock(self, work: Callable[[], Awaitable[Outcome]]) -> Outcome:
        self._session.open(self.world.is_dead)
        keeper = asyncio.ensure_future(self._keep_counts())
        try:
            for store in self._shared.stores.values():
                await store.bind_run(self._session.token)
            self._prepare()
            await self._recover()
            return await work()
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            self._flush()
            await self._session.close()

    async def _keep_counts(self) -> None:
        while True:
            await self.world.clock.sleep(COUNTER_SECONDS)
            self._flush()

    def _flush(self) -> None:
        counts = self._counter.drain()
        if counts:
            self._commit(*counts)

    def _commit(self, *changes: Change) -> None:
        self.world.state.commit(list(changes), token=self._session.token)

    def _journal(self, kind: str, text: str, *, wave: str | None = None, actor: str = "engine") -> AddJournal:
        return AddJournal(JournalEntry(self.world.clock.now(), actor, kind, text, wave=wave, run=self.run.id))

    # Preparing.

    def _prepare(self) -> None:
        """Write down the plan, its waves and moves; refuse edits that reach into moves which have begun."""
        state, now = self.world.state, self.world.clock.now()
        changes: list[Change] = []
        before = state.plan()
        if before is None or before.fingerprint != self.schedule.fingerprint:
            changes.append(SavePlan(PlanRecord(self.schedule.name, self.schedule.fingerprint, self._text, now)))
            changes.append(self._journal("plan", f"plan {self.schedule.name}: {'edited' if before else 'first apply'}"))
        waves = {record.name: record for record in state.waves()}
        moves = {record.id: record for record in state.moves()}
        for position, wave in enumerate(self.schedule.waves):
            known = waves.get(wave.name, WaveRecord(wave.name, position))
            new = replace(known, position=position, fingerprint=wave.fingerprint)
            if wave.name not in waves or new != known:
                changes.append(SaveWave(new))
            for move in wave.moves:
                changes.extend(_planned(move, wave, moves.get(move.id)))
        gone = [id for id, record in moves.items() if record.state is not S.PENDING and not self._plans(id)]
        if gone:
            raise UsageError(
                f"cannot apply this edit: {gone[0]} has begun and is not in the plan any more",
                hint="put it back, or roll it back first",
            )
        if changes:
            self._commit(*changes)

    def _plans(self, id: MoveId) -> bool:
        return any(move.id == id for move in self.schedule.moves)

    def _mover(self, move: PlannedMove) -> Mover:
        record = self.world.state.move(move.id)
        if record is None:
            raise InternalError(f"{move.id} has no record")
        mover = self._movers.get(move.id)
        if mover is None:
            mover = Mover(self._shared, self.schedule.wave_of(move.id), move, record)
            self._movers[move.id] = mover
        mover.record = record
        return mover

    async def _recover(self) -> None:
        """Resolve every fence that an earlier run left open, then claim every record that was ever ours."""
        for move in self.schedule.moves:
            mover = self._mover(move)
            record = mover.record
            if record.intent is not None:
                mover.tell("recovery", f"{move.id}: an earlier run ended in its fence; resolving that first")
                await _resolve(mover)
            if mover.record.ever_routed and mover.record.state not in (S.HALTED, S.REVERSED):
                try:
                    await preflight.claim(mover)
                except Halt as halt:
                    if is_allowed(mover.record, Event.HALTED):
                        mover.happen(Event.HALTED, reason=halt.reason)
                    else:
                        raise JudgementError(halt.reason) from halt

    # Applying.

    async def _apply(self, only: str | None, wait: bool) -> Outcome:
        reasons: list[str] = []
        waiting: list[str] = []
        for wave in self.schedule.waves:
            if only is not None and wave.name != only:
                continue
            states = self._wave_states()
            if states[wave.name] in (WaveState.SOAKED, WaveState.RETIRED):
                continue
            blockers = blocked_by(wave.after, states)
            if blockers:
                text = f"wave {wave.name} waits for {', '.join(blockers)}"
                waiting.append(text)
                self.world.reporter.event("waiting", None, text)
                continue
            outcome = await self._wave(wave, wait)
            if outcome.code == "halted":
                return outcome
            (waiting if outcome.code == "waiting" else reasons).extend(outcome.reasons)
        return Outcome("waiting", tuple(waiting)) if waiting else Outcome("done", tuple(reasons))

    def _wave_states(self) -> dict[str, WaveState]:
        records = {record.id: record for record in self.world.state.moves()}
        return {
            wave.name: wave_state([records[move.id] for move in wave.moves], is_waiting=False)
            for wave in self.schedule.waves
        }

    async def _wave(self, wave: PlannedWave, wait: bool) -> Outcome:
        movers = [self._mover(move) for move in wave.moves]
        stuck = [
            m for m in movers if m.record.state in (S.HALTED, S.REVERSED) or m.record.direction is Direction.REVERSE
        ]
        if stuck:
            one = stuck[0].record
            text = f"{one.id} is {one.state}" + (f": {one.reason}" if one.reason else "")
            return Outcome("halted", (f"{text}; after that: migrate retry --reason TEXT",))
        self._save_wave(wave, f"wave {wave.name}: {len(movers)} move{'s' if len(movers) > 1 else ''}")
        turn = asyncio.Semaphore(wave.max_moves or len(movers))

        async def one_move(mover: Mover) -> None:
            mover.is_patient = wait
            async with turn:
                await mover.drive(STEPS)

        tasks = [asyncio.ensure_future(one_move(mover)) for mover in movers]
        watch = asyncio.ensure_future(self._wished_rollback())
        try:
            return await self._finish_wave(wave, movers, tasks, watch)
        finally:
            watch.cancel()
            await _end([*tasks, watch])
            self._save_wave(wave, None)

    async def _finish_wave(
        self, wave: PlannedWave, movers: Sequence[Mover], tasks: list[asyncio.Task[None]], watch: asyncio.Task[Control]
    ) -> Outcome:
        running: set[asyncio.Task[None]] = set(tasks)
        waiting: list[str] = []
        while running:
            done, _ = await asyncio.wait({*running, watch}, return_when=asyncio.FIRST_COMPLETED)
            if watch in done:
                await _end(tasks)
                return await self._steered(watch.result())
            for task in done:
                running.discard(task)
                fault = task.exception()
                if isinstance(fault, Waiting):
                    waiting.append(str(fault))
                elif isinstance(fault, soak.GateFailed):
                    return await self._gate_failed(wave, movers, tasks, fault)
                elif fault is not None:
                    raise fault
        halted = [mover.record for mover in movers if mover.record.state is S.HALTED]
        if halted:
            return Outcome("halted", tuple(f"{one.id} is halted: {one.reason}" for one in halted))
        return Outcome("waiting", tuple(waiting)) if waiting else Outcome("done")

    async def _gate_failed(
        self, wave: PlannedWave, movers: Sequence[Mover], tasks: list[asyncio.Task[None]], fault: soak.GateFailed
    ) -> Outcome:
        self.world.reporter.event("gate-failed", str(fault.mover.id), fault.reason)
        self._commit(self._journal("gate-failed", fault.reason, wave=wave.name))
        if wave.on_failure == "halt":
            fault.mover.happen(Event.HALTED, reason=fault.reason)
            await _end(tasks)
            return Outcome("halted", (fault.reason,))
        await _end(tasks)
        scope = [fault.mover.plan] if wave.rollback_scope == "move" else [mover.plan for mover in movers]
        outcome = await self._rollback(scope, None, fault.reason)
        return Outcome("halted", (fault.reason, *outcome.reasons))

    def _save_wave(self, wave: PlannedWave, text: str | None) -> None:
        record = next(one for one in self.world.state.waves() if one.name == wave.name)
        moves = [one for one in self.world.state.moves() if one.wave == wave.name]
        state = wave_state(moves, is_waiting=False)
        now = self.world.clock.now()
        ended = now if state in (WaveState.SOAKED, WaveState.REVERSED) else None
        begun = record.begun_at or (None if state is WaveState.PENDING else now)
        new = replace(record, state=state, begun_at=begun, ended_at=ended)
        changes: list[Change] = [SaveWave(new)]
        if text or new.state is not record.state:
            said = text or f"wave {wave.name} is {state}"
            changes.append(self._journal("wave-changed", said, wave=wave.name))
            self.world.reporter.event("wave-changed", None, said, wave=wave.name, state=state.value)
        self._commit(*changes)

    # Going back.

    async def _wished_rollback(self) -> Control:
        while True:
            for control in self.world.state.controls():
                if control.kind == "rollback":
                    return control
            await self.world.clock.sleep(CONTROL_SECONDS)

    async def _steered(self, control: Control) -> Outcome:
        value = control.value
        self._commit(SetControl(replace(control, value={})))
        scope = self._in_scope(value.get("wave"), value.get("region"), value.get("area"))
        return await self._rollback(scope, value.get("on_conflict"), f"asked for by {control.who}")

    def _in_scope(self, wave: str | None, region: str | None, area: str | None) -> list[PlannedMove]:
        """Moves of the scope, newest wave first. UsageError if there is none."""
        chosen = [
            move
            for one in reversed(self.schedule.waves)
            for move in reversed(one.moves)
            if wave in (None, one.name) and region in (None, move.id.region) and area in (None, move.id.area)
        ]
        if not chosen:
            raise UsageError(
                "cannot do that: no move of the plan is in that scope", hint="see migrate status for their names"
            )
        return chosen

    async def _rollback(self, scope: Sequence[PlannedMove], on_conflict: str | None, why: str) -> Outcome:
        reasons: list[str] = []
        for move in scope:
            mover = self._mover(move)
            if mover.record.state in (S.PENDING, S.REVERSED):
                continue
            mover.on_conflict = on_conflict
            mover.is_patient = True
            mover._transfer = None
            if mover.record.direction is Direction.FORWARD or mover.record.state is S.HALTED:
                try:
                    if mover.record.ever_routed:
                        await preflight.claim(mover)
                except Halt as halt:
                    return Outcome("halted", (halt.reason,))
                if mover.record.intent is not None:
                    text = f"cannot roll back {move.id}: route and state disagree about a fence that is still on record"
                    return Outcome("halted", (text,))
                mover.happen(Event.ROLLED_BACK, reason=why)
            mover._claim_at = -1e9
            await mover.drive(STEPS)
            if mover.record.state is S.HALTED:
                return Outcome("halted", (f"{move.id} is halted: {mover.record.reason}",))
            reasons.append(f"{move.id} is back at {move.source}")
        for wave in self.schedule.waves:
            if any(move in scope for move in wave.moves):
                self._save_wave(wave, None)
        return Outcome("done", tuple(reasons))

    async def _retry(self, scope: Sequence[PlannedMove], reason: str, who: str, accept_deletes: int | None) -> Outcome:
        reasons: list[str] = []
        for move in scope:
            mover = self._mover(move)
            if mover.record.state not in (S.HALTED, S.REVERSED):
                continue
            figures = replace(mover.record.figures, passes=0, cancelled_fences=0)
            if accept_deletes is not None:
                figures = replace(figures, deletes_accepted=accept_deletes)
            text = f"{move.id}: retry asked for: {reason}"
            mover.happen(Event.RETRIED, self._journal("retry", text, wave=mover.wave.name, actor=who), figures=figures)
            reasons.append(f"{move.id} goes on from {mover.record.state}")
        for wave in self.schedule.waves:
            if any(move in scope for move in wave.moves):
                self._save_wave(wave, None)
        if not reasons:
            raise UsageError("cannot retry: no move in that scope is halted or reversed", hint="see migrate status")
        return Outcome("done", tuple(reasons))


async def _resolve(mover: Mover) -> None:
    """An intent is on record: find out whether the switch happened; if not, release."""
    if mover.record.state in FENCE_STATES:
        try:
            await release(mover, "an earlier run ended in the fence")
        except RouteDisagreement as fault:
            mover.happen(Event.HALTED, reason=fault.message)
        return
    # A halt kept the intent because the route could not be explained or did not answer; look again.
    record, intent = mover.record, mover.record.intent
    found = await mover.shared.desk.record(mover.id)
    if found is None or intent is None:
        return
    if intent.switched is not None and found.same_authority(intent.switched):
        mover.record = replace(record, state=S.SWITCHING, resume_from=None)
        finish_switch(mover, found, "found switched after a halt")
        return
    if found.same_authority(intent.fence):
        released = mover.shared.desk.released(found)
        await mover.shared.desk.change(mover.id, found, released)
        found = released
    if (found.account, found.lineage, found.mode) == (intent.before.account, intent.before.lineage, READ_WRITE):
        mover.save(replace(mover.record, intent=None, epoch=found.epoch))


def _planned(move: PlannedMove, wave: PlannedWave, known: MoveRecord | None) -> list[Change]:
    if known is None:
        return [SaveMove(MoveRecord(move.id, wave.name, move.source, move.target))]
    if (known.source, known.target) != (move.source, move.target) and known.state is not S.PENDING:
        raise UsageError(
            f"cannot apply this edit: {move.id} has begun from {known.source} to {known.target}",
            hint="put its accounts back, or roll it back first",
        )
    new = replace(known, wave=wave.name, source=move.source, target=move.target)
    return [SaveMove(new)] if new != known else []


async def _end(tasks: Sequence[asyncio.Task[object]] | Sequence[asyncio.Task[None]]) -> None:
    """Cancel and await: every mover releases its fence on the way out."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


__all__ = ["STEPS", "Outcome", "Rollout", "Run", "World"]
