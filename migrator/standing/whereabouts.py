"""Which state store it is that a command reads, and whether it is the one that moved this plan's data.

Decides who the strangers are: moves that this store never routed, and whose record another one wrote. Leaves who named the store
to the command line. A store that knows nothing of routes that another one wrote is first of all the wrong store.
"""

from __future__ import annotations

from migrator.machine.agreement import Agreement, judge_route
from migrator.model.moves import MoveRecord
from migrator.model.routes import RouteDocument
from migrator.model.schedule import Schedule
from migrator.model.values import value
from migrator.ports.state_store import StateStore


@value(frozen=True, slots=True)
class Whereabouts:
    """``place``: a file's absolute path, or a URL without password. ``strangers``: moves whose routes another store wrote."""

    place: str
    named_by: str
    knows_plan: bool
    strangers: tuple[str, ...] = ()


def strangers(schedule: Schedule, document: RouteDocument | None, store: StateStore | None) -> tuple[str, ...]:
    """Moves that this store never routed, and whose record belongs to another one."""
    known = {} if store is None else {record.id: record for record in store.moves()}
    lineage = "" if store is None else store.lineage
    found = []
    for planned in schedule.moves:
        record = known.get(planned.id) or MoveRecord(planned.id, "", planned.source, planned.target)
        route = document.routes.get(str(planned.id)) if document is not None else None
        if not record.ever_routed and judge_route(record, route, lineage=lineage) is Agreement.OTHER_STORE:
            found.append(str(planned.id))
    return tuple(found)
