"""``migrate traffic``: what the accounts measured, for the plan's `traffic`."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.commands.options import AsJson, PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Hours = Annotated[
    int,
    typer.Option("--hours", metavar="N", min=1, max=168, help="Look so far back; 168 is a week."),
]


def traffic(context: typer.Context, plan: PlanPath, hours: Hours = 24, as_json: AsJson = False) -> int:
    """Measure each area's traffic by its account's meter, for the plan."""
    from migrator.cli.doors import Doors
    from migrator.cli.loading import load_plan
    from migrator.cli.meters import measure
    from migrator.cli.views import traffic as view
    from migrator.cli.views.documents import write_document

    schedule = load_plan(plan)
    with Doors(schedule) as doors:
        meters = doors.run(measure(doors, hours))
    if as_json:
        write_document(view.document(schedule.name, hours, meters))
    else:
        view.show(hours, meters, settings_of(context))
    return ExitCode.DONE if any(one.peak is not None for one in meters) else ExitCode.ERROR
