"""The first act of every run: resolve each fence that an earlier run left open, then claim every record that was ever ours."""

from __future__ import annotations

from dataclasses import replace

from migrator.engine.fleet import Fleet
from migrator.engine.mover import Halt, Mover, release
from migrator.engine.steps import preflight
from migrator.errors import JudgementError, RouteDisagreement
from migrator.machine.events import Event
from migrator.machine.transitions import is_allowed
from migrator.model.moves import MoveState


async def recover(fleet: Fleet) -> None:
    for move in fleet.schedule.moves:
        mover = fleet.mover(move)
        if mover.record.intent is not None:
            mover.tell("recovery", f"{move.id}: an earlier run ended in its fence; resolving that first")
            await resolve(mover)
        if mover.record.ever_routed and mover.record.state not in (MoveState.HALTED, MoveState.REVERSED):
            await _claim(mover)


async def _claim(mover: Mover) -> None:
    try:
        await preflight.claim(mover)
    except Halt as halt:
        if not is_allowed(mover.record, Event.HALTED):
            raise JudgementError(halt.reason) from halt
        mover.happen(Event.HALTED, reason=halt.reason)


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
