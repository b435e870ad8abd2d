"""``migrate throttle``: retune a running apply."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.commands.options import PlanPath, Why
from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

Account = Annotated[
    str | None,
    typer.Option("--account", metavar="ACCOUNT", help="Only this account; without it, every one.", show_default=False),
]
Requests = Annotated[
    str | None,
    typer.Option("--requests-per-minute", metavar="N", help="Requests a minute, such as 60k.", show_default=False),
]
Bytes = Annotated[
    str | None,
    typer.Option("--bytes-per-second", metavar="N", help="Bytes a second, such as 100MiB.", show_default=False),
]
Clear = Annotated[bool, typer.Option("--clear", metavar="", help="Go back to the plan's budget.")]


def throttle(
    context: typer.Context,
    plan: PlanPath,
    account: Account = None,
    requests_per_minute: Requests = None,
    bytes_per_second: Bytes = None,
    clear: Clear = False,
    reason: Why = None,
) -> int:
    """Change what migration may ask of the accounts, at once and until it is cleared."""
    from migrator.cli.agreeing import look_at_routes
    from migrator.cli.commands.throttle import operation
    from migrator.cli.views.screen import Page
    from migrator.errors import UsageError

    settings = settings_of(context)
    wish = operation.Wish(account, requests_per_minute, bytes_per_second)
    if not clear:
        text = operation.throttle(plan, settings, wish, reason)
        back = "migrate throttle PLAN" + (f" --account {account}" if account else "") + " --clear"
        Page(settings).line(f"{text}, until `{back}`.")
        return ExitCode.DONE
    if wish.figures():
        raise UsageError("cannot throttle: --clear takes no figures")
    had = operation.clear(plan, settings, account, reason)
    whom = account or "Every account"
    Page(settings).line(
        f"{whom}: as the plan says." if had else f"There was no throttle on {account or 'any account'}."
    )
    if not had:
        look_at_routes(plan, settings, what="cannot be sure that there is no throttle on")
    return ExitCode.DONE
