"""Before a fence: its followers are told that it is near, so that they see it within a second and not within half their ttl.

Decides how long a fence had better wait so that its drain is short: until all of its followers look often, and until no lease is
left of before they had to enter the register. Writers go on meanwhile. Leaves what a roll tells to ``rollcall``. Rules: it waits
once for each time in ``ready``, whatever comes between; it does not wait where somebody is silent, for then the drain is as long
as ever; nothing but the length of a drain depends on it.
"""

from __future__ import annotations

import math
from contextlib import suppress

from migrator.engine.context import Near
from migrator.engine.mover import Mover
from migrator.errors import CloudError, RouteChanged


async def seconds_to_fence(mover: Mover) -> float:
    """How much longer it had better wait; at most 0: not at all.

    Raises:
        RouteDisagreement: the route is not this move's; what comes next would say so too.
    """
    calls, rhythm, now = mover.shared.rolls, mover.world.rhythm, mover.world.clock.monotonic()
    if calls.register is None:
        return 0.0
    roll, all_entered_at = calls.roll(mover.id), calls.desk.all_entered_at
    if mover.near is None:
        if roll.silent or not math.isfinite(all_entered_at):
            return 0.0
        mover.near = Near(max(now, all_entered_at))
    near, lead = mover.near, calls.desk.ttl_seconds / 2 + rhythm.near_margin_seconds
    if near.until <= now + lead and near.told_at + rhythm.near_again_seconds <= now and roll.followers:
        if near.told_at == -math.inf:
            near.until = max(near.until, now + lead)
        near.told_at = now
        await _tell(mover, roll.followers)
    return near.until - mover.world.clock.monotonic()


async def _tell(mover: Mover, followers: int) -> None:
    """Another number of seconds than the last time: followers obey the same one for ten minutes only."""
    desk, rhythm = mover.desk, mover.world.rhythm
    found = await mover.check_claim()
    seconds = max(rhythm.near_look_seconds, followers / rhythm.near_reads_per_second)
    if found.look_seconds is not None and abs(found.look_seconds - seconds) < 0.001:
        seconds += 0.01
    with suppress(RouteChanged, CloudError):
        await desk.change(mover.id, found, desk.announced(found, seconds))
