"""What forecasts rest on without an account being asked: what an earlier look left in the state store, else the plan's word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from migrator.forecast.inventory import Inventory, declared, from_note, to_note
from migrator.forecast.means import Means, means_to_note
from migrator.model import notes
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, Schedule
from migrator.ports.state_store import SetNote, StateStore

SeamsOf = Mapping[tuple[str, str], tuple[str, ...]]
"""By container and prefix, names at which a listing may be parted, in the order in which they were listed."""


def known_inventory(move: PlannedMove, state: StateStore | None) -> Inventory | None:
    """What is kept of the move's source, else what the plan says; None if nobody knows."""
    kept = from_note(state.note(notes.inventory(move.id, move.source))) if state is not None else None
    if kept is None and move.declared is not None:
        return declared(move.declared)
    return kept


def known_inventories(schedule: Schedule, state: StateStore | None) -> dict[MoveId, Inventory]:
    found = {move.id: known_inventory(move, state) for move in schedule.moves}
    return {move: inventory for move, inventory in found.items() if inventory is not None}


def kept_inventories(
    schedule: Schedule, inventories: Mapping[MoveId, Inventory], now: datetime, means: Means | None = None
) -> tuple[SetNote, ...]:
    """What the state store is to keep of inventories that were just read, and of the means that were measured beside them."""
    kept = tuple(
        SetNote(notes.inventory(move.id, move.source), to_note(inventories[move.id], now))
        for move in schedule.moves
        if move.id in inventories and inventories[move.id].origin in ("counted", "sampled")
    )
    return kept if means is None or means.measured_at is None else (*kept, SetNote(notes.MEANS, means_to_note(means)))


def kept_seams(schedule: Schedule, seams: Mapping[MoveId, SeamsOf]) -> tuple[SetNote, ...]:
    """What the state store is to keep of where listings may be parted; ``transfer.beginning`` reads it."""
    return tuple(
        SetNote(notes.seams(move.id, move.source), [[*place, list(names)] for place, names in seams[move.id].items()])
        for move in schedule.moves
        if move.id in seams
    )
