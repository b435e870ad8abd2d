"""Who is who: moves, areas, and which container or blob belongs to which area.

Decides membership only. Reading containers is the object store's work, wording of faults is the plan's.
"""

from __future__ import annotations

import fnmatch
from bisect import bisect_right
from functools import cached_property, lru_cache

from migrator.model.values import value

RESERVED_PREFIX = ".migrate/"
"""Blob names that belong to the tool (canary, probes, saved bytes); outside every comparison."""
OUR_BLOCKS = "migrate-"
"""What the names of uncommitted blocks of ours begin with."""


def block_name(content: bytes, index: int = 0) -> str:
    """A block of ours: ``content`` are six bytes that name what it is a part of. All of them have one length, as the service
    wants of the blocks of one blob; and a list that is committed late, or a block that comes late, never meets blocks of
    other content."""
    return f"{OUR_BLOCKS}{content.hex()}-{index:08d}"


@value(frozen=True, order=True, slots=True)
class MoveId:
    """One area in one region. ``str()`` is the key of its route record: ``region/area``."""

    region: str
    area: str

    def __str__(self) -> str:
        return f"{self.region}/{self.area}"

    @classmethod
    def parse(cls, text: str) -> MoveId:
        """Read ``region/area``; ValueError where there is no slash."""
        region, slash, area = text.partition("/")
        if not (region and slash and area):
            raise ValueError(f"not a region/area: {text!r}")
        return cls(region, area)


def _is_glob(container: str) -> bool:
    return any(mark in container for mark in "*?[")


@lru_cache(maxsize=4096)
def _takes_container(selected: str, name: str) -> bool:
    """Asked for every blob, of a few containers. Those that a service gives a meaning (``$web``, ``$root``, ``$logs``) are meant
    only where that is written."""
    if not _is_glob(selected):
        return name == selected
    return name.startswith("$") <= selected.startswith("$") and fnmatch.fnmatchcase(name, selected)


@value(frozen=True, slots=True)
class Selector:
    """Part of an area: a container name or glob, and the prefix of the blobs in it ("" is all)."""

    container: str
    prefix: str = ""

    @property
    def is_glob(self) -> bool:
        return _is_glob(self.container)

    def takes_container(self, name: str) -> bool:
        return _takes_container(self.container, name)

    def takes(self, container: str, name: str) -> bool:
        """Is the blob ``name`` of ``container`` mine? Reserved names are nobody's."""
        return self.takes_container(container) and name.startswith(self.prefix) and not name.startswith(RESERVED_PREFIX)


@value(frozen=True)
class Area:
    """A logical part of the data whose traffic switches as one.

    Asked for every blob, and areas may name thousands of containers: what it has in a container is worked out once.
    """

    name: str
    selectors: tuple[Selector, ...]

    def takes(self, container: str, name: str) -> bool:
        """Is the blob ``name`` of ``container`` mine? Reserved names are nobody's."""
        prefixes = self._known(container)[1]
        at = bisect_right(prefixes, name)
        return at > 0 and name.startswith(prefixes[at - 1]) and not name.startswith(RESERVED_PREFIX)

    def prefixes_in(self, container: str) -> tuple[str, ...]:
        """The prefixes to list in ``container``, ascending; empty where the area has no part in it."""
        return self._known(container)[0]

    def _known(self, container: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its prefixes there, and those of them that none of the others begins."""
        if container not in self._places:
            named = self._named.get(container, set())
            globs = {one.prefix for one in self._globs if one.takes_container(container)}
            prefixes = tuple(sorted(named | globs))
            widest: list[str] = []
            for prefix in prefixes:
                if not widest or not prefix.startswith(widest[-1]):
                    widest.append(prefix)
            self._places[container] = (prefixes, tuple(widest))
        return self._places[container]

    @cached_property
    def _places(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        return {}

    @cached_property
    def _named(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for one in self.selectors:
            if not one.is_glob:
                found.setdefault(one.container, set()).add(one.prefix)
        return found

    @cached_property
    def _globs(self) -> tuple[Selector, ...]:
        return tuple(one for one in self.selectors if one.is_glob)
