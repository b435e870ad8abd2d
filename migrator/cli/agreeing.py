"""Before a command says that there is nothing to do: do the routes say so, too?

Decides when that is asked, and that the wrong state store is the first thing to think of. Leaves whether route and state disagree
to the law, and what a run does about it to the engine. Rules: nothing is written; while a run is at work it knows better, so
nothing is asked; a wish that was there already needs no network, so routes that do not answer soon are no fault there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from migrator.cli.doors import Doors
from migrator.cli.identity import is_proven_dead
from migrator.cli.loading import load_plan, state_of
from migrator.cli.settings import Settings
from migrator.cli.views.errors import show_note
from migrator.cli.views.figures import many
from migrator.cli.views.whereabouts import is_it_right
from migrator.cli.whereabouts import whereabouts
from migrator.engine import disagreement
from migrator.errors import CloudError, MigrateError, RouteDisagreement
from migrator.machine.liveness import is_alive
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId
from migrator.model.routes import RouteDocument
from migrator.model.schedule import PlannedMove

if TYPE_CHECKING:
    from migrator.ports.state_store import StateStore

PATIENCE_SECONDS: Final = 5.0
"""So long is waited for routes where the answer does not hang on them."""


async def read_routes(doors: Doors) -> RouteDocument | None:
    """The route document. MigrateError if it cannot be read."""
    return await doors.routes()


def unlike(
    doors: Doors, store: StateStore, document: RouteDocument | None, moves: Iterable[PlannedMove]
) -> dict[MoveId, str]:
    """Why moves may not go on whose route is not as ``store`` knows it; a cut-over on record is the next run's to resolve."""
    known = {record.id: record for record in store.moves()}
    records = [known.get(move.id) or MoveRecord(move.id, "", move.source, move.target) for move in moves]
    resolved = [record for record in records if record.intent is None]
    return disagreement.unlike(
        resolved,
        document.routes if document is not None else {},
        lineage=store.lineage,
        endpoint_of=lambda name: _address(doors, name),
    )


def _address(doors: Doors, account: str) -> str | None:
    try:
        return doors.account(account).endpoint
    except CloudError:
        return None


def require_agreement(
    doors: Doors, settings: Settings, store: StateStore, moves: Sequence[PlannedMove], *, what: str
) -> None:
    """``what`` names the command: "cannot roll back".

    Raises:
        RouteDisagreement: a route of ``moves`` is not as ``store`` knows it.
        MigrateError: the routes cannot be read, so nobody knows.
    """
    _refuse(unlike(doors, store, doors.run(read_routes(doors)), moves), doors, settings, store, what)


def look_at_routes(plan: Path, settings: Settings, *, what: str) -> None:
    """For a wish that changes nothing: is this the store of the run that it was meant for? Routes that do not answer are said.

    Raises:
        RouteDisagreement: a route of the plan is not as the store knows it.
    """
    schedule = load_plan(plan)
    with Doors(schedule) as doors, state_of(settings, schedule, create=False) as store:
        if is_alive(store.lock(), datetime.now(UTC), is_proven_dead):
            return
        try:
            document = doors.run(_soon(doors))
        except (MigrateError, TimeoutError) as fault:
            why = fault.message if isinstance(fault, MigrateError) else f"no answer within {PATIENCE_SECONDS:g} s"
            show_note(f"the routes could not be compared with {whereabouts(settings, schedule, store).place}: {why}")
            return
        _refuse(unlike(doors, store, document, schedule.moves), doors, settings, store, what)


async def _soon(doors: Doors) -> RouteDocument | None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await read_routes(doors)


def _refuse(found: Mapping[MoveId, str], doors: Doors, settings: Settings, store: StateStore, what: str) -> None:
    if not found:
        return
    where = whereabouts(settings, doors.schedule, store)
    first, why = next(iter(found.items()))
    more = f" (and {many(len(found) - 1, 'more move')})" if len(found) > 1 else ""
    reason, _, way_out = why.partition("; ")
    raise RouteDisagreement(f"{what} {first}: {reason}{more}", hint=f"{is_it_right(where)}; {way_out}")
