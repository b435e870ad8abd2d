"""Do a move's record and its route record agree? The law of the claim, for everybody who asks: engine, preview, doctor.

Rules: what clients obey is what is judged - account, endpoint, mode, epoch - and the endpoint against the address that is known
of the account, never against an earlier record. A run may write only where they agree; where they do not, nothing is
compensated, and a person decides which is right. A cut-over that is on record is judged by ``release.explain`` instead: its route
may say more things.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from migrator.machine.transitions import live_side
from migrator.model.moves import MoveRecord
from migrator.model.routes import READ_ONLY, RouteRecord

ADOPT_ROUTE: Final = "--adopt-route"
"""The option of ``retry`` that lets a state store learn from the route document. Remedies by which the route wins name it."""


class Agreement(StrEnum):
    AGREES = "agrees"
    UNCLAIMED = "unclaimed"
    """No record yet, and none is expected."""
    STALE_FENCE = "stale-fence"
    """Read-only, but no cut-over is on record. Nobody waits for it, so a release is always safe."""
    GONE = "gone"
    OTHER_STORE = "other-store"
    OTHER_ACCOUNT = "other-account"
    OTHER_ADDRESS = "other-address"
    """It names the right account, and sends clients elsewhere."""
    OLDER_EPOCH = "older-epoch"

    @property
    def is_disagreement(self) -> bool:
        return self not in (Agreement.AGREES, Agreement.UNCLAIMED, Agreement.STALE_FENCE)


def halted_by_route(reason: str) -> bool:
    """Was a move halted because its route and this store disagree, and may the route win? By the remedy that ``reason`` names."""
    return ADOPT_ROUTE in reason


def live_account(move: MoveRecord) -> str:
    """The account that the route should name, by the move's record."""
    return move.source if live_side(move) == "source" else move.target


def highest_epoch(move: MoveRecord) -> int:
    """The highest epoch that this store, and so any follower of its routes, may have seen."""
    intent = move.intent
    switched = intent.switched.epoch if intent is not None and intent.switched is not None else 0
    return max(move.epoch, intent.fence.epoch + 1 if intent is not None else 0, switched)


def judge_route(move: MoveRecord, found: RouteRecord | None, *, lineage: str, endpoint: str | None = None) -> Agreement:
    """How ``found`` stands to ``move``, which has no cut-over on record.

    Args:
        lineage: of the state store.
        endpoint: the address of the account that the route should name (``live_account``), as the plan gives it; None: not known.
    """
    if found is None:
        return Agreement.GONE if move.ever_routed else Agreement.UNCLAIMED
    if found.lineage != lineage:
        return Agreement.OTHER_STORE
    if found.account != live_account(move):
        return Agreement.OTHER_ACCOUNT
    if not found.is_at(endpoint):
        return Agreement.OTHER_ADDRESS
    if found.epoch < move.epoch:
        return Agreement.OLDER_EPOCH
    return Agreement.STALE_FENCE if found.mode == READ_ONLY else Agreement.AGREES


def may_write(
    move: MoveRecord, found: RouteRecord | None, *, live: str, lineage: str, run: str, endpoint: str | None = None
) -> bool:
    """Is ``found`` what ``run`` has claimed, so that it may write to the account that the record does not name? Of a cut-over
    that is on record: its fence, or its switch. ``live``: the account that the record should name, at ``endpoint``."""
    epochs, intent = {move.epoch}, move.intent
    if intent is not None:
        epochs |= {intent.fence.epoch} | ({intent.switched.epoch} if intent.switched is not None else set())
    if found is None or found.epoch not in epochs or found.run != run:
        return False
    return (found.account, found.lineage) == (live, lineage) and found.is_at(endpoint)


def is_as_left(move: MoveRecord, found: RouteRecord | None, *, lineage: str, endpoint: str | None = None) -> bool:
    """Is ``found`` what this store knew last? Where it agrees under a later epoch, the route may have been elsewhere since."""
    if found is None or judge_route(move, found, lineage=lineage, endpoint=endpoint) is not Agreement.AGREES:
        return False
    return found.epoch == move.epoch


def is_own_old_fence(move: MoveRecord, found: RouteRecord, *, run: str, endpoint: str | None = None) -> bool:
    """Is ``found`` a fence that ``run`` had released before, put back by somebody (a copy of the document, say)? ``run`` holds
    the lock and has no cut-over on record, so nobody waits for that fence."""
    is_ours = (found.run, found.account, found.mode) == (run, live_account(move), READ_ONLY)
    return is_ours and found.epoch <= move.epoch and found.is_at(endpoint)


def in_words(move: MoveRecord, found: RouteRecord | None, agreement: Agreement, *, endpoint: str | None = None) -> str:
    """A disagreement as one clause."""
    match agreement:
        case Agreement.GONE:
            return "route and state disagree (its route record is gone)"
        case Agreement.OTHER_STORE:
            lineage = found.lineage if found else ""
            return f"route and state disagree (its route record belongs to another state store, {lineage})"
        case Agreement.OTHER_ADDRESS:
            account, address = (found.account, found.endpoint) if found else ("", "")
            instead = f" instead of {endpoint}" if endpoint else ""
            return (
                f"route and state disagree (the route names {account}, but sends its customers to {address}{instead})"
            )
        case Agreement.OTHER_ACCOUNT | Agreement.OLDER_EPOCH:
            says = f"{found.account}, {found.mode}, epoch {found.epoch}" if found else "nothing"
            expected = f"{live_account(move)}, epoch {move.epoch}"
            return f"route and state disagree (the route says {says}; this store knows {expected})"
        case Agreement.STALE_FENCE:
            return "the route is read-only and no cut-over is on record"
        case _:
            return "route and state agree"
