"""What a valid plan amounts to, in a few lines."""

from __future__ import annotations

from migrator.cli.settings import Settings
from migrator.cli.views.figures import duration, many
from migrator.cli.views.preview import first_sample, show_findings, show_forecast
from migrator.cli.views.screen import Page
from migrator.forecast import Outlook
from migrator.model.findings import Finding
from migrator.model.schedule import Schedule


def show_valid(schedule: Schedule, outlook: Outlook, findings: tuple[Finding, ...], settings: Settings) -> None:
    """Name what the plan declares: one line of counts, one row a wave; then what can be forecast from that alone."""
    page = Page(settings)
    waves, moves = len(schedule.waves), len(schedule.moves)
    errors = sum(finding.severity == "error" for finding in findings)
    verdict = f"is well written and cannot work ({many(errors, 'error')} below)" if errors else "is valid"
    page.line(
        f"{schedule.name} {verdict}: {many(waves, 'wave')}, {many(moves, 'move')}, "
        f"{many(len(schedule.accounts), 'account')}."
    )
    page.table(
        ("WAVE", "AFTER", "SOAK", "FIRST SAMPLE", "MOVES"),
        [
            (
                wave.name,
                ", ".join(wave.after) or "—",
                duration(wave.soak_seconds),
                first_sample(wave),
                ", ".join(str(move.id) for move in wave.moves),
            )
            for wave in schedule.waves
        ],
    )
    if outlook.moves or any(load.load_per_minute for load in outlook.loads):
        page.line()
        show_forecast(page, outlook)
    if findings:
        page.line()
        show_findings(page, findings)
