"""What the state store holds of a rollout, read once for one look.

Decides which waves and moves there are, and in which order: the plan's, then what only the store still knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from migrator.model import notes
from migrator.model.moves import (
    Approval,
    Control,
    LockRecord,
    MoveRecord,
    WaveRecord,
)
from migrator.model.pace import FRESH_SECONDS, Pace, from_note
from migrator.model.schedule import PlannedWave, Routing, Schedule
from migrator.model.values import value
from migrator.ports.state_store import StateStore
from migrator.standing.authors import approvals_that_count
from migrator.standing.soak_waits import SoakWaits, read
from migrator.standing.way_back import Readiness, way_back
from migrator.standing.way_back import read as read_warm


@value(frozen=True, slots=True)
class Recorded:
    waves: Mapping[str, WaveRecord]
    moves: Mapping[str, MoveRecord]
    controls: tuple[Control, ...]
    approvals: tuple[Approval, ...]
    lock: LockRecord | None
    store: StateStore | None = None


def read_recorded(schedule: Schedule | None, store: StateStore | None) -> Recorded:
    if store is None:
        return Recorded({}, {}, (), (), None)
    return Recorded(
        waves={wave.name: wave for wave in store.waves()},
        moves={str(move.id): move for move in store.moves()},
        controls=tuple(store.controls()),
        approvals=tuple(store.approvals()) if schedule is None else approvals_that_count(schedule, store),
        lock=store.lock(),
        store=store,
    )


def wave_names(schedule: Schedule | None, recorded: Recorded) -> list[str]:
    """The plan's order, then waves that only the store still knows."""
    names = [wave.name for wave in schedule.waves] if schedule else []
    rest = sorted(recorded.waves.values(), key=lambda wave: wave.position)
    return names + [wave.name for wave in rest if wave.name not in names]


def moves_of(name: str, schedule: Schedule | None, recorded: Recorded) -> tuple[MoveRecord, ...]:
    found = {key: move for key, move in recorded.moves.items() if move.wave == name}
    if schedule is None or all(wave.name != name for wave in schedule.waves):
        return tuple(found.values())
    in_order: dict[str, MoveRecord] = {}
    for planned in schedule.wave(name).moves:
        id = str(planned.id)
        if id in found or id not in recorded.moves:
            in_order[id] = found.get(id) or MoveRecord(planned.id, name, planned.source, planned.target)
    return tuple({**in_order, **found}.values())


def soak_waits_of(move: MoveRecord, recorded: Recorded) -> SoakWaits | None:
    return read(move, recorded.store.note(notes.soak_waits(move.id))) if recorded.store else None


def way_back_of(
    move: MoveRecord, planned: PlannedWave, routing: Routing, recorded: Recorded, now: datetime
) -> Readiness | None:
    """None where nothing keeps the source warm, or customers are not at the target."""
    if recorded.store is None or planned.cutover.reverse != "continuous":
        return None
    return way_back(move, planned, routing, read_warm(move, recorded.store.note(notes.warm(move.id))), now)


def pace_now(store: StateStore, now: datetime) -> Pace | None:
    pace = from_note(store.note(notes.PACE))
    return pace if pace is not None and (now - pace.at).total_seconds() < FRESH_SECONDS else None
