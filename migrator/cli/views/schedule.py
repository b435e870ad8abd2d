"""What a valid plan amounts to, in a few lines."""

from __future__ import annotations

from migrator.cli.settings import Settings
from migrator.cli.views.figures import duration
from migrator.cli.views.screen import Page
from migrator.model.schedule import Schedule


def show_valid(schedule: Schedule, settings: Settings) -> None:
    """Name what the plan declares: one line of counts, one row a wave."""
    page = Page(settings)
    waves, moves = len(schedule.waves), len(schedule.moves)
    page.line(
        f"{schedule.name} is valid: {_many(waves, 'wave')}, {_many(moves, 'move')}, "
        f"{_many(len(schedule.accounts), 'account')}."
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


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
