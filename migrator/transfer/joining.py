"""The join of two listings: what both sides have for each name, ascending, each name once.

Leaves the streams to ``listing``, and what is made of a name to whoever asks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator

from migrator.model.looks import Sight, Text
from migrator.model.objects import Listed
from migrator.model.values import value
from migrator.transfer.listing import Batches, Landing
from migrator.transfer.together import together


@value(frozen=True, slots=True)
class Pair:
    """One name and what both listings show of it; ``key`` compares in the order of the join."""

    key: bytes
    name: str
    origin: Listed | None
    destination: Listed | None


async def join(origin: Batches, destination: Batches) -> AsyncIterator[list[Pair]]:
    """All pairs of two ascending streams; see ``Join``."""
    async for batch in Join(origin, destination).upto(None):
        yield batch


class Join:
    """Merges two ascending streams, both asked at once."""

    def __init__(self, origin: Batches, destination: Batches) -> None:
        self._here = _Cursor(origin)
        self._there = _Cursor(destination)
        origin.begin()
        destination.begin()

    async def upto(self, bound: bytes | None) -> AsyncIterator[list[Pair]]:
        """Batches of pairs up to the key ``bound`` (None: to the end), ascending, each name once.

        Raises:
            OrderBroken: a side did not rise in the order of the join; nothing that was yielded may be taken for complete.
        """
        here, there = self._here, self._there
        while True:
            has_left, has_right = await here.has(bound), await there.has(bound)
            if not has_left and not has_right:
                return
            left, i, end = here.items, here.at, here.stop(bound)
            right, j, stop = there.items, there.at, there.stop(bound)
            batch = _paired(left, i, end, right, j, stop)
            if batch:
                i, j = end, stop
            while i < end and j < stop:
                (key, mine), (other, theirs) = left[i], right[j]
                if key < other:
                    batch.append(Pair(key, mine.name, mine, None))
                    i += 1
                elif other < key:
                    batch.append(Pair(other, theirs.name, None, theirs))
                    j += 1
                else:
                    batch.append(Pair(key, mine.name, mine, theirs))
                    i += 1
                    j += 1
            if not has_right:
                batch.extend(Pair(key, blob.name, blob, None) for key, blob in left[i:end])
                i = end
            if not has_left:
                batch.extend(Pair(key, blob.name, None, blob) for key, blob in right[j:stop])
                j = stop
            here.at, there.at = i, j
            if batch:
                yield batch

    def cut(self) -> tuple[Text, Text] | None:
        """What both listings said of the names since the last cut, if that is known."""
        mine, theirs = self._here.cut(), self._there.cut()
        return (mine, theirs) if mine is not None and theirs is not None else None

    async def goes_past(self, sight: Sight, bound: bytes | None, *, at_origin_only: bool) -> bool:
        """Go past a range that ends at ``bound`` (None: with the listings) if it looks like ``sight``. ``at_origin_only``: what
        the destination shows of it does not matter."""
        here, there, is_end = self._here, self._there, bound is None
        mine, theirs = await together(
            here.stream.lands(sight.origin, is_end=is_end), there.stream.lands(sight.destination, is_end=is_end)
        )
        if mine is None or (theirs is None and not at_origin_only):
            return False
        if theirs is not None:
            there.go_past(theirs, sight, sight.destination_bytes)
        else:
            while await there.has(bound):
                there.at = there.stop(bound)
            there.cut()
        here.go_past(mine, sight, sight.origin_bytes)
        return True


class _Cursor:
    """Where a join is in one of its streams."""

    __slots__ = ("_is_over", "_passed", "at", "items", "stream")

    def __init__(self, stream: Batches) -> None:
        self.stream = stream
        self.items: list[tuple[bytes, Listed]] = []
        self.at = 0
        self._is_over = False
        self._passed: bytes | None = None
        """The last name of what was gone past just now."""

    async def has(self, bound: bytes | None) -> bool:
        """Are there more names up to ``bound``? Nothing is asked for, or read, where the last one was the bound."""
        while self.at == len(self.items):
            last = self.items[-1][0] if self.items else self._passed
            if self._is_over or (bound is not None and last is not None and last >= bound):
                return False
            self.items, self.at = await self.stream.next(), 0
            self._is_over = not self.items
        return bound is None or self.items[self.at][0] <= bound

    def stop(self, bound: bytes | None) -> int:
        return len(self.items) if bound is None else bisect_right(self.items, bound, self.at, key=_key)

    def cut(self) -> Text | None:
        return self.stream.cut(self.at)

    def go_past(self, landing: Landing, sight: Sight, size: int) -> None:
        behind = self.stream.go_past(landing, self.at, sight.last, sight.objects, size)
        if behind is None:
            self.items, self.at, self._passed = [], 0, sight.last
        else:
            self.at = behind


def _paired(
    left: list[tuple[bytes, Listed]], i: int, end: int, right: list[tuple[bytes, Listed]], j: int, stop: int
) -> list[Pair]:
    """Both stretches, where they show the same names; else nothing."""
    if end - i != stop - j:
        return []
    pairs = [
        Pair(key, mine.name, mine, theirs)
        for (key, mine), (other, theirs) in zip(left[i:end], right[j:stop], strict=True)
        if key == other
    ]
    return pairs if len(pairs) == end - i else []


def _key(item: tuple[bytes, Listed]) -> bytes:
    return item[0]
