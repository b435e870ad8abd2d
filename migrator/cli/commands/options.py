"""Arguments that several verbs share, so that one word means one thing everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.calls import name_plan


def named(plan: Path | None) -> Path | None:
    """What is printed from here on names this plan."""
    if plan is not None:
        name_plan(str(plan))
    return plan


PlanPath = Annotated[
    Path, typer.Argument(metavar="PLAN", help="The plan document (YAML).", show_default=False, callback=named)
]
OptionalPlanPath = Annotated[
    Path | None,
    typer.Argument(
        metavar="[PLAN]",
        help="The plan document; without it, what the state store holds.",
        show_default=False,
        callback=named,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON document on standard output.")]
AsEvents = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON event a line on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.")]
Why = Annotated[
    str | None, typer.Option("--reason", metavar="TEXT", help="Why; kept in the journal.", show_default=False)
]
Wave = Annotated[str | None, typer.Option("--wave", metavar="WAVE", help="Only this wave.", show_default=False)]
Region = Annotated[str | None, typer.Option("--region", metavar="REGION", help="Only this region.", show_default=False)]
Area = Annotated[str | None, typer.Option("--area", metavar="AREA", help="Only this area.", show_default=False)]
