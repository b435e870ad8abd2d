"""Listings as streams, and the join of two of them.

``ReadAhead`` reads pages one ahead and checks that names rise strictly in the order asked for; reserved names are left out. A
marker that the service does not take any more means listing again from the beginning and skipping to the last name. A stream may
be one of a stretch of names only, ``Bounds``: it says then which name it began with and which one it ended at, so that
whoever lists the stretches beside each other can tell that nothing lies between them.
``join`` yields what both sides have for each name, ascending, in memory of two pages a side. A container that is not
there is an empty stream that says so; a refusal (403) is an error, never an empty listing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from migrator.errors import CloudError, NotFound, Unsupported
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import LIST_PAGE, Listed, ListingPage
from migrator.model.values import value
from migrator.ports.object_store import ObjectStore
from migrator.transfer.order import Order, OrderBroken, key_of

Key = bytes
"""Of a name, in the order of the join."""
REFUSED_MARKER = frozenset({"InvalidQueryParameterValue", "OutOfRangeInput", "InvalidMarker"})
"""Codes that say that a marker is not (or no longer) one of this listing. Source: Azure "Blob service error codes"."""
RESTARTS = 20
"""Refused markers of one listing before the error goes up."""


@value(frozen=True, slots=True)
class Pair:
    """One name and what both listings show of it; ``key`` compares in the order of the join."""

    key: bytes
    name: str
    origin: Listed | None
    destination: Listed | None


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


class Batches(Protocol):
    def begin(self) -> None:
        """Ask for what comes first, if that can be done beside other things."""
        ...

    async def next(self) -> list[tuple[bytes, Listed]]:
        """Some entries, ascending; empty at the end."""
        ...

    async def close(self) -> None: ...


@dataclass(slots=True)
class ReadAhead:
    """Pages of one container and prefix, one read ahead."""

    store: ObjectStore
    container: str
    prefix: str
    order: Order
    seen: SeenSide
    page_size: int = LIST_PAGE
    first_page: int = LIST_PAGE
    """Names of the first page; a short one is there sooner."""
    bounds: Bounds = EVERYTHING
    _ahead: asyncio.Task[tuple[list[Listed], str | None]] | None = None
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
        if self._ahead is None and not self._done:
            self._ahead = asyncio.create_task(self._fetch(None))

    async def next(self) -> list[tuple[bytes, Listed]]:
        while not self._done:
            try:
                entries, marker = await (self._fetch(None) if self._ahead is None else self._ahead)
            except MarkerRefused as refusal:
                self._begin_again(refusal.fault)
                continue
            self._ahead = None
            batch = self._checked(entries)
            if marker is None:
                self._done = True
            elif not self._done:
                self._ahead = asyncio.create_task(self._fetch(marker))
            if batch:
                return batch
        return []

    def _begin_again(self, fault: CloudError) -> None:
        self._restarts += 1
        if self._restarts > RESTARTS:
            raise fault
        if self._last is not None and (self._skip_to is None or self._last > self._skip_to):
            self._skip_to = self._last
        self._last = None
        self._ahead = None

    async def close(self) -> None:
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.gather(self._ahead, return_exceptions=True)
            self._ahead = None

    async def _fetch(self, marker: str | None) -> tuple[list[Listed], str | None]:
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
        return [entry for entry in page.entries if not entry.name.startswith(RESERVED_PREFIX)], page.marker

    async def _page(self, marker: str | None, limit: int) -> ListingPage:
        if self.bounds.start is None:
            return await self.store.page(self.container, prefix=self.prefix, marker=marker, limit=limit)
        try:
            return await self.store.page(
                self.container, prefix=self.prefix, marker=marker, limit=limit, start=self.bounds.start
            )
        except Unsupported as refusal:
            raise LaneBroken(self.store.account) from refusal

    def _checked(self, entries: list[Listed]) -> list[tuple[bytes, Listed]]:
        batch = []
        last, key_of_name = self._last, self._key
        above, upto, seen = self.bounds.above, self.bounds.upto, self.seen
        for entry in entries:
            key = key_of_name(entry.name)
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
            self.seen.bytes += entry.size
        self.seen.objects += len(batch)
        self._last = last
        return batch


class SortedStream:
    """A whole listing sorted here, on disk: for stores whose orders differ or are no order at all."""

    def __init__(self, store: ObjectStore, container: str, prefix: str, seen: SeenSide, *, page_size: int) -> None:
        self._pages = ReadAhead(store, container, prefix, "utf-8", seen, page_size)
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._rows: sqlite3.Cursor | None = None
        self._file: sqlite3.Connection | None = None

    async def next(self) -> list[tuple[bytes, Listed]]:
        try:
            if self._rows is None:
                self._rows = await self._sort()
            return [(key, _thaw(frozen)) for key, frozen in self._rows.fetchmany(LIST_PAGE)]
        except (sqlite3.Error, OSError) as fault:
            raise self._unsorted(fault) from fault

    def begin(self) -> None:
        """The whole listing is sorted first: there is no page to ask for."""

    def _unsorted(self, fault: Exception) -> CloudError:
        return CloudError(
            f"cannot sort the names of {self._pages.store.account}/{self._pages.container} on this machine's disk: {fault}",
            hint=f"make room in {tempfile.gettempdir()}, or name another folder in TMPDIR",
        )

    async def _sort(self) -> sqlite3.Cursor:
        self._file = self._opened()
        self._file.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF;")
        self._file.execute("CREATE TABLE names (key BLOB PRIMARY KEY, listed BLOB) WITHOUT ROWID")
        key_of_name = key_of("sorted")
        marker: str | None = None
        restarts = 0
        while True:
            try:
                entries, marker = await self._pages._fetch(marker)
            except MarkerRefused as refusal:
                restarts += 1
                if restarts > RESTARTS:
                    raise refusal.fault from refusal
                self._file.execute("DELETE FROM names")
                self._pages.seen.objects = self._pages.seen.bytes = 0
                marker = None
                continue
            self._pages.seen.objects += len(entries)
            self._pages.seen.bytes += sum(entry.size for entry in entries)
            self._file.execute("BEGIN")
            self._file.executemany(
                "INSERT OR REPLACE INTO names VALUES (?, ?)",
                [(key_of_name(entry.name), _freeze(entry)) for entry in entries],
            )
            self._file.execute("COMMIT")
            if marker is None:
                return self._file.execute("SELECT key, listed FROM names ORDER BY key")

    def _opened(self) -> sqlite3.Connection:
        self._folder = tempfile.TemporaryDirectory(prefix="migrate-sort-")
        return sqlite3.connect(Path(self._folder.name) / "names.db", isolation_level=None)

    async def close(self) -> None:
        await self._pages.close()
        with suppress(sqlite3.Error, OSError):  # what is left there is the machine's to clear away
            if self._file is not None:
                self._file.close()
            if self._folder is not None:
                self._folder.cleanup()


def _freeze(entry: Listed) -> bytes:
    import pickle  # only our own bytes, in our own private folder, are ever read back

    return pickle.dumps(_plain(entry))


def _plain(entry: Listed) -> dict[str, object]:
    fields = {name: getattr(entry, name) for name in Listed.__dataclass_fields__}
    fields["metadata"], fields["tags"] = dict(entry.metadata), dict(entry.tags)
    return fields


def _thaw(frozen: bytes) -> Listed:
    import pickle

    return Listed(**pickle.loads(frozen))  # noqa: S301 - written by _freeze above


def open_stream(
    store: ObjectStore,
    container: str,
    prefix: str,
    order: Order,
    seen: SeenSide,
    *,
    page_size: int = LIST_PAGE,
    first_page: int = LIST_PAGE,
    bounds: Bounds = EVERYTHING,
) -> Batches:
    """``bounds`` are keys of ``order``, which is none that is sorted here."""
    if order == "sorted":
        return SortedStream(store, container, prefix, seen, page_size=page_size)
    return ReadAhead(store, container, prefix, order, seen, page_size, first_page, bounds)


async def join(origin: Batches, destination: Batches) -> AsyncIterator[list[Pair]]:
    """Merge two ascending streams, both asked at once; yields batches of pairs, ascending, each name once.

    Raises:
        OrderBroken: a side did not rise in the order of the join; nothing that was yielded may be taken for complete.
    """
    origin.begin()
    destination.begin()
    left: list[tuple[bytes, Listed]] = await origin.next()
    right: list[tuple[bytes, Listed]] = await destination.next()
    i = j = 0
    while left or right:
        batch: list[Pair] = []
        while i < len(left) and j < len(right):
            (here, mine), (there, theirs) = left[i], right[j]
            if here < there:
                batch.append(Pair(here, mine.name, mine, None))
                i += 1
            elif there < here:
                batch.append(Pair(there, theirs.name, None, theirs))
                j += 1
            else:
                batch.append(Pair(here, mine.name, mine, theirs))
                i += 1
                j += 1
        if not right:
            batch.extend(Pair(key, blob.name, blob, None) for key, blob in left[i:])
            i = len(left)
        if not left:
            batch.extend(Pair(key, blob.name, None, blob) for key, blob in right[j:])
            j = len(right)
        if batch:
            yield batch
        if left and i == len(left):
            left, i = await origin.next(), 0
        if right and j == len(right):
            right, j = await destination.next(), 0
