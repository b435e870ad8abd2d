"""Compare both ends of a move now, reading only: missing, extra, changed, unproved.

``attributes`` compares what the two listings show (size, type, headers, metadata, tags, tier) and needs no evidence;
``content`` also reads every object on both sides, as stored, each under its listed ETag. An object that changes while it is
read counts as unproved, not as different. Memory: two listing pages a side.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from migrator.errors import NotFound, SourceChanged
from migrator.model.names import Area
from migrator.model.objects import Listed
from migrator.ports.object_store import ObjectStore
from migrator.transfer.copying import same_content, same_headers
from migrator.transfer.listing import Pair, Seen, join, open_stream
from migrator.transfer.order import ORDERS, OrderBroken

Level = Literal["attributes", "content"]
MAX_NAMED = 100


@dataclass(slots=True)
class Comparison:
    """Counts of objects; ``proved`` by content, ``alike`` by attributes only. ``named``: (kind, container, name, why)."""

    proved: int = 0
    alike: int = 0
    missing: int = 0
    extra: int = 0
    changed: int = 0
    unproved: int = 0
    named: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.extra or self.changed or self.unproved)

    def add(self, kind: str, container: str, name: str, why: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.named) < MAX_NAMED:
            self.named.append((kind, container, name, why))


async def compare(source: ObjectStore, target: ObjectStore, area: Area, *, level: Level) -> Comparison:
    """Both sides of one move. CloudError if a side cannot be read."""
    names = {info.name for store in (source, target) for info in await store.containers()}
    total = Comparison()
    for container in sorted(names):
        for prefix in area.prefixes_in(container):
            total = await _container(source, target, container, prefix, level, total)
    return total


async def _container(
    source: ObjectStore, target: ObjectStore, container: str, prefix: str, level: Level, so_far: Comparison
) -> Comparison:
    for order in ORDERS:
        found = Comparison(**{name: getattr(so_far, name) for name in Comparison.__dataclass_fields__})
        found.named = list(so_far.named)
        left = open_stream(source, container, prefix, order, Seen())
        right = open_stream(target, container, prefix, order, Seen())
        try:
            async for batch in join(left, right):
                for pair in batch:
                    await _pair(source, target, container, pair, level, found)
            return found
        except OrderBroken:
            continue
        finally:
            await left.close()
            await right.close()
    return so_far


async def _pair(
    source: ObjectStore, target: ObjectStore, container: str, pair: Pair, level: Level, found: Comparison
) -> None:
    here, there = pair.origin, pair.destination
    if here is None:
        found.add("extra", container, pair.name, "only at the target")
        return
    if there is None:
        found.add("missing", container, pair.name, "only at the source")
        return
    why = difference(here, there)
    if why:
        found.add("changed", container, pair.name, why)
        return
    if level == "attributes":
        found.alike += 1
        return
    try:
        if await same_content(source, target, container, here, there):
            found.proved += 1
        else:
            found.add("changed", container, pair.name, "content")
    except (SourceChanged, NotFound):
        found.add("unproved", container, pair.name, "it changed while it was read")


def difference(here: Listed, there: Listed) -> str:
    """The first thing in which two listed objects differ, or ""."""
    for what, differs in (
        ("size", here.size != there.size),
        ("type", here.blob_type != there.blob_type),
        ("headers", not same_headers(here, there)),
        ("metadata", dict(here.metadata) != dict(there.metadata)),
        ("tags", dict(here.tags) != dict(there.tags)),
        ("tier", here.explicit_tier != there.explicit_tier),
    ):
        if differs:
            return what
    return ""
