"""``LocalStore``: the object-store port on one SQLite file, shared by any number of processes.

Decides the order of a request: one thread per account (SQLite's calls block, sometimes for a lock; the event loop never
does), one transaction per request, counted when it ends. A copy never holds two files at once: it reads the origin in
steps, each under the source condition, and publishes in one transaction under the target's. Leaves rows to ``rows``,
transactions to ``file``. There are no snapshots, versions, leases or legal holds here.

Memory: one step of a copy or a read, at most READ_BYTES, per request in flight.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from migrator.adapters.local import contents, rows
from migrator.adapters.local.counters import Caller, Counters, Request
from migrator.adapters.local.file import AccountFile, newest_run
from migrator.adapters.local.rows import BlobRow, Place
from migrator.errors import AccessRefused, CloudError, ConditionFailed, MigrateError, SourceChanged, Unsupported
from migrator.model.objects import (
    BLOCK_BYTES,
    LIST_PAGE,
    SYNC_COPY_LIMIT_BYTES,
    BlobType,
    Condition,
    ContainerInfo,
    Listed,
    ListingPage,
    Shape,
    Survey,
)
from migrator.model.values import replace, value
from migrator.ports.diagnosis import Examination
from migrator.ports.object_store import TOO_LARGE, ObjectStore, Operation, Origin, Whole, Written
from migrator.ports.troubles import TROUBLES

T = TypeVar("T")

READ_BYTES: Final = 4 * 1024 * 1024
SCHEME: Final = "local:"


def path_of(endpoint: str) -> Path:
    """The file behind a local account's ``endpoint``; ValueError for any other address."""
    if not endpoint.startswith(SCHEME):
        raise ValueError(f"not a local account: {endpoint}")
    return Path(endpoint.removeprefix(SCHEME))


@value(frozen=True, slots=True)
class _Fetched:
    """Bytes of an origin, here: small ones in ``body``, large ones in the content ``loose`` that no blob names yet."""

    body: bytes
    loose: int | None

    def publish(self, connection: sqlite3.Connection) -> int:
        """The content that a blob or block may name from now on."""
        if self.loose is None:
            return contents.new_content(connection, self.body)
        contents.publish_loose(connection, self.loose)
        return self.loose


