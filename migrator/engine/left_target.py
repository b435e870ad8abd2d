"""After a way back: whatever still changes on the target that customers left is listed once, and kept.

Decides when such a target is looked at: right after the way back, and then by every run that finds a look due. Leaves the
comparison to ``transfer.watch``. Rules: a look reads both accounts and writes none, so it needs no claim of the route; what it
found is said by every run and by ``status`` until the move starts again, for these objects are nowhere else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from migrator.engine.context import Waiting
from migrator.engine.fleet import Fleet
from migrator.engine.mover import Mover
from migrator.errors import CloudError, StateError
from migrator.model import notes
from migrator.model.happenings.moves import LeftTargetChanged, LeftTargetStill, LeftTargetUnknown
from migrator.model.moves import ExceptionRow, MoveRecord
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace
from migrator.ports.state_store import SetNote, StateStore
from migrator.standing.left_target import is_left, last_look
from migrator.transfer import passes
from migrator.words.happenings import PAUSED

MOST_ROWS: Final = 100_000
NAMED: Final = 3


def strays(state: StateStore, record: MoveRecord) -> list[ExceptionRow]:
    """What was written to the target, or deleted there, after customers had left it: ascending by container and name."""
    if not is_left(record):
        return []
    rows = state.exceptions(record.id, limit=MOST_ROWS)
    since = record.switched_at
    return [
        row for row in rows if row.kind == "straggler" and (since is None or (row.at is not None and row.at >= since))
    ]


def in_words(record: MoveRecord, found: list[ExceptionRow]) -> str:
    """One sentence for people: what lies at the target and nowhere else, and what to do about it."""
    named = ", ".join(f"{row.container}/{row.name}" for row in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
    are = "objects were" if len(found) > 1 else "object was"
    return (
        f"{len(found):,} {are} changed on {record.target} after customers had gone back to {record.source}, by a writer without"
        f" a lease ({named}); nothing of it is lost and nothing of it is at {record.source}: copy what you need by hand"
    )


def changed(fleet: Fleet, scope: Sequence[PlannedMove]) -> list[str]:
    """One sentence for each target that was left and changed since; nothing is looked at."""
    records = [fleet.mover(move).record for move in scope]
    found = [(record, strays(fleet.world.state, record)) for record in records]
    return [f"{record.id}: {in_words(record, rows)}" for record, rows in found if rows]


async def look_where_due(fleet: Fleet) -> None:
    """Look at every left target whose look is due."""
    for move in fleet.schedule.moves:
        await look(fleet.mover(move))


async def keep_looking(fleet: Fleet, first: asyncio.Task[None]) -> None:
    """After the ``first`` round: as long as the run is at work, for it may be so for days."""
    await asyncio.wait({first})
    while True:
        await fleet.world.clock.sleep(fleet.world.rhythm.left_target_round_seconds)
        await look_where_due(fleet)


async def look(mover: Mover) -> None:
    """Look if it is due. A target that cannot be read is said, and looked at by the next run."""
    record = mover.record
    if not is_left(record) or not _is_due(mover):
        return
    try:
        await _look(mover)
    except Waiting:
        return
    except (CloudError, StateError) as fault:
        mover.tell(LeftTargetUnknown(record.target, fault.message))


def _is_due(mover: Mover) -> bool:
    last = last_look(mover.world.state, mover.record)
    if last is None:
        return True
    pause = max(mover.wave.cutover.straggler_interval_seconds, mover.world.rhythm.left_target_rest * last.seconds)
    return mover.world.clock.now() >= last.at + timedelta(seconds=pause)


async def _look(mover: Mover) -> None:
    async def admit() -> None:
        if mover.shared.is_wished("pause", mover.wave.name):
            raise Waiting(f"{mover.id}: {PAUSED}")  # no run stays for a look; the next one looks
        mover.shared.session.check()

    record, state = mover.record, mover.world.state
    last, now = last_look(state, record), mover.world.clock.now()
    result = await passes.watch(replace(mover.transfer(), admit=admit))
    found = strays(state, record)
    note = SetNote(notes.left_target(mover.id), {"at": now.isoformat(), "seconds": result.seconds, "found": len(found)})
    if len(found) > (last.found if last else 0):  # rows of a look that died are said by this one
        text = in_words(record, found)
        mover.commit(note, LeftTargetChanged(record.target, len(found), tuple(result.named), text))
        return
    if last is None:
        mover.commit(note, LeftTargetStill(record.target, result.scanned))
    else:
        mover.commit(note)
