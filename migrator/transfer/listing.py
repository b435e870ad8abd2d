"""Listings as streams.

``ReadAhead`` reads pages one ahead and checks that names rise strictly in the order asked for; reserved names are left out. A
marker that the service does not take any more means listing again from the beginning and skipping to the last name. A stream may
be one of a stretch of names only, ``Bounds``: it says then which name it began with and which one it ended at, so that
whoever lists the stretches beside each other can tell that nothing lies between them. A page is read when its names are asked
for: where what follows is known by its text (``sights``), the stream goes past it unread.
A container that is not there is an empty stream that says so; a refusal (403) is an error, never an empty listing. Memory: two
pages a side, and those of a range more. Leaves what both sides show together to ``joining``, and what is sorted here to
``sorting``.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice, repeat
from operator import lt
from typing import Final, Protocol

from migrator.errors import CloudError, NotFound, Unsupported
from migrator.model.looks import Text
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import LIST_PAGE, Entries, Listed, ListingPage
from migrator.model.values import value
from migrator.transfer.order import Order, OrderBroken, key_of
from migrator.transfer.sights import Piece

Key = bytes
"""Of a name, in the order of the join."""
REFUSED_MARKER = frozenset({"InvalidQueryParameterValue", "OutOfRangeInput", "InvalidMarker"})
"""Codes that say that a marker is not (or no longer) one of this listing. Source: Azure "Blob service error codes"."""
RESTARTS = 20
"""Refused markers of one listing before the error goes up."""


@value(frozen=True, slots=True)
class Bounds:
    """The names in (``above``, ``upto``], as keys; None: from the first one, to the last one. ``start`` is the name of ``above``,
    from which the service is asked to list."""

    above: bytes | None = None
    upto: bytes | None = None
    start: str | None = None


EVERYTHING: Final = Bounds()


@dataclass(slots=True)
class SeenSide:
    """What one side of a join turned out to be; complete once the join has ended without an error."""

    objects: int = 0
    bytes: int = 0
    container_missing: bool = False
    begins: Key | None = None
    """The first name that was shown from the lower bound on, that one included; None: there is none."""
    ends: Key | None = None
    """The first name that was shown from the upper bound on, that one included; None: the listing ended before."""


class LaneBroken(Exception):
    """A listing of a stretch of names does not join up with what lies before it. Not an error for people: the container is listed
    as a whole then."""


class MarkerRefused(Exception):
    """Not an error for people: the listing begins again."""

    def __init__(self, fault: CloudError) -> None:
        super().__init__(fault.message)
        self.fault = fault


Landing = tuple[int, int]
"""Where a text ends: how many pages after the one in hand, and the byte in that one."""


class Pages(Protocol):
    """What a listing is read from: the one method of an ``ObjectStore`` that it needs."""

    account: str

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = 5000,
        start: str | None = None,
    ) -> ListingPage: ...


class Batches(Protocol):
    def begin(self) -> None:
        """Ask for what comes first, if that can be done beside other things."""
        ...

    async def next(self) -> list[tuple[bytes, Listed]]:
        """Some entries, ascending; empty at the end."""
        ...

    def cut(self, taken: int) -> Text | None:
        """The text of all names since the last cut: up to the first ``taken`` ones of the latest batch. None: it is not known."""
        ...

    async def lands(self, text: Text, *, is_end: bool) -> Landing | None:
        """Where ``text`` ends if it is what follows the last cut; ``is_end``: and if nothing follows it."""
        ...

    def go_past(self, landing: Landing, taken: int, last: bytes | None, objects: int, bytes: int) -> int | None:
        """Go there. What is passed counts as seen: so many ``objects`` and ``bytes``, the ``last`` key among them. How many of
        the latest batch are behind us now, ``taken`` ones before; None: all of it."""
        ...

    async def close(self) -> None: ...


class NothingThere:
    """Implements ``Batches``: a listing that has ended before, and had no names."""

    def begin(self) -> None:
        pass

    async def next(self) -> list[tuple[bytes, Listed]]:
        return []

    def cut(self, taken: int) -> Text | None:
        return None

    async def lands(self, text: Text, *, is_end: bool) -> Landing | None:
        return None

    def go_past(self, landing: Landing, taken: int, last: bytes | None, objects: int, bytes: int) -> int | None:
        return None

    async def close(self) -> None:
        pass


@value(frozen=True, slots=True)
class _Page:
    entries: Sequence[Listed]
    is_last: bool
    text: Entries | None
    """``entries``, where they are known by their text."""

    @classmethod
    def of(cls, entries: Sequence[Listed], *, is_last: bool) -> _Page:
        return cls(entries, is_last, entries if isinstance(entries, Entries) else None)


@dataclass(slots=True)
class ReadAhead:
    """Pages of one container and prefix, one read ahead."""

    store: Pages
    container: str
    prefix: str
    order: Order
    seen: SeenSide
    page_size: int = LIST_PAGE
    first_page: int = LIST_PAGE
    """Names of the first page; a short one is there sooner."""
    bounds: Bounds = EVERYTHING
    _ahead: asyncio.Task[tuple[Sequence[Listed], str | None]] | None = None
    _marker: str | None = None
    """Of the page after those that have come."""
    _is_listed: bool = False
    """Has the last page come?"""
    _pages: deque[_Page] = field(default_factory=deque)
    """Those that have come and are not in hand yet."""
    _hand: _Page | None = None
    _is_read: bool = True
    """Was the page in hand read, and given out? A page is read once."""
    _at: int = 0
    """Of the text in hand: up to here it is behind us, or counted in the piece."""
    _batch: list[tuple[bytes, Listed]] = field(default_factory=list)
    _ends: Sequence[int] | None = ()
    """Of the entries of the latest batch, in the text; None: that is not known."""
    _piece: Piece = field(default_factory=lambda: Piece(is_known=True))
    _done: bool = False
    _last: bytes | None = None
    """Of this listing, given out or skipped: one that begins again must rise from its own beginning, or what lies after the
    last name, and before it in our order, would be skipped unseen."""
    _skip_to: bytes | None = None
    """Listing again: entries up to here were given out already."""
    _restarts: int = 0
    _key: Callable[[str], bytes] = field(init=False)

    def __post_init__(self) -> None:
        self._key = key_of(self.order)

    def begin(self) -> None:
        if self._ahead is None and self._hand is None and not self._pages and not self._done:
            self._ahead = asyncio.create_task(self._fetch(None))

    async def next(self) -> list[tuple[bytes, Listed]]:
        self._take_batch()
        while not self._done:
            if not await self._in_hand():
                self._done = True
            elif self._hand is not None and (batch := self._read(self._hand)):
                return batch
        return []

    def _take_batch(self) -> None:
        """Whoever asks for more has taken all of the latest batch."""
        text = self._hand.text if self._hand is not None else None
        if self._batch and self._ends and text is not None:
            self._piece.add(text.text[self._at : self._ends[-1]])
            self._at, self._ends = max(self._at, self._ends[-1]), ()
        self._batch = []

    async def _in_hand(self) -> bool:
        """Is there a page in hand that was not read yet? False at the end of the listing."""
        while self._is_read:
            if not self._pages and not await self._load():
                return False
            self._turn(self._pages.popleft())
        return True

    async def _load(self) -> bool:
        """Wait for the next page; False: there is none."""
        while not self._is_listed:
            try:
                entries, marker = await (self._fetch(self._marker) if self._ahead is None else self._ahead)
            except MarkerRefused as refusal:
                self._begin_again(refusal.fault)
                continue
            self._ahead, self._marker, self._is_listed = None, marker, marker is None
            self._pages.append(_Page.of(entries, is_last=marker is None))
            if marker is not None and not self._reaches_the_end(entries):
                self._ahead = asyncio.create_task(self._fetch(marker))
            return True
        return False

    def _reaches_the_end(self, entries: Sequence[Listed]) -> bool:
        """Does a page show what lies behind the stretch? Nobody needs the page after it then."""
        if self.bounds.upto is None or not entries:
            return False
        last = entries.last() if isinstance(entries, Entries) else entries[-1]
        return self._key(last.name) >= self.bounds.upto

    def _begin_again(self, fault: CloudError) -> None:
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise fault
        if self._last is not None and (self._skip_to is None or self._last > self._skip_to):
            self._skip_to = self._last
        self._last = None
        self._ahead = None
        self._marker = None
        self._pages.clear()
        if not self._is_read:  # what is left of it comes again
            self._hand, self._is_read = None, True
        self._piece.is_known = False

    def _turn(self, page: _Page) -> None:
        """Take the next page in hand. What was left of the one before belongs to the piece."""
        if self._hand is not None and self._hand.text is not None:
            self._piece.add(self._hand.text.text[self._at :])
        if page.text is None:
            self._piece.is_known = False
        self._hand, self._is_read, self._at, self._batch, self._ends = page, False, 0, [], ()
        if page.text and self.seen.begins is None and self._skip_to is None:
            self._look_where_it_begins(page.text)

    def _look_where_it_begins(self, text: Entries) -> None:
        """A stretch begins behind the name of its lower bound, which the service shows if it is there."""
        entry, end = text.first()
        if entry.name.startswith(RESERVED_PREFIX):
            self._piece.is_known = False
            return
        key = self._key(entry.name)
        if self.bounds.above is not None and key < self.bounds.above:
            raise LaneBroken(self.store.account)
        self.seen.begins = key
        if key == self.bounds.above:
            self._last, self._at = key, end

    def _read(self, page: _Page) -> list[tuple[bytes, Listed]]:
        entries, ends = (page.entries, None) if page.text is None else page.text.read(self._at)
        self._is_read = True
        self._batch = self._checked(entries, ends)
        return self._batch

    # Texts: what is known by them is gone past unread.

    def cut(self, taken: int) -> Text | None:
        piece, text = self._piece, self._hand.text if self._hand is not None else None
        if text is None or self._ends is None:
            self._piece = Piece(is_known=False)  # where it begins is not known either
            return None
        end = self._ends[taken - 1] if taken and self._is_read else self._at
        piece.add(text.text[self._at : end])
        self._at, self._piece = end, Piece(is_known=True)
        return piece.text

    async def lands(self, text: Text, *, is_end: bool) -> Landing | None:
        if self._hand is None and not await self._in_hand():
            return None
        restarts, hand = self._restarts, self._hand
        if hand is None or hand.text is None or self._ends is None or not self._piece.is_known or self._piece.length:
            return None
        pages, left, digest = [hand.text.text[self._at :]], text.length, sha256()
        left -= len(pages[0])
        while left > 0:
            if len(pages) > len(self._pages) and (self._done or not await self._load()):
                return None
            if self._restarts != restarts or (following := self._pages[len(pages) - 1].text) is None:
                return None
            pages.append(following.text)
            left -= len(following.text)
        for page in pages[:-1]:
            digest.update(page)
        ends = len(pages[-1]) + left
        digest.update(pages[-1][:ends])
        if digest.digest() != text.digest:
            return None
        turned = len(pages) - 1
        if is_end and (left or not (self._pages[turned - 1] if turned else hand).is_last):
            return None
        return turned, ends if turned else self._at + ends

    def go_past(self, landing: Landing, taken: int, last: bytes | None, objects: int, bytes: int) -> int | None:
        turned, at = landing
        if not self._is_read:
            taken = 0  # of a page before
        is_read, behind = self._is_read and not turned, len(self._batch)
        if is_read:
            behind = bisect_right(self._ends or (), at, taken, behind)
        self.seen.objects += objects - (behind - taken)
        self.seen.bytes += bytes - sum(entry.size for _, entry in self._batch[taken:behind])
        for _ in range(turned):
            self._hand, self._is_read, self._batch, self._ends = self._pages.popleft(), False, [], ()
        self._at, self._piece = at, Piece(is_known=True)
        if last is not None and (self._last is None or last > self._last):
            self._last = last
        if last is not None and last == self.bounds.upto and not self._done:
            self._done, self.seen.ends = True, last
        return behind if is_read else None

    async def close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
            self._ahead = None

    async def _fetch(self, marker: str | None) -> tuple[Sequence[Listed], str | None]:
        limit = self.page_size if marker is not None else min(self.first_page, self.page_size)
        try:
            page = await self._page(marker, limit)
        except NotFound as absence:
            if absence.what != "container":
                raise
            if marker is not None:
                # It vanished between two pages: this listing never completed, so nothing may be concluded from it.
                raise NotFound(
                    f"cannot finish listing {self.container} of {self.store.account}: it vanished meanwhile",
                    what="container",
                    hint="run the command again",
                ) from absence
            self.seen.container_missing = True
            return [], None
        except CloudError as refusal:
            if marker is None or refusal.code not in REFUSED_MARKER:
                raise
            raise MarkerRefused(refusal) from refusal
        return page.entries, page.marker

    async def _page(self, marker: str | None, limit: int) -> ListingPage:
        if self.bounds.start is None:
            return await self.store.page(self.container, prefix=self.prefix, marker=marker, limit=limit)
        try:
            return await self.store.page(
                self.container, prefix=self.prefix, marker=marker, limit=limit, start=self.bounds.start
            )
        except Unsupported as refusal:
            raise LaneBroken(self.store.account) from refusal

    def _are_all_within(self, keys: Sequence[bytes]) -> bool:
        """Is there nothing to be said of any: they rise, from the last one on, inside the bounds, and none is reserved?"""
        if not keys or self._skip_to is not None:
            return False
        first, last, bounds = keys[0], keys[-1], self.bounds
        if (self._last is not None and first <= self._last) or (bounds.above is not None and first <= bounds.above):
            return False
        if bounds.upto is not None and last >= bounds.upto:
            return False
        reserved = self._key(RESERVED_PREFIX)
        at = bisect_left(keys, reserved)
        return all(map(lt, keys, islice(keys, 1, None))) and not (at < len(keys) and keys[at].startswith(reserved))

    def _checked(self, entries: Sequence[Listed], ends: Sequence[int] | None) -> list[tuple[bytes, Listed]]:
        last, key_of_name = self._last, self._key
        keys = [key_of_name(entry.name) for entry in entries]
        if self._are_all_within(keys):
            self.seen.begins = keys[0] if self.seen.begins is None else self.seen.begins
            self.seen.objects += len(keys)
            self.seen.bytes += sum([entry.size for entry in entries])
            self._last, self._ends = keys[-1], ends
            return list(zip(keys, entries, strict=True))
        batch: list[tuple[bytes, Listed]] = []
        kept: list[int] = []
        above, upto, seen = self.bounds.above, self.bounds.upto, self.seen
        for key, entry, end in zip(keys, entries, ends or repeat(0), strict=False):
            if entry.name.startswith(RESERVED_PREFIX):
                continue
            if last is not None and key <= last:
                raise OrderBroken(self.store.account)
            last = key
            if above is not None and key <= above:
                if key < above:
                    raise LaneBroken(self.store.account)
                seen.begins = key
                continue
            if seen.begins is None:
                seen.begins = key
            if upto is not None and key >= upto:
                if not self._done:
                    self._done, seen.ends = True, key
                if key > upto:
                    continue  # another lane's; this one's page is only looked at for its order
            if self._skip_to is not None:
                if key <= self._skip_to:
                    continue
                self._skip_to = None
            batch.append((key, entry))
            kept.append(end)
            self.seen.bytes += entry.size
        self.seen.objects += len(batch)
        self._last, self._ends = last, None if ends is None else kept
        return batch
