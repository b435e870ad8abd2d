"""Which state store a command uses, who named it, and whether it is the one that moved this plan's data.

A store that is not there, or that never saw the plan, looks like a rollout that has not begun. From another folder, from cron,
under another MIGRATE_STATE that is a false picture of a rollout at work; so the place is always said, and a store that knows
nothing of routes that another one wrote is first of all the wrong store.
"""

from __future__ import annotations

import os
from typing import Any, Final

from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.cli.settings import Settings
from migrator.errors import MigrateError
from migrator.machine.agreement import Agreement, judge_route
from migrator.model.moves import MoveRecord
from migrator.model.routes import RouteDocument
from migrator.model.schedule import Schedule
from migrator.model.values import value
from migrator.ports.state_store import StateStore

WRONG_STORE: Final = (
    "find the state store that moved them: it is in the folder where the plan was first applied, or what --state or MIGRATE_STATE"
    " named there. Only if it is lost: `migrate retry PLAN --adopt-route --reason TEXT`"
)


@value(frozen=True, slots=True)
class Whereabouts:
    """``place``: a file's absolute path, or a URL without password. ``strangers``: moves whose routes another store wrote."""

    place: str
    named_by: str
    knows_plan: bool
    strangers: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """For people, the most important first."""
        found = [f"State: {self.place} ({self.named_by})."]
        if self.strangers:
            some = ", ".join(self.strangers[:3]) + (" ..." if len(self.strangers) > 3 else "")
            return [f"The wrong state store? Another one has written the routes of {some}.", *found]
        if not self.knows_plan:
            found.append("This store has never seen this plan.")
        return found

    def document(self) -> dict[str, Any]:
        return {
            "store": self.place,
            "named_by": self.named_by,
            "knows_plan": self.knows_plan,
            "strangers": list(self.strangers),
        }


def whereabouts(settings: Settings, schedule: Schedule | None, store: StateStore | None) -> Whereabouts:
    """Of the store that ``settings`` and the plan name; ``store``: opened, or None or one in memory where there is none."""
    url = wiring.state_url(settings, schedule)
    if settings.state:
        named_by = "by --state"
    elif os.environ.get(wiring.STATE_VARIABLE):
        named_by = f"by {wiring.STATE_VARIABLE}"
    elif schedule is not None and schedule.state_url:
        named_by = "by the plan"
    else:
        named_by = "the default in this folder"
    knows = store is not None and store.plan() is not None
    return Whereabouts(wiring.place_of_state(url), named_by, knows)


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


def strangers_now(doors: Doors, store: StateStore | None) -> tuple[str, ...]:
    """The same by a look at the routes; none where they cannot be read."""

    async def read() -> RouteDocument | None:
        return (await doors.router().read()).document

    try:
        return strangers(doors.schedule, doors.run(read()), store)
    except MigrateError:
        return ()
