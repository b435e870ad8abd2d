"""The global options, as every command sees them."""

from __future__ import annotations

import os
from dataclasses import dataclass

import typer


@dataclass(slots=True)
class Settings:
    """Filled by the global options before a command runs; ``app.main`` reads ``debug`` after it failed."""

    state: str | None = None
    debug: bool = False
    no_color: bool = False
    json: bool = False
    """Was ``--json`` asked for? Then an error is a document too."""

    @property
    def wants_color(self) -> bool:
        """``NO_COLOR`` counts if it is set and not empty (no-color.org)."""
        return not (self.no_color or os.environ.get("NO_COLOR"))


def settings_of(context: typer.Context) -> Settings:
    found = context.find_object(Settings)
    return found if found is not None else Settings()
