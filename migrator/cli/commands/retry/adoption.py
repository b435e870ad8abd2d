"""Before ``retry --adopt-route``: who wrote the routes, is that run still at work, and does a person want it.

Adopting takes the routes away from whoever holds them, and halts a run that is alive. A foreign run cannot be asked: its lock is
in another store. So its records are looked at twice, and judged by their change on our own clock (clocks of two machines need
not agree): one that changed has somebody at work. One that did not proves nothing - a run that soaks writes no route for hours
- and the person who answers the question is told so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Final

from migrator.cli import wiring
from migrator.cli.consent import require_consent, require_terminal
from migrator.cli.doors import Doors
from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.cli.views.figures import many
from migrator.cli.views.whereabouts import WRONG_STORE, lines
from migrator.cli.whereabouts import whereabouts
from migrator.errors import LockedError
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace
from migrator.standing.whereabouts import strangers

WATCH_SECONDS: Final = 5.0


def consent_to_adopt(doors: Doors, moves: Sequence[PlannedMove], settings: Settings, *, yes: bool) -> None:
    """Show whose routes would be taken, watch them, and ask.

    Raises:
        LockedError: a record of another store changed while it was watched.
        FindingsError: the answer was no.
        UsageError: nobody can be asked.
    """
    require_terminal(yes=yes, what="adopting routes")
    schedule = doors.schedule
    url = wiring.state_url(settings, schedule)
    document = _read(doors)
    if wiring.is_there(url):
        with closing(wiring.open_state_of(url, schedule.name)) as store:
            where, lineage = whereabouts(settings, schedule, store), store.lineage
            where = replace(where, strangers=strangers(schedule, document, store))
    else:
        where, lineage = whereabouts(settings, schedule, None), ""
        where = replace(where, strangers=strangers(schedule, document, None))
    for line in lines(where):
        show_note(line)
    if where.strangers:
        show_note(f"first {WRONG_STORE.partition('. ')[0]}")
    foreign = _foreign(document, moves, lineage)
    for key, record in foreign.items():
        show_note(
            f"{key}: {record.account}, {record.mode}, epoch {record.epoch}, written by run {record.run or 'unknown'} of store"
            f" {record.lineage} at {record.updated or 'an unknown time'}"
        )
    if foreign:
        show_note(f"watching these routes for {WATCH_SECONDS:g} s")
        time.sleep(WATCH_SECONDS)
        later = _foreign(_read(doors), moves, lineage)
        changed = sorted(key for key, record in foreign.items() if later.get(key) != record)
        if changed:
            raise LockedError(
                f"cannot adopt the routes: another run is at work, it wrote that of {', '.join(changed)} just now",
                hint="use its state store, or stop it first; then the same command again",
            )
        show_note(
            "none of them changed, which does not prove that their run has ended: one that soaks writes no route for hours"
        )
    whose = f" of {many(len(foreign), 'move')}, and halt the run that holds them," if foreign else ""
    require_consent(f"Take over the routes{whose} as the route document says?", yes=yes)


def _read(doors: Doors) -> RouteDocument | None:
    async def read() -> RouteDocument | None:
        return await doors.routes()

    return doors.run(read())


def _foreign(document: RouteDocument | None, moves: Sequence[PlannedMove], lineage: str) -> Mapping[str, RouteRecord]:
    """The records of ``moves`` that another store wrote."""
    routes = document.routes if document is not None else {}
    mine = {str(move.id) for move in moves}
    return {key: record for key, record in routes.items() if key in mine and record.lineage != lineage}
