"""Gates whose source did not answer before the cut-over are kept for whoever only reads: between two runs that come and go,
nobody else can say why a move that is ready stays where it is. The note's form is that of ``standing.silence``.
"""

from __future__ import annotations

from migrator.engine.mover import Mover
from migrator.model import notes
from migrator.ports.state_store import SetNote


def keep(mover: Mover, silent: dict[str, tuple[str, str]]) -> None:
    """Write down who did not answer just now: the fault and its hint by gate; {}: all did."""
    key, state = notes.silent_gates(mover.id), mover.world.state
    if silent:
        at = mover.world.clock.now().isoformat()
        mover.commit(SetNote(key, {"at": at, "gates": [[gate, *said] for gate, said in silent.items()]}))
    elif state.note(key) is not None:
        mover.commit(SetNote(key, None))
