"""The last words of a run: how it ended and what to do next."""

from __future__ import annotations

from typing import Final

from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.cli.views.screen import Page
from migrator.engine.world import Outcome

_TITLES: Final = {
    "done": "Done.",
    "waiting": "Waiting.",
    "halted": "Halted: a person must look.",
    "failed": "Stopped: a gate failed.",
    "error": "Could not go on now; nothing is lost.",
    "interrupted": "Interrupted; state is saved.",
}
_STYLES: Final = {"done": "green", "waiting": "yellow", "halted": "bold red", "failed": "bold red", "error": "bold red"}


def show_outcome(outcome: Outcome, settings: Settings) -> None:
    """How it ended, on standard output."""
    page = Page(settings)
    page.line(_TITLES[outcome.code], style=_STYLES.get(outcome.code))
    for reason in outcome.reasons if outcome.code != "interrupted" else ():
        page.line(f"  {reason}")


def show_next(outcome: Outcome, *, resume: str) -> None:
    """What to do next, on standard error, also where standard output is JSON."""
    if outcome.code in ("waiting", "interrupted", "error"):
        show_note(f"  next: `{resume}` continues from here")
    elif outcome.code in ("halted", "failed"):
        show_note("  next: see `migrate status`, then `migrate retry` or `migrate rollback`")
