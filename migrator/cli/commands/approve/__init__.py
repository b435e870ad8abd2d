"""``migrate approve``: a person's word that a wave may cut over, as it is written now."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.commands.options import PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

WaveName = Annotated[str, typer.Argument(metavar="WAVE", help="The wave, as the plan names it.", show_default=False)]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why it may go on; kept in the journal.", show_default=False)
]


def approve(context: typer.Context, plan: PlanPath, wave: WaveName, reason: Reason) -> int:
    """Let the cut-overs of a wave start. Bound to the wave as it is written: after an edit it needs a new approval."""
    from migrator.cli.agreeing import look_at_routes
    from migrator.cli.commands.approve.operation import give_approval
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    given, is_new = give_approval(plan, settings, wave=wave, reason=reason)
    page = Page(settings)
    if is_new:
        page.line(
            f"Approved: wave {wave}, by {given.who}, as it is written now. An edit of the wave needs a new approval."
        )
    else:
        page.line(f"Already approved: wave {wave}, by {given.who} on {given.at:%Y-%m-%d %H:%M} UTC ({given.reason}).")
        look_at_routes(plan, settings, what="cannot be sure that the approval reaches")
    return ExitCode.DONE
