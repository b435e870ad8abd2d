"""A stay at the target: from where the route came to name it, to where it named, or may have named, something else.

Leaves to the soak what is healthy. Rules: a soak is of one stay, and nothing of it is claimed for the next, because customers may
have written at the source in between, which only another look finds; a stay ends with a route that disagrees, or with an epoch
that this store did not write; where nobody knows when a stay began, it began when it was seen.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from migrator.engine.ledger import Ledger
from migrator.machine.events import Event
from migrator.machine.states import has_stay
from migrator.machine.transitions import resume_state
from migrator.model.happenings.happening import Journaled
from migrator.model.happenings.soaks import SightLost
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.values import replace
from migrator.ports.state_store import Change


def begun(record: MoveRecord, at: datetime | None) -> dict[str, Any]:
    """The fields of a record whose stay was first seen at ``at``; None: it has ended, and no other one was seen yet."""
    return {"switched_at": at, "figures": replace(record.figures, soak_seconds=0.0)}


def ended(record: MoveRecord) -> dict[str, Any]:
    """The fields that a halt changes because the route disagrees: none where customers had not come yet."""
    return begun(record, None) if has_stay(record.state) else {}


def is_another(record: MoveRecord, epoch: int) -> bool:
    """Is the stay of a halted move, whose route names the target with ``epoch``, another one than it soaked in? False also
    where it goes on before its switch or on its way back, which claim no soak."""
    if record.resume_from is None or resume_state(record.resume_from) is not MoveState.SOAKING:
        return False
    return record.resume_from is MoveState.SOAKED or record.switched_at is None or record.epoch != epoch


def first(epoch: int) -> dict[str, Any]:
    """The fields of a move that has a route record from now on."""
    return {"ever_routed": True, "epoch": epoch}


def learn(mover: Ledger, epoch: int, *changes: Change | Journaled) -> None:
    """Write down an epoch that is new to this store. Nobody changes the epoch of a move that soaks but another store's engine
    or a hand: the route may have been elsewhere and come back."""
    record = mover.record
    known = first(epoch)
    if not has_stay(record.state):
        mover.save(replace(record, **known), *changes)
        return
    known |= begun(record, mover.world.clock.now())
    lost = SightLost(epoch, record.epoch, record.figures.soak_seconds)
    if record.state is MoveState.SOAKED:
        mover.happen(Event.LOST_SIGHT, lost, *changes, **known)
    else:
        mover.save(replace(record, **known), lost, *changes)
