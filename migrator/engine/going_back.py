"""Going back: the same pipeline the other way round, newest wave first; and ``retry``, the way out of halted and reversed.

Rules: a move that has not switched only stops; a fence that is still on record is never turned round in place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from migrator.engine import adopting, steps
from migrator.engine.fleet import Fleet
from migrator.engine.mover import ADOPT_HINT, Halt, Mover
from migrator.engine.steps import preflight
from migrator.engine.world import Outcome
from migrator.errors import UsageError
from migrator.machine.events import Event
from migrator.model.moves import Control, Direction, MoveState
from migrator.model.schedule import PlannedMove
from migrator.ports.state_store import AddJournal, SetControl

CONTROL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Abandon:
    """A person's word that the targets are given up."""

    reason: str
    who: str


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
    reason = value.get("abandon")
    abandon = Abandon(reason, control.who) if reason else None
    return await roll_back(fleet, scope, value.get("on_conflict"), f"asked for by {control.who}", abandon=abandon)


async def roll_back(
    fleet: Fleet, scope: Sequence[PlannedMove], on_conflict: str | None, why: str, *, abandon: Abandon | None = None
) -> Outcome:
    """Take the moves of ``scope`` back, one after the other; the first that needs a person ends it.

    Args:
        abandon: leave behind what was written at the targets since their switch; nothing is read from them.
    """
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
                return Outcome("halted", (f"{text}; {ADOPT_HINT}",))
            mover.happen(Event.ROLLED_BACK, reason=why)
        _leave_behind(mover, abandon)
        mover._claim_at = -1e9
        await mover.drive(steps.STEPS)
        if mover.record.state is MoveState.HALTED:
            return Outcome("halted", (f"{move.id} is halted: {mover.record.reason}",))
        reasons.append(
            f"{move.id} is back at {move.source}" + (f"; {mover.record.dirty}" if mover.record.dirty else "")
        )
    fleet.save_waves_of(scope)
    return Outcome("done", tuple(reasons))


def _leave_behind(mover: Mover, abandon: Abandon | None) -> None:
    """Write down, before the first step, whether this way back goes without the target; the last word counts."""
    record = mover.record
    if record.direction is Direction.FORWARD or record.is_abandoning == (abandon is not None):
        return
    if abandon is None:
        mover.save(replace(record, is_abandoning=False, dirty=""))
        return
    since = f"since {record.switched_at:%Y-%m-%d %H:%M:%S} UTC" if record.switched_at else "since the switch"
    dirty = f"what was written at {record.target} {since} was left behind ({abandon.reason})"
    note = mover.note("abandoned", f"{mover.id}: {dirty}", reason=abandon.reason, target=record.target)
    mover.save(replace(record, is_abandoning=True, dirty=dirty), AddJournal(replace(note.entry, actor=abandon.who)))
    mover.tell("warning", f"{mover.id}: {dirty}")


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
