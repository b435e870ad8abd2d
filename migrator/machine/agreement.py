"""Do a move's record and its route record agree? The law of the claim, for everybody who asks: engine, preview, doctor.

Rule: a run may write only where they agree; where they do not, nothing is compensated, and a person decides which is right.
A cut-over that is on record is judged by ``release.explain`` instead: its route may say more things.
"""

from __future__ import annotations

from enum import StrEnum

from migrator.machine.transitions import live_side
from migrator.model.moves import MoveRecord
from migrator.model.routes import READ_ONLY, RouteRecord


class Agreement(StrEnum):
    AGREES = "agrees"
    UNCLAIMED = "unclaimed"
    """No record yet, and none is expected."""
    STALE_FENCE = "stale-fence"
    """Read-only, but no cut-over is on record. Nobody waits for it, so a release is always safe."""
    GONE = "gone"
    OTHER_STORE = "other-store"
    OTHER_ACCOUNT = "other-account"
    OLDER_EPOCH = "older-epoch"

    @property
    def is_disagreement(self) -> bool:
        return self in (Agreement.GONE, Agreement.OTHER_STORE, Agreement.OTHER_ACCOUNT, Agreement.OLDER_EPOCH)


def live_account(move: MoveRecord) -> str:
    """The account that the route should name, by the move's record."""
    return move.source if live_side(move) == "source" else move.target


def judge_route(move: MoveRecord, found: RouteRecord | None, *, lineage: str) -> Agreement:
    """How ``found`` stands to ``move``, which has no cut-over on record. ``lineage``: of the state store."""
    if found is None:
        return Agreement.GONE if move.ever_routed else Agreement.UNCLAIMED
    if found.lineage != lineage:
        return Agreement.OTHER_STORE
    if found.account != live_account(move):
        return Agreement.OTHER_ACCOUNT
    if found.epoch < move.epoch:
        return Agreement.OLDER_EPOCH
    return Agreement.STALE_FENCE if found.mode == READ_ONLY else Agreement.AGREES


def is_as_left(move: MoveRecord, found: RouteRecord | None, *, lineage: str) -> bool:
    """Is ``found`` what this store knew last? Where it agrees under a later epoch, the route may have been elsewhere since."""
    if found is None or judge_route(move, found, lineage=lineage) is not Agreement.AGREES:
        return False
    return found.epoch == move.epoch


def is_own_old_fence(move: MoveRecord, found: RouteRecord, *, run: str) -> bool:
    """Is ``found`` a fence that ``run`` had released before, put back by somebody (a copy of the document, say)? ``run`` holds
    the lock and has no cut-over on record, so nobody waits for that fence."""
    is_ours = (found.run, found.account, found.mode) == (run, live_account(move), READ_ONLY)
    return is_ours and found.epoch <= move.epoch


def in_words(move: MoveRecord, found: RouteRecord | None, agreement: Agreement) -> str:
    """A disagreement as one clause."""
    match agreement:
        case Agreement.GONE:
            return "route and state disagree (its route record is gone)"
        case Agreement.OTHER_STORE:
            lineage = found.lineage if found else ""
            return f"route and state disagree (its route record belongs to another state store, {lineage})"
        case Agreement.OTHER_ACCOUNT | Agreement.OLDER_EPOCH:
            says = f"{found.account}, {found.mode}, epoch {found.epoch}" if found else "nothing"
            expected = f"{live_account(move)}, epoch {move.epoch}"
            return f"route and state disagree (the route says {says}; this store knows {expected})"
        case Agreement.STALE_FENCE:
            return "the route is read-only and no cut-over is on record"
        case _:
            return "route and state agree"
