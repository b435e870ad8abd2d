"""``migrate routes``: what the route document says now, and the records that are missing in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from migrator.cli.commands.options import AsJson, PlanPath, Yes
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

if TYPE_CHECKING:
    from migrator.engine.rollout import Rollout
    from migrator.engine.world import Outcome


Publish = Annotated[
    bool,
    typer.Option(
        "--publish",
        metavar="",
        help="Make the records that are missing, each at its source, as the first apply does. Asks first.",
    ),
]


def routes(
    context: typer.Context, plan: PlanPath, as_json: AsJson = False, publish: Publish = False, yes: Yes = False
) -> int:
    """Show what the route document says now, or publish the records that are missing."""
    from migrator.cli.doors import Doors
    from migrator.cli.loading import load_plan
    from migrator.cli.views import routes as view
    from migrator.cli.views.documents import write_document
    from migrator.errors import UsageError
    from migrator.ports.router import RouteSnapshot, one_of_each

    async def read(doors: Doors) -> dict[str, RouteSnapshot]:
        router = doors.router()
        regions = one_of_each(router, (move.id.region for move in doors.schedule.moves))
        return {name: await router.read(region) for name, region in regions.items()}

    if publish:
        if as_json:
            raise UsageError("cannot publish routes with --json", hint="publish first, then migrate routes PLAN --json")
        return _publish(context, plan, yes=yes)
    schedule = load_plan(plan)
    with Doors(schedule) as doors:
        seen = doors.run(read(doors))
    if as_json:
        write_document(view.document(schedule.name, seen))
    else:
        view.show(schedule, seen, settings_of(context))
    return ExitCode.DONE


def _publish(context: typer.Context, plan: Path, *, yes: bool) -> int:
    """What ``apply`` begins with, and no more: applications can be deployed and watched before anything is copied."""
    from migrator.cli.consent import require_consent, require_terminal
    from migrator.cli.doors import Doors
    from migrator.cli.operating import operate
    from migrator.plan import load

    settings, loaded = settings_of(context), load(plan)
    require_terminal(yes=yes, what="publishing routes")
    count = len(loaded.schedule.moves)
    moves = "1 move" if count == 1 else f"{count:,} moves"
    require_consent(f"Publish the routes of {moves} that have none yet, each at its source?", yes=yes)

    async def work(rollout: Rollout) -> Outcome:
        return await rollout.publish()

    with Doors(loaded.schedule) as doors:
        return operate(doors, loaded, settings, work, resume="migrate routes PLAN --publish", create=True)
