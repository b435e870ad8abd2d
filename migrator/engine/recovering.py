"""The first act of every run: resolve each fence that an earlier run left open, then claim every record that was ever ours."""

from __future__ import annotations

from dataclasses import replace

from migrator.engine.fleet import Fleet
from migrator.engine.mover import Halt, Mover, finish_switch, release
from migrator.engine.steps import preflight
from migrator.errors import JudgementError, RouteDisagreement
from migrator.machine.events import Event
from migrator.machine.transitions import FENCE_STATES, is_allowed
from migrator.model.moves import MoveState
from migrator.model.routes import READ_WRITE


async def recover(fleet: Fleet) -> None:
    for move in fleet.schedule.moves:
        mover = fleet.mover(move)
        if mover.record.intent is not None:
            mover.tell("recovery", f"{move.id}: an earlier run ended in its fence; resolving that first")
            await _resolve(mover)
        if mover.record.ever_routed and mover.record.state not in (MoveState.HALTED, MoveState.REVERSED):
            await _claim(mover)


async def _claim(mover: Mover) -> None:
    try:
        await preflight.claim(mover)
    except Halt as halt:
        if not is_allowed(mover.record, Event.HALTED):
            raise JudgementError(halt.reason) from halt
        mover.happen(Event.HALTED, reason=halt.reason)


async def _resolve(mover: Mover) -> None:
    """An intent is on record: find out whether the switch happened; if not, release."""
    if mover.record.state in FENCE_STATES:
        try:
            await release(mover, "an earlier run ended in the fence")
        except RouteDisagreement as fault:
            mover.happen(Event.HALTED, reason=fault.message)
        return
    # A halt kept the intent because the route could not be explained or did not answer; look again.
    record, intent = mover.record, mover.record.intent
    found = await mover.shared.desk.record(mover.id)
    if found is None or intent is None:
        return
    if intent.switched is not None and found.same_authority(intent.switched):
        mover.record = replace(record, state=MoveState.SWITCHING, resume_from=None)
        finish_switch(mover, found, "found switched after a halt")
        return
    if found.same_authority(intent.fence):
        released = mover.shared.desk.released(found)
        await mover.shared.desk.change(mover.id, found, released)
        found = released
    if (found.account, found.lineage, found.mode) == (intent.before.account, intent.before.lineage, READ_WRITE):
        mover.save(replace(mover.record, intent=None, epoch=found.epoch))