class LocalStore:
    """Account ``account`` in the file ``path``; implements ObjectStore.

    Args:
        account: its name in the plan.
        create: make the file if it is not there; else the first request raises NotFound(what="account"). A callable is asked
            whenever a request finds no file.
        caller: whose requests these are, for the counters: "app" or "engine".
        now: wall time in seconds, for Last-Modified and the counters.
    """

    def __init__(
        self,
        account: str,
        path: Path,
        *,
        create: bool | Callable[[], bool] = True,
        caller: Caller = "app",
        now: Callable[[], float] = time.time,
    ) -> None:
        self.account = account
        self._file = AccountFile(account, Path(path), create=create)
        self._counters = Counters(self._file, caller)
        self._now = now
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"local-{account}")

    @property
    def endpoint(self) -> str:
        return f"{SCHEME}{self._file.path}"

    @property
    def answered_at(self) -> float | None:
        """Counted here by the clock of whoever asks."""
        return None

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def write_check(self) -> Callable[[], None] | None:
        """Called inside each write's transaction, before its first effect; what it raises goes up and nothing is written.
        So an application holds an embedded account to its lease, however long the file was busy."""
        return self._file.write_check

    @write_check.setter
    def write_check(self, check: Callable[[], None] | None) -> None:
        self._file.write_check = check

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        return await self._read("list", lambda c: rows.containers(c, prefix))

    async def container(self, name: str) -> ContainerInfo:
        return await self._read("read", lambda c: rows.container(c, self.account, name))

    async def create_container(self, like: ContainerInfo) -> None:
        await self._write("write", lambda c: rows.create_container(c, like))

    async def set_container_metadata(self, container: str, metadata: Mapping[str, str]) -> None:
        await self._write("write", lambda c: rows.set_container_metadata(c, self.account, container, metadata))

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = 5000,
        start: str | None = None,
    ) -> ListingPage:
        count = max(1, min(limit, LIST_PAGE))
        return await self._read("list", lambda c: rows.page(c, self.account, container, prefix, marker, count, start))

    async def head(self, container: str, name: str) -> Listed:
        place = Place(self.account, container, name)
        return await self._read("read", lambda c: rows.get(c, place).listed)

    @asynccontextmanager
    async def read(
        self, container: str, name: str, *, if_match: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """One request to the counters, one transaction per chunk: a change in the middle is a ConditionFailed."""
        place = Place(self.account, container, name)
        blob, first = await self._first(place, if_match, offset, length)
        end = blob.size if length is None else min(blob.size, offset + length)
        yield self._chunks(place, if_match, first, offset, end)

    async def whole(self, container: str, name: str, *, if_match: str | None = None, most_bytes: int) -> Whole:
        place = Place(self.account, container, name)
        request = self._request("read")

        def work(connection: sqlite3.Connection) -> Whole:
            row = _readable(connection, place, if_match)
            if row.listed.size > min(most_bytes, BLOCK_BYTES):
                raise CloudError(f"cannot read {place} whole: it has {row.listed.size} bytes", code=TOO_LARGE)
            body = contents.read_range(connection, row.content, 0, row.listed.size)
            request.egress_bytes = len(body)
            return Whole(row.listed.etag, body)

        return await self._in_thread(lambda: self._counters.counted(request, lambda: self._file.read(work)))

    async def page_ranges(self, container: str, name: str, *, if_match: str) -> Sequence[tuple[int, int]]:
        place = Place(self.account, container, name)

        def work(connection: sqlite3.Connection) -> list[tuple[int, int]]:
            row = _readable(connection, place, if_match)
            rows.check_type(place, row, BlobType.PAGE)
            return contents.written(connection, row.content)

        return await self._read("read", work)

    def can_copy_from(self, other: ObjectStore) -> bool:
        return isinstance(other, LocalStore)

    async def copy(self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition) -> Written:
        place = Place(self.account, container, name)
        modified = self._second()
        source, first = await _ask_origin(origin, 0, None)
        if source.blob_type is not BlobType.BLOCK:
            raise CloudError(
                f"cannot copy to {place} in one request: the origin is not a block blob", code="InvalidBlobType"
            )
        if source.size > SYNC_COPY_LIMIT_BYTES:
            raise CloudError(f"cannot copy to {place} in one request: {source.size} bytes", code="CopySourceTooLarge")
        fetched = await self._fetch(origin, first, 0, source.size)
        return Written(await self._publish_copy(place, source, fetched, shape, condition, modified, copy_id=None))

    async def start_copy(
        self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition
    ) -> Written:
        """Done when it returns: ``pending`` is never true."""
        place = Place(self.account, container, name)
        modified = self._second()
        source, first = await _ask_origin(origin, 0, None)
        fetched = await self._fetch(origin, first, 0, source.size)
        copy_id = str(uuid.uuid4())
        etag = await self._publish_copy(place, source, fetched, shape, condition, modified, copy_id=copy_id)
        return Written(etag, copy_id)

    async def abort_copy(self, container: str, name: str, copy_id: str) -> None:
        """No copy is ever pending here."""

    async def put(self, container: str, name: str, body: bytes, shape: Shape, *, condition: Condition) -> Written:
        place = Place(self.account, container, name)
        _check_length(place, body)

        modified = self._second()

        def work(connection: sqlite3.Connection) -> str:
            old = _admitted(connection, place, condition)
            content = contents.new_content(connection, body)
            return rows.publish(
                connection, place, old, shape=_block(shape), content=content, size=len(body), modified=modified
            )

        return Written(await self._write("write", work, ingress=len(body)))

    async def stage_block(self, container: str, name: str, block_id: str, body: bytes) -> None:
        place = Place(self.account, container, name)

        def work(connection: sqlite3.Connection) -> None:
            rows.stage(connection, place, block_id, contents.new_content(connection, body), len(body))

        await self._write("write", work, ingress=len(body))

    async def stage_block_from(
        self, origin: Origin, container: str, name: str, block_id: str, *, offset: int, length: int
    ) -> None:
        place = Place(self.account, container, name)
        source, first = await _ask_origin(origin, offset, length)
        if length < 1 or offset + length > source.size:
            raise CloudError(f"cannot stage a block of {place}: the range is outside the origin", code="InvalidRange")
        fetched = await self._fetch(origin, first, offset, offset + length)
        await self._settle(fetched, lambda c: rows.stage(c, place, block_id, fetched.publish(c), length))

    async def commit_blocks(
        self, container: str, name: str, block_ids: Sequence[str], shape: Shape, *, condition: Condition
    ) -> Written:
        place = Place(self.account, container, name)

        modified = self._second()

        def work(connection: sqlite3.Connection) -> str:
            old = _admitted(connection, place, condition)
            content, size = rows.join_staged(connection, place, block_ids)
            return rows.publish(
                connection, place, old, shape=_block(shape), content=content, size=size, modified=modified
            )

        return Written(await self._write("write", work))

    async def uncommitted(self, container: str, *, prefix: str = "") -> Sequence[str]:
        return await self._read("list", lambda c: rows.uncommitted(c, self.account, container, prefix))

    async def create_empty(
        self, container: str, name: str, size: int, shape: Shape, *, condition: Condition
    ) -> Written:
        place = Place(self.account, container, name)
        if size % 512 or (size and shape.blob_type is not BlobType.PAGE):
            raise CloudError(
                f"cannot create {place}: {size} bytes do not suit a {shape.blob_type}", code="InvalidHeaderValue"
            )

        modified = self._second()

        def work(connection: sqlite3.Connection) -> str:
            old = _admitted(connection, place, condition)
            content, opened = contents.new_content(connection), replace(shape, is_sealed=False)
            return rows.publish(connection, place, old, shape=opened, content=content, size=size, modified=modified)

        return Written(await self._write("write", work))

    async def append(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        place = Place(self.account, container, name)
        _check_length(place, body)

        modified = self._second()

        def work(connection: sqlite3.Connection) -> str:
            row = _changeable(connection, place, BlobType.APPEND, if_match)
            _check_position(place, row, offset)
            if row.listed.is_sealed:
                raise CloudError(f"cannot append to {place}: {TROUBLES['BlobIsSealed'].why}", code="BlobIsSealed")
            contents.add(connection, row.content, body, offset=offset)
            return rows.touch(connection, place, size=offset + len(body), modified=modified)

        return Written(await self._write("write", work, ingress=len(body)))

    async def seal(self, container: str, name: str, *, size: int, if_match: str) -> Written:
        place = Place(self.account, container, name)

        modified = self._second()

        def work(connection: sqlite3.Connection) -> str:
            row = _changeable(connection, place, BlobType.APPEND, if_match)
            _check_position(place, row, size)
            return rows.seal(connection, place, row, modified=modified)

        return Written(await self._write("write", work))

    async def put_pages(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        place = Place(self.account, container, name)
        _check_length(place, body)

        modified = self._second()

        def work(connection: sqlite3.Connection) -> str:
            row = _changeable(connection, place, BlobType.PAGE, if_match)
            if offset % 512 or len(body) % 512 or offset + len(body) > row.listed.size:
                raise CloudError(
                    f"cannot write pages of {place}: the range is not whole pages of it", code="InvalidPageRange"
                )
            contents.overlay(connection, row.content, body, offset=offset)
            return rows.touch(connection, place, size=row.listed.size, modified=modified)

        return Written(await self._write("write", work, ingress=len(body)))

    async def set_tags(self, container: str, name: str, tags: Mapping[str, str]) -> None:
        place = Place(self.account, container, name)
        await self._write("write", lambda c: rows.set_tags(c, place, tags))

    async def set_tier(self, container: str, name: str, tier: str) -> None:
        place = Place(self.account, container, name)
        await self._write("write", lambda c: rows.set_tier(c, place, tier))

    async def delete(self, container: str, name: str, *, if_match: str, with_snapshots: bool = True) -> None:
        """There are no snapshots here."""
        place = Place(self.account, container, name)

        def work(connection: sqlite3.Connection) -> None:
            row = rows.get(connection, place)
            rows.check_generation(place, row, if_match)
            rows.remove(connection, place, row)

        await self._write("delete", work)

    async def survey(self, container: str, *, prefix: str = "", marker: str | None = None) -> Survey:
        """All at once: a file's rows are soon counted."""
        return await self._read("list", lambda c: rows.survey(c, self.account, container, prefix))

    async def late_write_seconds(self, now: datetime) -> float:
        """None: a write checks the run's token inside its transaction, and a newer run has bound itself first."""
        return 0.0

    async def bind_run(self, token: int) -> None:
        """From now on this object writes for run ``token``; AccessRefused if a newer run has bound itself before."""
        newest = await self._in_thread(lambda: self._file.write(lambda c: newest_run(c, token)))
        self._file.run = token
        if newest > token:
            raise AccessRefused(
                f"cannot write to account {self.account}: a newer run has taken over",
                hint="let the newer run go on; see migrate status",
                code="NewerRun",
            )

    async def examine(self, now: datetime) -> Examination:
        """A file: no credential, no clock of its own, and nothing is applied late."""
        await self._read("list", lambda c: c.execute("SELECT 1").fetchone())
        return Examination("none, it is a file", 0.0)

    async def close(self) -> None:
        """Write the last counts and close the file; requests under way end first."""

        def end() -> None:
            self._counters.flush()
            self._file.close()

        await self._in_thread(end)
        self._thread.shutdown(wait=False)

    async def _read(self, operation: Operation, work: Callable[[sqlite3.Connection], T]) -> T:
        request = self._request(operation)
        return await self._in_thread(lambda: self._counters.counted(request, lambda: self._file.read(work)))

    async def _write(self, operation: Operation, work: Callable[[sqlite3.Connection], T], *, ingress: int = 0) -> T:
        request = self._request(operation, ingress_bytes=ingress)
        return await self._in_thread(lambda: self._counters.counted(request, lambda: self._file.write(work)))

    async def _in_thread(self, job: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, job)

    def _request(self, operation: Operation, *, requests: int = 1, ingress_bytes: int = 0) -> Request:
        return Request(operation, self._second(), time.monotonic(), requests=requests, ingress_bytes=ingress_bytes)

    def _second(self) -> int:
        """The start of a request, for Last-Modified and for the counters."""
        return int(self._now())

    async def _first(self, place: Place, etag: str, offset: int, length: int | None) -> tuple[Listed, bytes]:
        """The blob of generation ``etag`` and at most READ_BYTES from ``offset``, in one request."""
        request = self._request("read")

        def work(connection: sqlite3.Connection) -> tuple[Listed, bytes]:
            row = _readable(connection, place, etag)
            if offset < 0 or (offset and offset >= row.listed.size):
                raise CloudError(f"cannot read {place} from {offset}: it is shorter", code="InvalidRange")
            wanted = row.listed.size - offset if length is None else min(length, row.listed.size - offset)
            body = contents.read_range(connection, row.content, offset, min(wanted, READ_BYTES))
            request.egress_bytes = len(body)
            return row.listed, body

        return await self._in_thread(lambda: self._counters.counted(request, lambda: self._file.read(work)))

    async def _next(self, place: Place, etag: str, offset: int, end: int) -> bytes:
        """At most READ_BYTES of [offset, end): part of a request that was counted when it began."""
        request = self._request("read", requests=0)

        def work(connection: sqlite3.Connection) -> bytes:
            row = _readable(connection, place, etag)
            body = contents.read_range(connection, row.content, offset, min(READ_BYTES, end - offset))
            request.egress_bytes = len(body)
            return body

        return await self._in_thread(lambda: self._counters.counted(request, lambda: self._file.read(work)))

    async def _chunks(self, place: Place, etag: str, first: bytes, offset: int, end: int) -> AsyncIterator[bytes]:
        chunk = first
        while chunk:
            yield chunk
            offset += len(chunk)
            chunk = await self._next(place, etag, offset, end) if offset < end else b""

    async def _fetch(self, origin: Origin, first: bytes, offset: int, end: int) -> _Fetched:
        """Bring [offset, end) of the origin here; ``first`` is its beginning."""
        position = offset + len(first)
        if position >= end:
            return _Fetched(first, None)
        now = self._second()
        loose = await self._in_thread(lambda: self._file.write(lambda c: contents.begin_loose(c, now)))
        fetched = _Fetched(b"", loose)
        try:
            await self._keep(loose, first, 0)
            while position < end:
                piece = await _ask_origin_next(origin, position, end)
                await self._keep(loose, piece, position - offset)
                position += len(piece)
        except BaseException:
            await self._discard(fetched)
            raise
        return fetched

    async def _keep(self, loose: int, piece: bytes, offset: int) -> None:
        await self._in_thread(lambda: self._file.write(lambda c: contents.add(c, loose, piece, offset=offset)))

    async def _settle(self, fetched: _Fetched, work: Callable[[sqlite3.Connection], T]) -> T:
        """The request that makes ``fetched`` part of the account; what it refuses is removed."""
        try:
            return await self._write("write", work)
        except BaseException:
            await self._discard(fetched)
            raise

    async def _discard(self, fetched: _Fetched) -> None:
        """What cannot be removed now is removed by a later copy."""
        loose = fetched.loose
        if loose is not None:
            with suppress(MigrateError):
                await self._in_thread(
                    lambda: self._file.write(lambda c: contents.drop_loose(c, loose), is_request=False)
                )

    async def _publish_copy(
        self,
        place: Place,
        source: Listed,
        fetched: _Fetched,
        shape: Shape,
        condition: Condition,
        modified: int,
        *,
        copy_id: str | None,
    ) -> str:
        kept = replace(Shape.of(source), tags=shape.tags, tier=shape.tier)

        def work(connection: sqlite3.Connection) -> str:
            old = _admitted(connection, place, condition)
            return rows.publish(
                connection,
                place,
                old,
                shape=kept,
                content=fetched.publish(connection),
                size=source.size,
                modified=modified,
                copy_id=copy_id,
            )

        return await self._settle(fetched, work)


async def _ask_origin(origin: Origin, offset: int, length: int | None) -> tuple[Listed, bytes]:
    """The origin's blob and the beginning of its bytes, read by its own account in its own thread."""
    store = origin.store
    if not isinstance(store, LocalStore):
        raise Unsupported(f"cannot copy from {store.account} by itself: it is not a local account")
    with _as_source(origin):
        return await store._first(Place(store.account, origin.container, origin.name), origin.etag, offset, length)


async def _ask_origin_next(origin: Origin, offset: int, end: int) -> bytes:
    store = origin.store
    assert isinstance(store, LocalStore)
    with _as_source(origin):
        return await store._next(Place(store.account, origin.container, origin.name), origin.etag, offset, end)


@contextmanager
def _as_source(origin: Origin) -> Iterator[None]:
    try:
        yield
    except ConditionFailed as refusal:
        place = Place(origin.store.account, origin.container, origin.name)
        raise SourceChanged(f"cannot copy {place}: it changed meanwhile", code="SourceConditionNotMet") from refusal


def _admitted(connection: sqlite3.Connection, place: Place, condition: Condition) -> BlobRow | None:
    """The blob a write may replace, or None where it creates."""
    old = rows.find(connection, place)
    rows.check(place, old, condition)
    return old


def _changeable(connection: sqlite3.Connection, place: Place, kind: BlobType, if_match: str) -> BlobRow:
    row = rows.get(connection, place)
    rows.check_type(place, row, kind)
    rows.check_generation(place, row, if_match)
    return row


def _check_position(place: Place, row: BlobRow, offset: int) -> None:
    if row.listed.size != offset:
        raise ConditionFailed(
            f"cannot append to {place} at {offset}: it has {row.listed.size} bytes",
            code="AppendPositionConditionNotMet",
        )


def _readable(connection: sqlite3.Connection, place: Place, etag: str | None) -> BlobRow:
    """``etag`` None: whichever generation is there."""
    row = rows.get(connection, place)
    if etag is not None:
        rows.check_generation(place, row, etag)
    if row.listed.is_archived:
        raise CloudError(f"cannot read {place}: it is archived", hint="set another tier first", code="BlobArchived")
    return row


def _check_length(place: Place, body: bytes) -> None:
    if len(body) > BLOCK_BYTES:
        raise CloudError(f"cannot write {len(body)} bytes to {place} in one request", code="RequestBodyTooLarge")


def _block(shape: Shape) -> Shape:
    return replace(shape, blob_type=BlobType.BLOCK)
