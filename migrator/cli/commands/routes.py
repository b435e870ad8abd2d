"""``migrate routes``: what the route document says now."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import AsJson, PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def routes(context: typer.Context, plan: PlanPath, as_json: AsJson = False) -> int:
    """Show what the route document says now."""
    from migrator.cli import wiring
    from migrator.cli.loading import load_plan
    from migrator.cli.views import routes as view
    from migrator.cli.views.documents import write_document
    from migrator.model.schedule import Schedule
    from migrator.ports.router import RouteSnapshot

    async def read(schedule: Schedule) -> RouteSnapshot:
        async with wiring.router(schedule) as router:
            return await router.read()

    schedule = load_plan(plan)
    snapshot = wiring.run_async(read(schedule))
    if as_json:
        write_document(view.document(schedule.name, snapshot))
    else:
        view.show(schedule, snapshot, settings_of(context))
    return ExitCode.DONE
