"""What a hand makes of a lane: both listings are read, joined and compared, and the names are shown of which something is to be
said.

Decides nothing that counts: what is not shown is equal by the very rule by which the engine would have found it equal
(``decide``, ``watch``, ``verify``), and what is shown is judged by the engine. Rules:

- a name with a pending record, and every name that was ``spoken_of``, is shown;
- each record of a range is accounted for: its name is at rest, shown, or was shown by neither side;
- anything unusual - an order that breaks, a page too many, more to show than was asked for - ends the look without an answer;
  whoever asked looks himself then.

Memory: four pages, and the records of the lane.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final

from migrator.errors import CloudError, Throttled, Unreachable
from migrator.model.looks import LaneLooked, LaneToLook, NameShown, RangeLooked, RangeToLook, SideLooked, Sight
from migrator.model.moves import Direction
from migrator.model.objects import LIST_PAGE, ListingPage
from migrator.ports.clock import Clock
from migrator.ports.executor import LaneAnswer, Refusal
from migrator.ports.object_store import ObjectStore, minute_of_answer
from migrator.transfer.decide import NameCase, Verb, decide
from migrator.transfer.evidence import Evidence, Record, in_sample, name_hash
from migrator.transfer.joining import Join, Pair
from migrator.transfer.listing import Bounds, LaneBroken, SeenSide
from migrator.transfer.order import OrderBroken, name_of
from migrator.transfer.sights import digest_of
from migrator.transfer.sorting import open_stream
from migrator.transfer.verify import busy, difference
from migrator.transfer.watch import is_news

UNFIT: Final = "unfit"
"""The code of a look that would have shown too much, or asked for too much."""


class _Unfit(Exception):
    """Whoever asked looks himself."""


async def look(
    origin: ObjectStore, destination: ObjectStore, lane: LaneToLook, clock: Clock, may_send: Callable[[], bool]
) -> LaneAnswer:
    """Look at ``lane``; every trouble is in the answer. ``may_send`` is asked before each page."""
    here, there = _Side(origin, "origin", lane, clock, may_send), _Side(destination, "self", lane, clock, may_send)
    looked, refusal = None, None
    try:
        looked = await _look(here, there, lane)
    except (OrderBroken, LaneBroken, _Unfit, ValueError) as why:
        refusal = Refusal("other", f"cannot look at a lane of {lane.container}: {why}", code=UNFIT)
    except CloudError as fault:
        refusal = Refusal.of(fault)
    answered = tuple((side.account, *one) for side in (here, there) for one in side.answered.items())
    return LaneAnswer(lane.number, looked, refusal, answered)


class _Side:
    """One account, for no more pages than were granted."""

    def __init__(
        self, store: ObjectStore, role: str, lane: LaneToLook, clock: Clock, may_send: Callable[[], bool]
    ) -> None:
        self.account = store.account
        self.answered: Counter[int] = Counter()
        self._store = store
        self._role = role
        self._lane = lane
        self._clock = clock
        self._may_send = may_send
        self._left = lane.pages

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = LIST_PAGE,
        start: str | None = None,
    ) -> ListingPage:
        if not self._may_send():
            raise Unreachable(f"cannot list {container} of {self.account}: its time is over")
        if not self._left:
            raise _Unfit("it has more pages than were expected")
        self._left -= 1
        more = {} if start is None else {"start": start}
        try:
            page = await self._store.page(container, prefix=prefix, marker=marker, limit=limit, **more)
        except Throttled as refusal:
            refusal.account_side = self._role
            self._count()
            raise
        self._count()
        return page

    def _count(self) -> None:
        self.answered[minute_of_answer(self._store, self._clock)] += 1


async def _look(here: _Side, there: _Side, lane: LaneToLook) -> LaneLooked:
    start = None if lane.above is None else name_of(lane.order, lane.above)
    bounds, seen, seen_there = Bounds(lane.above, lane.upto, start), SeenSide(), SeenSide()
    left, right = (
        open_stream(side, lane.container, lane.prefix, lane.order, saw, page_size=lane.page_size, bounds=bounds)
        for side, saw in ((here, seen), (there, seen_there))
    )
    try:
        ranges = await _Comparing(lane, Join(left, right)).ranges()
    finally:
        await left.close()
        await right.close()
    return LaneLooked(_side(seen), _side(seen_there), ranges)


def _side(seen: SeenSide) -> SideLooked:
    return SideLooked(seen.objects, seen.bytes, seen.container_missing, seen.begins, seen.ends)


class _Comparing:
    """The ranges of a lane, one after the other."""

    def __init__(self, lane: LaneToLook, both: Join) -> None:
        self._lane = lane
        self._both = both
        self._left = lane.most_shown
        self._spoken_of = frozenset(lane.spoken_of)

    async def ranges(self) -> tuple[RangeLooked, ...]:
        found = []
        for at in self._lane.ranges:
            bound = None if at is self._lane.ranges[-1] else at.upper
            found.append(await self._as_it_was(at, bound) or await self._range(at, bound))
        return tuple(found)

    async def _as_it_was(self, at: RangeToLook, bound: bytes | None) -> RangeLooked | None:
        """Go past a range that looks as it did when it was at rest."""
        sight = at.sight
        is_still = self._lane.rule == "still"
        if sight is None or not await self._both.goes_past(sight, at.upper, at_origin_only=is_still):
            return None
        async for _ in self._both.upto(bound):
            raise _Unfit("a range that was passed over has names left")
        self._both.cut()
        return RangeLooked(sight.objects, sight.objects, sight=sight)

    async def _range(self, at: RangeToLook, bound: bytes | None) -> RangeLooked:
        lane, evidence = self._lane, Evidence.unpack(at.records)
        shown, at_rest, on_record, last = list[NameShown](), 0, 0, None
        hashes, here, there, names = set(evidence), 0, 0, 0
        async for batch in self._both.upto(bound):
            names += len(batch)
            if names > lane.most_names:
                raise _Unfit("a range has too many names")
            for pair in batch:
                self._require_within(pair)
                if evidence:
                    hashes.discard(name_hash(pair.name))
                record = evidence.get(pair.name) if evidence else None
                if pair.key in self._spoken_of or not self._is_at_rest(pair, record):
                    shown.append(NameShown(pair.name, pair.origin, pair.destination))
                    continue
                at_rest += 1
                on_record += record is not None
                here += pair.origin.size if pair.origin is not None else 0
                there += pair.destination.size if pair.destination is not None else 0
            last = batch[-1].key
            if len(shown) > self._left:
                raise _Unfit("too much of it differs")
        self._left -= len(shown)
        texts, sight = self._both.cut(), None
        is_whole = not shown and not hashes and (at.upper is None or last == at.upper)
        if lane.rule == "evidence" and is_whole and texts is not None:
            sight = Sight(*texts, digest_of(at.records), last, at_rest, here, there)
        return RangeLooked(at_rest, on_record, tuple(shown), tuple(sorted(hashes)), sight)

    def _is_at_rest(self, pair: Pair, record: Record | None) -> bool:
        lane, here, there = self._lane, pair.origin, pair.destination
        if lane.rule == "attributes":
            return here is not None and there is not None and not busy(here, there) and not difference(here, there)
        if record is not None and record.is_pending:
            return False
        case = NameCase(pair.name, here, there, record, lane.direction)
        if lane.rule == "still":
            return not is_news(case, forward=lane.direction is Direction.FORWARD)
        if record is None or decide(case).verb is not Verb.SKIP:
            return False
        return not lane.share or record.is_proved or not in_sample(pair.name, lane.share)

    def _require_within(self, pair: Pair) -> None:
        """A service that shows more than was asked for is not trusted: it is asked again by who says so."""
        if not pair.name.startswith(self._lane.prefix):
            raise _Unfit("names were listed that were not asked for")
