"""The end of a cut-over that did not go its ordinary way: undone by one release, or found switched after all.

Leaves what a route may say to the law (``machine.release``). Rules: as long as writers may be blocked, trying on is right; a
route that the cut-over cannot have led to is left alone; a release that has begun comes to its end before its run does, and
before anybody else goes on with the move.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import datetime
from typing import Any

from migrator.engine import enforcing
from migrator.engine.disagreement import ADOPT_HINT, said
from migrator.engine.mover import Mover
from migrator.errors import CloudError, MigrateError, RouteChanged, RouteDisagreement
from migrator.machine.events import Event
from migrator.machine.release import Fate, explain, is_fence_by_hand
from migrator.model import notes
from migrator.model.happenings.fences import FenceOverdue, FenceReleased, Switched, WritersBlocked
from migrator.model.moves import Direction, Figures, RouteIntent
from migrator.model.routes import RouteRecord
from migrator.model.values import replace
from migrator.ports.state_store import Change, SetNote
from migrator.transfer.halfway import settled_evidence, settled_writes


async def release(mover: Mover, why: str) -> None:
    """Undo an open fence, or learn that the switch happened; leaves the move in catching-up (or halted, if it was) or past the
    switch. A second run finds the record released (epoch + 1, writable) and only writes that down. A caller that is cancelled
    meanwhile is so once it has ended.

    Raises:
        RouteDisagreement: the record cannot be explained by this cut-over; nothing was written.
        CloudError: the route document did not answer for ``release_seconds``; the fence stays on record.
        StateFull: the writers are free, and it cannot be written down.
    """
    if (intent := mover.record.intent) is not None:
        await _to_its_end(mover, _release(mover, intent, why))


async def _to_its_end(mover: Mover, work: Coroutine[Any, Any, None]) -> None:
    """What cancels the caller meanwhile is put off until ``work`` has ended, and meets it where it waits next."""
    task, is_cancelled = asyncio.create_task(work), False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            is_cancelled = True
            mover.leave()
    if is_cancelled and (caller := asyncio.current_task()) is not None:
        caller.cancel()
    task.result()


async def _release(mover: Mover, intent: RouteIntent, why: str) -> None:
    fate, found = await _undo(mover, intent)
    if fate is Fate.SWITCHED:
        switched = Switched(
            found.account, found.epoch, _pause_seconds(mover, intent), why, mover.record.direction is Direction.REVERSE
        )
        mover.tell(switched)  # customers are there, whether the store takes it or not
        await mover.surely(lambda: _finish_switch(mover, switched), within=mover.no_longer_than())
    else:
        f, pause = mover.record.figures, _pause_seconds(mover, intent, released_at=found.updated)
        figures = replace(f, cancelled_fences=f.cancelled_fences + 1, fence_seconds=pause)
        released = FenceReleased(found.account, found.epoch, why, pause)
        mover.tell(released)  # the writers are free, whether the store takes it or not
        # A full disk is not waited for: policies are still revoked, and the guardian puts them back when this run has ended.
        await mover.surely(lambda: _released(mover, released, figures), within=mover.no_longer_than(), full_within=0.0)
        if not mover.fence_begun:
            mover.desk.doubt(mover.id)
    mover.forget_claim()
    if mover.record.revoked:
        await enforcing.restore(mover)
    await mover.unwatch()  # last: should this process die before, its guardian puts the policies back


def _released(mover: Mover, released: FenceReleased, figures: Figures) -> None:
    mover.happen(
        Event.RELEASED,
        mover.note(released),
        reason=mover.record.reason,
        intent=None,
        epoch=released.epoch,
        figures=figures,
    )


async def _undo(mover: Mover, intent: RouteIntent) -> tuple[Fate, RouteRecord]:
    """Ask and swap until the record is a fence no more. As long as writers may be blocked, trying on is right, whatever the
    error: the guardian does the same beside us, and whoever is second finds the work done."""
    clock, desk, rhythm = mover.world.clock, mover.desk, mover.world.rhythm
    give_up, attempt, is_told = clock.monotonic() + rhythm.release_seconds, 0, False
    while True:
        try:
            found = (await desk.to_release()).get(str(mover.id))
            fate = explain(found, intent)
            if found is not None and is_fence_by_hand(found, intent, run=mover.shared.run.id):
                # Put back by hand, under an old epoch or a new one: nobody else would ever open it, and followers may have
                # seen our own.
                fate = Fate.FENCED
            if found is None or fate is Fate.UNEXPLAINED:
                raise RouteDisagreement(
                    f"cannot release {mover.id}: route and state disagree (the route says {said(found)}, which is neither"
                    f" the fence of epoch {intent.fence.epoch} nor what came before or after it)",
                    hint=ADOPT_HINT,
                )
            # Of a broken fence followers may have seen its epoch, or the next one, say something else: they obey a later one. A
            # record that another run has claimed since is that run's.
            is_in_doubt = desk.is_broken(mover.id) and found.run == intent.fence.run
            if fate is not Fate.FENCED and not (fate is Fate.RELEASED and is_in_doubt):
                return fate, found
            released = desk.released(mover.id, found, above=intent.fence.epoch)
            await desk.change(mover.id, found, released, is_release=True)
            return Fate.RELEASED, released
        except (RouteChanged, CloudError) as fault:
            gives_up = clock.monotonic() >= give_up
            if not is_told and (gives_up or _is_overdue(mover, intent)):
                is_told = True
                _tell_overdue(mover, intent)
            if gives_up:
                raise CloudError(
                    f"cannot release {mover.id}: the route document does not answer ({fault.message})",
                    hint="its writers stay blocked until it does; then migrate apply frees them first",
                ) from fault
            if attempt == rhythm.loud_attempts:
                mover.tell(WritersBlocked())
        backoff = rhythm.release_backoff_seconds
        await clock.sleep(backoff[min(attempt, len(backoff) - 1)] * (0.5 + clock.random()))
        attempt += 1


def _is_overdue(mover: Mover, intent: RouteIntent) -> bool:
    """Has the fence lasted longer than its drain and ``fence_timeout``?"""
    if mover.fence_begun:
        return mover.world.clock.monotonic() > mover.fence_until
    waited = _pause_seconds(mover, intent)
    return waited is not None and waited > mover.desk.drain_seconds + mover.wave.cutover.fence_timeout_seconds


def _tell_overdue(mover: Mover, intent: RouteIntent) -> None:
    """On record once for each fence, over restarts; a store that cannot be read or written now is no reason to stop
    trying."""
    overdue = FenceOverdue(intent.fence.epoch, _pause_seconds(mover, intent))
    try:
        if mover.world.state.note(notes.overdue(mover.id)) == overdue.epoch:
            return
        mover.commit(overdue, SetNote(notes.overdue(mover.id), overdue.epoch))
    except MigrateError:
        mover.tell(overdue)


def _pause_seconds(mover: Mover, intent: RouteIntent | None, *, released_at: str = "") -> float | None:
    """How long the fence that ends now kept writers waiting: by our own clock, or, if an earlier process sent it, by the times
    in the records.

    Args:
        released_at: of the record that released it. The guardian of a dead run does so within seconds, and the next run may
            learn of it a day later; without it, writers waited until now.
    """
    if mover.fence_begun:
        return round(mover.world.clock.monotonic() - mover.fence_begun, 3)
    begun = _moment(intent.fence.updated) if intent is not None else None
    if begun is None:
        return None
    now = mover.world.clock.now()
    return round(max(0.0, (min(now, _moment(released_at) or now) - begun).total_seconds()), 3)


def _moment(text: str) -> datetime | None:
    """None for what is no moment, or one that does not say where: such records may have been written by hand."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else None


def left_behind(mover: Mover) -> list[Change]:
    """What to commit with a switch that leaves the target as it is: what was under way to the source is on the list."""
    if not mover.record.is_abandoning:
        return []
    state = mover.world.state
    return [*settled_evidence(state, mover.id), *settled_writes(state, mover.id)]


def _finish_switch(mover: Mover, switched: Switched) -> None:
    """The route names the destination: write that down. From ``switching`` only."""
    mover.happen(Event.SWITCHED, mover.note(switched), *left_behind(mover), **after_switch(mover, switched))


def after_switch(mover: Mover, switched: Switched) -> dict[str, Any]:
    """The fields of a move whose route names the destination from now on. What was left behind: a proved way forward ends
    that, a way back ends the leaving itself."""
    record = mover.record
    return {
        "intent": None,
        "epoch": switched.epoch,
        "is_abandoning": False,
        "dirty": "" if record.direction is Direction.FORWARD else record.dirty,
        "switched_at": mover.world.clock.now(),
        "figures": replace(
            record.figures,
            fence_seconds=switched.fence_seconds,
            cancelled_fences=0,
            soak_seconds=0.0,
            lag_objects=0,
            lag_bytes=0,
        ),
    }
