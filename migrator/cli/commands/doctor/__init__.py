"""``migrate doctor``: versions, clocks, credentials, lock, state against routes against accounts; the next safe action."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import AsJson, PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def doctor(context: typer.Context, plan: PlanPath, as_json: AsJson = False) -> int:
    """Compare state, routes and accounts, and say the next safe action; exit 4 if something is wrong. Reads only."""
    from migrator.cli.commands.doctor.operation import examine
    from migrator.cli.doors import Doors
    from migrator.cli.loading import load_plan
    from migrator.cli.views import doctor as view
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.screen import Page

    settings, schedule = settings_of(context), load_plan(plan)
    with Doors(schedule) as doors:
        found = examine(doors, settings, plan)
    if as_json:
        write_document(view.document(found, str(plan)))
    else:
        view.show(Page(settings), found, str(plan))
    return ExitCode.DONE if found.diagnosis.is_healthy else ExitCode.STOPPED
