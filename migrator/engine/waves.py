"""Applying: every wave that may begin, side by side with the others; the moves of a wave side by side.

Leaves each move to its mover, and what a wave waits for to the law (``machine.waiting``). Rules: a failed gate anywhere in a wave
stops it and every later one; its way back is on record before its first step, so that a run which dies in it is followed by one
that goes on with it; an automatic rollback is never followed by an automatic retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from migrator.engine import enforcing, going_back, left_behind, steps
from migrator.engine.fleet import Fleet, end
from migrator.engine.mover import Mover, Turns, Waiting
from migrator.engine.steps import soak
from migrator.engine.world import Outcome
from migrator.machine.events import Event
from migrator.machine.transitions import AT_REST, FENCE_STATES
from migrator.machine.waiting import Wait, lateness, waits_to_begin, words
from migrator.model.moves import Control, Direction, MoveState, WaveState
from migrator.model.schedule import PlannedWave
from migrator.ports.state_store import SetControl, SetNote

LONGEST_LOOK_SECONDS: Final = 60.0
"""How long a run sleeps at most before it looks for dates that have come and dates that were missed."""
_ARRIVED: Final = (WaveState.SOAKED, WaveState.RETIRED)
_STOPPED: Final = (MoveState.HALTED, MoveState.REVERSED)
_COPIED: Final = frozenset({MoveState.READY, MoveState.SOAKING})
_NOT_READY: Final = frozenset(MoveState) - {MoveState.READY}
_NOT_FENCED: Final = frozenset(MoveState) - frozenset(FENCE_STATES)


async def apply(fleet: Fleet, only: str | None, *, wait: bool) -> Outcome:
    """Start or resume all waves, or the one named ``only``. ``wait`` False: stop where only time or a person goes on.

    A wave that stopped before needs a person, so the run does not wait either: the others take what is due, and the outcome
    is halted.
    """
    control = going_back.recorded(fleet)
    if control is not None:
        return await going_back.steered(fleet, control)
    return await _Applying(fleet, only, wait).work()


class _Applying:
    """One apply: the waves at work, those that wait, and what came of those that ended."""

    def __init__(self, fleet: Fleet, only: str | None, wait: bool) -> None:
        self.fleet = fleet
        self.waves = [one for one in fleet.schedule.waves if only in (None, one.name)]
        self.is_alone = only is not None
        self.stuck = [text for wave in self.waves if (text := self._stuck(wave)) is not None]
        self.wait = wait and not self.stuck
        self.at_work: dict[asyncio.Task[Outcome], PlannedWave] = {}
        self.begun: set[str] = set()
        self.waits: dict[str, tuple[Wait, ...]] = {}
        self.reasons: list[str] = []
        self.waiting: list[str] = []

    async def work(self) -> Outcome:
        watch = asyncio.create_task(going_back.wished(self.fleet))
        look = asyncio.create_task(left_behind.look_where_due(self.fleet))
        looks = asyncio.create_task(left_behind.keep_looking(self.fleet, look))
        try:
            outcome = await self._work(watch)
            await look
            said = left_behind.changed(self.fleet, self.fleet.schedule.moves)
            said = [text for text in said if text not in outcome.reasons]
            return Outcome("halted", (*outcome.reasons, *said)) if said else outcome
        finally:
            await end([*self.at_work, watch, look, looks])

    async def _work(self, watch: asyncio.Task[Control]) -> Outcome:
        while True:
            self._begin()
            self._say_late()
            date = self._seconds_to_a_date() if self.wait else None
            if not self.at_work and date is None:
                return self._outcome()
            look = asyncio.create_task(self.fleet.world.clock.sleep(date or LONGEST_LOOK_SECONDS))
            done, _ = await asyncio.wait({*self.at_work, watch, look}, return_when=asyncio.FIRST_COMPLETED)
            await end([look])
            if watch in done:
                await end(list(self.at_work))
                return await going_back.steered(self.fleet, watch.result())
            for task in [one for one in self.at_work if one in done]:
                outcome, _ = task.result(), self.at_work.pop(task)
                if outcome.code == "halted":
                    await end(list(self.at_work))
                    if (control := going_back.recorded(self.fleet)) is not None:
                        outcome = await going_back.steered(self.fleet, control)
                    return Outcome("halted", (*outcome.reasons, *self.stuck))
                (self.waiting if outcome.code == "waiting" else self.reasons).extend(outcome.reasons)

    # Which waves.

    def _begin(self) -> None:
        """Set every wave to work that may be; say of the others what they wait for."""
        states, now = self.fleet.wave_states(), self.fleet.world.clock.now()
        for wave in self.waves:
            if wave.name in self.begun or states[wave.name] in _ARRIVED or self._stuck(wave) is not None:
                continue
            waits = waits_to_begin(self.fleet.schedule, wave, states, now)
            if self.is_alone:  # named by the operator: earlier waves that it does not come after are no obstacle
                waits = tuple(one for one in waits if one.kind != "failed")
            if states[wave.name] is not WaveState.PENDING:
                waits = tuple(one for one in waits if one.kind != "not-before")
            if waits and not self._has_switched(wave):
                self._say(wave, waits)
                continue
            self.begun.add(wave.name)
            self.waits.pop(wave.name, None)
            task = asyncio.create_task(_wave(self.fleet, wave, self.wait))
            self.at_work[task] = wave

    def _has_switched(self, wave: PlannedWave) -> bool:
        """Whatever stopped other waves, moves that have switched are watched on: their soak is their customers'."""
        states = {self.fleet.mover(move).record.state for move in wave.moves}
        return states <= {MoveState.SOAKING, MoveState.SOAKED, MoveState.RETIRED}

    def _say(self, wave: PlannedWave, waits: tuple[Wait, ...]) -> None:
        if self.waits.get(wave.name) != waits:
            text = _text(wave, waits)
            self.fleet.world.reporter.event("waiting", None, text)
        self.waits[wave.name] = waits

    def _seconds_to_a_date(self) -> float | None:
        """Until the first wave may begin that waits for nothing but a date; None if none does."""
        now = self.fleet.world.clock.now()
        dates = [one.until for waits in self.waits.values() for one in waits if one.until and len(waits) == 1]
        if not dates:
            return None
        return min(LONGEST_LOOK_SECONDS, max(0.0, (min(dates) - now).total_seconds()) + 0.001)

    def _stuck(self, wave: PlannedWave) -> str | None:
        records = [self.fleet.mover(move).record for move in wave.moves]
        one = next((one for one in records if one.state in _STOPPED or one.direction is Direction.REVERSE), None)
        if one is None:
            return None
        why = one.reason or self.fleet.reason_of(wave)
        next_step = "migrate rollback goes on with the way back" if one.state not in _STOPPED else "migrate retry"
        text = f"{one.id} is {one.state}" + (f": {why}" if why else "")
        return f"{text}; after that: {next_step}" + ("" if next_step != "migrate retry" else " --reason TEXT")

    def _say_late(self) -> None:
        """A date that was missed is said once, and stops nothing."""
        states, now = self.fleet.wave_states(), self.fleet.world.clock.now()
        for wave in self.fleet.schedule.waves:
            text = lateness(wave, states[wave.name], now)
            key = f"late {wave.name}"
            promised = wave.complete_by.isoformat() if wave.complete_by else ""
            if text is None or self.fleet.world.state.note(key) == promised:
                continue
            self.fleet.commit(SetNote(key, promised), self.fleet.journal("late", text, wave=wave.name))
            self.fleet.world.reporter.event("warning", None, text, wave=wave.name)

    def _outcome(self) -> Outcome:
        self.waiting += [_text(self.fleet.schedule.wave(name), waits) for name, waits in self.waits.items()]
        if self.stuck:
            return Outcome("halted", (*self.stuck, *self.waiting))
        return Outcome("waiting", tuple(self.waiting)) if self.waiting else Outcome("done", tuple(self.reasons))


