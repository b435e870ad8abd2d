"""The operator of a story: starts engines, changes his mind until it is calm, and then does what he is told.

Decides which command comes next. Leaves what goes wrong meanwhile to ``troubles`` and its like, and engines to the world
(``scenario``). Rule: in calm weather he is patient, reads why a move halted and what the last command said, and does just that.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from migrator.engine.rollback import GATE
from migrator.errors import InternalError, LockedError, MigrateError, PlanError
from migrator.machine import liveness
from migrator.model.moves import Direction, MoveState
from migrator.model.values import replace
from migrator.ports.state_store import SetControl
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation import themes
from migrator.testing.simulation.calendars import NO_WAIT_SECONDS, Calendar
from migrator.testing.simulation.crowd import Crowd
from migrator.testing.simulation.oddities import Oddities
from migrator.testing.simulation.outages import Outages
from migrator.testing.simulation.processes import Process
from migrator.testing.simulation.retiring import Retirement
from migrator.testing.simulation.rolls import RollTroubles
from migrator.testing.simulation.stage import Stage
from migrator.testing.simulation.troubles import Troubles
from migrator.testing.simulation.wholes import Wholes

BACK = ("rollback-source", "rollback-target", "rollback-abandon")
CALM_RUNS = 12


class Story(Stage, Protocol):
    """The stage, and who acts on it beside the operator."""

    calendar: Calendar
    crowd: Crowd
    oddities: Oddities
    outages: Outages
    rolls: RollTroubles
    troubles: Troubles
    wholes: Wholes


class Operator:
    """Of one story."""

    def __init__(self, world: Story) -> None:
        self._world = world
        self._said = ""
        """By the last command, when it ended."""

    async def work(self) -> None:
        """Until calm: start engines, kill and pause them, change one's mind; then let everything come to rest."""
        self._world.crowd.start()
        self._world.loop.create_task(self._calm_down(), name="calm", context=self._world.loop.world)
        command = "apply"
        while self._world.loop.time() < self._world.busy_seconds:
            command = self._world.calendar.impatient(command)
            await self._run_one(command)
            if command == "apply-no-wait":
                await asyncio.sleep(NO_WAIT_SECONDS)
            await asyncio.sleep(self._world.random.choice((0.1, 2.0, 30.0)))
            command = self._next_command()
        command = "apply"
        for _ in range(CALM_RUNS):
            for other in self._world.living():
                await other.ended  # a person waits for the run that holds the lock
            self._world.calendar.approve()
            process = await self._run_one(command)
            if _is_refused(process):
                await asyncio.sleep(
                    liveness.SILENT_SECONDS
                )  # the lock of a run that is gone: the next one takes it over
            elif process.node.alive and self._is_at_rest() and not self._is_sent_back(process):
                break  # one that was killed, by a second signal, left a lock: the next one must be able to take it over
            self._world.oddities.help(self._world.state.moves())
            self._world.troubles.help(self._world.state.moves(), self._said)
            command = self._advised(command) if process.node.alive else "apply"
        else:
            return
        await Retirement(self._world).work(self._run_one)

    async def _calm_down(self) -> None:
        """Trouble until the busy time is over; then nobody holds, pauses or breaks anything any more."""
        trouble = self._world.loop.create_task(
            self._world.troubles.work(), name="trouble", context=self._world.loop.world
        )
        oddities = self._world.loop.create_task(
            self._world.oddities.work(), name="oddities", context=self._world.loop.world
        )
        wholes = self._world.loop.create_task(self._world.wholes.work(), name="wholes", context=self._world.loop.world)
        rolls = self._world.loop.create_task(self._world.rolls.work(), name="rolls", context=self._world.loop.world)
        await asyncio.sleep(self._world.busy_seconds)
        trouble.cancel()
        rolls.cancel()
        oddities.cancel()
        wholes.cancel()
        self._world.oddities.end()
        self._world.wholes.end()
        self._world.calendar.approve()
        for state in (self._world.state, *self._world.copies):
            _clear_controls(state)

    def _advised(self, command: str) -> str:
        """What a patient operator does next, by what ``status`` says."""
        moves = self._world.state.moves()
        halted = [move for move in moves if move.state is MoveState.HALTED]
        # Told that the container is there again, he asks without it.
        if not command.startswith("retry-containers") and (answer := self._world.wholes.answer()) is not None:
            return answer
        if any("--accept-deletes" in move.reason for move in halted):
            return "retry-deletes"
        if any("--on-conflict" in move.reason for move in halted) and command != "rollback-target":
            return "rollback-target"
        if any("the route document promises ttl" in move.reason for move in halted):
            self._world.plan_durations(self._world.longest)
        if halted and (command.startswith("retry-containers") or not command.startswith("retry")):
            return "retry"
        if any(move.direction is Direction.REVERSE and move.state is not MoveState.REVERSED for move in moves):
            return "rollback"
        if self._world.theme in themes.PATIENT and self._some(MoveState.REVERSED) and "migrate retry" in self._said:
            return "retry"
        return "apply"

    def _is_sent_back(self, process: Process) -> bool:
        """Was the plan refused, so that nobody has looked at anything? Whoever is patient comes again with another one."""
        task = process.task
        is_done = task.done() and not task.cancelled() and self._world.theme in themes.PATIENT
        return is_done and isinstance(task.exception(), PlanError)

    def _is_at_rest(self) -> bool:
        return all(move.state in (MoveState.SOAKED, MoveState.REVERSED) for move in self._world.state.moves())

    def _some(self, *states: MoveState) -> bool:
        return any(move.state in states for move in self._world.state.moves())

    async def _run_one(self, command: str, dies_after: int | None = None) -> Process:
        process = self._world.start_engine(command)
        if dies_after is not None:
            process.node.steps_left = dies_after
        await process.ended
        if process.node.alive:
            self._look_at(process, command)
        return process

    def _look_at(self, process: Process, command: str) -> None:
        fault = process.task.exception() if not process.task.cancelled() else None
        outcome = process.task.result() if fault is None and not process.task.cancelled() else None
        self._said = "; ".join(outcome.reasons) if outcome is not None else str(fault or "")
        self._world.outages.judge_end(process, command, outcome)
        if fault is None:
            self._world.note("ended", process.node.name, outcome if outcome is not None else "cancelled")
        elif isinstance(fault, MigrateError) and not isinstance(fault, InternalError):
            self._world.note("refused", process.node.name, type(fault).__name__, str(fault))
            if isinstance(fault, PlanError):
                self._world.plan_durations(self._world.longest)
        else:
            self._world.note("crashed", process.node.name, repr(fault))
            self._world.oracle.break_("engine-crash", f"{process.node.name} ({command}) ended with {fault!r}")

    def _next_command(self) -> str:
        if (answer := self._world.wholes.answer(at_once=False)) is not None:
            return answer
        draw = self._world.random.random()
        if self._some(MoveState.HALTED, MoveState.REVERSED):
            return self._world.random.choice(("retry", "retry", "retry-deletes", "apply", "rollback", *BACK))
        if draw < 0.15:
            return "rollback"
        return "rollback-abandon" if draw < 0.17 else "apply"


def _clear_controls(state: MemoryStateStore) -> None:
    """What people wish; what a failed gate has decided is not theirs to take back."""
    for control in [one for one in state.controls() if GATE not in one.value]:
        state.commit([SetControl(replace(control, value={}))], token=None)


def _is_refused(process: Process) -> bool:
    task = process.task
    return task.done() and not task.cancelled() and isinstance(task.exception(), LockedError)
