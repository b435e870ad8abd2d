"""``migrate pause``: no new request; a move inside its fence is finished or cancelled first."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import PlanPath, Why
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def pause(context: typer.Context, plan: PlanPath, reason: Why = None) -> int:
    """Send no new request; a move inside its fence is finished or cancelled first."""
    from migrator.cli.agreeing import look_at_routes
    from migrator.cli.controls import fenced_now, set_control
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    is_new = set_control(plan, settings, kind="pause", wave=None, text="paused: no new request is sent", reason=reason)
    said = "Paused" if is_new else "Already paused"
    page = Page(settings)
    page.line(f"{said}: no new request is sent until `migrate unpause PLAN`.")
    if fenced := fenced_now(plan, settings):
        page.line(
            f"Not {', '.join(fenced)}: inside a fence, it is switched or released first, within its fence_timeout;"
            " `migrate rollback PLAN` takes it back."
        )
    if not is_new:
        look_at_routes(plan, settings, what="cannot be sure that the pause reaches")
    return ExitCode.DONE
