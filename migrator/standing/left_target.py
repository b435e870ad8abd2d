"""The last look at a target that customers left by a way back, as the run that looked kept it.

Decides the note, and which targets are left. Leaves looking to ``engine.left_target``. Rule: a look before this way back says
nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from migrator.model import notes
from migrator.model.moves import Direction, MoveRecord, MoveState
from migrator.model.values import value
from migrator.ports.state_store import StateStore


@value(frozen=True, slots=True)
class Looked:
    """The last look at a target that was left. ``found``: objects that changed there since the way back, in all."""

    at: datetime
    seconds: float
    found: int


def is_left(record: MoveRecord) -> bool:
    """Did customers come back from the target, and can it be read? One that was given up may be gone."""
    return record.state is MoveState.REVERSED and record.direction is Direction.REVERSE and not record.dirty


def last_look(state: StateStore, record: MoveRecord) -> Looked | None:
    """Of this way back; None before the first one."""
    note: Any = state.note(notes.left_target(record.id))
    if not is_left(record) or note is None:
        return None
    looked = Looked(datetime.fromisoformat(note["at"]), float(note["seconds"]), int(note["found"]))
    return looked if record.switched_at is None or looked.at >= record.switched_at else None
