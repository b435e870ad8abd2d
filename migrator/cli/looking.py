"""How a rollout stands now, for whoever shows it: the state store, and the routes where they alone know.

Decides when the routes are read: nobody is at work, and they alone say whether writers still wait or nothing is left to do.
Leaves the reading of the store to ``migrator.standing``. Rule: routes that do not answer soon are no fault of a look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from migrator.adapters.clock import SystemClock
from migrator.cli.agreeing import PATIENCE_SECONDS, read_routes
from migrator.cli.doors import Doors
from migrator.cli.identity import is_proven_dead
from migrator.cli.loading import KnownRollout
from migrator.cli.views.next_step import next_action
from migrator.engine.pulse import Pulse, is_beating
from migrator.errors import MigrateError
from migrator.model.routes import RouteDocument
from migrator.ports.register import Attendant
from migrator.standing.assess import assess, with_routes
from migrator.standing.followers import wants_roll, with_roll
from migrator.standing.next_step import Advice, next_step
from migrator.standing.values import Standing

_BY_ROUTES: Final = (Advice.NOTHING, Advice.BEGIN, Advice.BEGIN_AGAIN, Advice.BRING_OVER)
"""What is safe to do only if the customers are where the store says."""


def look(doors: Doors, rollout: KnownRollout, pulse: Pulse | None = None) -> tuple[Standing, str]:
    """How the rollout stands now, and the next safe action. ``pulse``: of whoever looks again and again."""
    store, beats = rollout.store, None
    lock = store.lock() if store is not None else None
    if store is not None and lock is not None:
        if pulse is not None:
            beats = pulse.beats(lock, datetime.now(UTC))
        else:  # watched for some seconds, where the age of the heartbeat says nothing
            beats = doors.run(is_beating(store, SystemClock(), is_proven_dead))
    standing = assess(
        rollout.name,
        schedule=rollout.schedule,
        store=store,
        now=datetime.now(UTC),
        is_dead=is_proven_dead,
        is_beating=beats,
    )
    if store is not None and not standing.is_at_work and rollout.schedule is not None:
        standing = _as_routed(doors, standing, store.lineage)
    if rollout.schedule is not None and rollout.schedule.routing.protocol > 1 and wants_roll(standing):
        standing = _with_followers(doors, standing)
    return standing, next_action(next_step(standing), rollout.call)


def _as_routed(doors: Doors, standing: Standing, lineage: str) -> Standing:
    """Nobody is at work, and the route alone knows whether writers of a fence that is on record still wait, or whether there is
    nothing to do because the customers are where this store says."""
    is_fenced = any(move.is_fenced for move in standing.moves)
    if not is_fenced and next_step(standing).advice not in _BY_ROUTES:
        return standing

    async def read() -> RouteDocument | None:
        async with asyncio.timeout(None if is_fenced else PATIENCE_SECONDS):
            return await read_routes(doors)

    try:
        return with_routes(standing, doors.run(read()), lineage=lineage)
    except (MigrateError, TimeoutError):
        return standing  # nobody knows, so they may wait


def _with_followers(doors: Doors, standing: Standing) -> Standing:
    """A fence is near or being drained: who of the followers is silent, or has not answered? Nobody knows: nothing is
    said."""

    async def read() -> Sequence[Attendant] | None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await doors.roll(await doors.routes())

    try:
        roll = doors.run(read())
    except (MigrateError, TimeoutError):
        return standing
    return standing if roll is None else with_roll(standing, roll)