def _text(wave: PlannedWave, waits: Sequence[Wait]) -> str:
    return f"wave {wave.name} waits for {', and for '.join(words(one) for one in waits)}"


async def _wave(fleet: Fleet, wave: PlannedWave, wait: bool) -> Outcome:
    movers = [fleet.mover(move) for move in wave.moves]
    fleet.begin_wave(wave)
    at_once = wave.max_moves or len(movers)
    places, fences = asyncio.Semaphore(at_once), Turns(at_once)

    async def one_move(mover: Mover) -> None:
        mover.is_patient, mover.fences = wait, fences
        try:
            while mover.record.state not in (MoveState.SOAKING, *AT_REST):
                async with places:  # a move that soaks needs neither budget nor fence: the next one may begin
                    await mover.drive(steps.STEPS, until=_COPIED)
                # `ready` waits without a place, for days if it must, and takes its turn for the fence by itself.
                await mover.drive(steps.STEPS, until=_NOT_READY)
                await mover.drive(steps.STEPS, until=_NOT_FENCED)
                fences.give_back(mover.id)
        finally:
            fences.give_back(mover.id)
        await mover.drive(steps.STEPS)
        await enforcing.keep_open(mover)

    tasks = [asyncio.create_task(one_move(mover)) for mover in movers]
    try:
        return await _finish(fleet, wave, movers, tasks)
    finally:
        await end(tasks)
        fleet.save_wave(wave)


async def _finish(fleet: Fleet, wave: PlannedWave, movers: Sequence[Mover], tasks: list[asyncio.Task[None]]) -> Outcome:
    running: set[asyncio.Task[None]] = set(tasks)
    waiting: list[str] = []
    while running:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            running.discard(task)
            fault = task.exception()
            if isinstance(fault, Waiting):
                waiting.append(str(fault))
            elif isinstance(fault, soak.GateFailed):
                return await _gate_failed(fleet, wave, movers, tasks, fault)
            elif fault is not None:
                raise fault
    halted = [mover.record for mover in movers if mover.record.state is MoveState.HALTED]
    if halted:
        return Outcome("halted", tuple(f"{one.id} is halted: {one.reason}" for one in halted))
    return Outcome("waiting", tuple(waiting)) if waiting else Outcome("done")


async def _gate_failed(
    fleet: Fleet,
    wave: PlannedWave,
    movers: Sequence[Mover],
    tasks: list[asyncio.Task[None]],
    fault: soak.GateFailed,
) -> Outcome:
    """``on_failure``: halt the move, or put on record that the scope is to go back; the caller carries that out."""
    fleet.world.reporter.event("gate-failed", str(fault.mover.id), fault.reason)
    entry = fleet.journal("gate-failed", fault.reason, wave=wave.name)
    if wave.on_failure == "halt":
        fault.mover.happen(Event.HALTED, entry, reason=fault.reason)
        await end(tasks)
        return Outcome("halted", (fault.reason,))
    is_narrow = wave.rollback_scope == "move"
    control = going_back.decided(
        fleet, wave.name, fault.mover.id if is_narrow else None, fault.reason, at=fleet.world.clock.now()
    )
    fleet.commit(entry, SetControl(control), fleet.with_reason(wave, fault.reason))
    await end(tasks)
    return Outcome("halted", (fault.reason,))


__all__ = ["apply"]
