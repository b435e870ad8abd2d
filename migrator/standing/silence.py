"""Gates whose source did not answer before the cut-over, as the last run kept them.

Decides the note and its words. Leaves keeping it to ``engine.silence``. Rule: a note says when it was asked, for the source may
answer by now; it speaks only of gates that the plan still has, and of a move that customers have not been switched by.
"""

from __future__ import annotations

from datetime import datetime

from migrator.machine.states import is_getting_ready
from migrator.model import notes
from migrator.model.moves import Direction, MoveRecord
from migrator.model.schedule import PlannedWave
from migrator.model.values import value
from migrator.ports.state_store import StateStore


@value(frozen=True, slots=True)
class Silent:
    """One gate that did not answer, when it was asked, and why."""

    gate: str
    at: datetime
    why: str
    hint: str

    def __str__(self) -> str:
        return f"gate {self.gate} does not answer (asked {self.at:%Y-%m-%d %H:%M} UTC): {self.why}"


def silent_gates(store: StateStore, record: MoveRecord, wave: PlannedWave) -> tuple[Silent, ...]:
    """Who did not answer when last asked, while that keeps back the cut-over of this move."""
    if record.direction is not Direction.FORWARD or not is_getting_ready(record.state):
        return ()
    note = store.note(notes.silent_gates(record.id))
    if note is None:
        return ()
    planned = {gate.name for gate in wave.gates}
    at = datetime.fromisoformat(note["at"])
    return tuple(Silent(gate, at, why, hint) for gate, why, hint in note["gates"] if gate in planned)
