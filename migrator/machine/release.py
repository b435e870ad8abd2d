"""Whether a fence may be released, and to what; and what became of a cut-over whose outcome is not known.

The law of one swap, for everybody who may try it: the engine, the operator, the guardian. Rule: only the fence itself, or the
record before it, is ever changed; any other record says that a switch, another release or a stranger was first, and is left
alone. Trying again is always safe, because a release changes the epoch.
"""

from __future__ import annotations

from enum import StrEnum

from migrator.model.moves import RouteIntent
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteRecord
from migrator.model.values import replace


def decide_release(current: RouteRecord | None, before: RouteRecord, fence: RouteRecord) -> RouteRecord | None:
    """The record to put in place of exactly ``current``; None to leave it alone.

    The same account becomes writable again under the epoch after the fence's. That is done to the record before the fence too: a
    fence which is still under way then finds another record and is refused, and if the record was put back by hand, followers
    have seen the fence's epoch say something else.

    Args:
        current: what the route document says now; None where it has no such record.
    Returns:
        A record that keeps ``run`` and ``updated`` of ``current``; the caller may set them. Its endpoint is the fence's, which
        an engine wrote.
    """
    if current is None or not (current.same_authority(fence) or current.same_authority(before)):
        return None
    return replace(current, endpoint=fence.endpoint, mode=READ_WRITE, epoch=fence.epoch + 1, look_seconds=None)


class Fate(StrEnum):
    """What a route record says about a cut-over that was begun."""

    FENCED = "fenced"
    """Its own fence, or the record before it (a late fence must then be refused): release."""
    RELEASED = "released"
    """Somebody released it already: writable at the same account, under a later epoch."""
    SWITCHED = "switched"
    """The switch was sent, and it happened."""
    UNEXPLAINED = "unexplained"
    """No record, or one that this cut-over cannot have led to: a person must look."""


def explain(current: RouteRecord | None, intent: RouteIntent) -> Fate:
    """What became of the cut-over of ``intent``, given the record the route document has now."""
    before = intent.before
    if current is None:
        return Fate.UNEXPLAINED
    if current.same_authority(intent.switched):
        return Fate.SWITCHED
    if decide_release(current, before, intent.fence) is not None:
        return Fate.FENCED
    is_later = current.mode == READ_WRITE and current.epoch > before.epoch
    is_there = (current.account, current.lineage) == (before.account, before.lineage) and current.is_at(before.endpoint)
    if is_later and is_there:
        return Fate.RELEASED
    return Fate.UNEXPLAINED


def is_fence_by_hand(current: RouteRecord, intent: RouteIntent, *, run: str) -> bool:
    """Is ``current`` read-only because somebody wrote it so: an earlier fence of ``run`` from an old copy, or the fence of
    ``intent`` again, under another epoch? ``run`` is inside that cut-over and has sent no switch, so nobody waits for another
    fence than its own, which a release undoes too."""
    before = intent.before
    is_ours = (current.run, current.account, current.lineage) == (run, before.account, before.lineage)
    return is_ours and current.mode == READ_ONLY and current.is_at(before.endpoint) and intent.switched is None


def is_fence_of(fence: RouteRecord, before: RouteRecord) -> bool:
    """Is ``fence`` the fence of ``before``: read-only, a later epoch, everything else the same? Not always the next one: epochs
    that were seen in between, in a record that somebody put back, are stepped over."""
    is_later = before.mode == READ_WRITE and fence.epoch > before.epoch
    return is_later and fence.same_authority(replace(before, mode=READ_ONLY, epoch=fence.epoch))
