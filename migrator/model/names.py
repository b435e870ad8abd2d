"""Who is who: moves, areas, and which container or blob belongs to which area.

Decides membership only. Reading containers is the object store's work, wording of faults is the plan's.
"""

from __future__ import annotations

import fnmatch
from functools import lru_cache

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
    """Asked for every blob, of a few containers."""
    return fnmatch.fnmatchcase(name, selected) if _is_glob(selected) else name == selected


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


@value(frozen=True, slots=True)
class Area:
    """A logical part of the data whose traffic switches as one."""

    name: str
    selectors: tuple[Selector, ...]

    def takes(self, container: str, name: str) -> bool:
        return any(s.takes(container, name) for s in self.selectors)

    def prefixes_in(self, container: str) -> tuple[str, ...]:
        """The prefixes to list in ``container``, ascending; empty where the area has no part in it."""
        return tuple(sorted({s.prefix for s in self.selectors if s.takes_container(container)}))
