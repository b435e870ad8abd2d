"""Lanes: stretches of a container's names that are listed, joined and compared side by side, on both sides at once.

Decides where lanes begin and end, how many are under way at once, and when what they saw may be taken for one listing. The
stored ranges of evidence are the partition; a lane is a value that says which of them are its own, so that anybody may walk it.
Leaves the walk to ``walk``, pages to ``listing``. Rules:

- a lane begins at a name that the service is asked to list from, and only after both services have shown that they can;
- nothing is concluded from lanes before each has ended, and each begins with the very name at which the one before it ended, on
  both sides (``sealed``): then the lanes are the one listing, whatever the service makes of the name it was asked to begin with;
- a lane whose neighbour is not looked at shows the name of its own bound, on both sides, or counts for nothing;
- whatever does not join up is listed as a whole, alone: the other containers go on in lanes.

Memory: ``Sizes.names_listed`` names of pages in all, so that many lanes are many small ones, or few large ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, pairwise
from typing import Any, Final, TypeVar

from migrator.errors import CloudError, Throttled, Unreachable, Unsupported
from migrator.model.names import RESERVED_PREFIX
from migrator.model.rhythm import Sizes
from migrator.model.values import replace, value
from migrator.model.window import Window
from migrator.ports.object_store import ObjectStore
from migrator.transfer.evidence import RECORD_BYTES
from migrator.transfer.listing import Bounds, LaneBroken, SeenSide
from migrator.transfer.order import Order, key_of, name_of
from migrator.transfer.result import Names
from migrator.transfer.room import Room
from migrator.transfer.together import together
from migrator.transfer.turns import Turns

PAGES_HELD: Final = 4
"""Of one lane: a page and the one that is read ahead, on both sides."""


@value(frozen=True, slots=True)
class Lane:
    """The names in (``above``, ``upto``] of one container and prefix: whole ranges of evidence, with ``records`` in them."""

    container: str
    prefix: str
    order: Order
    above: bytes | None = None
    upto: bytes | None = None
    records: int = 0

    @property
    def bounds(self) -> Bounds:
        start = None if self.above is None else name_of(self.order, self.above)
        return Bounds(self.above, self.upto, start)

    @property
    def is_whole(self) -> bool:
        return self.above is None and self.upto is None


@value(frozen=True, slots=True)
class LaneSeen:
    """What both listings of a lane turned out to be, once both have ended."""

    lane: Lane
    origin: SeenSide
    destination: SeenSide


def partition(
    whole: Lane,
    ranges: Sequence[tuple[bytes | None, int]],
    sizes: Sizes,
    stretches: Sequence[Names] | None = None,
    *,
    most: int | None = None,
) -> tuple[Lane, ...]:
    """Lanes of about as many names each.

    Args:
        ranges: upper bound and bytes of evidence of each that is stored, in order.
        stretches: only ranges in which some of these lie; None: all of them.
        most: names of a lane, however many lanes that makes.
    """
    # Of one without evidence nobody knows how many names it has, so it counts like a lane; but there are none yet behind the last
    # name that a pass has seen.
    counts = [(upper, size // RECORD_BYTES or sizes.lane_names) for upper, size in ranges]
    if len(ranges) > 1 and ranges[-2][1] and not ranges[-1][1]:
        counts[-1] = (ranges[-1][0], 0)
    total = sum(size for _, size in ranges) // RECORD_BYTES
    if len(ranges) < 2 or whole.order == "sorted":
        return () if stretches is not None and not stretches else (replace(whole, records=total),)
    each = max(sizes.lane_names, -(-sum(names for _, names in counts) // sizes.most_lanes))
    each = each if most is None else min(each, most)
    lanes: list[Lane] = []
    begin, below, held = None, None, 0
    is_open = False
    for upper, names in counts:
        if stretches is None or any(_meet(below, upper, one) for one in stretches):
            if not is_open:
                begin, held, is_open = below, 0, True
            held += names
            if held >= each or upper is None:
                lanes.append(replace(whole, above=begin, upto=upper, records=held))
                is_open = False
        elif is_open:
            lanes.append(replace(whole, above=begin, upto=below, records=held))
            is_open = False
        below = upper
    return tuple(lanes)


def _meet(above: bytes | None, upto: bytes | None, stretch: Names) -> bool:
    low, high = stretch
    is_below = high is not None and above is not None and high <= above
    is_beyond = low is not None and upto is not None and low >= upto
    return not (is_below or is_beyond)


def sealed(seen: Sequence[LaneSeen]) -> None:
    """Raise LaneBroken unless the lanes, in order, are one listing of each side. One without a neighbour before it is believed
    only where both sides show the name of its bound: nobody else would see that a service began too late."""
    ended = [None, *(one.lane.upto for one in seen[:-1])]
    for one, before in zip(seen, ended, strict=True):
        above = one.lane.above
        if above is not None and above != before and {one.origin.begins, one.destination.begins} != {above}:
            raise LaneBroken(one.lane.container)
    for one, following in pairwise(seen):
        for mine, theirs in ((one.origin, following.origin), (one.destination, following.destination)):
            if mine.container_missing != theirs.container_missing:
                raise LaneBroken(one.lane.container)
            if one.lane.upto == following.lane.above and mine.ends != theirs.begins:
                raise LaneBroken(one.lane.container)


def as_one(sides: Sequence[SeenSide]) -> SeenSide:
    """What lanes that are sealed saw of one side."""
    return SeenSide(
        sum(one.objects for one in sides),
        sum(one.bytes for one in sides),
        any(one.container_missing for one in sides),
    )


@dataclass(slots=True)
class Looking:
    """What the walks of one pass share: how many lanes are under way, how many names are being settled, and whose turn it is.

    ``known``: which accounts list from a name on, as far as that was found out; it outlives the pass.
    """

    sizes: Sizes
    parallel: int
    now: Callable[[], float] = lambda: 0.0
    """Of a clock that does not go back."""
    known: dict[str, bool] = field(default_factory=dict)
    lanes: Room = field(init=False)
    """Names of pages that are held."""
    settling: Room = field(init=False)
    """Names of ranges that are settled side by side."""
    turns: Turns = field(init=False)
    """At what goes one by one: ranges share them, and the oldest goes first."""
    ranks: Iterator[int] = field(default_factory=count)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.lanes = Room(self.sizes.names_listed)
        self.settling = Room(self.sizes.names_in_flight)
        self.turns = Turns(Window.up_to(self.sizes.most_parallel, self.parallel), self.now)

    def weight(self, lane: Lane, page_size: int, *, is_known: bool = False) -> int:
        """Names for which ``lane`` needs room. One of which no pass has left evidence may be as long as any."""
        most = PAGES_HELD * page_size
        names = min(most, 2 * lane.records) if is_known else most
        return min(self.sizes.names_listed, max(names, self.sizes.names_listed // self.sizes.lanes))

    async def can_lane(self, stores: Sequence[ObjectStore], lanes: Sequence[Lane]) -> bool:
        """May a container go in ``lanes``: can all ``stores`` begin in the middle?"""
        later = next((lane for lane in lanes if lane.above is not None), None)
        return later is None or all([await self.can_start(store, later) for store in stores])

    async def can_start(self, store: ObjectStore, lane: Lane) -> bool:
        """Does ``store`` list from a name on? It is asked for the names from which ``lane`` begins on, unless that is known."""
        async with self._asking:
            if store.account not in self.known:
                found = await _starts(store, lane)
                if found is None:
                    return False
                self.known[store.account] = found
            return self.known[store.account]


async def _starts(store: ObjectStore, lane: Lane) -> bool | None:
    """None: nothing was learned."""
    assert lane.above is not None
    try:
        page = await store.page(lane.container, prefix=lane.prefix, limit=1, start=lane.bounds.start)
    except Unsupported:
        return False
    except (Throttled, Unreachable):
        raise
    except CloudError:
        return None  # it is listed as a whole, and what that makes of it counts
    key = key_of(lane.order)
    names = [one.name for one in page.entries if not one.name.startswith(RESERVED_PREFIX)]
    return all(key(name) >= lane.above for name in names) if names else None


Work = TypeVar("Work")
Answer = TypeVar("Answer")


async def side_by_side(
    work: Sequence[Work], act: Callable[[Work], Coroutine[Any, Any, Answer]], *, most: int
) -> list[Answer]:
    """What ``act`` makes of each piece of work, in order, ``most`` of them at once; the first error ends them all."""
    answers: dict[int, Answer] = {}
    queue = iter(enumerate(work))

    async def worker() -> None:
        for at, one in queue:
            answers[at] = await act(one)

    await together(*(worker() for _ in range(min(most, len(work)))))
    return [answers[at] for at in range(len(work))]
