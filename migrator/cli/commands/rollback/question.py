"""What a rollback will do, said before it is asked for: ``rollback --dry-run``, and the page above the question.

Decides what is counted and for how long before a question; a dry run counts to the end. Leaves the counting to
``transfer.since`` and the going back to the engine. Rule: nothing is written, and what could not be known is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from migrator.cli.agreeing import read_routes, unlike
from migrator.cli.doors import Doors
from migrator.cli.views.figures import count, duration, many, size
from migrator.cli.views.screen import Page
from migrator.errors import CloudError, MigrateError
from migrator.forecast.timing import forecast_move
from migrator.machine.states import is_to_be_taken_back
from migrator.machine.transitions import live_side
from migrator.model.moves import Direction, MoveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, Schedule
from migrator.model.values import value
from migrator.ports.state_store import StateStore
from migrator.standing.inventory_notes import known_inventories
from migrator.transfer.since import Since, changed_since

PATIENCE_SECONDS: Final = 20.0
"""So long is counted before a question: in an emergency nobody waits for a listing of millions."""
NOTHING: Final = "Nothing to take back: no move in this scope has begun, or all are back already."


@value(frozen=True, slots=True)
class WayBack:
    """``pause_seconds``: about how long its writers will wait, None where nobody knows or they need not; ``since``: None if
    nothing has to be carried, or ``trouble`` says why it could not be counted. ``disagreement``: why it cannot go back, for its
    route is not as this store knows it; also of a move that this store says is at its source."""

    move: PlannedMove
    record: MoveRecord
    wave: str
    is_live_at_target: bool
    pause_seconds: float | None
    limit_seconds: float | None
    since: Since | None = None
    trouble: str = ""
    disagreement: str = ""


def look_back(doors: Doors, store: StateStore, moves: Sequence[PlannedMove], *, seconds: float | None) -> list[WayBack]:
    """Look at the moves that would go back, newest wave first. ``seconds``: how long to count; None: to the end, and then routes
    that cannot be read are a fault (MigrateError)."""
    return doors.run(_look(doors, store, moves, seconds))


async def _look(doors: Doors, store: StateStore, moves: Sequence[PlannedMove], seconds: float | None) -> list[WayBack]:
    schedule, world = doors.schedule, doors.world_to_read(store)
    known = {record.id: record for record in store.moves()}
    inventories = known_inventories(schedule, store)
    found: list[WayBack] = []
    loop = asyncio.get_running_loop()
    until = None if seconds is None else loop.time() + seconds
    elsewhere = await _elsewhere(doors, store, moves, until)
    for move in reversed(moves):
        record = known.get(move.id) or MoveRecord(move.id, "", move.source, move.target)
        wave = schedule.wave_of(move.id).name
        if move.id in elsewhere:
            is_live = _is_live_at_target(record)
            found.append(WayBack(move, record, wave, is_live, None, None, disagreement=elsewhere[move.id]))
            continue
        if not is_to_be_taken_back(record.state):
            continue
        if not _is_live_at_target(record):
            found.append(WayBack(move, record, wave, False, None, None))
            continue
        inventory = inventories.get(move.id)
        forecast = forecast_move(schedule, move, inventory) if inventory is not None else None
        pause = forecast.fence_seconds if forecast else None
        limit = schedule.routing.drain_seconds + schedule.wave_of(move.id).cutover.fence_timeout_seconds
        since, trouble = Since(), ""
        try:
            ends = world.store(move.source), world.store(move.target)
            async with asyncio.timeout_at(until):
                await changed_since(move, *ends, store, since)
        except TimeoutError:
            since.is_whole = False
        except CloudError as fault:
            trouble = fault.message
        found.append(WayBack(move, record, wave, True, pause, limit, since, trouble))
    return found


async def _elsewhere(
    doors: Doors, store: StateStore, moves: Sequence[PlannedMove], until: float | None
) -> dict[MoveId, str]:
    try:
        async with asyncio.timeout_at(until):
            return unlike(doors, store, await read_routes(doors), moves)
    except (MigrateError, TimeoutError):
        if until is None:
            raise
        return {}  # nobody keeps an operator in an emergency waiting; the run asks again


def _is_live_at_target(record: MoveRecord) -> bool:
    return record.direction is Direction.REVERSE or live_side(record) == "target"


def later_waves(schedule: Schedule, ways: Sequence[WayBack]) -> list[str]:
    """Waves that will not begin while what they come after, or what is above them, is back at its source."""
    names = [wave.name for wave in schedule.waves]
    first = min((names.index(one.wave) for one in ways if not one.disagreement), default=len(names))
    back = {one.wave for one in ways if not one.disagreement}
    return [name for name in names[first:] if name not in back]


def needs_a_person(ways: Sequence[WayBack], on_conflict: str | None) -> bool:
    """Would the way back halt, as far as this look can tell?"""
    return any(
        one.trouble
        or one.disagreement
        or (one.since is not None and (one.since.gone or (one.since.conflicts and on_conflict is None)))
        for one in ways
    )


def show(page: Page, schedule: Schedule, ways: Sequence[WayBack]) -> None:
    if not ways:
        page.line(NOTHING)
        return
    is_one_wave = len({one.wave for one in ways}) == 1
    order = "side by side" if is_one_wave else "wave after wave, the newest first"
    order = f", {order}" if len(ways) > 1 else ""
    page.line(f"Going back, plan {schedule.name}: {many(len(ways), 'move')}{order}", style="bold")
    for one in ways:
        page.line(f"  {one.move.id} (wave {one.wave}): {_said(one)}")
        for line in _more(one):
            page.line(f"    {line}", style="yellow")
    if later := later_waves(schedule, ways):
        page.line(f"  Then {', '.join(later)} wait until somebody decides: `migrate retry PLAN --reason TEXT`.")


def _said(one: WayBack) -> str:
    if one.disagreement:
        return f"{one.record.state}; it cannot go back: {one.disagreement}"
    if not one.is_live_at_target:
        return f"{one.record.state}: it has not switched; it stops, and its writers are not paused"
    if one.pause_seconds is None:
        pause = f"writers wait for {duration(one.limit_seconds or 0.0)} at the most"
    else:
        pause = (
            f"writers wait for about {duration(one.pause_seconds)}, {duration(one.limit_seconds or 0.0)} at the most"
        )
    return f"{one.move.target} -> {one.move.source}; {pause}; {_counted(one)}"


def _counted(one: WayBack) -> str:
    since = one.since
    if one.trouble or since is None:
        return f"what was written since could not be counted: {one.trouble}"
    least = "" if since.is_whole else "at least "
    text = f"{least}{many(since.written, 'object')} written since ({size(since.written_bytes)}), {count(since.deleted)} deleted"
    text += f", {many(since.conflicts, 'conflict')}"
    return text + ("" if since.is_whole else "; `migrate rollback PLAN --dry-run` counts to the end")


def _more(one: WayBack) -> list[str]:
    since = one.since
    lines: list[str] = []
    if since is None:
        return lines
    if since.conflicts:
        lines.append(f"changed on both sides: {', '.join(since.named)}; say --on-conflict source or target")
    if since.stragglers:
        lines.append(f"{many(since.stragglers, 'object')} changed at {one.move.source} alone; they are kept and listed")
    if since.gone:
        lines.append(f"{one.move.target} has no container {', '.join(since.gone)}: find out why before going back")
    if since.unsure:
        lines.append(f"{many(since.unsure, 'object')} must be read to be told apart")
    return lines


def document(schedule: Schedule, ways: Sequence[WayBack]) -> dict[str, Any]:
    """``{plan, moves: [{region, area, wave, state, switched, pause_seconds, ...}], later_waves}``."""
    return {
        "plan": schedule.name,
        "moves": [_move(one) for one in ways],
        "later_waves": later_waves(schedule, ways),
    }


def _move(one: WayBack) -> dict[str, Any]:
    since = one.since
    return {
        "region": one.move.id.region,
        "area": one.move.id.area,
        "wave": one.wave,
        "from": one.move.target,
        "to": one.move.source,
        "state": str(one.record.state),
        "switched": one.is_live_at_target,
        "pause_seconds": one.pause_seconds,
        "pause_limit_seconds": one.limit_seconds,
        "written": since.written if since else None,
        "written_bytes": since.written_bytes if since else None,
        "deleted": since.deleted if since else None,
        "conflicts": since.conflicts if since else None,
        "stragglers": since.stragglers if since else None,
        "containers_gone": since.gone if since else [],
        "counted": since is not None and since.is_whole and not one.trouble,
        "trouble": one.trouble or None,
        "disagreement": one.disagreement or None,
    }
