"""``migrate rollback``: the lossless way back, newest wave first."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from migrator.cli.commands.options import Area, AsEvents, PlanPath, Region, Wave, Yes
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of
from migrator.machine.states import has_lost_source, is_to_be_taken_back

if TYPE_CHECKING:
    from migrator.engine.rollout import Rollout
    from migrator.engine.world import Outcome


OnConflict = Annotated[
    Literal["source", "target"] | None,
    typer.Option(
        "--on-conflict",
        metavar="source|target",
        help="Which side wins where both were changed; the other's bytes are kept in the source account.",
        show_default=False,
    ),
]
AbandonTarget = Annotated[
    bool,
    typer.Option(
        "--abandon-target-writes",
        metavar="",
        help="Only for a target that is lost: go back without it, and leave behind what was written there.",
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        metavar="",
        help="Only say what would happen, counted to the end; nothing is written. Exit 4 if a person would be needed.",
    ),
]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason", metavar="TEXT", help="Why the target is given up; kept in the journal.", show_default=False
    ),
]


def rollback(
    context: typer.Context,
    plan: PlanPath,
    wave: Wave = None,
    region: Region = None,
    area: Area = None,
    on_conflict: OnConflict = None,
    abandon_target_writes: AbandonTarget = False,
    reason: Reason = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsEvents = False,
) -> int:
    """Take traffic, and the data written since, back to the sources, newest wave first. A running apply is steered."""
    from migrator.cli.agreeing import require_agreement
    from migrator.cli.commands.rollback import question as before
    from migrator.cli.commands.rollback.operation import go_back
    from migrator.cli.consent import require_consent, require_terminal
    from migrator.cli.doors import Doors
    from migrator.cli.identity import user
    from migrator.cli.loading import state_of
    from migrator.cli.operating import operate
    from migrator.cli.scope import Scope
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.lines import show_nothing_to_do
    from migrator.cli.views.screen import Page
    from migrator.engine.rollback import Abandon
    from migrator.errors import JudgementError, UsageError
    from migrator.machine.retiring import no_way_back
    from migrator.plan import load
    from migrator.standing.left_target import is_left

    given_up = (reason or "").strip()
    if abandon_target_writes != bool(given_up):
        raise UsageError(
            "cannot roll back: --abandon-target-writes and --reason TEXT go together",
            hint="a plain rollback loses nothing and needs no reason",
        )
    settings = settings_of(context)
    loaded = load(plan)
    scope = Scope(wave, region, area)
    names = {move.id for move in scope.moves(loaded.schedule)}
    doors = context.with_resource(Doors(loaded.schedule))
    with state_of(settings, loaded.schedule, create=False) as store:
        moves = [move for move in store.moves() if move.id in names]
        begun = [str(move.id) for move in moves if is_to_be_taken_back(move.state)]
        if not begun and (lost := [move for move in moves if has_lost_source(move.state)]):
            raise JudgementError(no_way_back(lost[0]))
        has_dead_run = store.lock() is not None
        is_fenced = any(move.intent is not None for move in moves)
        if not (begun or has_dead_run or dry_run):
            require_agreement(doors, settings, store, scope.moves(loaded.schedule), what="cannot roll back")
        if dry_run:
            ways = before.look_back(doors, store, scope.moves(loaded.schedule), seconds=None)
            if as_json:
                write_document(before.document(loaded.schedule, ways))
            else:
                before.show(Page(settings), loaded.schedule, ways)
            return ExitCode.STOPPED if before.needs_a_person(ways, on_conflict) else ExitCode.DONE
        if begun and not yes and not is_fenced and not given_up:
            require_terminal(yes=yes, what="going back")
            planned = scope.moves(loaded.schedule)
            ways = before.look_back(doors, store, planned, seconds=before.PATIENCE_SECONDS)
            before.show(Page(settings, sys.stderr), loaded.schedule, ways)
    if begun or has_dead_run:
        require_terminal(yes=yes, what="going back")
        question = f"Take {', '.join(begun)} back to the source?" if begun else "Clear away what a dead run left?"
        if given_up:
            question += " What was written at the target since its switch will be left behind."
        require_consent(question, yes=yes)
    else:
        if as_json:
            show_nothing_to_do(before.NOTHING)
        else:
            typer.echo(before.NOTHING)
        if not any(is_left(move) for move in moves):
            return ExitCode.DONE  # else this run looks whether the targets that were left are still

    async def work(rollout: Rollout) -> Outcome:
        abandon = Abandon(given_up, user()) if given_up else None
        return await go_back(rollout, scope, on_conflict=on_conflict, abandon=abandon)

    resume = f"migrate rollback PLAN{scope.options()}"
    if given_up:
        resume += " --abandon-target-writes --reason TEXT"
    return operate(doors, loaded, settings, work, resume=resume, create=False, as_json=as_json)
