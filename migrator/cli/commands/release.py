"""``migrate release``: cut-overs may start again."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import PlanPath, Wave, Why
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def release(context: typer.Context, plan: PlanPath, wave: Wave = None, reason: Why = None) -> int:
    """Take a hold back: cut-overs may start again."""
    from migrator.cli.agreeing import look_at_routes
    from migrator.cli.controls import held_now, remove_control
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    what = f"wave {wave}" if wave else "the whole plan"
    was_held = remove_control(plan, settings, kind="hold", wave=wave, text=f"hold of {what} released", reason=reason)
    page = Page(settings)
    page.line(f"Released: {what}." if was_held else f"There was no hold on {what}.")
    for scope in held_now(plan, settings):
        held = scope.removeprefix("wave:")
        option, whose = (f" --wave {held}", f"wave {held}") if held else ("", "the whole plan")
        page.line(f"Still held: {whose}, until `migrate release PLAN{option}`.")
    if not was_held:
        look_at_routes(plan, settings, what="cannot be sure that there is no hold on")
    return ExitCode.DONE
