"""``migrate hold``: no cut-over starts; copying goes on."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import PlanPath, Wave
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def hold(context: typer.Context, plan: PlanPath, wave: Wave = None) -> int:
    """Let no cut-over start; copying and soaking go on."""
    from migrator.cli.controls import set_control
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    what = f"wave {wave}" if wave else "the whole plan"
    is_new = set_control(plan, settings, kind="hold", wave=wave, text=f"hold of {what}: no cut-over starts")
    said = "Held" if is_new else "Already held"
    back = f"migrate release {plan}" + (f" --wave {wave}" if wave else "")
    Page(settings).line(f"{said}: {what}. No cut-over starts until `{back}`.")
    return ExitCode.DONE
