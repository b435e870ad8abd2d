"""All moves of one run, and what the rooms of a rollout (preparing, recovering, waves, going back) share.

Leaves every decision to those rooms. Rule: one mover for each move of the plan, always with the record the state store holds.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from migrator.engine.committing import surely
from migrator.engine.context import Shared
from migrator.engine.mover import Mover
from migrator.engine.world import World
from migrator.errors import InternalError, UsageError
from migrator.forecast.outcome import to_evidence, told
from migrator.machine.states import has_ended, is_past_switch
from migrator.machine.waves import wave_state
from migrator.model.happenings.happening import Journaled, Shown
from migrator.model.happenings.rollouts import WaveBegun, WaveChanged
from migrator.model.moves import WaveRecord, WaveState
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, PlannedWave, Schedule
from migrator.model.values import replace
from migrator.ports.state_store import AddJournal, Change, SaveWave
from migrator.standing.outcome import OUTCOME, compared
from migrator.words.journal import entry


@dataclass(slots=True)
class Fleet:
    shared: Shared
    flush: Callable[[], None] = lambda: None
    """Writes down the requests that were counted and not kept yet."""
    forecasts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By wave, what to keep with it when it begins."""
    disagreements: Mapping[MoveId, str] = field(default_factory=dict)
    """Why moves that had stopped when this run began cannot go on by a retry alone: their route is elsewhere."""
    world: World = field(init=False)
    _movers: dict[MoveId, Mover] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = self.shared.world

    @property
    def schedule(self) -> Schedule:
        return self.shared.schedule

    @property
    def movers(self) -> Collection[Mover]:
        """Those at work so far."""
        return self._movers.values()

    def mover(self, move: PlannedMove) -> Mover:
        """The move's one mover, with its newest record. InternalError before ``preparing`` made one."""
        record = self.world.state.move(move.id)
        if record is None:
            raise InternalError(f"{move.id} has no record")
        mover = self._movers.get(move.id)
        if mover is None:
            mover = Mover(self.shared, self.schedule.wave_of(move.id), move, record)
            self._movers[move.id] = mover
        mover.record = record
        return mover

    def in_scope(self, wave: str | None, region: str | None, area: str | None) -> list[PlannedMove]:
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

    async def surely(self, act: Callable[[], None], *, within: float = math.inf, full_within: float = math.inf) -> None:
        """``act`` commits; again while the state store is busy or full."""
        await surely(self.world.clock, self.world.rhythm, act, within=within, full_within=full_within)

    def commit(self, *changes: Change) -> None:
        self.world.state.commit(list(changes), token=self.shared.session.token)

    def journal(
        self, happening: Journaled, *, wave: str | None = None, move: MoveId | None = None, actor: str = "engine"
    ) -> AddJournal:
        """The journal's row alone, for what is shown at another moment or not at all."""
        now, run = self.world.clock.now(), self.shared.run.id
        return AddJournal(entry(happening, now, actor=actor, wave=wave, move=move, run=run))

    def tell(self, happening: Shown, move: MoveId | None = None) -> None:
        self.world.reporter.event(happening, None if move is None else str(move))

    def say(self, happening: Journaled, *changes: Change, wave: str | None = None, move: MoveId | None = None) -> None:
        """Into the journal with its other changes, and shown once it is there."""
        self.commit(*changes, self.journal(happening, wave=wave, move=move))
        if isinstance(happening, Shown):
            self.tell(happening, move)

    def wave_states(self) -> dict[str, WaveState]:
        records = {record.id: record for record in self.world.state.moves()}
        return {
            wave.name: wave_state([records[move.id] for move in wave.moves], is_waiting=False)
            for wave in self.schedule.waves
        }

    def begin_wave(self, wave: PlannedWave) -> None:
        """Say that ``wave`` goes on; the first time, note when it began and the forecast it began with."""
        record = self._record(wave)
        begun = record
        if record.begun_at is None:
            begun = replace(record, begun_at=self.world.clock.now(), forecast=self.forecasts.get(wave.name, {}))
        said = WaveBegun(wave.name, len(wave.moves), begun.state.value, begun.forecast, is_first=begun is not record)
        if begun is not record or not self._only_soaks(wave):  # runs of a scheduler would fill the journal with it
            self.commit(SaveWave(begun), self.journal(said, wave=wave.name))
        self.tell(said)
        self.save_wave(wave)

    def _only_soaks(self, wave: PlannedWave) -> bool:
        return all(is_past_switch(one.state) for one in self.world.state.moves() if one.wave == wave.name)

    def save_wave(self, wave: PlannedWave) -> None:
        """Write down what the moves make of ``wave``; a change of state is said, and its outcome beside the forecast."""
        self.flush()
        record = self._record(wave)
        moves = [one for one in self.world.state.moves() if one.wave == wave.name]
        state = wave_state(moves, is_waiting=False)
        now = self.world.clock.now()
        is_over = has_ended(state)
        ended = ((record.ended_at if record.state is state else None) or now) if is_over else None
        new = replace(record, state=state, ended_at=ended)
        if new.state is not record.state:
            outcome = None
            if is_over and (outcome := compared(self.world.state, replace(new, ended_at=None), moves, now)):
                new = replace(new, forecast={**new.forecast, OUTCOME: to_evidence(outcome)})
            facts = to_evidence(outcome) if outcome else {}
            changed = WaveChanged(wave.name, state.value, told(outcome) if outcome else "", **facts)
            self.say(changed, SaveWave(new), wave=wave.name)
        else:
            self.commit(SaveWave(new))

    def reason_of(self, wave: PlannedWave) -> str:
        """Why the wave was taken back by itself; empty if it was not."""
        return self._record(wave).reason

    def with_reason(self, wave: PlannedWave, reason: str) -> SaveWave:
        """To be committed: why the wave stopped, kept until somebody retries."""
        return SaveWave(replace(self._record(wave), reason=reason))

    def forget_reasons(self, scope: Sequence[PlannedMove]) -> None:
        """A person said go on: no wave of the scope is stopped by a gate any more."""
        stopped = [wave for wave in self.schedule.waves if self.reason_of(wave) and any(m in scope for m in wave.moves)]
        if stopped:
            self.commit(*(self.with_reason(wave, "") for wave in stopped))

    def _record(self, wave: PlannedWave) -> WaveRecord:
        return next(one for one in self.world.state.waves() if one.name == wave.name)

    def save_waves_of(self, scope: Sequence[PlannedMove]) -> None:
        for wave in self.schedule.waves:
            if any(move in scope for move in wave.moves):
                self.save_wave(wave)


async def end(tasks: Sequence[asyncio.Task[object]] | Sequence[asyncio.Task[None]]) -> None:
    """Cancel and await: every mover releases its fence on the way out."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
