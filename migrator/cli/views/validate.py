"""What a valid plan amounts to, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from migrator.cli.settings import Settings
from migrator.cli.views.documents import fault_rows
from migrator.cli.views.figures import brief, count, duration, many
from migrator.cli.views.preview import (
    bounds_in_words,
    first_sample,
    pause_limit,
    show_findings,
    show_forecast,
    worst_first,
)
from migrator.cli.views.screen import Page
from migrator.forecast import Outlook
from migrator.model.findings import Finding
from migrator.model.schedule import PlannedWave, Schedule
from migrator.plan import Loaded

PAUSES: Final = (
    "PAUSE: about how long the writers of one area wait (the largest of the wave); AT MOST: then they are freed."
)
MOST_NAMED: Final = 3


def pauses_of(wave: PlannedWave, outlook: Outlook) -> tuple[str, str]:
    """The longest pause of the wave's moves as it is estimated, and what it never exceeds; dashes where no size is known."""
    known = [one for move in wave.moves if (one := outlook.moves.get(move.id)) is not None]
    if not known:
        return "—", "—"
    return f"~ {brief(max(one.fence_seconds for one in known))}", brief(max(pause_limit(one) for one in known))


def some(names: list[str]) -> str:
    """A few names, and how many more."""
    if len(names) <= MOST_NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:MOST_NAMED])} and {len(names) - MOST_NAMED} more"


def document(loaded: Loaded, findings: Sequence[Finding]) -> dict[str, Any]:
    """The plan as a program sees it: ``errors`` (none, or it would not be loaded), ``warnings`` by file, line and column."""
    schedule = loaded.schedule
    return {
        "plan": schedule.name,
        "errors": [],
        "warnings": fault_rows(loaded.warnings),
        "findings": [asdict(finding) for finding in worst_first(findings)],
        "is_valid": not any(finding.severity == "error" for finding in findings),
        "waves": len(schedule.waves),
        "moves": len(schedule.moves),
    }


def show_valid(schedule: Schedule, outlook: Outlook, findings: tuple[Finding, ...], settings: Settings) -> None:
    """Name what the plan declares, one row a wave, what can be forecast from that alone, and what is wrong; the verdict last."""
    page = Page(settings)
    page.table(
        ("WAVE", "AFTER", "SOAK", "FIRST SAMPLE", "PAUSE", "AT MOST", "MOVES", "WHICH"),
        [
            (
                wave.name,
                ", ".join(wave.after) or "—",
                duration(wave.soak_seconds),
                first_sample(wave),
                *pauses_of(wave, outlook),
                count(len(wave.moves)),
                some([str(move.id) for move in wave.moves]),
            )
            for wave in schedule.waves
        ],
        right=frozenset({6}),
        spare=("WHICH", "AFTER", "FIRST SAMPLE", "AT MOST"),
    )
    if outlook.moves:
        page.line(PAUSES)
    if bounds := bounds_in_words(outlook, schedule):
        page.line(bounds)
    if outlook.moves or any(load.load_per_minute for load in outlook.loads):
        page.line()
        show_forecast(page, outlook)
    if findings:
        page.line()
        show_findings(page, worst_first(findings))
    waves, moves = len(schedule.waves), len(schedule.moves)
    errors = sum(finding.severity == "error" for finding in findings)
    verdict = f"is well-formed but cannot work: {many(errors, 'error')} above" if errors else "is valid"
    page.line()
    page.line(
        f"{schedule.name} {verdict}: {many(waves, 'wave')}, {many(moves, 'move')}, "
        f"{many(len(schedule.accounts), 'account')}.",
        style="bold red" if errors else "green",
    )
