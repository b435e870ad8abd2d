"""What a source holds of a move, read from its listings: every page, or a few random ways down the tree of names.

A service tells how many blobs there are only by listing them all, which takes hours for a large estate. A sample goes down the
tree of names instead: a prefix that ends within ``LEAF_PAGES`` is counted; a longer one is followed by one of the characters
that go on from it, drawn by chance, and what is found counts once for each such character there was (``forecast.inventory``).
That is some hundred small requests for each fork on the way, so it is worth it from about a million objects on.
Names whose next character is not printable ASCII are not found that way: a sample may miss them, a full count never does.
Rule: reads only, and never a name under ``.migrate/``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from migrator.forecast.inventory import NOTHING, Descent, Inventory, estimated, summed, typical
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import COSTLY_TIERS, BlobType, Features
from migrator.model.values import replace
from migrator.ports.object_store import ObjectStore
from migrator.transfer.together import together

LEAF_PAGES: Final = 2
DESCENTS: Final = 24
"""Ways down in all; shared out among the branches of the first fork, at least ``DESCENTS_EACH`` for each."""
DESCENTS_EACH: Final = 3
MOST_BRANCHES: Final = 12
"""A first fork with more branches than this is not shared out: its branches are drawn like any others."""
PARALLEL: Final = 16
SEAM_OBJECTS: Final = 10_000
"""Objects between two seams, at least: a lane of a first copy is no shorter than those of later passes."""
MOST_SEAMS: Final = 256
"""Of one container and prefix, in the state store."""
DEEPEST: Final = 1024
"""Characters of the longest name. Source: Azure "Naming containers and blobs"."""
_NEXT: Final = tuple(chr(code) for code in range(0x20, 0x7F))


@dataclass(slots=True)
class Seams:
    """Names between which a listing may be parted: some ten thousand objects lie between two of them, or more where there
    would be more than ``MOST_SEAMS``."""

    names: list[str] = field(default_factory=list)
    _each: int = SEAM_OBJECTS
    _objects: int = 0

    def passed(self, last: str, objects: int) -> None:
        """A page with so many objects ended with the name ``last``."""
        self._objects += objects
        if last and self._objects >= self._each:
            self.names.append(last)
            self._objects = 0
        if len(self.names) > MOST_SEAMS:
            self.names, self._each = self.names[1::2], 2 * self._each


async def survey(
    store: ObjectStore,
    container: str,
    prefix: str,
    *,
    now: Callable[[], float],
    counted: Callable[[int], None],
    seams: Seams | None = None,
) -> tuple[Inventory, Features]:
    """Every page: what there is to copy, and what a move of it cannot keep. ``counted`` is told of each page's objects; ``now``
    is a clock that does not go back; ``seams`` are found on the way. Raises what ``store.survey`` raises."""
    found, features, marker, took = replace(NOTHING, prefixes=1), Features(), None, list[float]()
    while True:
        begun = now()
        page = await store.survey(container, prefix=prefix, marker=marker)
        took.append(now() - begun)
        found = found.with_objects(page.sizes, page.streamed, page.tiered)
        features, marker = features + page.features, page.marker
        counted(len(page.sizes))
        if seams is not None:
            seams.passed(page.last, len(page.sizes))
        if marker is None:
            return replace(found, page_seconds=typical(took)), features


async def sample(
    store: ObjectStore,
    container: str,
    prefix: str,
    *,
    now: Callable[[], float],
    chance: Callable[[], float],
    seams: Seams | None = None,
) -> Inventory:
    """Exact where the listing is short, else an estimate with its error. Raises what ``store.page`` raises.

    Args:
        now: a clock that does not go back.
        chance: in [0, 1), for each choice.
        seams: the prefixes that were found on the way.
    """
    tree = _Tree(store, container, now, chance)
    first, is_whole = await tree.leaf(prefix)
    if is_whole:
        return first
    stem = await tree.stem(prefix)
    branches = await tree.branches(stem)
    if not 2 <= len(branches) <= MOST_BRANCHES:
        found = estimated([await tree.descent(stem) for _ in range(DESCENTS)])
    else:
        each = max(DESCENTS_EACH, DESCENTS // len(branches))
        parts = [estimated([await tree.descent(branch) for _ in range(each)]) for branch in branches]
        found = replace(summed(parts), prefixes=1, origin="sampled")
    if seams is not None:
        seams.names = tree.forks()
    return found


async def _pages(
    store: ObjectStore, container: str, prefix: str, most: int | None, now: Callable[[], float]
) -> tuple[Inventory, bool]:
    """What the first pages hold, and whether that was all."""
    found, marker, took = replace(NOTHING, prefixes=1), None, list[float]()
    while True:
        begun = now()
        page = await store.page(container, prefix=prefix, marker=marker)
        took.append(now() - begun)
        entries = [one for one in page.entries if not one.name.startswith(RESERVED_PREFIX)]
        streamed = [one.size for one in entries if one.blob_type is not BlobType.BLOCK]
        tiered = {tier: sum(one.size for one in entries if one.tier == tier) for tier in COSTLY_TIERS}
        found = found.with_objects([one.size for one in entries], streamed, tiered)
        marker = page.marker
        if marker is None or len(took) == most:
            return replace(found, page_seconds=typical(took)), marker is None


@dataclass(slots=True)
class _Tree:
    """The names of one container, as far as they were looked at."""

    store: ObjectStore
    container: str
    now: Callable[[], float]
    chance: Callable[[], float]
    _leaves: dict[str, tuple[Inventory, bool]] = field(default_factory=dict)
    _branches: dict[str, list[str]] = field(default_factory=dict)

    async def leaf(self, prefix: str) -> tuple[Inventory, bool]:
        if prefix not in self._leaves:
            self._leaves[prefix] = await _pages(self.store, self.container, prefix, LEAF_PAGES, self.now)
        return self._leaves[prefix]

    def forks(self) -> list[str]:
        """Where names were found to part; of more than ``MOST_SEAMS``, the shorter ones."""
        found = sorted({one for branches in self._branches.values() for one in branches[1:]}, key=len)
        return sorted(found[:MOST_SEAMS])

    async def branches(self, prefix: str) -> list[str]:
        """The prefixes one character longer that hold anything."""
        if prefix not in self._branches:
            turn = asyncio.Semaphore(PARALLEL)

            async def holds(longer: str) -> bool:
                async with turn:
                    page = await self.store.page(self.container, prefix=longer, limit=1)
                return bool(page.entries) and not longer.startswith(RESERVED_PREFIX)

            longer = [prefix + char for char in _NEXT]
            there = await together(*(holds(one) for one in longer))
            self._branches[prefix] = [one for one, is_there in zip(longer, there, strict=True) if is_there]
        return self._branches[prefix]

    async def stem(self, prefix: str) -> str:
        """As far as there is only one way to go."""
        while len(prefix) < DEEPEST and len(only := await self.branches(prefix)) == 1:
            prefix = only[0]
        return prefix

    async def descent(self, prefix: str) -> Descent:
        """One random way down from ``prefix``."""
        weight = 1.0
        while True:
            found, is_whole = await self.leaf(prefix)
            if is_whole:
                return Descent(weight, found)
            branches = await self.branches(prefix)
            if not branches:  # all of it goes on with characters that are not tried: what was read is all that is known
                return Descent(weight, found)
            prefix = branches[int(self.chance() * len(branches))]
            weight *= len(branches)
