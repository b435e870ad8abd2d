"""``migrate retry``: the only way out of halted or reversed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from migrator.cli.commands.options import Area, PlanPath, Region, Wave, Yes
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

if TYPE_CHECKING:
    from migrator.engine.rollout import Rollout
    from migrator.engine.world import Outcome

Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why it may go on; kept in the journal.", show_default=False)
]
AcceptDeletes = Annotated[
    int | None,
    typer.Option(
        "--accept-deletes", metavar="N", min=0, help="Allow up to N deletes in this direction.", show_default=False
    ),
]
AcceptContainer = Annotated[
    list[str] | None,
    typer.Option(
        "--accept-container",
        metavar="NAME",
        help="Customers dropped this container whole: delete its objects at the other side too. May be given several times.",
        show_default=False,
    ),
]
AdoptRoute = Annotated[
    bool,
    typer.Option(
        "--adopt-route",
        metavar="",
        help="Where route and state disagree, believe the route document, also one of another state store. Asks first.",
    ),
]


def retry(
    context: typer.Context,
    plan: PlanPath,
    reason: Reason,
    wave: Wave = None,
    region: Region = None,
    area: Area = None,
    accept_deletes: AcceptDeletes = None,
    accept_container: AcceptContainer = None,
    adopt_route: AdoptRoute = False,
    yes: Yes = False,
) -> int:
    """Let halted or reversed moves go on with the next apply."""
    from migrator.cli.doors import Doors
    from migrator.cli.identity import user
    from migrator.cli.operating import operate
    from migrator.cli.scope import Scope
    from migrator.cli.views.errors import show_note
    from migrator.errors import UsageError
    from migrator.plan import load

    if not reason.strip():
        raise UsageError("cannot retry without a reason: --reason is empty", hint="say why it may go on")
    settings, loaded = settings_of(context), load(plan)
    scope = Scope(wave, region, area)
    moves = scope.moves(loaded.schedule)
    doors = context.with_resource(Doors(loaded.schedule))
    if adopt_route:
        from migrator.cli.commands.retry.adoption import consent_to_adopt

        consent_to_adopt(doors, moves, settings, yes=yes)

    async def work(rollout: Rollout) -> Outcome:
        return await rollout.retry(
            wave=wave,
            region=region,
            area=area,
            reason=reason,
            who=user(),
            accept_deletes=accept_deletes,
            accept_containers=accept_container or (),
            adopt_route=adopt_route,
        )

    resume = "migrate apply PLAN"
    code = operate(doors, loaded, settings, work, resume=resume, create=adopt_route)
    if code is ExitCode.DONE:
        show_note(f"  next: `{resume}` continues from here")
    return code
