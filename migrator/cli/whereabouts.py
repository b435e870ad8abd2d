"""Which state store a command uses, and who named it.

A store that is not there, or that never saw the plan, looks like a rollout that has not begun. From another folder, from cron,
under another MIGRATE_STATE that is a false picture of a rollout at work; so the place is always said, and a store that knows
nothing of routes that another one wrote is first of all the wrong store.
"""

from __future__ import annotations

import os

from migrator.cli import wiring
from migrator.cli.doors import Doors
from migrator.cli.settings import Settings
from migrator.errors import MigrateError
from migrator.model.routes import RouteDocument
from migrator.model.schedule import Schedule
from migrator.ports.state_store import StateStore
from migrator.standing.whereabouts import Whereabouts, strangers


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


def strangers_now(doors: Doors, store: StateStore | None) -> tuple[str, ...]:
    """The same by a look at the routes; none where they cannot be read."""

    async def read() -> RouteDocument | None:
        return await doors.routes()

    try:
        return strangers(doors.schedule, doors.run(read()), store)
    except MigrateError:
        return ()
