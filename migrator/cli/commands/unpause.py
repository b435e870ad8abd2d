"""``migrate unpause``: requests flow again."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import PlanPath, Why
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def unpause(context: typer.Context, plan: PlanPath, reason: Why = None) -> int:
    """Take a pause back: requests flow again."""
    from migrator.cli.agreeing import look_at_routes
    from migrator.cli.controls import remove_control
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    was_paused = remove_control(plan, settings, kind="pause", wave=None, text="pause ended", reason=reason)
    Page(settings).line("The pause is over." if was_paused else "There was no pause.")
    if not was_paused:
        look_at_routes(plan, settings, what="cannot be sure that there is no pause of")
    return ExitCode.DONE
