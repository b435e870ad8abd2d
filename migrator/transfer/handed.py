"""Lanes that other hands look at: which ones go out, and what their answers may be taken for.

Decides whether an answer is whole: each record of each range is accounted for, names rise within the bounds of theirs, and what
was at rest is at rest by the very evidence that is stored. Anything less is no answer, and the lane is walked here, as if nobody
had looked. Leaves the look to ``looking``, handing out to ``hands``, and all that is made of names to ``walk`` and ``verify``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import pairwise

from migrator.model.looks import LaneLooked, LaneToLook, RangeLooked, RangeToLook, Rule, SideLooked, Sight
from migrator.model.moves import Direction, EvidenceRange
from migrator.model.objects import LIST_PAGE
from migrator.model.rhythm import Sizes
from migrator.model.values import value
from migrator.ports.object_store import ObjectStore
from migrator.transfer.evidence import RECORD_BYTES, Evidence, name_hash
from migrator.transfer.hands import SPARE_PAGES, Hands
from migrator.transfer.joining import Pair
from migrator.transfer.lanes import Lane, LaneSeen
from migrator.transfer.listing import SeenSide
from migrator.transfer.order import key_of
from migrator.transfer.paced import PacedStore
from migrator.transfer.sights import digest_of


@value(frozen=True, slots=True)
class RangeFound:
    """A range of a lane that was looked at. ``pairs``: the names of which something is to be said; of all others the evidence
    holds good, but for the records ``unshown``. ``sight``: what it looks like, if all of it is at rest."""

    above: bytes | None
    at: EvidenceRange
    pairs: list[Pair]
    unshown: frozenset[int]
    sight: Sight | None
    at_rest: int

    @property
    def is_at_rest(self) -> bool:
        return not self.pairs and not self.unshown


@value(frozen=True, slots=True)
class Handed:
    """All of a lane, as both listings showed it to the hand that looked."""

    seen: LaneSeen
    ranges: tuple[RangeFound, ...]


@value(frozen=True, slots=True)
class Asking:
    """How lanes of one container are looked at: everything that is the same for all of them. ``share`` as in ``LaneToLook``."""

    rule: Rule
    direction: Direction
    sizes: Sizes
    page_size: int = LIST_PAGE
    share: float = 0.0
    spoken_of: Sequence[bytes] = ()


def is_worth_it(lane: Lane, sizes: Sizes) -> bool:
    """Has it as many names as are worth another process, and no more than one answer may be about?"""
    return lane.order != "sorted" and sizes.handed_least <= lane.records <= 2 * sizes.handed_most


async def look(
    hands: Hands | None,
    ends: tuple[ObjectStore, ObjectStore],
    lane: Lane,
    ranges: Iterable[RangeToLook],
    asking: Asking,
) -> Handed | None:
    """Have ``lane`` looked at; ``ends`` are the side that is the truth, and the other one. None: look yourself."""
    origin, destination = ends
    if hands is None or not isinstance(origin, PacedStore) or not isinstance(destination, PacedStore):
        return None
    if lane.order == "sorted" or not is_worth_it(lane, asking.sizes) or not hands.expect_looks(lane.records):
        return None
    order, sizes = lane.order, asking.sizes
    begin = 0 if lane.above is None else bisect_right(asking.spoken_of, lane.above)
    end = len(asking.spoken_of) if lane.upto is None else bisect_right(asking.spoken_of, lane.upto)
    asked = LaneToLook(
        number=0,
        rule=asking.rule,
        origin=origin.account,
        destination=destination.account,
        direction=asking.direction,
        container=lane.container,
        prefix=lane.prefix,
        order=order,
        above=lane.above,
        ranges=tuple(ranges),
        spoken_of=tuple(asking.spoken_of[begin:end]),
        share=asking.share,
        page_size=asking.page_size,
        pages=-(-(lane.records + 1) // asking.page_size) + SPARE_PAGES,
        most_shown=sizes.shown_most,
        most_names=sizes.split_at if asking.rule != "attributes" else 2 * lane.records + sizes.handed_most,
        until=0.0,
    )
    if not asked.ranges or asked.upto != lane.upto:
        return None
    looked = await hands.look(origin, destination, asked)
    return None if looked is None else _whole(lane, asked, looked)


def _whole(lane: Lane, asked: LaneToLook, looked: LaneLooked) -> Handed | None:
    """None: not every record and every name of it is accounted for."""
    if len(looked.ranges) != len(asked.ranges):
        return None
    found, above = [], lane.above
    for at, seen in zip(asked.ranges, looked.ranges, strict=True):
        one = _found(lane, asked.rule, above, at, seen)
        if one is None:
            return None
        found.append(one)
        above = at.upper
    at_rest, pairs = sum(one.at_rest for one in found), [pair for one in found for pair in one.pairs]
    here = at_rest + sum(one.origin is not None for one in pairs)
    there = at_rest + sum(one.destination is not None for one in pairs)
    if asked.rule != "still" and (looked.origin.objects, looked.destination.objects) != (here, there):
        return None
    return Handed(LaneSeen(lane, _side(looked.origin), _side(looked.destination)), tuple(found))


def _found(lane: Lane, rule: Rule, above: bytes | None, at: RangeToLook, seen: RangeLooked) -> RangeFound | None:
    key = key_of(lane.order)
    pairs = [Pair(key(one.name), one.name, one.origin, one.destination) for one in seen.shown]
    keys = [above or b"", *(one.key for one in pairs)]
    is_within = all(one < other for one, other in pairwise(keys)) and (at.upper is None or keys[-1] <= at.upper)
    unshown, on_record = frozenset(seen.unshown), seen.on_record + len(seen.unshown)
    if pairs or unshown:
        records = frozenset(Evidence.unpack(at.records))
        on_record += sum(name_hash(one.name) in records for one in pairs)
        is_within = is_within and unshown <= records and len(unshown) == len(seen.unshown)
    is_accounted_for = rule == "attributes" or on_record * RECORD_BYTES == len(at.records)
    if not is_within or not is_accounted_for or (rule == "evidence" and seen.at_rest != seen.on_record):
        return None
    sight = seen.sight
    if sight is not None and (pairs or unshown or not _is_of(sight, at, seen)):
        return None
    return RangeFound(
        above, EvidenceRange(lane.container, lane.prefix, at.upper, at.records), pairs, unshown, sight, seen.at_rest
    )


def _is_of(sight: Sight, at: RangeToLook, seen: RangeLooked) -> bool:
    is_to_the_bound = at.upper is None or sight.last == at.upper
    return is_to_the_bound and sight.objects == seen.at_rest and sight.evidence == digest_of(at.records)


def _side(looked: SideLooked) -> SeenSide:
    return SeenSide(looked.objects, looked.size, looked.container_missing, looked.begins, looked.ends)
