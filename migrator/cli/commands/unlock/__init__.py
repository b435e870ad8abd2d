"""``migrate unlock``: remove a dead run's lock."""

from __future__ import annotations

from typing import Annotated

import typer

from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of

LockId = Annotated[
    str,
    typer.Argument(
        metavar="LOCK_ID", help="The lock's id: see `migrate status` or `migrate doctor`.", show_default=False
    ),
]


def unlock(context: typer.Context, lock_id: LockId) -> int:
    """Remove the lock of a run that is dead; `migrate apply` takes over stale locks by itself."""
    from migrator.cli.commands.unlock.operation import remove_lock
    from migrator.cli.views.screen import Page

    settings = settings_of(context)
    Page(settings).line(f"Removed {remove_lock(settings, lock_id)}.")
    return ExitCode.DONE
