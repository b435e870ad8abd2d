"""The runner: load, step, event, checkpoint, until the move rests; and what a step's end by an error leads to.

Leaves what a step does to ``steps/`` and what follows it to the law. Rule: an event is committed together with the figures,
the intent and the journal entry that belong to it, before the next step begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from migrator.engine import enforcing, releasing, stays
from migrator.engine.context import Halt, Stalled
from migrator.engine.mover import Do, Mover
from migrator.errors import (
    AccessRefused,
    CloudError,
    JudgementError,
    LockedError,
    MigrateError,
    NotFound,
    RouteDisagreement,
    StateError,
    StateUnusable,
    Unreachable,
)
from migrator.machine.events import Event
from migrator.machine.states import is_at_rest, is_hurried
from migrator.model import notes
from migrator.model.happenings.moves import FaultMet
from migrator.model.moves import Direction, MoveState
from migrator.standing.way_back import as_of


async def drive(
    mover: Mover, steps: Mapping[MoveState, Do], *, until: Callable[[MoveState], bool] = is_at_rest
) -> None:
    """Step until the move rests, or ``until`` is true of its state."""
    while not is_at_rest(mover.record.state) and not until(mover.record.state):
        await _step(mover, steps[mover.record.state])


async def _step(mover: Mover, step: Do) -> None:
    try:
        await mover.unpaused()
        mover.shared.session.check()
        event = await step(mover)
        changes, fields = mover.take_pending()
        # Inside a fence writers wait for it, so no longer than the session is good; a switch that was made stays made.
        hurries = is_hurried(mover.record.state)
        within = _session_seconds(mover) if hurries else mover.no_longer_than()
        full_within = 0.0 if hurries else within
        await mover.surely(lambda: mover.happen(event, *changes, **fields), within=within, full_within=full_within)
        mover.patience.over()
        if mover.record.revoked:
            await enforcing.restore(mover)
        if event is Event.SWITCHED:
            await mover.unwatch()  # last: should this process die before, its guardian puts back the policies
    except asyncio.CancelledError:
        if mover.record.intent is not None:
            await _release_on_the_way_out(mover)
        raise
    except LockedError:
        # Another run's business from now on: this one writes nothing down, and sends no more than a release.
        if mover.record.intent is not None:
            with suppress(MigrateError):
                await releasing.release(mover, "this run's lock is lost")
        raise
    except Halt as halt:
        await _stop(mover, halt.reason)
    except RouteDisagreement as fault:
        await _halt(mover, str(fault), **stays.ended(mover.record))
    except JudgementError as fault:
        await _stop(mover, str(fault))
    except MigrateError as fault:
        await _fail(mover, fault)


async def _stop(mover: Mover, reason: str) -> None:
    if mover.record.intent is not None and not await _released_or_halted(mover, reason):
        return
    await _halt(mover, reason)


async def _halt(mover: Mover, reason: str, **fields: Any) -> None:
    await mover.surely(lambda: mover.happen(Event.HALTED, reason=reason, **fields), within=mover.no_longer_than())


def _session_seconds(mover: Mover) -> float:
    return max(0.0, mover.shared.session.good_until - mover.world.clock.monotonic())


async def _fail(mover: Mover, fault: MigrateError) -> None:
    """An error is undone by a release while a fence is open. Elsewhere what passes by itself is waited out, and what needs
    a person halts the move and says why."""
    mover.take_pending()
    if isinstance(fault, StateError):
        mover.forget_transfer()  # what it knows may not be on record
    if mover.record.intent is None:
        if mover.patience.ends_in_halt(fault):
            if isinstance(fault, StateUnusable):
                raise fault  # no halt could be written down
            await _halt(mover, str(fault) + _way_without_target(mover, fault))
        elif not mover.is_patient:
            raise Stalled(f"{mover.id}: {fault}") from fault
        else:
            await mover.patience.wait_out(fault)
        return
    if not await _released_or_halted(mover, fault.message):
        return
    most = mover.world.rhythm.most_cancelled_fences
    if mover.record.figures.cancelled_fences >= most:
        await _halt(mover, f"{most} fences in a row were cancelled; the last: {fault.message}")


def _way_without_target(mover: Mover, fault: MigrateError) -> str:
    is_out_of_reach = isinstance(fault, (Unreachable, AccessRefused, NotFound))
    if mover.record.direction is Direction.FORWARD or not is_out_of_reach:
        return ""
    at = as_of(mover.record, mover.world.state.note(notes.warm(mover.id)))
    warm = f"; {mover.plan.source} has what was written there before {at:%Y-%m-%d %H:%M:%S} UTC" if at else ""
    return (
        f"; if {mover.plan.target} is lost for good: migrate rollback --abandon-target-writes --reason TEXT"
        f" goes back without it{warm}"
    )


async def _released_or_halted(mover: Mover, why: str) -> bool:
    """True once the fence is undone. A route that cannot be explained halts the move with its intent on record."""
    try:
        await releasing.release(mover, why)
    except RouteDisagreement as fault:
        await _halt(mover, str(fault))
        return False
    return True


async def _release_on_the_way_out(mover: Mover) -> None:
    """An interrupted run ends in any case; what it could not release, the guardian and the next run find on record."""
    mover.leave()
    try:
        await _released_or_halted(mover, "interrupted")
    except (CloudError, StateError) as fault:
        mover.tell(FaultMet(str(fault)))
