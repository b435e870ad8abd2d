"""``migrate hold``: no cut-over starts; copying goes on."""

from __future__ import annotations

import shlex

import typer

from migrator.cli.commands.options import PlanPath, Wave, Why
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def hold(context: typer.Context, plan: PlanPath, wave: Wave = None, reason: Why = None) -> int:
    """Let no cut-over start; copying and soaking go on."""
    from migrator.cli.agreeing import look_at_routes
    from migrator.cli.controls import set_control
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    what = f"wave {wave}" if wave else "the whole plan"
    is_new = set_control(
        plan, settings, kind="hold", wave=wave, text=f"hold of {what}: no cut-over starts", reason=reason
    )
    said = "Held" if is_new else "Already held"
    back = "migrate release PLAN" + (f" --wave {shlex.quote(wave)}" if wave else "")
    Page(settings).line(f"{said}: {what}. No cut-over starts until `{back}`.")
    if not is_new:
        look_at_routes(plan, settings, what="cannot be sure that the hold reaches")
    return ExitCode.DONE
