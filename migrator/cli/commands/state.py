"""``migrate state``: move a state store, or save it as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from migrator.cli.exits import ExitCode
from migrator.cli.settings import settings_of
from migrator.errors import UsageError

Action = Annotated[
    str,
    typer.Argument(
        metavar="ACTION", help="`copy FROM TO` moves a store; `backup FILE` saves the one in use.", show_default=False
    ),
]
Places = Annotated[
    list[str],
    typer.Argument(metavar="PLACE", help="Stores as for --state, or the file to make.", show_default=False),
]


def state(context: typer.Context, action: Action, places: Places) -> int:
    """Move a state store with its lineage (`copy FROM TO`) while no run is at work, or save it (`backup FILE`) at any time."""
    from migrator.adapters.state import back_up, move_store
    from migrator.cli.views.figures import size
    from migrator.cli.views.screen import Page
    from migrator.cli.wiring import as_url, place_of_state, state_url

    settings = settings_of(context)
    page = Page(settings)
    match action, places:
        case "copy", [old, new]:
            rows = move_store(as_url(old), as_url(new))
            page.line(f"Moved {place_of_state(as_url(old))} to {place_of_state(as_url(new))}: {rows:,} rows.")
            page.line("The old store is marked as moved, and no run begins there.")
        case "backup", [file]:
            written = back_up(state_url(settings), Path(file))
            page.line(f"Saved {place_of_state(state_url(settings))} as {file}: {size(written)}.")
        case _:
            raise UsageError(
                f"cannot {action} a state store with {len(places)} places: there is `copy FROM TO` and `backup FILE`",
                hint="write migrate state copy FROM TO, or migrate state backup FILE",
            )
    return ExitCode.DONE
