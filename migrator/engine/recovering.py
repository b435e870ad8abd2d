"""The first act of every run: free writers from fences that nobody knows of, resolve each fence that an earlier run left open,
then claim every record that was ever ours."""

from __future__ import annotations

from contextlib import suppress

from migrator.engine import adopting, enforcing, stays
from migrator.engine.context import Halt
from migrator.engine.fleet import Fleet
from migrator.engine.mover import Mover
from migrator.engine.releasing import release
from migrator.engine.steps import preflight
from migrator.errors import JudgementError, RouteChanged, RouteDisagreement
from migrator.machine.agreement import highest_epoch
from migrator.machine.events import Event
from migrator.machine.release import Fate, explain
from migrator.machine.states import has_stopped, holds_claim
from migrator.machine.transitions import is_allowed
from migrator.model.happenings.fences import FenceLeft, UnknownFenceReleased
from migrator.model.moves import MoveState
from migrator.model.routes import READ_ONLY
from migrator.model.values import replace


async def recover(fleet: Fleet) -> None:
    await _free_writers(fleet)
    for move in fleet.schedule.moves:
        mover = fleet.mover(move)
        if mover.record.intent is not None:
            mover.tell(FenceLeft())
            await resolve(mover)
    for move in fleet.schedule.moves:  # a claim needs the whole document; nobody's writers wait for that
        mover = fleet.mover(move)
        if mover.record.ever_routed and holds_claim(mover.record.state):
            before = mover.record.state
            await _claim(mover)
            if mover.record.state is not before:
                fleet.save_waves_of([move])
        await _put_back(mover)
    stopped = [move for move in fleet.schedule.moves if has_stopped(fleet.mover(move).record.state)]
    fleet.disagreements = await adopting.disagreements(
        fleet, stopped
    )  # nothing claims these, and their way out depends on it


async def _free_writers(fleet: Fleet) -> None:
    """Release every fence of this store's lineage that no cut-over on record explains: a store put back from a backup does not
    know the fences of its own future, and nobody else would ever release them. The account stays the same, a late switch out
    of such a fence is refused, and whether route and state agree is the claim's question."""
    lineage = fleet.world.state.lineage
    routes = await fleet.shared.desks.to_release(is_patient=True)
    for move in fleet.schedule.moves:
        desk = fleet.shared.desks.of(move.id)
        found, intent = routes.get(str(move.id)), fleet.mover(move).record.intent
        record = fleet.mover(move).record
        is_ours = found is not None and found.mode == READ_ONLY and found.lineage == lineage
        if not is_ours or found is None or (intent and explain(found, intent) is not Fate.UNEXPLAINED):
            continue
        if not found.is_at(desk.address_of(found.account)):
            continue  # released, it would send writers to an address that nobody here knows
        with suppress(RouteChanged):  # somebody released it first
            released = desk.released(move.id, found, above=highest_epoch(record))
            until = fleet.world.clock.monotonic() + fleet.world.rhythm.read_seconds
            await desk.change(move.id, found, released, is_release=True, until=until)
            fleet.say(UnknownFenceReleased(found.account, found.epoch), move=move.id)


async def _put_back(mover: Mover) -> None:
    """An earlier run died with policies of the live account revoked."""
    if mover.record.revoked and mover.record.intent is None:
        await enforcing.restore(mover)


async def _claim(mover: Mover) -> None:
    try:
        await preflight.claim(mover)
    except Halt as halt:
        if not is_allowed(mover.record, Event.HALTED):
            raise JudgementError(halt.reason) from halt
        mover.happen(Event.HALTED, reason=halt.reason, **stays.ended(mover.record))


async def resolve(mover: Mover) -> None:
    """A cut-over is on record whose end is not: release its fence, or write down that the switch happened.

    Also for a move that halted with its cut-over on record: the route could not be explained then, perhaps it can now. If it
    cannot, nothing is written and the move halts, or stays so. CloudError: the route document does not answer.
    """
    try:
        await release(mover, "an earlier run ended in the fence")
    except RouteDisagreement as fault:
        if mover.record.state is not MoveState.HALTED:
            mover.happen(Event.HALTED, reason=str(fault))
        elif mover.record.reason != str(fault):
            mover.save(replace(mover.record, reason=str(fault)))
