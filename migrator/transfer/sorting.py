"""A whole listing sorted here, on disk: for stores whose orders differ or are no order at all."""

from __future__ import annotations

import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path

from migrator.errors import CloudError
from migrator.model.looks import Text
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import LIST_PAGE, Listed
from migrator.transfer.listing import (
    EVERYTHING,
    RESTARTS,
    Batches,
    Bounds,
    Landing,
    MarkerRefused,
    Pages,
    ReadAhead,
    SeenSide,
)
from migrator.transfer.order import Order, key_of


class SortedStream:
    """Implements ``Batches``."""

    def __init__(self, store: Pages, container: str, prefix: str, seen: SeenSide, *, page_size: int) -> None:
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

    def cut(self, taken: int) -> Text | None:
        return None  # what is sorted has no text

    async def lands(self, text: Text, *, is_end: bool) -> Landing | None:
        return None

    def go_past(self, landing: Landing, taken: int, last: bytes | None, objects: int, bytes: int) -> int | None:
        raise AssertionError("it lands nowhere")

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
                page, marker = await self._pages._fetch(marker)
            except MarkerRefused as refusal:
                restarts += 1
                if restarts > RESTARTS:
                    raise refusal.fault from refusal
                self._file.execute("DELETE FROM names")
                self._pages.seen.objects = self._pages.seen.bytes = 0
                marker = None
                continue
            entries = [entry for entry in page if not entry.name.startswith(RESERVED_PREFIX)]
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
    store: Pages,
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
