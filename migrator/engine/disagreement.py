"""Route and state disagree: what the route says, in words, and what an operator should do.

Leaves whether they disagree, and how, to the law (``machine.agreement``). Whoever says that there is nothing to do, or that it
is done, has asked here first: what a state store says of a move may be older than its route, or about another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from migrator.machine.agreement import Agreement, in_words, judge_route, live_account
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord

ADOPT_HINT = (
    "find out who wrote it (migrate doctor, migrate history); if the route document is right, tell this store so:"
    " migrate retry --adopt-route --reason TEXT"
)
"""What to do where route and state disagree."""
WRONG_STORE_HINT = (
    "this state store has never moved anything of it, so it is most likely the wrong one: use the store that did (the folder it"
    " was begun in, --state, MIGRATE_STATE); only if that one is lost: `migrate retry PLAN --adopt-route --reason TEXT`"
)
"""The same where the record is another store's and this one knows nothing: another folder, a cron line without one."""
ADDRESS_HINT = (
    "find out where they write, who wrote that address, and who may write the route document; put back the right one with a"
    " later epoch, then migrate retry --reason TEXT"
)


def why_not(record: MoveRecord, found: RouteRecord | None, *, lineage: str, endpoint: str | None = None) -> str | None:
    """Why the route, which was ``found`` just now, does not let the move go on, and what to do; None if it does. An unresolved
    cut-over counts: whoever asks knows that nobody is at work in it."""
    if record.intent is not None:
        return f"its last cut-over is unresolved (the route says {said(found)}); {ADOPT_HINT}"
    agreement = judge_route(record, found, lineage=lineage, endpoint=endpoint)
    if not agreement.is_disagreement:
        return None
    return f"{in_words(record, found, agreement, endpoint=endpoint)}; {hint_for(agreement, record)}"


def unlike(
    records: Iterable[MoveRecord],
    routes: Mapping[str, RouteRecord],
    *,
    lineage: str,
    endpoint_of: Callable[[str], str | None],
) -> dict[MoveId, str]:
    """``why_not`` of all ``records`` by one look, those alone that may not go on. ``endpoint_of``: an account's address, if it is
    known."""
    found: dict[MoveId, str] = {}
    for record in records:
        route, endpoint = routes.get(str(record.id)), endpoint_of(live_account(record))
        if (why := why_not(record, route, lineage=lineage, endpoint=endpoint)) is not None:
            found[record.id] = why
    return found


def hint_for(agreement: Agreement, record: MoveRecord) -> str:
    """What to do. An address is never adopted: the engine writes those that the plan gives."""
    if agreement is Agreement.OTHER_STORE and not record.ever_routed:
        return WRONG_STORE_HINT
    return ADDRESS_HINT if agreement is Agreement.OTHER_ADDRESS else ADOPT_HINT


def said(record: RouteRecord | None) -> str:
    """A record in a sentence."""
    return f"{record.account} at {record.endpoint}, {record.mode}, epoch {record.epoch}" if record else "nothing"
