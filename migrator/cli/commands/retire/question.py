"""What a retirement will delete, said before it is asked for: ``retire --dry-run``, and the page above the question.

Decides what is counted, shown and refused before anything is asked. Leaves what may go to ``transfer.retiring``, and when to the
law. Rule: nothing is written here, and the number that is shown is the most that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from migrator.cli.doors import Doors
from migrator.cli.views.figures import many, size
from migrator.cli.views.screen import Page
from migrator.errors import FindingsError, UsageError
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.values import value
from migrator.ports.state_store import StateStore
from migrator.standing.retiring import may_retire, refusal
from migrator.transfer.retiring import Leaving, Tally, count
from migrator.words.happenings import STAYS

GONE: Final = "what goes is gone for good, and so is the wave's way back"


@value(frozen=True, slots=True)
class Leftover:
    """What lies at the source of one move."""

    record: MoveRecord
    tally: Tally


def planned(schedule: Schedule, wave: str) -> PlannedWave:
    """UsageError if the plan has no such wave."""
    names = [one.name for one in schedule.waves]
    if wave not in names:
        raise UsageError(f"cannot retire wave {wave}: there is no such wave", hint=f"there are {', '.join(names)}")
    return schedule.wave(wave)


def require_allowed(schedule: Schedule, wave: PlannedWave, store: StateStore) -> list[MoveRecord]:
    """The records of the wave's moves. FindingsError if the law keeps them, or their watch is not over."""
    known = {record.id: record for record in store.moves()}
    records = [known[move.id] for move in wave.moves if move.id in known]
    found = may_retire(schedule, wave, store, records)
    if why := refusal(wave, found, datetime.now(UTC)):
        hint = "" if found.why else "run it again after that; `retire.watch` of the plan says how long it is"
        raise FindingsError(why, hint=hint)
    return records


def require_gates(schedule: Schedule, wave: str, *, reads_unproved: bool) -> None:
    if not schedule.retire.gates and not reads_unproved:
        raise UsageError(
            f"cannot retire wave {wave}: nothing shows that reads of its sources have ended",
            hint="name a gate of the source under retire.gates, or say --reads-unproved",
        )


def look(doors: Doors, store: StateStore, records: Sequence[MoveRecord]) -> list[Leftover]:
    """Go through both sides. CloudError if one cannot be listed."""
    return doors.run(_look(doors, store, records))


async def _look(doors: Doors, store: StateStore, records: Sequence[MoveRecord]) -> list[Leftover]:
    world, found = doors.world_to_read(store), []
    for record in records:
        move = doors.schedule.move(record.id)
        leaving = Leaving(
            move.id,
            move.area,
            world.store(move.source),
            world.store(move.target),
            store,
            is_over=lambda _: True,  # they are waited for before anything is deleted
        )
        found.append(Leftover(record, await count(leaving)))
    return found


def require_few(wave: str, found: Sequence[Leftover], most: int | None) -> None:
    total = _total(found)
    if most is not None and total > most:
        raise FindingsError(
            f"cannot retire wave {wave}: {many(total, 'object')} would go, more than --max-delete {most}",
            hint="see what they are with --dry-run",
        )


def is_over(found: Sequence[Leftover]) -> bool:
    """Is nothing left to do?"""
    return not _total(found) and all(one.record.state is MoveState.RETIRED for one in found)


def sentence(wave: str, found: Sequence[Leftover]) -> str:
    """What a person types."""
    return f"delete {_total(found)} objects of wave {wave}"


def _total(found: Sequence[Leftover]) -> int:
    return sum(one.tally.objects for one in found)


def show(page: Page, schedule: Schedule, wave: str, found: Sequence[Leftover]) -> None:
    total, volume = _total(found), sum(one.tally.bytes for one in found)
    page.line(
        f"Retiring wave {wave}, plan {schedule.name}: {many(total, 'object')} ({size(volume)}) would go", style="bold"
    )
    for one in found:
        tally, record = one.tally, one.record
        page.line(
            f"  {record.id} ({record.state}): {many(tally.objects, 'object')} of {record.source}, {size(tally.bytes)};"
            f" {record.target} has each of them"
        )
        for why, number in sorted(tally.kept.items()):
            names = ", ".join(tally.named[why]) + (", ..." if number > len(tally.named[why]) else "")
            stay = "stays" if number == 1 else "stay"
            page.line(f"    {many(number, 'object')} {stay}: {STAYS[why]} ({names})", style="yellow")
    if is_over(found):
        page.line("Nothing to delete: the wave is retired.")


def document(schedule: Schedule, wave: str, found: Sequence[Leftover]) -> dict[str, Any]:
    """``{plan, wave, objects, bytes, moves: [{region, area, state, source, target, objects, bytes, kept, named}]}``."""
    return {
        "plan": schedule.name,
        "wave": wave,
        "objects": _total(found),
        "bytes": sum(one.tally.bytes for one in found),
        "moves": [
            {
                "region": one.record.id.region,
                "area": one.record.id.area,
                "state": str(one.record.state),
                "source": one.record.source,
                "target": one.record.target,
                "objects": one.tally.objects,
                "bytes": one.tally.bytes,
                "kept": {str(why): number for why, number in sorted(one.tally.kept.items())},
                "named": {str(why): list(names) for why, names in sorted(one.tally.named.items())},
            }
            for one in found
        ],
    }
