"""The first record of every move, at its source, before any wave begins: so that applications can follow the route long before.

A client refuses a record that is missing, so an application that is deployed before its area has one would be down, and one that
is deployed after would not be fenced. Rules: all that are missing in a document are made in one swap; a move whose state ever had
one never gets another; a record that is there and not ours is left to the preflight of its own move, where a person decides. A
second run finds its own records and writes them down.
"""

from __future__ import annotations

from migrator.engine import stays
from migrator.engine.fleet import Fleet
from migrator.engine.mover import Mover
from migrator.errors import OutcomeUnknown, RouteChanged, Unreachable
from migrator.machine.agreement import Agreement, in_words, judge_route
from migrator.model.happenings.moves import RouteRefused
from migrator.model.happenings.rollouts import RoutesPublished
from migrator.model.moves import MoveState
from migrator.model.routes import RouteRecord
from migrator.model.values import replace
from migrator.ports.state_store import SaveMove


async def publish(fleet: Fleet) -> tuple[str, ...]:
    """Make the records that are missing; the moves whose record was made, ascending.

    Raises:
        CloudError, RouteChanged: the document does not answer, or others write it without a pause; nothing is known to be made.
    """
    waiting = {
        str(move.id): mover
        for move in fleet.schedule.moves
        if not (mover := fleet.mover(move)).record.ever_routed and mover.record.state is MoveState.PENDING
    }
    made: set[str] = set()
    most = fleet.world.rhythm.publish_attempts
    for attempt in range(most):
        if not waiting:
            return ()
        routes = await fleet.shared.desks.routes()
        made |= {key for key in waiting if key not in routes}
        first = {key: _first(waiting[key]) for key in sorted(waiting) if key not in routes}
        try:
            if first:
                await fleet.shared.desks.publish({waiting[key].id: record for key, record in first.items()})
        except (RouteChanged, OutcomeUnknown, Unreachable):
            if attempt == most - 1:
                raise
            continue  # read again: they may be there already
        return _written_down(fleet, waiting, {**routes, **first}, made)
    raise AssertionError("unreachable")


def _first(mover: Mover) -> RouteRecord:
    return mover.desk.first(mover.plan.source, mover.store(mover.plan.source).endpoint)


def _written_down(
    fleet: Fleet, waiting: dict[str, Mover], routes: dict[str, RouteRecord], made: set[str]
) -> tuple[str, ...]:
    ours = []
    for key, mover in waiting.items():
        found = routes[key]
        agreement = judge_route(mover.record, found, lineage=fleet.world.state.lineage, endpoint=mover.live_endpoint)
        if agreement.is_disagreement:
            made.discard(key)
            why = in_words(mover.record, found, agreement, endpoint=mover.live_endpoint)
            mover.tell(RouteRefused(why))
        elif agreement is not Agreement.UNCLAIMED:
            ours.append(mover)
    if not ours:
        return ()
    records = [replace(one.record, **stays.first(routes[str(one.id)].epoch)) for one in ours]
    names = sorted(str(one.id) for one in ours)
    published = RoutesPublished(tuple(names))
    fleet.commit(*map(SaveMove, records), fleet.journal(published))
    for mover, record in zip(ours, records, strict=True):
        mover.record = record
    fleet.tell(published)
    return tuple(sorted(made))
