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
    "interrupted": "Interrupted; state is saved.",
}
_STYLES: Final = {"done": "green", "waiting": "yellow", "halted": "bold red", "failed": "bold red"}


def show_outcome(outcome: Outcome, settings: Settings, *, resume: str) -> None:
    """Print it: good news on standard output, everything else also tells what to do next on standard error."""
    page = Page(settings)
    page.line(_TITLES[outcome.code], style=_STYLES.get(outcome.code))
    for reason in outcome.reasons if outcome.code != "interrupted" else ():
        page.line(f"  {reason}")
    if outcome.code == "waiting":
        show_note(f"  next: `{resume}` later goes on from here")
    elif outcome.code == "interrupted":
        show_note(f"  next: `{resume}` goes on from here")
    elif outcome.code in ("halted", "failed"):
        show_note("  next: see `migrate status`, then `migrate retry` or `migrate rollback`")
