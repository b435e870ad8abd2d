"""Pages of the simulated services as texts that are read when somebody asks for their entries, as those of a real one are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from migrator.model.objects import Entries, Listed


class ToldEntries(Entries):
    """``entries`` and how they are written."""

    __slots__ = ("_ends", "_entries", "_text")

    def __init__(self, entries: Sequence[Listed]) -> None:
        parts = [_told(entry) for entry in entries]
        self._entries = entries
        self._ends = list(accumulate(map(len, parts)))
        self._text = memoryview(b"".join(parts))

    @property
    def text(self) -> memoryview:
        return self._text

    def read(self, at: int = 0) -> tuple[list[Listed], Sequence[int] | None]:
        begin = bisect_right(self._ends, at)
        return list(self._entries[begin:]), self._ends[begin:]

    def first(self) -> tuple[Listed, int]:
        return self._entries[0], self._ends[0]

    def last(self) -> Listed:
        return self._entries[-1]


def _told(entry: Listed) -> bytes:
    """All that can change, what an ETag stands for by its ETag."""
    tags = sorted(entry.tags.items())
    state = f"{entry.copy_pending}{entry.rehydrating}{entry.is_archived}{entry.tier}{entry.tier_inferred}"
    text = f"{entry.name}\x1f{entry.etag}\x1f{entry.size}\x1f{entry.blob_type}\x1f{state}\x1f{tags}\x1e"
    return text.encode("utf-8", "surrogatepass")
