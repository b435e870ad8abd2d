"""What a valid plan amounts to, in a few lines."""

from __future__ import annotations

from migrator.cli.settings import Settings
from migrator.cli.views.figures import duration, many
from migrator.cli.views.screen import Page
from migrator.model.schedule import Schedule


def show_valid(schedule: Schedule, settings: Settings) -> None:
    """Name what the plan declares: one line of counts, one row a wave."""
    page = Page(settings)
    waves, moves = len(schedule.waves), len(schedule.moves)
    page.line(
        f"{schedule.name} is valid: {many(waves, 'wave')}, {many(moves, 'move')}, "
        f"{many(len(schedule.accounts), 'account')}."
    )
    page.table(
        ("WAVE", "AFTER", "SOAK", "MOVES"),
        [
            (
                wave.name,
                ", ".join(wave.after) or "—",
                duration(wave.soak_seconds),
                ", ".join(str(move.id) for move in wave.moves),
            )
            for wave in schedule.waves
        ],
    )
