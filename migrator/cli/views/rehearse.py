"""``migrate rehearse``: what came of it, for programs and for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from migrator.cli.views.figures import brief, count, many, stamp
from migrator.cli.views.screen import Page
from migrator.testing.rehearsal import Obstacle, Rehearsal, RehearsedMove, RehearsedWave


def document(told: Rehearsal) -> dict[str, Any]:
    """``{plan, scale, begins, ends, waves: [{name, begun, done, forecast, complete_by, moves: [...]}], obstacles: [{code,
    subject, text, remedy}], assumed, faults, requests}``; times are the accelerated clock's, null
    where it did not come to that."""
    return {
        "plan": told.plan,
        "scale": told.scale,
        "begins": stamp(told.begins),
        "ends": stamp(told.ends),
        "waves": [_wave(wave) for wave in told.waves],
        "obstacles": [
            {"code": one.code, "subject": one.subject, "text": one.text, "remedy": one.remedy} for one in told.obstacles
        ],
        "assumed": list(told.assumed),
        "faults": list(told.faults),
        "requests": told.requests,
    }


def _wave(wave: RehearsedWave) -> dict[str, Any]:
    return {
        "name": wave.name,
        "begun": _stamp(wave.begun),
        "done": _stamp(wave.done),
        "forecast": _stamp(wave.forecast),
        "complete_by": _stamp(wave.complete_by),
        "approved_for_it": wave.is_approved_for_it,
        "moves": [_move(move) for move in wave.moves],
    }


def _move(move: RehearsedMove) -> dict[str, Any]:
    return {
        "region": move.id.region,
        "area": move.id.area,
        "state": str(move.state),
        "objects": move.objects,
        "real_objects": move.real_objects,
        "pause_seconds": move.pause_seconds,
        "back_pause_seconds": move.back_pause_seconds,
        "forecast_copy_seconds": move.forecast_copy_seconds,
        "forecast_pause_seconds": move.forecast_pause_seconds,
        "writes": move.writes,
        "lost": move.lost,
    }


def show(page: Page, told: Rehearsal) -> None:
    days = (told.ends - told.begins).total_seconds() / 86_400.0
    objects, writes = sum(one.objects for one in told.moves), sum(one.writes for one in told.moves)
    page.line(
        f"Rehearsed {told.plan} with {many(objects, 'object')} in the place of the real ones: {days:.1f} days passed,"
        f" {many(told.requests, 'request')}, no account was asked for anything."
    )
    page.line()
    page.table(
        ("WAVE", "BEGUN (UTC)", "SOAKED (UTC)", "FORECAST (UTC)", "COMPLETE BY (UTC)"),
        [
            (one.name, _when(one.begun), _when(one.done), _when(one.forecast), _when(one.complete_by))
            for one in told.waves
        ],
        spare=("BEGUN (UTC)",),
    )
    page.line()
    page.table(
        ("MOVE", "ENDED", "OBJECTS", "COPY (FORECAST)", "PAUSE (FORECAST)", "BACK", "WRITES", "LOST"),
        [
            (
                one.id,
                one.state,
                f"{count(one.objects)} for {count(one.real_objects)}"
                if one.real_objects is not None
                else count(one.objects),
                _seconds(one.forecast_copy_seconds),
                f"{_seconds(one.pause_seconds)} ({_seconds(one.forecast_pause_seconds)})",
                _seconds(one.back_pause_seconds),
                count(one.writes),
                count(one.lost),
            )
            for one in told.moves
        ],
        right=frozenset({6, 7}),
        spare=("OBJECTS", "COPY (FORECAST)", "WRITES"),
    )
    page.line("  PAUSE: of writers, at the switch there; BACK: at the one back.", style="dim")
    page.line()
    page.line(_writes(writes, sum(one.lost for one in told.moves)))
    for fault in told.faults:
        page.line(f"  fault: {fault}")
    page.line("What the rehearsal took for granted:")
    for sentence in told.assumed:
        page.line(f"  - {sentence}")
    page.line()
    if not told.obstacles:
        page.line("Nothing stood in the way, there or back.", style="green")
        page.line("next: `migrate plan PLAN --probe` asks the real accounts what a rehearsal cannot know.")
        return
    page.line(f"{many(len(told.obstacles), 'obstacle')} would stop the real rollout:", style="bold red")
    for obstacle in told.obstacles:
        for line in _obstacle(obstacle):
            page.line(line)


def _writes(writes: int, lost: int) -> str:
    if lost:
        return f"{many(writes, 'write')} of customers were acknowledged, and {count(lost)} of them were lost."
    return f"{many(writes, 'write')} of customers were acknowledged, there and back, and none was lost."


def _obstacle(obstacle: Obstacle) -> list[str]:
    subject = f"{obstacle.subject}: " if obstacle.subject else ""
    lines = [f"  {obstacle.code}: {subject}{obstacle.text}."]
    return [*lines, f"    {obstacle.remedy}"] if obstacle.remedy else lines


def _when(at: datetime | None) -> str:
    return "—" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _seconds(seconds: float | None) -> str:
    return "—" if seconds is None else brief(seconds)


def _stamp(at: datetime | None) -> str | None:
    return stamp(at) if at is not None else None
