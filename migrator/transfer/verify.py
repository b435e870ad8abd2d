"""Compare both ends of a move now, reading only: missing, extra, changed, unproved.

``attributes`` compares what the two listings show (size, type, headers, metadata, tags, tier) and needs no evidence;
``content`` also reads every object on both sides, as stored, each under its listed ETag. An object that changes while it is
read, or that cannot be read, counts as unproved, not as different. Memory: the pages of the lanes under way (``Sizes``), and of
contents as many chunks as there are readers, of all lanes together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from typing import Final, Literal

from migrator.errors import AccessRefused, CloudError, NotFound, SourceChanged
from migrator.model.looks import RangeToLook
from migrator.model.moves import Direction
from migrator.model.names import Area
from migrator.model.objects import LIST_PAGE, Listed
from migrator.model.rhythm import USUAL, Sizes
from migrator.ports.object_store import ObjectStore
from migrator.transfer import handed
from migrator.transfer.container_shape import difference as unlike_containers
from migrator.transfer.container_shape import unlike_policies
from migrator.transfer.copying import same_content, same_headers, unlike_md5
from migrator.transfer.evidence import in_sample
from migrator.transfer.hands import Hands
from migrator.transfer.joining import Pair, join
from migrator.transfer.lanes import Lane, LaneSeen, Looking, partition, sealed, side_by_side
from migrator.transfer.listing import Batches, LaneBroken, SeenSide
from migrator.transfer.order import ORDERS, Order, OrderBroken
from migrator.transfer.proofs import Proofs, digest_of, ends_group
from migrator.transfer.sorting import open_stream
from migrator.transfer.together import together

Level = Literal["attributes", "content"]
RangeSize = tuple[bytes | None, int]
"""Upper bound and bytes of evidence."""
Stored = Callable[[str, str], tuple[Order, Sequence[RangeSize]]]
MAX_NAMED = 100
READERS = 16
"""Pairs whose contents are read at once."""


@dataclass(slots=True)
class ContentComparison:
    """Counts of objects; ``proved`` by content, ``alike`` by attributes only, ``unproved`` cannot be proved now. ``named``:
    (kind, container, name, why). ``not_compared``: what could not be, and is no object."""

    proved: int = 0
    alike: int = 0
    missing: int = 0
    extra: int = 0
    changed: int = 0
    unproved: int = 0
    named: list[tuple[str, str, str, str]] = field(default_factory=list)
    not_compared: str = ""

    @property
    def has_compared(self) -> bool:
        """Was there anything? Nothing beside nothing is no proof."""
        return any(getattr(self, name) for name in _COUNTS)

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.extra or self.changed or self.unproved)

    def count(self, kind: str, container: str, name: str, why: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.named) < MAX_NAMED:
            self.named.append((kind, container, name, why))

    def add(self, other: ContentComparison) -> None:
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.named += other.named[: MAX_NAMED - len(self.named)]


_COUNTS: Final = tuple(one.name for one in fields(ContentComparison) if one.type == "int")


@dataclass(slots=True)
class Proving:
    """How contents are proved. ``proofs``: of earlier comparisons, and where new ones are noted; ``keep`` is called after
    each group, so that an interruption costs little. ``sample``: the part of the names that is read; the rest is alike."""

    proofs: Proofs = field(default_factory=Proofs)
    keep: Callable[[], None] = lambda: None
    sample: float = 1.0

    def wants(self, name: str) -> bool:
        return in_sample(name, self.sample)


async def compare(
    source: ObjectStore,
    target: ObjectStore,
    area: Area,
    *,
    level: Level,
    proving: Proving | None = None,
    keeps_public_access: bool = True,
    stored: Stored | None = None,
    sizes: Sizes = USUAL.sizes,
    hands: Hands | None = None,
) -> ContentComparison:
    """Both sides of one move, and what belongs to their containers. Containers are listed side by side, and large ones in lanes;
    ``READERS`` of contents are shared by all of them. A group of names that a lane's bound cuts is proved in two.

    Args:
        keeps_public_access: is it to be the same on both sides?
        proving: for level content; without it everything is read.
        stored: of a container and prefix, the order and the ranges of its evidence; without it no container has lanes.
        hands: who looks at lanes where that pays, at level attributes; what they find unlike is compared here again.
    Raises CloudError if a side cannot be listed, AccessRefused if an object may not be read.
    """
    here, there = [{info.name: info for info in await store.containers()} for store in (source, target)]
    looking, readers = Looking(sizes, READERS), asyncio.Semaphore(READERS)

    async def look(container: str) -> ContentComparison:
        total = ContentComparison()
        if area.prefixes_in(container) and container in here and container in there:
            why = unlike_containers(here[container], there[container], keeps_public_access=keeps_public_access)
            if why:
                total.count("changed", container, "", f"of the container itself: {why}")
        for prefix in area.prefixes_in(container):
            ends = _TwoSides(source, target, container, proving or Proving(), looking, readers, hands)
            total.add(await _container(ends, prefix, level, stored))
        return total

    names = [name for name in sorted(here.keys() | there.keys()) if area.prefixes_in(name)]
    every = ContentComparison()
    for one in await side_by_side(names, look, most=sizes.lanes):
        every.add(one)
    try:
        for name, why in await unlike_policies(
            source, target, [name for name in names if name in here and name in there]
        ):
            every.count("changed", name, "", f"of the container itself: {why}")
    except CloudError as fault:  # most roles for data do not let anybody read them
        every.not_compared = f"stored access policies were not compared: {fault.message}"
    return every


async def _container(ends: _TwoSides, prefix: str, level: Level, stored: Stored | None) -> ContentComparison:
    if stored is not None:
        with suppress(OrderBroken, LaneBroken):  # it is listed as a whole
            if (found := await _in_lanes(ends, prefix, level, *stored(ends.container, prefix))) is not None:
                return found
    async with ends.looking.lanes.of(ends.looking.weight(Lane(ends.container, prefix, ORDERS[0]), LIST_PAGE)):
        return await _as_one(ends, prefix, level)


async def _in_lanes(
    ends: _TwoSides, prefix: str, level: Level, order: Order, ranges: Sequence[RangeSize]
) -> ContentComparison | None:
    """None: it has none."""
    looking, total = ends.looking, ContentComparison()
    sizes, hands = looking.sizes, ends.hands
    if level != "attributes" or hands is None or not hands.can_look:
        hands = None
    lanes = partition(Lane(ends.container, prefix, order), ranges, sizes, most=sizes.handed_most if hands else None)
    are_handed = hands is not None and any(handed.is_worth_it(lane, sizes) for lane in lanes)
    if (len(lanes) < 2 and not are_handed) or not await looking.can_lane((ends.source, ends.target), lanes):
        return None

    async def along(lane: Lane) -> tuple[LaneSeen, ContentComparison]:
        found, sides = ContentComparison(), (SeenSide(), SeenSide())
        asking = handed.Asking("attributes", Direction.FORWARD, sizes)
        looked = await handed.look(hands, (ends.source, ends.target), lane, (RangeToLook(lane.upto),), asking)
        if looked is not None:
            (one,) = looked.ranges
            found.alike += one.at_rest + len(one.pairs) - len(_unlike(ends, one.pairs, found))
            return looked.seen, found
        async with looking.lanes.of(looking.weight(lane, LIST_PAGE, is_known=True)):
            left, right = (
                open_stream(store, ends.container, prefix, order, seen, bounds=lane.bounds)
                for store, seen in zip((ends.source, ends.target), sides, strict=True)
            )
            try:
                await _compared(ends, level, left, right, found)
            finally:
                await left.close()
                await right.close()
        return LaneSeen(lane, *sides), found

    parts = await side_by_side(lanes, along, most=looking.sizes.lanes)
    sealed([seen for seen, _ in parts])
    for _, found in parts:
        total.add(found)
    return total


async def _as_one(ends: _TwoSides, prefix: str, level: Level) -> ContentComparison:
    for order in ORDERS:
        found = ContentComparison()
        left, right = (
            open_stream(store, ends.container, prefix, order, SeenSide()) for store in (ends.source, ends.target)
        )
        try:
            await _compared(ends, level, left, right, found)
            return found
        except OrderBroken:
            continue
        finally:
            await left.close()
            await right.close()
    raise AssertionError("the last order cannot break")


@dataclass(slots=True)
class _TwoSides:
    source: ObjectStore
    target: ObjectStore
    container: str
    proving: Proving
    looking: Looking
    readers: asyncio.Semaphore
    """Pairs whose contents may be read now, whatever container or lane they are of."""
    hands: Hands | None


async def _compared(ends: _TwoSides, level: Level, left: Batches, right: Batches, found: ContentComparison) -> None:
    """All that both streams bring."""
    if level == "content":
        await _contents(ends, left, right, found)
        return
    async for batch in join(left, right):
        found.alike += len(batch) - len(_unlike(ends, batch, found))


def _unlike(ends: _TwoSides, pairs: Sequence[Pair], found: ContentComparison) -> set[str]:
    """Count what the listings alone show; the names that are not alike."""
    unlike = set()
    for pair in pairs:
        here, there = pair.origin, pair.destination
        if here is None:
            found.count("extra", ends.container, pair.name, "only at the target")
        elif there is None:
            found.count("missing", ends.container, pair.name, "only at the source")
        elif why := busy(here, there):
            found.count("unproved", ends.container, pair.name, why)
        elif why := difference(here, there):
            found.count("changed", ends.container, pair.name, why)
        else:
            continue
        unlike.add(pair.name)
    return unlike


async def _contents(ends: _TwoSides, left: Batches, right: Batches, found: ContentComparison) -> None:
    """Group by group; see ``proofs``."""
    group: list[Pair] = []
    async for batch in join(left, right):
        for pair in batch:
            group.append(pair)
            if ends_group(pair.name, len(group)):
                await _group(ends, group, found)
                group = []
    await _group(ends, group, found)


async def _group(ends: _TwoSides, group: Sequence[Pair], found: ContentComparison) -> None:
    mine, proving = ContentComparison(), ends.proving
    unlike = _unlike(ends, group, mine)
    to_read = [pair for pair in group if pair.name not in unlike and proving.wants(pair.name)]
    mine.alike = len(group) - len(unlike) - len(to_read)
    digest = digest_of(ends.container, f"{proving.sample:g}", group) if not unlike else None
    if digest is not None and proving.proofs.is_known(digest):
        mine.proved += len(to_read)
    else:
        await _read(ends, to_read, mine)
        if digest is not None and mine.is_equal:
            proving.proofs.add(digest)
            proving.keep()
    found.add(mine)


async def _read(ends: _TwoSides, pairs: Sequence[Pair], found: ContentComparison) -> None:
    queue = iter(pairs)

    async def reader() -> None:
        for pair in queue:
            async with ends.readers:
                await _prove(ends, pair, found)

    await together(*(reader() for _ in range(min(READERS, len(pairs)))))


async def _prove(ends: _TwoSides, pair: Pair, found: ContentComparison) -> None:
    here, there = pair.origin, pair.destination
    assert here is not None
    assert there is not None
    try:
        if here.is_archived or there.is_archived:
            found.count("unproved", ends.container, pair.name, "it is archived")
        elif await same_content(ends.source, ends.target, ends.container, here, there):
            found.proved += 1
        else:
            found.count("changed", ends.container, pair.name, "content")
    except (SourceChanged, NotFound):
        found.count("unproved", ends.container, pair.name, "it changed while it was read")
    except AccessRefused:
        raise
    except CloudError as fault:
        found.count("unproved", ends.container, pair.name, fault.message)


def busy(here: Listed, there: Listed) -> str:
    """What is still under way, so that nothing that is listed of it can be believed; or ""."""
    for blob, side in ((here, "source"), (there, "target")):
        if blob.copy_pending:
            return f"a copy into it is pending at the {side}"
        if blob.rehydrating:
            return f"it is being rehydrated at the {side}"
    return ""


def difference(here: Listed, there: Listed) -> str:
    """The first thing in which two listed objects differ, or ""."""
    if here.size != there.size:
        return "size"
    if here.blob_type != there.blob_type:
        return "type"
    if here.headers is not there.headers and not same_headers(here, there):
        return "headers"
    if unlike_md5(here, there):
        return "Content-MD5"
    if here.metadata != there.metadata:
        return "metadata"
    if here.sequence_number != there.sequence_number:
        return "sequence number"
    if here.is_sealed != there.is_sealed:
        return "seal"
    if here.tags != there.tags:
        return "tags"
    return "" if here.explicit_tier == there.explicit_tier else "tier"
