"""``migrate prove``: ask real accounts whether they keep the promises that everything here is built on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.commands.options import AsJson, PlanPath
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Accounts = Annotated[
    str | None,
    typer.Option(
        "--accounts",
        metavar="A,B",
        help="Only these two accounts of the plan; without it, every two that a move goes between.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FILE",
        help="Where the result goes; without it, to the file that the plan names as `proved`, else PLAN.proved.json.",
        show_default=False,
    ),
]


def prove(
    context: typer.Context, plan: PlanPath, accounts: Accounts = None, out: Out = None, as_json: AsJson = False
) -> int:
    """Ask accounts for every promise of their service, in a container of our own that is removed; exit 4 if one is broken."""
    from migrator.cli.commands.prove.operation import pairs_of, place_of, prove_pairs
    from migrator.cli.doors import Doors
    from migrator.cli.loading import load_plan
    from migrator.cli.views import prove as view
    from migrator.cli.views.documents import write_document
    from migrator.cli.views.screen import Page

    settings, schedule = settings_of(context), load_plan(plan)
    pairs, file = pairs_of(schedule, accounts), place_of(schedule, plan, out)
    page = Page(settings)
    with Doors(schedule) as doors:
        found = prove_pairs(doors, settings, pairs, file, told=None if as_json else lambda one: view.tell(page, one))
    if as_json:
        write_document(view.document(schedule.name, found, file))
    else:
        view.show(page, found, file, is_named=schedule.proved is not None)
    return ExitCode.STOPPED if any(one.is_relied_on for pair in found for one in pair.broken) else ExitCode.DONE
