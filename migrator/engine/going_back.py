"""Going back: the same pipeline the other way round, newest wave first; and ``retry``, the way out of halted and reversed.

Rules: a move that has not switched only stops; a fence that is still on record is never turned round in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from migrator.engine import adopting, steps
from migrator.engine.fleet import Fleet
from migrator.engine.mover import Halt
from migrator.engine.steps import preflight
from migrator.engine.world import Outcome
from migrator.errors import UsageError
from migrator.machine.events import Event
from migrator.model.moves import Control, Direction, MoveState
from migrator.model.schedule import PlannedMove
from migrator.ports.state_store import SetControl

CONTROL_SECONDS = 0.5


async def wished(fleet: Fleet) -> Control:
    """Wait until an operator asks the running apply to go back."""
    while True:
        for control in fleet.world.state.controls():
            if control.kind == "rollback":
                return control
        await fleet.world.clock.sleep(CONTROL_SECONDS)


async def steered(fleet: Fleet, control: Control) -> Outcome:
    """Take up the wish, once, and carry it out."""
    value = control.value
    fleet.commit(SetControl(replace(control, value={})))
    scope = fleet.in_scope(value.get("wave"), value.get("region"), value.get("area"))
    return await roll_back(fleet, scope, value.get("on_conflict"), f"asked for by {control.who}")


async def roll_back(fleet: Fleet, scope: Sequence[PlannedMove], on_conflict: str | None, why: str) -> Outcome:
    reasons: list[str] = []
    for move in scope:
        mover = fleet.mover(move)
        if mover.record.state in (MoveState.PENDING, MoveState.REVERSED):
            continue
        mover.on_conflict = on_conflict
        mover.is_patient = True
        mover._transfer = None
        if mover.record.direction is Direction.FORWARD or mover.record.state is MoveState.HALTED:
            try:
                if mover.record.ever_routed:
                    await preflight.claim(mover)
            except Halt as halt:
                return Outcome("halted", (halt.reason,))
            if mover.record.intent is not None:
                text = f"cannot roll back {move.id}: route and state disagree about a fence that is still on record"
                return Outcome("halted", (text,))
            mover.happen(Event.ROLLED_BACK, reason=why)
        mover._claim_at = -1e9
        await mover.drive(steps.STEPS)
        if mover.record.state is MoveState.HALTED:
            return Outcome("halted", (f"{move.id} is halted: {mover.record.reason}",))
        reasons.append(f"{move.id} is back at {move.source}")
    fleet.save_waves_of(scope)
    return Outcome("done", tuple(reasons))


async def retry(
    fleet: Fleet,
    scope: Sequence[PlannedMove],
    *,
    reason: str,
    who: str,
    accept_deletes: int | None = None,
    adopt_route: bool = False,
) -> Outcome:
    """Let halted and reversed moves go on with the next ``apply``; the outcome is halted if a route forbids that.

    Raises UsageError if the scope has nothing to retry.
    """
    adopted = await adopting.adopt(fleet, scope, reason=reason, who=who) if adopt_route else []
    reasons, refused = list(adopting.told(fleet, adopted)), []
    for move in scope:
        mover = fleet.mover(move)
        if mover.record.state not in (MoveState.HALTED, MoveState.REVERSED):
            continue
        if (why := await adopting.disagreement(mover)) is not None:
            refused.append(f"cannot retry {move.id}: {why}")
            continue
        figures = replace(mover.record.figures, passes=0, cancelled_fences=0)
        if accept_deletes is not None:
            figures = replace(figures, deletes_accepted=accept_deletes)
        text = f"{move.id}: retry asked for: {reason}"
        mover.happen(Event.RETRIED, fleet.journal("retry", text, wave=mover.wave.name, actor=who), figures=figures)
        reasons.append(f"{move.id} goes on from {mover.record.state}")
    fleet.save_waves_of(scope)
    if refused:
        return Outcome("halted", (*reasons, *refused))
    if not reasons:
        raise UsageError(
            "cannot retry: no move in that scope is halted or reversed"
            + (", and every route agrees with its state" if adopt_route else ""),
            hint="see migrate status",
        )
    return Outcome("done", tuple(reasons))
