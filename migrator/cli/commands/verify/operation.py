"""``migrate verify``: which moves are compared, at which level, within the migration's budget."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Final, Literal

from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.engine.world import World
from migrator.machine.states import has_lost_source, is_before_copy
from migrator.machine.transitions import live_side
from migrator.model import notes
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove
from migrator.model.values import value
from migrator.ports.state_store import SetNote, StateStore
from migrator.transfer.hands import Hands
from migrator.transfer.order import ORDERS, Order
from migrator.transfer.proofs import Proofs
from migrator.transfer.verify import ContentComparison, Level, Proving, RangeSize, compare

KEEP_SECONDS: Final = 5.0
"""So much work an interruption of a comparison by content may cost."""


@value(frozen=True, slots=True)
class Compared:
    """``live``: the side that customers write to; what they wrote since the last pass shows as a difference."""

    move: PlannedMove
    record: MoveRecord
    level: Level
    live: Literal["source", "target"]
    comparison: ContentComparison


class ProofKeeper:
    """Keeps what a comparison by content proved, so that the next one goes on from there."""

    def __init__(self, state: StateStore, move: MoveId, sample: float | None) -> None:
        self._state = state
        self._key = notes.proof(move)
        self._kept: list[str] = state.note(self._key) or []
        self._at = time.monotonic()
        self._proofs = Proofs(self._kept)
        self.proving = Proving(self._proofs, self._now_and_then, 1.0 if sample is None else sample)

    def write(self, *, is_complete: bool = False) -> None:
        """Commit what is new."""
        note = self._proofs.note(is_complete=is_complete)
        if note != self._kept:
            self._state.commit([SetNote(self._key, note)], token=None)
            self._kept = note

    def _now_and_then(self) -> None:
        if time.monotonic() - self._at >= KEEP_SECONDS:
            self._at = time.monotonic()
            self.write()


def _stored(state: StateStore, move: MoveId, container: str, prefix: str) -> tuple[Order, Sequence[RangeSize]]:
    """The lanes of a container are those of its evidence."""
    order: Order = state.note(notes.order(move, container, prefix)) or ORDERS[0]
    return order, state.range_sizes(move, container, prefix)


@asynccontextmanager
async def _hands(doors: Doors, world: World) -> AsyncIterator[Hands]:
    """Processes that look at lanes; none begins before there is much to look at."""
    with closing(wiring.open_processes(doors.schedule)) as processes:
        executor = wiring.open_executor(doors.schedule, world.stores, processes)
        try:
            yield Hands(executor, world.clock)
        finally:
            await executor.close()


async def compare_moves(
    doors: Doors, state: StateStore, moves: Sequence[PlannedMove], *, level: Level | None
) -> list[Compared]:
    """Compare both ends of the moves that have begun, one after the other, in the plan's order; not where data of the source was
    deleted, for that is no difference."""
    known = {record.id: record for record in state.moves()}
    found = []
    schedule = doors.schedule
    world = doors.world_to_read(state)
    async with _hands(doors, world) as hands:
        for move in moves:
            record = known.get(move.id)
            if record is None or is_before_copy(record.state) or has_lost_source(record.state):
                continue
            planned = schedule.wave_of(move.id).verify
            wanted = level or planned.level
            keeper = ProofKeeper(state, move.id, planned.sample if level is None else None)
            ends = world.store(move.source), world.store(move.target)
            try:
                keeps = schedule.public_access == "keep"
                result = await compare(
                    *ends,
                    move.area,
                    level=wanted,
                    proving=keeper.proving,
                    keeps_public_access=keeps,
                    stored=partial(_stored, state, move.id),
                    hands=hands,
                )
            except BaseException:
                keeper.write()
                raise
            keeper.write(is_complete=wanted == "content")
            found.append(Compared(move, record, wanted, live_side(record), result))
    return found
