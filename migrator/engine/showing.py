"""What whoever watches a move is told of it at each step: its figures, and how much there is to copy.

Decides nothing; what a display makes of it is the display's.
"""

from __future__ import annotations

from typing import Any

from migrator.model.moves import Direction, MoveRecord
from migrator.model.schedule import PlannedMove
from migrator.ports.state_store import StateStore
from migrator.standing.inventory_notes import known_inventory


def expected_objects(move: PlannedMove, state: StateStore) -> int:
    """As many objects as were counted of its source, or as the plan says; 0 where nobody knows."""
    known = known_inventory(move, state)
    return known.objects if known is not None else 0


def progress_of(record: MoveRecord, expected: int) -> dict[str, Any]:
    """``expected``: of the first copy; it says nothing of a way back."""
    f = record.figures
    return {
        "state": record.state.value,
        "direction": record.direction.value,
        "objects_copied": f.objects_copied,
        "bytes_copied": f.bytes_copied,
        "objects_deleted": f.objects_deleted,
        "lag_objects": f.lag_objects,
        "expected": expected if expected and record.direction is Direction.FORWARD else None,
    }
