"""Moves whose objects go through this machine, as the last run kept it.

Decides the note's words. Leaves keeping it to ``transfer.streaming``. Rule: it speaks of the way that the move goes now.
"""

from __future__ import annotations

from datetime import datetime

from migrator.machine.states import is_on_its_way
from migrator.model import notes
from migrator.model.moves import Direction, MoveRecord
from migrator.model.values import value
from migrator.ports.state_store import StateStore


@value(frozen=True, slots=True)
class Streamed:
    """The service did not copy from ``origin`` to ``destination`` since ``at``, and why."""

    origin: str
    destination: str
    at: datetime
    why: str

    def __str__(self) -> str:
        way = f"objects go from {self.origin} to {self.destination} through this machine"
        return f"{way} since {self.at:%Y-%m-%d %H:%M} UTC: {self.why}; the service is asked again now and then"


def streamed_of(store: StateStore, record: MoveRecord) -> Streamed | None:
    """What the last run found of the way that this move goes."""
    note = store.note(notes.streamed(record.id))
    ends = (record.source, record.target) if record.direction is Direction.FORWARD else (record.target, record.source)
    if note is None or (note["origin"], note["destination"]) != ends or not is_on_its_way(record.state):
        return None
    return Streamed(note["origin"], note["destination"], datetime.fromisoformat(note["at"]), note["why"])
