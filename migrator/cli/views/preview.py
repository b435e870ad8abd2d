"""``migrate plan``: findings, inventory, forecast and steps, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from migrator.cli.views.figures import count, duration, many, size
from migrator.cli.views.screen import Page
from migrator.model.findings import Finding
from migrator.model.schedule import PlannedMove, Schedule

if TYPE_CHECKING:
    from migrator.cli.previewing import Look

_ORDER: Final = ("error", "warning", "info")
_STYLES: Final = {"error": "bold red", "warning": "yellow", "info": "dim"}


def document(schedule: Schedule, look: Look) -> dict[str, Any]:
    """``{plan, fingerprint, changes_pending, findings, moves, steps}``; figures are null where they are not known."""
    return {
        "plan": schedule.name,
        "fingerprint": look.fingerprint,
        "changes_pending": look.changes_pending,
        "findings": [
            {
                "severity": finding.severity,
                "code": finding.code,
                "subject": finding.subject,
                "text": finding.text,
                "remedy": finding.remedy,
            }
            for finding in _sorted(look.preview.findings)
        ],
        "moves": [_move(wave.name, move, look) for wave in schedule.waves for move in wave.moves],
        "steps": list(look.preview.steps),
    }


def _move(wave: str, move: PlannedMove, look: Look) -> dict[str, Any]:
    inventory, forecast = look.preview.inventories.get(move.id), look.preview.forecasts.get(move.id)
    direction, state = look.states[str(move.id)].split()
    return {
        "region": move.id.region,
        "area": move.id.area,
        "wave": wave,
        "source": move.source,
        "target": move.target,
        "state": state,
        "direction": direction,
        "objects": inventory.objects if inventory else None,
        "bytes": inventory.bytes if inventory else None,
        "requests": forecast.requests if forecast else None,
        "copy_seconds": forecast.copy_seconds if forecast else None,
        "bound_by": forecast.bound_by if forecast else None,
        "fence_seconds": forecast.fence_seconds if forecast else None,
    }


def show(page: Page, schedule: Schedule, look: Look) -> None:
    """What will happen, what stands in the way, how long it takes."""
    page.line(f"Plan {schedule.name}: {_summary(schedule, look)}", style="bold")
    page.line()
    _show_steps(page, schedule, look)
    findings = _sorted(look.preview.findings)
    if findings:
        page.line()
        show_findings(page, findings)
    page.line()
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        page.line(f"{many(errors, 'error')}: apply refuses this plan.", style="bold red")
    elif look.changes_pending:
        page.line("Nothing stands in the way.", style="green")
    else:
        page.line("Nothing to do: every move has soaked.", style="green")


def _summary(schedule: Schedule, look: Look) -> str:
    objects = sum(one.objects for one in look.preview.inventories.values())
    number_bytes = sum(one.bytes for one in look.preview.inventories.values())
    shape = f"{many(len(schedule.waves), 'wave')}, {many(len(schedule.moves), 'move')}"
    if not look.preview.inventories:
        return shape
    return f"{shape}, {many(objects, 'object')}, {size(number_bytes)}"


def _show_steps(page: Page, schedule: Schedule, look: Look) -> None:
    for wave in schedule.waves:
        after = f", after {', '.join(wave.after)}" if wave.after else ""
        page.line(f"Wave {wave.name}{after}: then {duration(wave.soak_seconds)} of soak")
        page.table(
            ("MOVE", "FROM", "TO", "STATE", "OBJECTS", "SIZE", "COPY TAKES", "WRITERS PAUSE"),
            [_row(move, look) for move in wave.moves],
            right=frozenset({4, 5, 6, 7}),
        )


def _row(move: PlannedMove, look: Look) -> tuple[str, ...]:
    inventory, forecast = look.preview.inventories.get(move.id), look.preview.forecasts.get(move.id)
    direction, state = look.states[str(move.id)].split()
    return (
        str(move.id),
        move.source,
        move.target,
        state + (" (back)" if direction == "reverse" else ""),
        count(inventory.objects) if inventory else "—",
        size(inventory.bytes) if inventory else "—",
        f"~ {duration(forecast.copy_seconds)}" if forecast else "—",
        f"~ {duration(forecast.fence_seconds)}" if forecast else "—",
    )


def show_findings(page: Page, findings: tuple[Finding, ...]) -> None:
    """One line each, worst first, its remedy below."""
    for finding in findings:
        page.line(f"{finding.severity}: {told(finding)}", style=_STYLES[finding.severity])
        if finding.remedy:
            page.line(f"  remedy: {finding.remedy}", style="dim")


def told(finding: Finding) -> str:
    """The finding's text, its subject in front unless the text names it anyway."""
    return finding.text if finding.subject in finding.text else f"{finding.subject}: {finding.text}"


def _sorted(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
