"""Driving the engine from a command: open the world, watch, obey signals, say how it ended.

Decides what apply, rollback and retry have in common. Leaves the work to ``migrator.engine`` and the looks to ``views``. Rule:
whatever happens, the world is closed, the display is ended before the last words, and signals are obeyed until then.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from migrator.cli import calls, exits, wiring
from migrator.cli.doors import Doors
from migrator.cli.exits import ExitCode
from migrator.cli.identity import new_run, user
from migrator.cli.interrupts import run_stoppable
from migrator.cli.loading import state_of, what_was_edited
from migrator.cli.measuring import look_of
from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.cli.views.lines import JsonLines, PlainLines
from migrator.cli.views.live import LiveTable
from migrator.cli.views.outcome import show_next, show_outcome
from migrator.cli.views.progress import Courier, Couriers, Display
from migrator.cli.views.whereabouts import is_it_right
from migrator.cli.whereabouts import whereabouts
from migrator.engine.preparing import Editing
from migrator.engine.rollout import Rollout, Said
from migrator.engine.world import Outcome
from migrator.errors import MigrateError
from migrator.machine.agreement import halted_by_route
from migrator.model.happenings.rollouts import RunConcluded
from migrator.model.schedule import Schedule
from migrator.standing.values import Standing

if TYPE_CHECKING:
    from migrator.adapters.workers import WorkerProcesses
    from migrator.plan import Loaded
    from migrator.ports.reporter import Reporter
    from migrator.ports.state_store import StateStore

Operation = Callable[[Rollout], Awaitable[Outcome]]


def operate(
    doors: Doors,
    loaded: Loaded,
    settings: Settings,
    operation: Operation,
    *,
    resume: str,
    create: bool,
    as_json: bool = False,
    processes: WorkerProcesses | None = None,
    is_apply: bool = False,
    reason: str = "",
    log: Display | None = None,
) -> ExitCode:
    """Carry out ``operation`` and say how it ended.

    Args:
        resume: the command line that goes on after an interruption.
        create: may the state store be made?
        processes: processes to copy with, the caller's; None leaves it to the budget and the machine.
        is_apply: is this an apply, for the journal?
        reason: why a soak that an edit loosens keeps what it has.
        log: what else is told of everything, by a courier of its own: a full disk or a slow one does not delay the screen.
    """
    with ExitStack() as stack:
        state = stack.enter_context(state_of(settings, loaded.schedule, create=create))
        if processes is None:
            processes = stack.enter_context(closing(wiring.open_processes(loaded.schedule)))
        display = _display(settings, loaded.schedule, as_json=as_json)
        with Courier(display) as courier, Couriers.of(courier, log) as reporter:
            editing = Editing(what_was_edited(loaded.schedule, state), user(), is_apply, reason)
            work = _run(doors, loaded, state, reporter, operation, editing, resume=resume, processes=processes)
            outcome = doors.run(work)
            where = whereabouts(settings, loaded.schedule, state)
            concluded = RunConcluded(outcome.code, tuple(outcome.reasons))
            if as_json:
                courier.event(concluded)
            reporter.beside(concluded)
    if not as_json:
        show_outcome(outcome, settings)
    if outcome.code == "halted" and any(map(halted_by_route, outcome.reasons)):
        show_note(is_it_right(where))
    show_next(outcome, resume=resume)
    return exits.of_outcome(outcome.code)


def _exit_of(word: str) -> int:
    return int(exits.of_outcome(word))


def _display(settings: Settings, schedule: Schedule, *, as_json: bool) -> Display:
    if as_json:
        return JsonLines()
    look = look_of(settings, schedule)

    def seen() -> Standing | None:
        try:
            return look()
        except MigrateError:
            return None  # the engine itself says what is wrong with the store

    return LiveTable(settings, seen) if sys.stdout.isatty() else PlainLines(look=seen)


async def _run(
    doors: Doors,
    loaded: Loaded,
    state: StateStore,
    reporter: Reporter,
    operation: Operation,
    editing: Editing,
    *,
    resume: str,
    processes: WorkerProcesses,
) -> Outcome:
    stops: list[Callable[[], None]] = []
    asked = False

    def stop() -> None:
        nonlocal asked
        asked = True
        for one in stops:
            one()

    async def work() -> Outcome:
        try:
            async with doors.world(state, reporter, processes=processes) as world:
                said = Said(calls.as_typed(sys.argv[1:]), _exit_of, editing)
                rollout = Rollout(loaded.schedule, world=world, run=new_run(), text=loaded.text, said=said)
                stops.append(rollout.stop)
                if asked:
                    return Outcome("interrupted", ("nothing was begun",))
                return await operation(rollout)
        finally:
            await doors.close()  # here: what hangs in it is ended with the rest

    outcome, _ = await run_stoppable(work(), stop=stop, resume=resume)
    return outcome
