"""That the service does not copy between the accounts of a move is told once, and kept for whoever only reads.

Decides the note (``notes.streamed``) and when it is dropped; the verdict is ``pair``'s. Rule: a state store that does not take it
now keeps nothing up; it is told with the next verdict.
"""

from __future__ import annotations

from migrator.errors import MigrateError
from migrator.model import notes
from migrator.model.happenings.moves import CopiesByService, CopiesStreamed
from migrator.model.names import RESERVED_PREFIX
from migrator.ports.state_store import Change, SetNote
from migrator.transfer.copying import Copier
from migrator.transfer.pair import AccountPair
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer


def copier(transfer: Transfer) -> Copier:
    """The copier of ``transfer``, whose verdicts are told."""
    t, probes = transfer, f"{RESERVED_PREFIX}canary/{transfer.move}/"
    known = t.state.note(notes.streamed(t.move))
    is_told = bool(known) and (known["origin"], known["destination"]) == (t.origin.account, t.destination.account)
    pair = AccountPair(
        t.origin, t.destination, t.clock, t.rhythm, probes, told=lambda why: _tell(t, why), is_told=is_told
    )
    return Copier(t.origin, t.destination, t.clock, t.rhythm, probes=probes, pair=pair)


def _tell(t: Transfer, why: str) -> bool:
    origin, destination = t.origin.account, t.destination.account
    at = t.clock.now().isoformat()
    said = {"at": at, "origin": origin, "destination": destination, "why": why} if why else None
    changes: list[Change] = [SetNote(notes.streamed(t.move), said)]
    if t.note is not None:
        changes.append(
            t.note(CopiesStreamed(origin, destination, why) if why else CopiesByService(origin, destination))
        )
    try:
        t.commit(changes, PassResult())
    except MigrateError:
        return False
    return True
