"""``migrate validate``: the document only, no cloud."""

from __future__ import annotations

import typer

from migrator.cli.commands.options import PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of


def validate(context: typer.Context, plan: PlanPath) -> int:
    """Check the plan document alone; nothing is asked of any account."""
    from migrator.cli.views.errors import show_note
    from migrator.cli.views.schedule import show_valid
    from migrator.plan import load

    loaded = load(plan)
    for warning in loaded.warnings:
        show_note(f"warning: {warning}")
    show_valid(loaded.schedule, settings_of(context))
    return ExitCode.DONE
