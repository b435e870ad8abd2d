"""A rollout that goes on, before it is asked for: where each wave stands, and what the next apply does."""

from __future__ import annotations

from collections import Counter

from migrator.cli.views.next_apply import what_apply_does
from migrator.cli.views.preview import show_findings
from migrator.cli.views.screen import Page
from migrator.machine.waiting import words
from migrator.model.findings import Finding
from migrator.model.schedule import Schedule
from migrator.standing.values import Standing


def show_going_on(
    page: Page, schedule: Schedule, situation: Standing, wave: str | None, remarks: tuple[Finding, ...]
) -> None:
    """One line a wave, what was edited, the standing stops, and the next step."""
    page.line(f"Plan {schedule.name} goes on:", style="bold")
    for one in situation.waves:
        if wave is not None and one.name != wave:
            continue
        states = Counter(str(move.record.state) for move in one.moves)
        said = ", ".join(f"{number} {state}" for state, number in states.items()) or str(one.state)
        waits = "".join(f"; waits for {words(wait)}" for wait in one.waits[:2])
        page.line(f"  wave {one.name}: {said}{waits}")
    if remarks:
        show_findings(page, remarks)
    page.line(f"  {what_apply_does(schedule, situation)}")
