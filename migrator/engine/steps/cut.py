"""fencing, draining, verifying, switching: the cut-over.

Every failure in here is undone by one release (``engine.releasing.release``); no step of it is ever resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from functools import wraps
from typing import Any, TypeVar

from migrator.engine import enforcing
from migrator.engine.ahead import Ahead
from migrator.engine.mover import Do, Mover
from migrator.engine.releasing import after_switch, left_behind
from migrator.engine.rollcall import Roll
from migrator.engine.steps.carry import cut_over_waits, one_pass, some
from migrator.errors import CloudError, OutcomeUnknown, RouteChanged, Throttled, Unreachable
from migrator.machine.events import Event
from migrator.machine.waiting import words
from migrator.model.happenings.fences import (
    BarrierPassed,
    BarrierSkipped,
    Drained,
    FenceBegun,
    FollowersAwaited,
    Switched,
)
from migrator.model.happenings.happening import Journaled
from migrator.model.moves import Direction, RouteIntent
from migrator.model.routes import READ_ONLY
from migrator.model.units import show_duration
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.standing.inventory_notes import known_inventory
from migrator.transfer.result import Acted
from migrator.words.happenings import FENCE, how_proved, names, why_drain

T = TypeVar("T")


async def fence(mover: Mover) -> Event:
    intent = mover.record.intent
    assert intent is not None
    mover.fence_begun = mover.world.clock.monotonic()
    mover.tell(FenceBegun(intent.fence.epoch))
    known = known_inventory(mover.plan, mover.world.state)
    if known is not None and mover.shared.hands is not None:
        mover.shared.hands.expect_looks(known.objects)  # whoever looks after the drain begins to be ready now
    await mover.watch_fence(intent.before, intent.fence, enforcing.extra_seconds(mover))
    await _close(mover, intent)
    mover.with_event(epoch=intent.fence.epoch)
    return Event.FENCED


async def _close(mover: Mover, intent: RouteIntent) -> None:
    """A document that refuses is asked again, but not for long: the guardian counts from before."""
    until = mover.world.clock.monotonic() + mover.world.rhythm.guardian_margin_seconds / 2
    await mover.desk.change(mover.id, intent.before, intent.fence, until=until)


def tells_fence(ahead: Ahead) -> str:
    return f"{FENCE}: the route of {ahead.live} says read-only"


def guarded(step: Do) -> Do:
    """The step, given up with an error once nobody watches over its fence any more."""

    @wraps(step)
    async def with_guardian(mover: Mover) -> Event:
        if mover.world.guardian is None:
            return await step(mover)
        work = asyncio.ensure_future(step(mover))
        alarm = asyncio.create_task(mover.world.guardian.unwatched(str(mover.id)))
        try:
            await asyncio.wait({work, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            why = alarm.result()
        finally:
            for one in (work, alarm):
                one.cancel()
            await asyncio.gather(work, alarm, return_exceptions=True)
        raise CloudError(f"cannot go on with the fence of {mover.id}: no guardian watches over it any more ({why})")

    return with_guardian


@guarded
async def drain(mover: Mover) -> Event:
    """Wait, on a monotonic clock, until no lease given before the fence can still be writing: for as long as one may, or until
    all followers have said so. An enforced fence closes here, and takes its own time."""
    clock, calls = mover.world.clock, mover.shared.rolls
    begun = clock.monotonic()
    intent = mover.record.intent
    assert intent is not None
    closed_at = await enforcing.revoke(mover)
    drained_at = max(begun + mover.desk.drain_seconds, closed_at)
    calling, told = None, tuple[str, ...]()
    if calls.register is not None and mover.wave.cutover.fence == "route":  # policies bind writers whom no roll names
        calling = asyncio.create_task(calls.until_answered(mover.id, intent.fence.epoch, after=begun))
    try:
        while (left := drained_at - clock.monotonic()) > 0:
            if calling is not None and calling.done() and clock.monotonic() >= closed_at:
                break
            await _nap(clock, min(left, mover.world.rhythm.drain_look_seconds), calling)
            with suppress(Unreachable, Throttled):  # the claim asks again, patiently, before anything is written
                await mover.desk.record(mover.id, is_patient=False)
            mover.desk.require_closed(mover.id)
            if (
                calling is not None
                and not calling.done()
                and clock.monotonic() >= begun + mover.world.rhythm.roll_told_seconds
            ):
                told = _tell_awaited(mover, calls.roll(mover.id, intent.fence.epoch), told, drained_at)
        if calling is not None:
            roll = calling.result() if calling.done() else calls.roll(mover.id, intent.fence.epoch, asked_after=begun)
            mover.with_event(_drained(roll, clock.monotonic() - begun, is_called=calling.done()))
    finally:
        if calling is not None:
            calling.cancel()
            await asyncio.gather(calling, return_exceptions=True)
    return Event.DRAINED


async def _nap(clock: Clock, seconds: float, calling: asyncio.Task[Any] | None) -> None:
    """Sleep; no longer than until ``calling`` ends."""
    if calling is None or calling.done():
        await clock.sleep(seconds)
        return
    nap = asyncio.create_task(clock.sleep(seconds))
    try:
        await asyncio.wait({nap, calling}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        nap.cancel()
        await asyncio.gather(nap, return_exceptions=True)


def _tell_awaited(mover: Mover, roll: Roll, told: tuple[str, ...], drained_at: float) -> tuple[str, ...]:
    """Say whose answers the drain waits for, if that is not what was ``told``."""
    if roll.missing and roll.awaited != told:
        left = round(max(0.0, drained_at - mover.world.clock.monotonic()), 3)
        mover.tell(FollowersAwaited(roll.followers, roll.missing, roll.awaited, left))
    return roll.awaited


def _drained(roll: Roll, seconds: float, *, is_called: bool) -> Drained:
    answered = roll.followers - roll.missing
    return Drained(
        round(seconds, 3), is_called, roll.followers, answered, roll.awaited, "" if is_called else roll.why_not
    )


def tells_drain(ahead: Ahead) -> str:
    routing, is_enforced = ahead.schedule.routing, ahead.wave.cutover.fence == "access-policy"
    is_enforced = is_enforced and not ahead.record.is_abandoning
    seconds = routing.enforced_drain_seconds if is_enforced else routing.drain_seconds
    revoke = f"access policies of {ahead.live} refuse writes; " if is_enforced else ""
    if routing.protocol > 1 and not is_enforced:
        return f"until every follower has answered, or {show_duration(seconds)} {why_drain(is_enforced=False)}"
    return f"{revoke}{show_duration(seconds)} {why_drain(is_enforced=is_enforced)}"


@guarded
async def verify(mover: Mover) -> Event:
    """One pass over everything, which carries differences over, then passes over the ranges in which the one before acted, until
    one changes nothing: the barrier. Its verdict allows the switch. Nobody writes here any more but this move: what a pass left
    as it was stays so, and the look for stragglers after the switch sees the whole old side."""
    if mover.record.is_abandoning:
        _require_expired(mover)
        return await _proved(mover, BarrierSkipped(True, mover.record.dirty))
    clock, timeout = mover.world.clock, mover.wave.cutover.fence_timeout_seconds
    deadline = clock.monotonic() + timeout
    rhythm = mover.world.rhythm
    left, pause, waiting = rhythm.most_barrier_passes, rhythm.first_barrier_pause_seconds, ""
    after: Acted | None = None
    scanned = held = 0
    while True:
        result = await within(clock, deadline - clock.monotonic(), one_pass(mover, in_fence=True, after=after))
        if result is None:
            raise CloudError(
                f"cannot finish the fence of {mover.id} within fence_timeout ({timeout:.0f} s after the drain){waiting}",
                hint="writers continue at once; raise fence_timeout or the budget if this happens again",
            )
        _require_settled(mover)
        scanned, held = max(scanned, result.scanned), max(held, result.held)
        after = result.acted
        if result.is_proof:
            break
        if result.changes == result.waiting > 0:
            # Nothing but time cures these: the fence's own time is what is left.
            waiting = f", {result.waiting:,} objects are not there yet ({some(result)})"
            await clock.sleep(min(pause, max(0.0, deadline - clock.monotonic())))
            pause = min(2 * pause, rhythm.longest_barrier_pause_seconds)
            continue
        left -= 1
        if not left:
            named = f" ({some(result)})" if result.named else ""
            raise CloudError(f"cannot prove {mover.id} equal: every pass found new differences{named}")
    if waits := cut_over_waits(mover, begun=True):
        raise OutcomeUnknown(f"cannot switch {mover.id}: it is outside its time now and waits for {words(waits[0])}")
    return await _proved(mover, BarrierPassed(scanned, held, mover.wave.verify.content_share))


def tells_verify(ahead: Ahead) -> str:
    if ahead.record.is_abandoning:
        return f"not compared, {ahead.record.dirty}"
    timeout = show_duration(ahead.wave.cutover.fence_timeout_seconds)
    how = how_proved(ahead.wave.verify.content_share)
    return f"passes until one changes nothing: all objects proved equal ({how}) within {timeout}, or writers go on"


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T | None:
    """What ``work`` returns; None if it had not ended after ``seconds``: it is cut off then, and leaves a record of every write
    that nobody waits for any more."""
    task = asyncio.create_task(work)
    alarm = asyncio.create_task(clock.sleep(max(0.0, seconds)))
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, alarm):
            one.cancel()
        await asyncio.gather(task, alarm, return_exceptions=True)


def _require_settled(mover: Mover) -> None:
    if mover.world.state.outstanding(mover.id) or mover.transfer().unwritten:
        raise _unanswered(mover)


def _require_expired(mover: Mover) -> None:
    """No pass settles what was not answered: it is enough that it cannot be applied any more."""
    now = mover.world.clock.monotonic()
    left = [mover.waits.left(one, now) for one in mover.world.state.outstanding(mover.id)]
    if any(seconds > 0 for seconds in left) or mover.transfer().unwritten:
        raise _unanswered(mover)


def _unanswered(mover: Mover) -> OutcomeUnknown:
    return OutcomeUnknown(f"cannot finish the fence of {mover.id}: a write was not answered and may still be applied")


async def _proved(mover: Mover, barrier: Journaled) -> Event:
    """The fence is still ours: commit what the switch will write, then send it."""
    route = await mover.check_claim()
    intent = mover.record.intent
    assert intent is not None
    if route.mode != READ_ONLY or not route.same_authority(intent.fence):
        raise RouteChanged(f"cannot switch {mover.id}: its fence is gone from the route")
    account = mover.destination_name
    switched = mover.desk.switched(mover.id, route, account, mover.store(account).endpoint)
    mover.with_event(
        barrier,
        intent=replace(intent, fence=route, switched=switched),
    )
    return Event.PROVED


def tells_switch(ahead: Ahead) -> str:
    is_enforced = ahead.wave.cutover.fence == "access-policy" and not ahead.record.is_abandoning
    return names(ahead.destination) + (
        f"; access policies of {ahead.origin} stay as the fence made them" if is_enforced else ""
    )


async def switch(mover: Mover) -> Event:
    """The one atomic change of the route; after an unanswered one only a release tells what happened."""
    intent = mover.record.intent
    assert intent is not None
    assert intent.switched is not None
    # A release needs the same document: while the guardian is patient, asking again costs writers nothing.
    await mover.desk.change(mover.id, intent.fence, intent.switched, until=mover.fence_until)
    pause = round(mover.world.clock.monotonic() - mover.fence_begun, 3)
    switched = Switched(
        intent.switched.account, intent.switched.epoch, pause, is_back=mover.record.direction is Direction.REVERSE
    )
    mover.with_event(
        switched,
        *left_behind(mover),
        **after_switch(mover, switched),
    )
    return Event.SWITCHED
