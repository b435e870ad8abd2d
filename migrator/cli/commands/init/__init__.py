"""``migrate init``: drafts a plan to begin from."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Local = Annotated[
    bool,
    typer.Option("--local", metavar="", help="A first try on this machine: embedded accounts, and no cloud is asked."),
]
Subscriptions = Annotated[
    list[str] | None,
    typer.Option(
        "--subscription",
        metavar="ID",
        help="Of which accounts are drafted; may be said again. Without it: all that may be read.",
        show_default=False,
    ),
]
Areas = Annotated[
    list[str] | None,
    typer.Option(
        "--area",
        metavar="AREA",
        help="Only these families of containers, by their names up to the first dash; may be said again.",
        show_default=False,
    ),
]
Credential = Annotated[
    str, typer.Option("--credential", metavar="REF", help="Who asks, as a plan spells it: default, cli, ...")
]
Cloud = Annotated[
    list[str] | None,
    typer.Option(
        "--cloud",
        metavar="KEY=URL",
        help="Of a sovereign cloud: resource_manager, metrics, authority; it goes into the plan.",
        show_default=False,
    ),
]
Count = Annotated[
    bool,
    typer.Option(
        "--count",
        metavar="",
        help="Also list every container, for what each area holds; else Azure Monitor says it of whole accounts.",
    ),
]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="The plan's name.")]
Out = Annotated[
    Path, typer.Option("--out", metavar="FILE", help="Where to write it; `-` prints it. Nothing is overwritten.")
]


def init(
    context: typer.Context,
    subscription: Subscriptions = None,
    local: Local = False,
    area: Areas = None,
    credential: Credential = "default",
    cloud: Cloud = None,
    count: Count = False,
    name: Name = "storage-split",
    out: Out = Path("plan.yaml"),
) -> int:
    """Draft a plan from the storage accounts that there are, or for a first try; what a person must decide is in its comments."""
    from migrator.cli.calls import name_plan
    from migrator.cli.commands.init.operation import find, first_try, require_free, write_draft
    from migrator.cli.views.figures import many
    from migrator.cli.views.screen import Page
    from migrator.errors import UsageError
    from migrator.plan import loads
    from migrator.plan.draft import draft

    if local and (subscription or area or cloud or count):
        raise UsageError("cannot draft a plan: --local asks no cloud", hint="say --local alone, or leave it out")
    page, said = Page(settings_of(context)), Page(settings_of(context), sys.stderr)
    require_free(out)
    if local:
        text, what = first_try(out), "one region, two areas, embedded accounts below state/"
    else:
        asked = dict(one.partition("=")[::2] for one in cloud or ())
        found = find(subscription or (), asked, credential, is_counted=count, say=said.line)
        for one, why in found.unread.items():
            said.line(f"left out: subscription {one}: {why}", style="yellow")
        if found.unmetered:
            said.line(f"traffic and sizes are not known of every account: {found.unmetered}", style="yellow")
        if found.uncounted:
            said.line(f"not every account could be counted: {found.uncounted}", style="yellow")
        text = draft(found.accounts, name=name, cloud=asked, asked=area or (), credential=credential)
        plan = loads(text, str(out)).schedule  # a draft that does not validate is a fault of ours, and said here
        what = (
            f"{many(len(plan.moves), 'move')} in {many(len(plan.waves), 'wave')}, from {many(len(found.accounts), 'account')}"
            f"; {many(sum('DECIDE' in line for line in text.splitlines()[1:]), 'line')} say DECIDE"
        )
    if str(out) == "-":
        print(text, end="")
        return ExitCode.DONE
    write_draft(out, text)
    name_plan(str(out))
    page.line(f"Wrote {out}: {what}.")
    if not local:
        page.line("Each of them is a guess: settle them in an editor first. Nothing of yours was changed.")
    page.line("Next:")
    first = "`migrate sample PLAN`" if local else "`migrate validate PLAN`"
    for call in (first, "`migrate plan PLAN`", "`migrate apply PLAN`", "`migrate status PLAN`"):
        page.line(f"  {call}")
    return ExitCode.DONE
