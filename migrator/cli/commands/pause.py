"""``migrate pause``: no new request; a move inside its fence is finished or cancelled first."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def pause(context: typer.Context, plan: PlanPath) -> int:
    """Send no new request; a move inside its fence is finished or cancelled first."""
    from migrator.cli.controls import set_control
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    is_new = set_control(plan, settings, kind="pause", wave=None, text="paused: no new request is sent")
    said = "Paused" if is_new else "Already paused"
    Page(settings).line(f"{said}: no new request is sent until `migrate unpause {plan}`.")
    return ExitCode.DONE
