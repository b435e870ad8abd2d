"""``migrate sample``: fill a plan's source accounts with sample data, local or loopback ones only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from migrator.cli.commands.options import PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

if TYPE_CHECKING:
    from migrator.cli.commands.sample.operation import Filled
    from migrator.model.schedule import Schedule

Objects = Annotated[
    int, typer.Option("--objects", metavar="N", min=1, max=10_000_000, help="Objects for each area of each region.")
]


def sample(context: typer.Context, plan: PlanPath, objects: Objects = 2000) -> int:
    """Fill the plan's source accounts with sample data; only local accounts and loopback services are ever filled."""
    from migrator.cli.commands.sample.operation import fill_sources, require_quiet
    from migrator.cli.doors import Doors
    from migrator.cli.loading import load_plan
    from migrator.cli.views.figures import count, many, size
    from migrator.cli.views.screen import Page

    page = Page(settings_of(context))
    schedule: Schedule = load_plan(plan)

    def tell(filled: Filled) -> None:
        there = f", {count(filled.tally.skipped)} were there" if filled.tally.skipped else ""
        page.line(
            f"{filled.account}: {filled.move}: {many(filled.tally.created, 'object')} in "
            f"{many(filled.tally.containers, 'container')}, {size(filled.tally.bytes)}{there}"
        )

    require_quiet(schedule, settings_of(context))
    with Doors(schedule) as doors:
        doors.run(fill_sources(doors, objects=objects, tell=tell))
    return ExitCode.DONE
