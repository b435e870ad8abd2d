"""``migrate report``: the rollout as one page for people who do not know the program."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.commands.options import OptionalPlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the page to FILE, whole or not at all.", show_default=False),
]
Watch = Annotated[
    bool, typer.Option("--watch", metavar="", help="Write FILE again whenever the rollout changes, until Ctrl-C.")
]
Serve = Annotated[
    str | None,
    typer.Option(
        "--serve",
        metavar="HOST:PORT",
        help="Show the page to browsers of this machine, always as of now, until Ctrl-C; for example 127.0.0.1:8080.",
        show_default=False,
    ),
]


def report(
    context: typer.Context, plan: OptionalPlanPath = None, out: Out = None, watch: Watch = False, serve: Serve = None
) -> int:
    """Write the rollout as one HTML page: where it stands, who must act, timeline, proofs, load, incidents, journal."""
    from migrator.cli.commands.report.operation import follow, require_extra, write_report
    from migrator.errors import UsageError

    settings = settings_of(context)
    if out is None and serve is None:
        raise UsageError(
            "cannot write a report: no file is named", hint="say --out report.html, or --serve 127.0.0.1:8080"
        )
    if watch and out is None:
        raise UsageError("cannot watch: no file is named", hint="say --out report.html; --serve follows by itself")
    require_extra()
    if serve is not None or watch:
        return follow(settings, plan, out=out, serve=serve)
    if out is not None:
        write_report(settings, plan, out)
    return ExitCode.DONE
