"""``migrate plan``: findings, inventory, forecast and steps, for programs and for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from migrator.cli.views import steps, timeline
from migrator.cli.views.figures import brief, count, duration, instant, many, size, stamp
from migrator.cli.views.outlook import (
    cost_document,
    load_document,
    measured_document,
    relief_document,
    show_loads,
    show_measured,
    show_requests,
)
from migrator.cli.views.ranges import means_document, show_ranges
from migrator.cli.views.screen import Page
from migrator.engine.teller import Steps
from migrator.forecast import Inventory, MoveForecast, Outlook
from migrator.model.findings import Finding
from migrator.model.schedule import PlannedMove, PlannedWave, Schedule
from migrator.model.units import show_ratio

if TYPE_CHECKING:
    from migrator.cli.preview import Look

_ORDER: Final = ("error", "warning", "info")
FEW: Final = 5
"""So many findings of one kind are shown in full; of more, the first SHOWN_OF_MANY."""
SHOWN_OF_MANY: Final = 3
MOST_SUBJECTS: Final = 6
_STYLES: Final = {"error": "bold red", "warning": "yellow", "info": "dim"}


def document(schedule: Schedule, look: Look) -> dict[str, Any]:
    """``{plan, fingerprint, forecast_at, findings, changes_pending, next, moves, waves, traffic, loads, reliefs, cost,
    steps}``; figures are null where they are not known, and the steps of a move where nobody looked at it."""
    outlook = look.preview.outlook
    told = {one.move: one for one in look.preview.steps}
    return {
        "plan": schedule.name,
        "fingerprint": look.fingerprint,
        "forecast_at": stamp(outlook.here.now.replace(microsecond=0)),
        "findings": [
            {
                "severity": finding.severity,
                "code": finding.code,
                "subject": finding.subject,
                "text": finding.text,
                "remedy": finding.remedy,
            }
            for finding in worst_first(look.preview.findings)
        ],
        "changes_pending": look.changes_pending,
        "next": look.next.removeprefix("next: "),
        "moves": [_move(wave.name, move, look, told.get(move.id)) for wave in schedule.waves for move in wave.moves],
        "waves": timeline.document(outlook),
        "means": means_document(outlook),
        "traffic": measured_document(outlook),
        "loads": [load_document(load) for load in outlook.loads],
        "reliefs": [relief_document(relief) for relief in outlook.reliefs],
        "cost": cost_document(outlook.cost),
        "steps": steps.lines(look.preview.steps),
    }


def _move(wave: str, move: PlannedMove, look: Look, told: Steps | None) -> dict[str, Any]:
    forecast = look.preview.outlook.moves.get(move.id)
    inventory = forecast.inventory if forecast else None
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
        "inventory": inventory.origin if inventory else None,
        "inventory_error_ratio": inventory.error_ratio if inventory else None,
        "inventory_at": stamp(inventory.counted_at) if inventory and inventory.counted_at else None,
        "requests": round(forecast.requests) if forecast else None,
        "copy_seconds": forecast.copy_seconds if forecast else None,
        "copy_error_seconds": forecast.error_seconds if forecast else None,
        "bound_by": forecast.bound_by if forecast else None,
        "fence_seconds": forecast.fence_seconds if forecast else None,
        "fence_limit_seconds": forecast.fence_timeout_seconds if forecast else None,
        "drain_seconds": forecast.drain_seconds if forecast else None,
        "drain_limit_seconds": forecast.bound_seconds if forecast else None,
        "copy_range_seconds": [forecast.copying.low, forecast.copying.high] if forecast else None,
        "fence_range_seconds": [forecast.pause.low, forecast.pause.high] if forecast else None,
        "fence_seconds_with": (
            [{"processes": number, "seconds": seconds} for number, seconds in forecast.more_processes]
            if forecast
            else None
        ),
        "changes_per_second": forecast.changes_per_second if forecast else None,
        "assumes": list(forecast.assumes) if forecast else None,
        "steps": steps.document(told.told) if told else None,
    }


def show(page: Page, schedule: Schedule, look: Look, *, with_next: bool = True) -> None:
    """What will happen, what stands in the way, how long it takes, whether the new accounts carry it; ``with_next``: and what
    the next apply does."""
    page.line(f"Plan {schedule.name}: {_summary(schedule, look)}", style="bold")
    page.line()
    _show_waves(page, schedule, look)
    page.line()
    show_forecast(page, look.preview.outlook)
    if any(one.alike for one in look.preview.steps):
        page.line()
        steps.show(page, schedule, look.preview.steps)
    findings = worst_first(look.preview.findings)
    if findings:
        page.line()
        show_findings(page, findings)
    page.line()
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        page.line(f"{many(errors, 'error')}: apply refuses this plan.", style="bold red")
    elif not look.changes_pending:
        page.line("Nothing to do: every move has soaked.", style="green")
    elif not look.stops:
        page.line("Nothing stands in the way.", style="green")
    if with_next and (errors or look.changes_pending):  # else it is said already
        page.line(look.next)


def show_forecast(page: Page, outlook: Outlook) -> None:
    """Timeline, load, requests and cost."""
    timeline.show(page, outlook)
    if outlook.moves:
        page.line()
        show_ranges(page, outlook)
    if any(one.peak for one in outlook.here.traffic.values()):
        page.line()
        show_measured(page, outlook)
    if any(load.load_per_minute for load in outlook.loads):
        page.line()
        show_loads(page, outlook)
    if outlook.moves:
        page.line()
        show_requests(page, outlook)


def _summary(schedule: Schedule, look: Look) -> str:
    inventories = look.preview.inventories.values()
    shape = f"{many(len(schedule.waves), 'wave')}, {many(len(schedule.moves), 'move')}"
    if not inventories:
        return shape
    objects, number_bytes = sum(one.objects for one in inventories), sum(one.bytes for one in inventories)
    return f"{shape}, {many(objects, 'object')}, {size(number_bytes)}"


def bounds_in_words(outlook: Outlook, schedule: Schedule) -> str:
    """What the copies are bound by, the commonest first."""
    by = Counter(one.bound_by for one in outlook.moves.values())
    said = ", ".join(f"{what} ({many(number, 'move')})" for what, number in by.most_common(3))
    if not said:
        return ""
    return f"Copies are bound by: {said}"


def _show_waves(page: Page, schedule: Schedule, look: Look) -> None:
    for wave in schedule.waves:
        page.line(f"Wave {wave.name}{_conditions(wave)}")
        page.table(
            ("MOVE", "FROM", "TO", "STATE", "OBJECTS", "KNOWN", "SIZE", "COPY", "PAUSE", "AT MOST"),
            [_row(move, look) for move in wave.moves],
            right=frozenset({4, 6, 7, 8, 9}),
            spare=("FROM", "STATE", "TO", "KNOWN", "AT MOST"),
        )
    if bounds := bounds_in_words(look.preview.outlook, schedule):
        page.line(bounds)


def first_sample(wave: PlannedWave) -> str:
    """How long after the switch the slowest gate can first be asked: its window, and what its source needs to settle. A soak
    takes that much longer than it says."""
    seconds = max((gate.window_seconds + gate.settle_seconds for gate in wave.gates), default=0.0)
    return f"after {duration(seconds)}" if seconds else "—"


def _conditions(wave: PlannedWave) -> str:
    parts = [f"after {', '.join(wave.after)}"] if wave.after else []
    if wave.not_before is not None:
        parts.append(f"not before {instant(wave.not_before)}")
    if wave.approval_required:
        parts.append("approval required")
    if wave.change_windows:
        parts.append("in its change windows")
    if wave.soak_seconds:
        first = first_sample(wave)
        parts.append(f"soak {duration(wave.soak_seconds)}" + (f" (first sample {first})" if wave.gates else ""))
    return ": " + ", ".join(parts) if parts else ""


def _row(move: PlannedMove, look: Look) -> tuple[str, ...]:
    forecast = look.preview.outlook.moves.get(move.id)
    direction, state = look.states[str(move.id)].split()
    back = " (back)" if direction == "reverse" else ""
    where = (str(move.id), move.source, move.target, state + back)
    if forecast is None:
        return (*where, "—", "—", "—", "—", "—", "—")
    error = f" ± {brief(forecast.error_seconds)}" if forecast.error_seconds >= 1 else ""
    return (
        *where,
        count(forecast.inventory.objects),
        _how(forecast.inventory, look.preview.outlook.here.now),
        size(forecast.inventory.bytes),
        f"~ {brief(forecast.copy_seconds)}{error}",
        f"~ {brief(forecast.fence_seconds)}",
        brief(pause_limit(forecast)),
    )


def pause_limit(forecast: MoveForecast) -> float:
    """What a pause of writers never exceeds: drain and fence_timeout, after which a fence is released."""
    return forecast.fence_timeout_seconds


def _how(inventory: Inventory, now: datetime) -> str:
    """How the inventory is known: ``counted``, ``± 3%``, ``counted 2 h ago``, ``declared``."""
    how = f"± {show_ratio(round(inventory.error_ratio, 3))}" if inventory.error_ratio else inventory.origin
    if inventory.origin != "kept" or inventory.counted_at is None:
        return how
    age = brief(max(0.0, (now - inventory.counted_at).total_seconds()))
    return f"{how if inventory.error_ratio else 'counted'} {age} ago"


def show_findings(page: Page, findings: tuple[Finding, ...]) -> None:
    """One line each, worst first; below it its remedy, once for neighbours that have the same. Of many of one kind the first few
    in full, and the rest counted: one cause in forty areas is one thing to mend. JSON has all of them."""
    shown, rest = _grouped(findings)
    for finding, following in zip_longest(shown, shown[1:]):
        page.line(f"{finding.severity}: {told(finding)}", style=_STYLES[finding.severity])
        if finding.remedy and (following is None or following.remedy != finding.remedy):
            page.line(f"  remedy: {finding.remedy}", style="dim")
        kind = finding.severity, finding.code
        if kind in rest and (following is None or (following.severity, following.code) != kind):
            more = list(dict.fromkeys(rest[kind]))
            names = ", ".join(more[:MOST_SUBJECTS]) + (" ..." if len(more) > MOST_SUBJECTS else "")
            page.line(f"  and {len(rest[kind])} more of this kind ({finding.code}): {names}", style="dim")


def _grouped(findings: tuple[Finding, ...]) -> tuple[list[Finding], dict[tuple[str, str], list[str]]]:
    """The findings to show, those of one kind together, and the subjects of the others by severity and code."""
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        kinds.setdefault((finding.severity, finding.code), []).append(finding)
    shown: list[Finding] = []
    rest: dict[tuple[str, str], list[str]] = {}
    for kind, alike in kinds.items():
        few = len(alike) <= FEW or kind[1] == "plan-document"
        shown += alike if few else alike[:SHOWN_OF_MANY]
        if not few:
            rest[kind] = [one.subject for one in alike[SHOWN_OF_MANY:]]
    return shown, rest


def told(finding: Finding) -> str:
    """The finding's text, its subject in front unless the text names it anyway."""
    return finding.text if finding.subject in finding.text else f"{finding.subject}: {finding.text}"


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
