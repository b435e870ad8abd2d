"""The copy ladder: how one blob gets across, whole and of one generation.

Rungs, best first: server-side copy in one request (block blobs up to 256 MiB), server-side blocks (larger ones), an
asynchronous copy (append and page blobs, never inside a fence), streaming through this machine. A rung that the service
cannot do (``Unsupported``) is left: by one object, or by all of a pair where that is ``pair``'s verdict; any other failure
goes up. Every read carries the origin's ETag, every write the condition it was decided under, so a blob never mixes
generations and nothing of others is overwritten.

Memory (``Sizes``): a larger streamed blob holds one block of ``stream_block_bytes`` that is read and ``blocks_ahead`` that are
written; a copier runs at most ``streams`` of them at once, and beside them small ones of ``held_bytes`` together.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import quote

from migrator.errors import AccessRefused, CloudError, ConditionFailed, SourceChanged, Unsupported
from migrator.model.names import RESERVED_PREFIX, block_name
from migrator.model.objects import EMPTY, BlobType, Condition, Listed, Shape
from migrator.model.rhythm import USUAL, Rhythm, Sizes
from migrator.model.values import replace, value
from migrator.model.window import Window
from migrator.ports.clock import Clock
from migrator.ports.object_store import NO_SIGNATURE, ObjectStore, Origin, Written
from migrator.transfer.evidence import generation_hash
from migrator.transfer.pair import AccountPair
from migrator.transfer.room import Room
from migrator.transfer.together import together
from migrator.transfer.turns import Turns

T = TypeVar("T")

PAGE = 512
NO_PAGE = bytes(PAGE)
GAP_BYTES = 64 * 1024
"""Zeros of a page blob that are read along, and left out where they are written, rather than cost a request."""
TAGS_HEADER_BYTES = 2_000


@value(frozen=True, slots=True)
class Copied:
    """``etag``: the destination's generation, equal to the origin's generation that was asked for."""

    etag: str
    bytes: int


class CopyEnded(CloudError):
    """The service gave up a copy that it made in its own time, or was told to: an empty object of ours, of generation ``etag``,
    lies at the destination."""

    def __init__(self, message: str, etag: str) -> None:
        super().__init__(message)
        self.etag = etag


class Copier:
    """Copies blobs of one pair of accounts; ``pair`` remembers whether its service does."""

    def __init__(
        self,
        origin: ObjectStore,
        destination: ObjectStore,
        clock: Clock,
        rhythm: Rhythm = USUAL,
        *,
        probes: str = f"{RESERVED_PREFIX}canary/",
        pair: AccountPair | None = None,
    ) -> None:
        """``probes``: where an object is copied once more, to tell a pair's trouble from an object's; ``pair``: who judges
        that, where somebody hears of it."""
        self._rhythm, self._sizes = rhythm, rhythm.sizes
        self._origin = origin
        self._destination = destination
        self._clock = clock
        self.pair = pair or AccountPair(origin, destination, clock, rhythm, probes)
        self._in_its_time = AccountPair(origin, destination, clock, rhythm, probes)
        """The same of copies that the service makes in its own time."""
        self._streams = asyncio.Semaphore(rhythm.sizes.streams)
        self._held = Room(rhythm.sizes.held_bytes)

    def is_asynchronous(self, blob: Listed, *, in_fence: bool) -> bool:
        """Is it copied by the service, but in its own time? Inside a fence it is streamed instead. So are page blobs always:
        pages that somebody else writes directly after the service has finished leave size, headers and the copy's id as they
        are, so that nothing would tell them from the copy."""
        return blob.blob_type is BlobType.APPEND and self._in_its_time.is_able and not in_fence

    @property
    def is_server_side(self) -> bool:
        """May the destination's service be asked to copy from the origin? It is asked again now and then."""
        return self.pair.is_able

    async def _judge(self, refusal: CloudError, pair: AccountPair) -> None:
        """Raise what is not this rung's trouble: a service that has copied for this pair before lost a right, or we did."""
        if isinstance(refusal, AccessRefused) and pair.has_copied:
            raise refusal
        pair.refused(why_of(refusal))
        await pair.settle()

    async def copy(self, container: str, blob: Listed, *, condition: Condition, in_fence: bool) -> Copied:
        """Copy the generation ``blob.etag``.

        Raises:
            SourceChanged: the origin has another generation by now; nothing of it was kept.
            NotFound: the origin is gone (what="blob"), or a container is.
            ConditionFailed: the destination is not as ``condition`` says.
            OutcomeUnknown: the visible write was sent and not answered.
            CopyEnded: the service did not finish; what it left there is to be replaced by a copy as ``in_fence``.
        Tags that no header can hold are the caller's to set.
        """
        origin = Origin(self._origin, container, blob.name, blob.etag, blob.size)
        shape = Shape.of(blob) if fits_header(blob.tags) else replace(Shape.of(blob), tags=EMPTY)
        if blob.is_archived:
            raise CloudError(
                f"cannot copy {container}/{blob.name}: it is archived and cannot be read",
                hint="rehydrate it, or leave its container out of the plan",
                code="BlobArchived",
            )
        for _ in range(2 if self.pair.has_copied else 1):  # a signature may have been renewed meanwhile
            if blob.blob_type is not BlobType.BLOCK or not self.is_server_side:
                break
            try:
                written = await self._server(origin, container, blob, shape, condition)
            except (Unsupported, AccessRefused) as refusal:
                await self._judge(refusal, self.pair)
            else:
                self.pair.copied(container, blob)
                return written
        if self.is_asynchronous(blob, in_fence=in_fence):
            try:
                copied = await self._async(origin, container, blob, shape, condition)
            except (Unsupported, AccessRefused) as refusal:
                await self._judge(refusal, self._in_its_time)
            else:
                self._in_its_time.copied()
                return copied
        async with self._held.of(blob.size) if blob.size <= self._sizes.small_stream_bytes else self._streams:
            return await self._stream(container, blob, shape, condition)

    async def confirm(self, container: str, blob: Listed) -> None:
        """To be asked before what lies at the destination is deleted or emptied to make room for ``blob``: its listing may be
        old, and what lies there may be the last copy of an object that the origin has lost since.

        Raises:
            NotFound: the origin is gone (what="blob"), or its container is.
            SourceChanged: it is another generation by now, or was archived and can no longer be read.
        """
        now = await self._origin.head(container, blob.name)
        if now.etag != blob.etag or now.is_archived:
            raise SourceChanged(f"cannot copy {container}/{blob.name}: it changed meanwhile")

    async def _server(self, origin: Origin, container: str, blob: Listed, shape: Shape, condition: Condition) -> Copied:
        if blob.size <= self._sizes.sync_copy_limit_bytes:
            written = await self._destination.copy(origin, container, blob.name, shape, condition=condition)
            return Copied(written.etag, blob.size)
        piece_bytes = max(self._sizes.server_block_bytes, -(-blob.size // self._sizes.most_blocks))
        offsets = range(0, blob.size, piece_bytes)
        generation = generation_hash(blob.name, blob.etag)
        ids = [block_name(generation, index) for index in range(len(offsets))]
        window = Window.up_to(self._sizes.most_parallel_blocks, self._sizes.parallel_blocks)
        turns = Turns(window, self._clock.monotonic)

        async def stage(block_id: str, offset: int) -> None:
            async with turns.turn(0):
                length = min(piece_bytes, blob.size - offset)
                await self._destination.stage_block_from(
                    origin, container, blob.name, block_id, offset=offset, length=length
                )

        await together(*(stage(block_id, offset) for block_id, offset in zip(ids, offsets, strict=True)))
        written = await self._destination.commit_blocks(container, blob.name, ids, shape, condition=condition)
        return Copied(written.etag, blob.size)

    async def _async(self, origin: Origin, container: str, blob: Listed, shape: Shape, condition: Condition) -> Copied:
        written = await self._destination.start_copy(origin, container, blob.name, shape, condition=condition)
        rhythm = self._rhythm
        patience = rhythm.copy_patience_seconds + blob.size / rhythm.copy_bytes_a_second
        until = self._clock.monotonic() + min(patience, rhythm.longest_copy_seconds)
        wait = rhythm.copy_poll_seconds
        while written.pending:
            await self._clock.sleep(wait)
            wait = min(wait * 2, rhythm.longest_copy_poll_seconds)
            now = await self._destination.head(container, blob.name)
            is_ours = now.copy_id == written.copy_id and dict(now.metadata) == dict(blob.metadata)
            if is_ours and now.copy_pending and self._clock.monotonic() > until:
                await self._destination.abort_copy(container, blob.name, written.copy_id or "")
                now = await self._destination.head(container, blob.name)
            if is_ours and now.copy_id == written.copy_id and now.copy_failed and now.size == 0:
                raise CopyEnded(f"cannot finish copying {container}/{blob.name}: {now.copy_failed}", now.etag)
            # Setting metadata keeps the copy's id: a HEAD after that shows success, and somebody else's generation.
            is_another = not now.copy_pending and (now.size, dict(now.metadata)) != (blob.size, dict(blob.metadata))
            is_another = is_another or bool(now.copy_failed)
            if now.copy_id != written.copy_id or is_another or not (now.copy_pending or same_headers(now, blob)):
                raise ConditionFailed(f"cannot finish copying {container}/{blob.name}: another write came first")
            written = Written(now.etag, now.copy_id, now.copy_pending)
        if blob.is_sealed and not await self._is_sealed(container, blob, written):
            written = await self._destination.seal(container, blob.name, size=blob.size, if_match=written.etag)
        return Copied(written.etag, blob.size)

    async def _is_sealed(self, container: str, blob: Listed, written: Written) -> bool:
        """Did the service's own copy bring the seal, as it was asked to?"""
        now = await self._destination.head(container, blob.name)
        if now.etag != written.etag:
            raise ConditionFailed(f"cannot finish copying {container}/{blob.name}: another write came first")
        return now.is_sealed

    async def _stream(self, container: str, blob: Listed, shape: Shape, condition: Condition) -> Copied:
        if blob.blob_type is BlobType.BLOCK:
            etag = await self._stream_block(container, blob, shape, condition)
        else:
            etag = await self._stream_pieces(container, blob, shape, condition)
        return Copied(etag, blob.size)

    async def _stream_block(self, container: str, blob: Listed, shape: Shape, condition: Condition) -> str:
        if blob.size <= self._sizes.block_bytes:
            body = await self._whole(container, blob) if blob.size else b""
            return (await self._destination.put(container, blob.name, body, shape, condition=condition)).etag
        piece_bytes = max(
            min(self._sizes.block_bytes, self._sizes.stream_block_bytes), -(-blob.size // self._sizes.most_blocks)
        )
        self._require_fit(container, blob, piece_bytes)
        generation = generation_hash(blob.name, blob.etag)
        ids: list[str] = []
        staging: set[asyncio.Future[None]] = set()
        try:
            async for piece in self._pieces(container, blob, piece_bytes):
                if len(staging) == self._sizes.blocks_ahead:
                    staging = await _until_one_is_done(staging)
                ids.append(block_name(generation, len(ids)))
                staging.add(asyncio.create_task(self._destination.stage_block(container, blob.name, ids[-1], piece)))
            while staging:
                staging = await _until_one_is_done(staging)
        finally:
            for one in staging:
                one.cancel()
            await asyncio.gather(*staging, return_exceptions=True)
        return (await self._destination.commit_blocks(container, blob.name, ids, shape, condition=condition)).etag

    def _require_fit(self, container: str, blob: Listed, piece_bytes: int) -> None:
        if piece_bytes > self._sizes.largest_stream_block_bytes:
            raise CloudError(
                f"cannot copy {container}/{blob.name}: {blob.size:,} bytes are too many to go through this machine",
                hint="let the service copy it, or leave it out of the plan",
                code="BlockCountExceedsLimit",
            )

    async def _stream_pieces(self, container: str, blob: Listed, shape: Shape, condition: Condition) -> str:
        """Append and page blobs have no commit: between the first and the last write the destination holds a part, which
        the caller's open range marks as ours until it is whole."""
        if blob.blob_type is BlobType.PAGE:
            return await self._stream_pages(container, blob, shape, condition)
        piece_bytes = max(self._sizes.page_write_bytes, -(-blob.size // self._sizes.most_blocks))
        self._require_fit(container, blob, piece_bytes)
        if condition.if_match is not None:
            await self.confirm(container, blob)
        written = await self._destination.create_empty(container, blob.name, 0, shape, condition=condition)
        offset = 0
        async for piece in self._pieces(container, blob, piece_bytes):
            written = await self._destination.append(container, blob.name, piece, offset=offset, if_match=written.etag)
            offset += len(piece)
        if blob.is_sealed:
            written = await self._destination.seal(container, blob.name, size=blob.size, if_match=written.etag)
        return written.etag

    async def _stream_pages(self, container: str, blob: Listed, shape: Shape, condition: Condition) -> str:
        """Only what was written is read, and only what is not zeros is written: a disk of terabytes may hold a few megabytes,
        and is billed for those."""
        with _as_source(container, blob):
            ranges = await self._origin.page_ranges(container, blob.name, if_match=blob.etag)
        written = await self._destination.create_empty(container, blob.name, blob.size, shape, condition=condition)
        for begin, length in joined(ranges):
            offset = begin
            async for piece in self._range(container, blob, self._sizes.page_write_bytes, begin, length):
                for at, pages in not_zero(piece):
                    written = await self._destination.put_pages(
                        container, blob.name, pages, offset=offset + at, if_match=written.etag
                    )
                offset += len(piece)
        return written.etag

    async def _whole(self, container: str, blob: Listed) -> bytes:
        with _as_source(container, blob):
            found = await self._origin.whole(container, blob.name, if_match=blob.etag, most_bytes=blob.size)
        return _checked(found.body, len(found.body), container, blob)

    def _pieces(self, container: str, blob: Listed, piece_bytes: int) -> AsyncIterator[bytes]:
        """The blob's bytes in pieces of exactly ``piece_bytes`` (the last may be shorter)."""
        return self._range(container, blob, piece_bytes, 0, blob.size)

    async def _range(
        self, container: str, blob: Listed, piece_bytes: int, offset: int, length: int
    ) -> AsyncIterator[bytes]:
        """A part of the blob's bytes; each piece is put together once, of the chunks as they came."""
        if length == 0:
            return
        part = {} if length == blob.size else {"offset": offset, "length": length}
        with _as_source(container, blob):
            async with self._origin.read(container, blob.name, if_match=blob.etag, **part) as chunks:
                parts: list[bytes | memoryview] = []
                held = got = 0
                async for chunk in chunks:
                    got += len(chunk)
                    rest: bytes | memoryview = chunk
                    while held + len(rest) >= piece_bytes:
                        view, room = memoryview(rest), piece_bytes - held
                        yield b"".join([*parts, view[:room]])
                        parts, held, rest = [], 0, view[room:]
                    if rest:
                        parts.append(rest)
                        held += len(rest)
                last = b"".join(parts)
        if _checked(last, got, container, blob, length):
            yield last


def may_be_in_blocks(blob: Listed, sizes: Sizes) -> bool:
    """May it be copied in several requests, of which only the last makes it visible? The service may refuse its own copy
    after the write was announced, and then it goes through this machine in smaller pieces."""
    return blob.blob_type is BlobType.BLOCK and blob.size > min(sizes.block_bytes, sizes.sync_copy_limit_bytes)


def fits_header(tags: Mapping[str, str]) -> bool:
    """Can a write bring them along? Source: a service refuses a tags header of more than some 2,000 bytes."""
    return not tags or sum(len(quote(part)) + 1 for pair in tags.items() for part in pair) <= TAGS_HEADER_BYTES


def why_of(refusal: CloudError) -> str:
    """In plain words. A refused right is taken for one of copying: its own to write the account says again, when it is written.

    Source: "Restrict the source of copy operations" (AllowedCopyScope is answered with 403), "Copy Blob From URL" (a source
    behind a firewall is 403 CannotVerifyCopySource).
    """
    if refusal.code == NO_SIGNATURE:
        return refusal.message.partition(": ")[2]
    code = f" ({refusal.code})" if refusal.code else ""
    if isinstance(refusal, AccessRefused) or refusal.code == "CannotVerifyCopySource":
        return f"the service may not copy between these accounts{code}: a firewall, or the scope allowed for copies"
    return f"the service cannot copy between these accounts{code}"


async def same_content(
    origin: ObjectStore, destination: ObjectStore, container: str, here: Listed, there: Listed
) -> bool:
    """Read both generations whole and compare: bytes, type, headers and metadata (tags and tier are compared by pass).

    Raises SourceChanged or NotFound if either side is another generation by now.
    """
    if (here.size, here.blob_type, dict(here.metadata)) != (there.size, there.blob_type, dict(there.metadata)):
        return False
    if (here.sequence_number, here.is_sealed) != (there.sequence_number, there.is_sealed):
        return False
    if _without_md5(here) != _without_md5(there) or unlike_md5(here, there):
        return False
    if here.size == 0:
        return True
    digest = _digest_of_pages if here.blob_type is BlobType.PAGE else _digest
    first, second = await together(digest(origin, container, here), digest(destination, container, there))
    return first == second


async def _digest_of_pages(store: ObjectStore, container: str, blob: Listed) -> bytes:
    """Of each page that is not zeros, and where it lies: what was never written need not be read."""
    digest = hashlib.sha256()
    try:
        for offset, length in joined(await store.page_ranges(container, blob.name, if_match=blob.etag)):
            at, rest = offset, b""
            async with store.read(container, blob.name, if_match=blob.etag, offset=offset, length=length) as chunks:
                async for chunk in chunks:
                    held = rest + chunk
                    whole = len(held) // PAGE * PAGE
                    _add_pages(digest, held[:whole], at)
                    at, rest = at + whole, held[whole:]
            require_whole(at + len(rest) - offset, container, blob, length)
    except ConditionFailed as refusal:
        raise SourceChanged(f"cannot compare {container}/{blob.name}: it changed meanwhile") from refusal
    return digest.digest()


def _add_pages(digest: hashlib._Hash, held: bytes, at: int) -> None:
    if not held.strip(b"\0"):
        return
    for begin in range(0, len(held), PAGE):
        page = held[begin : begin + PAGE]
        if page != NO_PAGE:
            digest.update((at + begin).to_bytes(8, "big") + page)


async def _digest(store: ObjectStore, container: str, blob: Listed) -> bytes:
    digest, got = hashlib.sha256(), 0
    try:
        async with store.read(container, blob.name, if_match=blob.etag) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
                got += len(chunk)
        require_whole(got, container, blob)
    except ConditionFailed as refusal:
        raise SourceChanged(f"cannot compare {container}/{blob.name}: it changed meanwhile") from refusal
    return digest.digest()


@contextmanager
def _as_source(container: str, blob: Listed) -> Iterator[None]:
    """A refused condition of a read for a copy: the origin is another generation."""
    try:
        yield
    except ConditionFailed as refusal:
        raise SourceChanged(f"cannot copy {container}/{blob.name}: it changed meanwhile") from refusal


def joined(ranges: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The ranges to read: those with little between them in one request."""
    begin = end = 0
    for offset, length in ranges:
        if begin < end and offset - end > GAP_BYTES:
            yield begin, end - begin
            begin = offset
        elif begin == end:
            begin = offset
        end = offset + length
    if begin < end:
        yield begin, end - begin


def not_zero(piece: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes) of what a piece of a page blob holds beside zeros, in whole pages."""
    at = 0
    while at < len(piece):
        end = at
        while end < len(piece) and piece.count(0, end, end + GAP_BYTES) < min(GAP_BYTES, len(piece) - end):
            end += GAP_BYTES
        held = piece[at:end]
        if held:
            begin = (len(held) - len(held.lstrip(b"\0"))) // PAGE * PAGE
            yield at + begin, held[begin : -(-len(held.rstrip(b"\0")) // PAGE) * PAGE]
        at = end + GAP_BYTES


def _checked(piece: bytes, got: int, container: str, blob: Listed, wanted: int | None = None) -> bytes:
    require_whole(got, container, blob, wanted)
    return piece


def require_whole(got: int, container: str, blob: Listed, wanted: int | None = None) -> None:
    """Did as many bytes come as were asked for: all that this generation has, unless ``wanted``? Something between here and the
    account may cut what it passes on, and say that it is whole."""
    wanted = blob.size if wanted is None else wanted
    if got != wanted:
        raise CloudError(
            f"cannot read {container}/{blob.name} whole: {got:,} bytes came of generation {blob.etag}, which has {wanted:,}",
            hint="find out what stands between this machine and the account",
        )


def _without_md5(blob: Listed) -> tuple[str | None, ...]:
    h = blob.headers
    # A service shows no type, or application/octet-stream, for a blob that was given none.
    return (
        h.content_type or "application/octet-stream",
        h.content_encoding or None,
        h.content_language or None,
        h.content_disposition or None,
        h.cache_control or None,
    )


def unlike_md5(here: Listed, there: Listed) -> bool:
    """Are two checksums stored that differ? A service may store one by itself, where none was given."""
    one, other = here.headers.md5, there.headers.md5
    return bool(one) and bool(other) and one != other


def same_headers(here: Listed, there: Listed) -> bool:
    return _without_md5(here) == _without_md5(there)


async def _until_one_is_done(work: set[asyncio.Future[None]]) -> set[asyncio.Future[None]]:
    """What is still under way; the error of one that failed goes up."""
    done, rest = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
    for one in done:
        one.result()
    return rest
