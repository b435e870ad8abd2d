"""Whole containers of the account that customers use: are they all there, and what a person said of those that are not.

Decides when they are looked at: in each round of a soak, and before a way back takes its first step. Leaves what counts as
lost to ``transfer.containers``, and what a pass makes of it to ``transfer.deletes``. Rule: what was lost by accident is nobody's
delete, and a way back that does not know that is worse than none.
"""

from __future__ import annotations

from collections.abc import Sequence

from migrator.engine.fleet import Fleet
from migrator.engine.mover import Mover
from migrator.errors import CloudError, UsageError
from migrator.machine.events import Event
from migrator.machine.transitions import live_side
from migrator.model.happenings.moves import ContainersAccepted
from migrator.model.moves import Direction, MoveState
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace
from migrator.transfer import containers


def live_account(mover: Mover) -> str:
    """Its name in the plan."""
    return mover.plan.source if live_side(mover.record) == "source" else mover.plan.target


async def lost_containers(mover: Mover) -> list[str]:
    """What the live account had and has no more, and that no person spoke of. CloudError: it cannot be listed."""
    state, store, is_source = mover.world.state, mover.store(live_account(mover)), live_side(mover.record) == "source"
    present = await store.containers()
    if over := containers.void(state, mover.id, store.account, containers.etags(present)):
        mover.commit(*over)
    return await containers.lost(state, mover.id, mover.plan.area, store, present, is_source=is_source)


def way_out(mover: Mover, lost: Sequence[str]) -> str:
    """What a person does about it."""
    live = live_account(mover)
    other = mover.plan.target if live == mover.plan.source else mover.plan.source
    way = Direction.REVERSE if live == mover.plan.target else Direction.FORWARD
    return containers.way_out(lost, live, other, way)


async def halted_before_going_back(mover: Mover) -> str:
    """Before the first step of a way back: why it must not be begun, once the move is halted for that; "" if it may.

    An account that cannot be listed is left to the passes of the way back, which conclude nothing from it.
    """
    if live_side(mover.record) == "source" or mover.record.intent is not None:
        return ""
    try:
        lost = await lost_containers(mover)
    except CloudError:
        return ""
    if not lost:
        return ""
    told = containers.in_words(lost, live_account(mover))
    reason = f"cannot go back with {mover.id}: {told}; nothing was begun; {way_out(mover, lost)}"
    if mover.record.state is MoveState.HALTED:
        mover.save(replace(mover.record, reason=reason))
    else:
        mover.happen(Event.HALTED, reason=reason)
    return reason


async def accept(
    fleet: Fleet, scope: Sequence[PlannedMove], names: Sequence[str], *, reason: str, who: str
) -> list[str]:
    """Put on record that customers dropped these containers of the live accounts; one sentence for each move they belong to.

    Raises:
        UsageError: a name belongs to no move of ``scope``, or is not lost; nothing was written for the moves that follow.
        CloudError: an account cannot be listed.
    """
    for name in names:
        if not any(move.area.prefixes_in(name) for move in scope):
            raise UsageError(
                f"cannot accept that container {name} is gone: no move in that scope has one of that name",
                hint="see migrate status for what is missing",
            )
    told = []
    for move in scope:
        mine = sorted({name for name in names if move.area.prefixes_in(name)})
        if not mine:
            continue
        mover = fleet.mover(move)
        live = live_account(mover)
        lost = await lost_containers(mover)
        if there := [name for name in mine if name not in lost]:
            raise UsageError(
                f"cannot accept that container {', '.join(there)} is gone: {live} has it, with what was in it",
                hint=f"migrate retry without it lets {move.id} go on",
            )
        present = containers.etags(await mover.store(live).containers())
        note = containers.accept(fleet.world.state, move.id, live, mine, present)
        fleet.commit(note, mover.note(ContainersAccepted(live, tuple(mine), reason), actor=who))
        told.append(f"{move.id}: {live} may be without {', '.join(mine)}")
    return told
