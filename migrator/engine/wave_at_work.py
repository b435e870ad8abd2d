"""One wave at work: its moves side by side, and what becomes of the others when one of them stops.

Leaves each move to its mover and the other waves to ``waves``. Rules: a stop stops what *begins* - a move that has not switched
goes no further, its fence released - and nothing that is live: moves that soak are sampled on until they are soaked, halted or
taken back themselves. A failed gate puts its way back on record and leaves carrying it out to ``waves``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Sequence

from migrator.engine import enforcing, rollback, steps
from migrator.engine.context import CutOverTurns, Stalled, Waiting
from migrator.engine.fleet import Fleet, end
from migrator.engine.mover import Mover
from migrator.engine.runner import drive
from migrator.engine.steps import soak
from migrator.engine.world import Outcome
from migrator.machine.events import Event
from migrator.machine.states import has_cut_over_ahead, is_in_fence, is_past_switch
from migrator.model.happenings.soaks import GateFailed
from migrator.model.moves import Direction, MoveState
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedWave
from migrator.ports.state_store import SetControl


def is_live(mover: Mover) -> bool:
    """Are its customers at the target, with a soak that is not over?"""
    return mover.record.state is MoveState.SOAKING and mover.record.direction is Direction.FORWARD


def _needs_no_place(state: MoveState) -> bool:
    return state is MoveState.READY or is_past_switch(state)


def _is_let_in(state: MoveState) -> bool:
    return state is not MoveState.READY


def _is_out_of_fence(state: MoveState) -> bool:
    return not is_in_fence(state)


class WaveAtWork:
    """The moves of ``wave`` under way.

    Args:
        wait: stay for operators and dates.
        watch: stay for soaks: whatever else the run does not wait for, what is live is sampled on.
        only_live: nothing begins; what soaks is watched.
        without: moves that somebody else goes on with.
        stopped: told when a move halted or a gate failed.
    """

    def __init__(
        self,
        fleet: Fleet,
        wave: PlannedWave,
        *,
        wait: bool,
        watch: bool,
        only_live: bool,
        without: Collection[MoveId],
        stopped: Callable[[], None],
    ) -> None:
        self.fleet = fleet
        self.wave = wave
        self._wait, self._watch = wait, watch
        self._stopped = stopped
        movers = [fleet.mover(move) for move in wave.moves if move.id not in without]
        self._left = set[MoveId]()
        self._only_live = only_live
        self._movers = [one for one in movers if is_live(one)] if only_live else movers
        at_once = wave.max_moves or max(1, len(movers))
        self._places, self._fences = asyncio.Semaphore(at_once), CutOverTurns(at_once)
        self._tasks: dict[MoveId, asyncio.Task[None]] = {}
        self._stops: list[asyncio.Task[None]] = []

    @property
    def moves(self) -> set[MoveId]:
        """Those it was given."""
        return {one.id for one in self._movers}

    async def work(self) -> Outcome:
        """Until each move rests, waits (if it may not) or was stopped."""
        soon = self.fleet.world.rhythm.leaving_seconds
        if not self._only_live:
            within = math.inf if self._wait else soon
            await self.fleet.surely(lambda: self.fleet.begin_wave(self.wave), within=within)
        for mover in self._movers:
            self._start(mover)
        try:
            return await self._all()
        finally:
            await end([*self._stops, *self._tasks.values()])
            await self.fleet.surely(lambda: self.fleet.save_wave(self.wave), within=soon, full_within=0.0)

    def stop_beginning(self) -> None:
        """Moves that have not switched go no further in this run; fences are released."""
        self._only_live = True
        chosen = [one for one in self._movers if one.id in self._tasks and not is_live(one)]
        self._stops.append(asyncio.create_task(self._stop(chosen)))

    async def leave(self, moves: Collection[MoveId]) -> None:
        """End the work at these moves: somebody else goes on with them."""
        self._left |= set(moves)
        await end([task for id, task in self._tasks.items() if id in moves])

    async def _stop(self, movers: Sequence[Mover]) -> None:
        await end([self._tasks[one.id] for one in movers])
        for mover in movers:
            if is_live(mover) and mover.id not in self._left:  # its switch had happened
                self._start(mover)

    def _start(self, mover: Mover) -> None:
        self._tasks[mover.id] = asyncio.create_task(self._one_move(mover))

    async def _one_move(self, mover: Mover) -> None:
        mover.is_patient, mover.fences = self._wait, self._fences
        try:
            while has_cut_over_ahead(mover.record.state):
                async with self._places:  # a move that soaks needs neither budget nor fence: the next one may begin
                    await drive(mover, steps.STEPS, until=_needs_no_place)
                # `ready` waits without a place, for days if it must, and takes its turn for the fence by itself.
                await drive(mover, steps.STEPS, until=_is_let_in)
                await drive(mover, steps.STEPS, until=_is_out_of_fence)
                self._fences.give_back(mover.id)
        finally:
            self._fences.give_back(mover.id)
        mover.is_patient = self._watch
        await drive(mover, steps.STEPS)
        await enforcing.keep_open(mover)

    async def _all(self) -> Outcome:
        waiting: dict[MoveId, str] = {}
        stalled: dict[MoveId, str] = {}
        reasons: list[str] = []
        seen: set[asyncio.Task[None]] = set()
        while running := {one for one in (*self._tasks.values(), *self._stops) if one not in seen}:
            # Whatever begins meanwhile is begun by one of these, so it is seen once that has ended.
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                seen.add(task)
                fault = None if task.cancelled() else task.exception()
                mover = next((one for one in self._movers if self._tasks.get(one.id) is task), None)
                if isinstance(fault, Stalled) and mover is not None:
                    stalled[mover.id] = str(fault)
                elif isinstance(fault, Waiting) and mover is not None:
                    waiting[mover.id] = str(fault)
                elif isinstance(fault, soak.GateStops):
                    await self._gate_failed(fault)
                    reasons.append(fault.reason)
                elif fault is not None:
                    raise fault
                elif mover is not None and mover.record.state is MoveState.HALTED:
                    reasons.append(f"{mover.id} is halted: {mover.record.reason}")
                    self._stopped()
        if reasons:
            return Outcome("halted", (*reasons, *waiting.values(), *stalled.values()))
        if stalled:
            return Outcome("error", (*stalled.values(), *waiting.values()))
        return Outcome("waiting", tuple(waiting.values())) if waiting else Outcome("done")

    async def _gate_failed(self, fault: soak.GateStops) -> None:
        """``on_failure``: halt the move, or put on record that the scope is to go back. Nothing of this wave begins any more."""
        fleet, wave = self.fleet, self.wave
        failed = GateFailed(fault.gate, fault.why)
        fault.mover.tell(failed)
        entry = fault.mover.note(failed)
        self.stop_beginning()
        if wave.on_failure == "halt":
            await fleet.surely(lambda: fault.mover.happen(Event.HALTED, entry, reason=fault.reason))
        else:
            move = fault.mover.id if wave.rollback_scope == "move" else None
            control = rollback.decided(wave, move, fault.reason, at=fleet.world.clock.now())
            await fleet.surely(lambda: fleet.commit(entry, SetControl(control), fleet.with_reason(wave, fault.reason)))
        self._stopped()
