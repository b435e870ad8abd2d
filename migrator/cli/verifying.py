"""``migrate verify``: which moves are compared, at which level, within the migration's budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from migrator.cli import wiring
from migrator.machine.transitions import live_side
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.schedule import PlannedMove, Schedule
from migrator.ports.state_store import StateStore
from migrator.transfer.verify import Comparison, Level, compare

NOT_BEGUN = frozenset({MoveState.PENDING, MoveState.PREFLIGHT, MoveState.PROVISIONING})


@dataclass(frozen=True, slots=True)
class Compared:
    """``live``: the side that customers write to; what they wrote since the last pass shows as a difference."""

    move: PlannedMove
    record: MoveRecord
    level: Level
    live: Literal["source", "target"]
    comparison: Comparison


async def compare_moves(
    schedule: Schedule, state: StateStore, moves: Sequence[PlannedMove], *, level: Level | None
) -> list[Compared]:
    """Compare both ends of the moves that have begun, one after the other, in the plan's order."""
    known = {record.id: record for record in state.moves()}
    found = []
    async with wiring.world_to_read(schedule, state) as world:
        stores = world.stores
        for move in moves:
            record = known.get(move.id)
            if record is None or record.state in NOT_BEGUN:
                continue
            wanted = level or schedule.wave_of(move.id).verify.level
            result = await compare(stores[move.source], stores[move.target], move.area, level=wanted)
            found.append(Compared(move, record, wanted, live_side(record), result))
    return found
