"""Route and state disagree: what the route says, in words, and what an operator should do.

Leaves whether they disagree, and how, to the law (``machine.agreement``).
"""

from __future__ import annotations

from migrator.machine.agreement import Agreement
from migrator.model.moves import MoveRecord
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


def hint_for(agreement: Agreement, record: MoveRecord) -> str:
    """What to do. An address is never adopted: the engine writes those that the plan gives."""
    if agreement is Agreement.OTHER_STORE and not record.ever_routed:
        return WRONG_STORE_HINT
    return ADDRESS_HINT if agreement is Agreement.OTHER_ADDRESS else ADOPT_HINT


def said(record: RouteRecord | None) -> str:
    """A record in a sentence."""
    return f"{record.account} at {record.endpoint}, {record.mode}, epoch {record.epoch}" if record else "nothing"
