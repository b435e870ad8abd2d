"""The first copy of a container: where it may be parted into lanes before any pass has left evidence.

Decides where the first ranges begin and end, and whether the destination can be said to be empty. Names at which the listing of
the origin may be parted come from an inventory, of whatever age: they are only places to begin at, so that a wrong one makes a
lane long or short, and nothing else. Rules:

- the ranges are committed, empty, before anything is listed: from then on they are the partition, as after every pass;
- a destination that a whole listing, made before the first write, showed nothing of, is not listed in lanes: our own copies would
  come and go at every seam. What appears there meanwhile refuses our creates by itself, and the next pass sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from migrator.errors import NotFound
from migrator.model import notes
from migrator.model.moves import EvidenceRange
from migrator.model.names import RESERVED_PREFIX
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import ReplaceRanges
from migrator.transfer.order import Order, key_of
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer

_PAGE: Final = 100
"""Names of a page that is to show that there are none: a few are our own, reserved ones."""


def part(t: Transfer, container: str, prefix: str, order: Order) -> Sequence[tuple[bytes | None, int]]:
    """Make empty ranges between the names that an inventory of the origin has kept, if there are any; what
    ``StateStore.range_sizes`` says then. For a container without ranges."""
    key = key_of(order)
    bounds = sorted({key(name) for name in _seams(t, container, prefix) if name.startswith(prefix) and name != prefix})
    if not bounds or order == "sorted":
        return ()
    uppers: list[bytes | None] = [*bounds, None]
    ranges = tuple(EvidenceRange(container, prefix, upper) for upper in uppers)
    t.commit([ReplaceRanges(t.move, container, prefix, None, None, ranges)], PassResult())
    return [(upper, 0) for upper in uppers]


def _seams(t: Transfer, container: str, prefix: str) -> Sequence[str]:
    for where, beginning, names in t.state.note(notes.seams(t.move, t.origin.account)) or ():
        if (where, beginning) == (container, prefix):
            return tuple(str(name) for name in names)
    return ()


async def is_empty(store: ObjectStore, container: str, prefix: str) -> bool:
    """Does a listing, to its end, show nothing but reserved names?"""
    marker = None
    while True:
        try:
            page = await store.page(container, prefix=prefix, marker=marker, limit=_PAGE)
        except NotFound:
            return False
        if any(not entry.name.startswith(RESERVED_PREFIX) for entry in page.entries):
            return False
        if page.marker is None:
            return True
        marker = page.marker
