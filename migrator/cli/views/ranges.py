"""From where to where forecasts may lie, with what they were made, and what they take for granted: for programs and people."""

from __future__ import annotations

from typing import Any, Final

from migrator.cli.views.figures import stamp
from migrator.cli.views.screen import Page
from migrator.forecast import Outlook, told

MOST_WAVES: Final = 12
"""Waves that a terminal shows."""


def show_ranges(page: Page, outlook: Outlook, *, in_full: bool = True) -> None:
    """Of waves ahead, and what earlier outcomes corrected; ``in_full``: and what was assumed."""
    known = list(told.ranges_ahead(outlook))
    if not known:
        return
    page.line(f"Forecast of what is ahead, {told.processes(outlook)}")
    for wave, said in known[:MOST_WAVES]:
        page.line(f"  {wave}: {said}")
    if len(known) > MOST_WAVES:
        page.line(f"  and {len(known) - MOST_WAVES} waves more; --json has all of them", style="dim")
    if said := told.more_cores(outlook):
        page.line(f"  {said}")
    if said := outlook.learned.in_words():
        page.line(f"  corrected: {said}", style="dim")
    for clause in told.assumed(outlook) if in_full else ():
        page.line(f"  assumed: {clause}", style="dim")


def ranges_document(outlook: Outlook, wave: str) -> dict[str, Any] | None:
    """``[low, likely, high]`` of each; null where nothing is known."""
    ranges = {
        "copy_seconds": outlook.copying(wave),
        "fence_seconds": outlook.pause(wave),
        "requests": outlook.asking(wave),
    }
    known = {key: [round(end, 3) for end in (one.low, one.likely, one.high)] for key, one in ranges.items() if one}
    return known or None


def means_document(outlook: Outlook) -> dict[str, Any]:
    """With what the forecast was made; seconds. ``corrected``: factors that outcomes of earlier waves brought."""
    means, learned = outlook.here.means, outlook.learned
    factors = {"copy": learned.copy, "pause": learned.pause, "requests": learned.requests, "waves": learned.waves}
    return {
        "measured_at": stamp(means.measured_at) if means.measured_at else None,
        "processes": means.processes,
        "cores": means.cores,
        "slowness": round(means.slowness, 3),
        "answer_seconds": {name: round(one, 4) for name, one in sorted(means.answers.items())},
        "copy_seconds": {name: round(one, 4) for name, one in sorted(means.copies.items())},
        "corrected": factors,
    }
