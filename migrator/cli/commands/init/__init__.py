"""``migrate init``: drafts a plan to begin from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Local = Annotated[
    bool,
    typer.Option("--local", metavar="", help="A first try on this machine: embedded accounts, and no cloud is asked."),
]
Out = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Where to write it; `-` prints it. Nothing is overwritten.")
]


def init(context: typer.Context, local: Local = False, out: Out = Path("plan.yaml")) -> int:
    """Draft a plan to begin from; what a person must decide is said in its comments."""
    from migrator.cli.calls import name_plan
    from migrator.cli.commands.init.operation import first_try, write_draft
    from migrator.cli.views.screen import Page
    from migrator.errors import UsageError

    if not local:
        raise UsageError(
            "cannot draft a plan: say --local", hint="`migrate init --local` writes a plan for a first try"
        )
    text = first_try(out)
    if str(out) == "-":
        print(text, end="")
        return ExitCode.DONE
    write_draft(out, text)
    name_plan(str(out))
    page = Page(settings_of(context))
    page.line(f"Wrote {out}: one region, two areas, embedded accounts below state/.")
    page.line("Next:")
    for call in ("`migrate sample PLAN`", "`migrate plan PLAN`", "`migrate apply PLAN`", "`migrate status PLAN`"):
        page.line(f"  {call}")
    return ExitCode.DONE
