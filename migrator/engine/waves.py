"""Applying: waves in order, the moves of a wave side by side.

Leaves each move to its mover. Rules: a wave begins only when the waves it waits for are soaked; a failed gate anywhere in a wave
stops every later one; an automatic rollback is never followed by an automatic retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from migrator.engine import going_back, steps
from migrator.engine.fleet import Fleet, end
from migrator.engine.mover import Mover, Waiting
from migrator.engine.steps import soak
from migrator.engine.world import Outcome
from migrator.machine.events import Event
from migrator.machine.waves import blocked_by
from migrator.model.moves import Control, Direction, MoveState, WaveState
from migrator.model.schedule import PlannedWave


async def apply(fleet: Fleet, only: str | None, *, wait: bool) -> Outcome:
    """Start or resume all waves, or the one named ``only``. ``wait`` False: stop where only time or a person goes on."""
    reasons: list[str] = []
    waiting: list[str] = []
    for wave in fleet.schedule.waves:
        if only is not None and wave.name != only:
            continue
        states = fleet.wave_states()
        if states[wave.name] in (WaveState.SOAKED, WaveState.RETIRED):
            continue
        blockers = blocked_by(wave.after, states)
        if blockers:
            text = f"wave {wave.name} waits for {', '.join(blockers)}"
            waiting.append(text)
            fleet.world.reporter.event("waiting", None, text)
            continue
        outcome = await _wave(fleet, wave, wait)
        if outcome.code == "halted":
            return outcome
        (waiting if outcome.code == "waiting" else reasons).extend(outcome.reasons)
    return Outcome("waiting", tuple(waiting)) if waiting else Outcome("done", tuple(reasons))


async def _wave(fleet: Fleet, wave: PlannedWave, wait: bool) -> Outcome:
    movers = [fleet.mover(move) for move in wave.moves]
    stuck = [mover for mover in movers if _is_stuck(mover)]
    if stuck:
        one = stuck[0].record
        text = f"{one.id} is {one.state}" + (f": {one.reason}" if one.reason else "")
        return Outcome("halted", (f"{text}; after that: migrate retry --reason TEXT",))
    fleet.begin_wave(wave)
    turn = asyncio.Semaphore(wave.max_moves or len(movers))

    async def one_move(mover: Mover) -> None:
        mover.is_patient = wait
        async with turn:  # a move that soaks needs neither budget nor fence: the next one may begin
            await mover.drive(steps.STEPS, until=frozenset({MoveState.SOAKING}))
        await mover.drive(steps.STEPS)

    tasks = [asyncio.ensure_future(one_move(mover)) for mover in movers]
    watch = asyncio.ensure_future(going_back.wished(fleet))
    try:
        return await _finish(fleet, wave, movers, tasks, watch)
    finally:
        watch.cancel()
        await end([*tasks, watch])
        fleet.save_wave(wave)


def _is_stuck(mover: Mover) -> bool:
    is_stopped = mover.record.state in (MoveState.HALTED, MoveState.REVERSED)
    return is_stopped or mover.record.direction is Direction.REVERSE


async def _finish(
    fleet: Fleet,
    wave: PlannedWave,
    movers: Sequence[Mover],
    tasks: list[asyncio.Task[None]],
    watch: asyncio.Task[Control],
) -> Outcome:
    running: set[asyncio.Task[None]] = set(tasks)
    waiting: list[str] = []
    while running:
        done, _ = await asyncio.wait({*running, watch}, return_when=asyncio.FIRST_COMPLETED)
        if watch in done:
            await end(tasks)
            return await going_back.steered(fleet, watch.result())
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
    fleet.world.reporter.event("gate-failed", str(fault.mover.id), fault.reason)
    fleet.commit(fleet.journal("gate-failed", fault.reason, wave=wave.name))
    if wave.on_failure == "halt":
        fault.mover.happen(Event.HALTED, reason=fault.reason)
        await end(tasks)
        return Outcome("halted", (fault.reason,))
    await end(tasks)
    scope = [fault.mover.plan] if wave.rollback_scope == "move" else [mover.plan for mover in movers]
    outcome = await going_back.roll_back(fleet, scope, None, fault.reason)
    return Outcome("halted", (fault.reason, *outcome.reasons))
