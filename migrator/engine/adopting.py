"""``retry --adopt-route``: the route document is right, and this state store learns from it.

The way out where route and state disagree: a store restored from a backup, a copied or a second store, a record edited by
hand. Writable at the source: the move catches up again. Writable at the target: it soaks again, from nothing. Read-only:
released first. Evidence stays, because it never ages; what it does not cover at the account that the route does not name is
foreign, and the next pass compares it: equal content is adopted, the rest is listed and left alone.

Rule: the record is swapped to this store's lineage and an epoch above everything known before the state is committed, so a
second run finds it and does the same again, and a fence, switch or claim of anybody else's is refused from then on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from migrator.engine.disagreement import unlike, why_not
from migrator.engine.fleet import Fleet
from migrator.engine.mover import Mover
from migrator.errors import JudgementError, OutcomeUnknown, RouteChanged, Unreachable
from migrator.machine.agreement import highest_epoch, live_account
from migrator.machine.events import Event
from migrator.machine.states import has_lost_source
from migrator.machine.transitions import is_allowed
from migrator.model.happenings.moves import RouteAdopted
from migrator.model.moves import MoveRecord
from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace
from migrator.transfer.halfway import settled_evidence


async def adopt(fleet: Fleet, scope: Sequence[PlannedMove], *, reason: str, who: str) -> list[PlannedMove]:
    """Adopt the route of every move of ``scope`` whose record disagrees with it; the moves that were adopted.

    Raises:
        JudgementError: a route names neither account of its move, or there is none; the earlier moves are adopted.
    """
    adopted = []
    for move in scope:
        mover = fleet.mover(move)
        if (why := disagreement(mover, await mover.desk.record(move.id))) is not None:
            if not is_allowed(mover.record, Event.ADOPTED_SOURCE):
                # It was put back to a moment before it first looked at the route, where no run has halted it for this.
                mover.happen(Event.HALTED, reason=why)
            await _adopt(mover, reason=reason, who=who)
            adopted.append(move)
    return adopted


def told(fleet: Fleet, adopted: Sequence[PlannedMove]) -> tuple[str, ...]:
    records = [fleet.mover(move).record for move in adopted]
    return tuple(f"{one.id} goes on from {one.state}: the route names {live_account(one)}" for one in records)


def disagreement(mover: Mover, found: RouteRecord | None) -> str | None:
    """Why the route, which was ``found`` just now, does not let the move go on, and what to do; None if it does. An unresolved
    cut-over counts: ``recovering`` has just tried to explain it."""
    return why_not(mover.record, found, lineage=mover.world.state.lineage, endpoint=mover.live_endpoint)


async def disagreements(fleet: Fleet, moves: Sequence[PlannedMove]) -> dict[MoveId, str]:
    """The same of all ``moves`` by one look, those alone that may not go on."""
    shared = fleet.shared
    routes = await shared.desks.routes() if moves else {}
    return unlike(
        [fleet.mover(move).record for move in moves],
        routes,
        lineage=shared.world.state.lineage,
        endpoint_of=lambda name: shared.stores[name].endpoint if name in shared.stores else None,
    )


async def _adopt(mover: Mover, *, reason: str, who: str) -> None:
    record = mover.record
    if has_lost_source(record.state):
        raise JudgementError(f"cannot adopt the route of {mover.id}: it is {record.state}, and its source data is gone")
    found, adopted = await _swap(mover)
    event = Event.ADOPTED_SOURCE if adopted.account == mover.plan.source else Event.ADOPTED_TARGET
    is_given_up = record.is_abandoning and event is Event.ADOPTED_SOURCE
    happened = RouteAdopted(adopted.account, reason, asdict(found), _known(record))
    mover.happen(
        event,
        mover.note(happened, actor=who),
        *(settled_evidence(mover.world.state, mover.id) if is_given_up else ()),
        intent=None,
        epoch=adopted.epoch,
        ever_routed=True,
        is_adopted=True,
        is_abandoning=False,
        dirty=record.dirty if event is Event.ADOPTED_SOURCE else "",
        switched_at=mover.world.clock.now() if event is Event.ADOPTED_TARGET else None,
        figures=replace(record.figures, passes=0, passes_behind=0, cancelled_fences=0, soak_seconds=0.0),
    )


async def _swap(mover: Mover) -> tuple[RouteRecord, RouteRecord]:
    """The record as it was found, and as it is now."""
    desk, rhythm = mover.desk, mover.world.rhythm
    for attempt in range(rhythm.adopt_attempts):
        found = await desk.record(mover.id)
        if found is None:
            least = highest_epoch(mover.record) + 1
            raise JudgementError(
                f"cannot adopt the route of {mover.id}: the route document has no record of it",
                hint=f"put one back that names the account its customers write to, with an epoch of {least}"
                " or more (migrate doctor shows the last one known), then the same command again",
            )
        _require_explicable(mover, found)
        adopted = desk.adopted(mover.id, found, epoch=highest_epoch(mover.record))
        try:
            await desk.change(mover.id, found, adopted)
            return found, adopted
        except (RouteChanged, OutcomeUnknown, Unreachable):
            if attempt == rhythm.adopt_attempts - 1:
                raise
        await mover.world.clock.sleep(rhythm.adopt_pause_seconds * mover.world.clock.random())
    raise AssertionError("unreachable")


def _require_explicable(mover: Mover, found: RouteRecord) -> None:
    accounts = (mover.plan.source, mover.plan.target)
    if found.account not in accounts:
        raise JudgementError(
            f"cannot adopt the route of {mover.id}: it names {found.account}, which is neither {accounts[0]} nor {accounts[1]}",
            hint="put right the record, or the plan",
        )
    endpoint = mover.store(found.account).endpoint
    if not found.is_at(endpoint):
        raise JudgementError(
            f"cannot adopt the route of {mover.id}: it names {found.account}, but sends its customers to {found.endpoint}"
            f" instead of {endpoint}",
            hint="find out where they write, and put right the record",
        )


def _known(record: MoveRecord) -> dict[str, object]:
    state = record.resume_from or record.state
    return {
        "account": live_account(record),
        "epoch": record.epoch,
        "state": str(state),
        "direction": str(record.direction),
    }
