"""``migrate verify``: compare both ends now."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from migrator.cli.commands.options import AsJson, PlanPath, Wave
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

VerifyLevel = Annotated[
    Literal["attributes", "content"] | None,
    typer.Option(
        "--level",
        metavar="attributes|content",
        help="Compare what listings show, or read every byte; without it, as the plan says.",
        show_default=False,
    ),
]


def verify(
    context: typer.Context, plan: PlanPath, wave: Wave = None, level: VerifyLevel = None, as_json: AsJson = False
) -> int:
    """Compare both ends of every move that has begun; exit 4 if they differ."""
    from migrator.cli.commands.verify.operation import compare_moves
    from migrator.cli.doors import Doors
    from migrator.cli.loading import load_plan, state_of
    from migrator.cli.scope import Scope
    from migrator.cli.views import verify as view
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.screen import Page

    settings, schedule = settings_of(context), load_plan(plan)
    moves = Scope(wave=wave).moves(schedule)
    with state_of(settings, schedule, create=False) as store, Doors(schedule) as doors:
        compared = doors.run(compare_moves(doors, store, moves, level=level))
    if as_json:
        write_document(view.document(schedule.name, compared))
    else:
        page = Page(settings)
        view.show(page, compared)
        if left := [str(move.id) for move in moves if all(one.move.id != move.id for one in compared)]:
            more = f" and {len(left) - 5} more" if len(left) > 5 else ""
            page.line(f"Not compared, for they have not begun or are retired: {', '.join(left[:5])}{more}.")
        if any(not one.comparison.is_equal for one in compared):
            page.line(
                "next: `migrate status PLAN` says what is under way; before a switch the next passes carry differences over."
            )
            page.line(
                "  After a switch customers write and delete at the live end alone, and a way back brings that along: `migrate"
                " rollback PLAN --dry-run` counts it. Writes beside the route are those that status names (no-stragglers)."
            )
    return ExitCode.DONE if all(one.comparison.is_equal for one in compared) else ExitCode.STOPPED
