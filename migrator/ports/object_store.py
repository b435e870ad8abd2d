"""One storage account, as copying and comparing need it.

Promises of every implementation (one contract suite holds them all to it, tests/contract):
- an ETag changes with every change of content, headers or metadata, never with tags alone; ETags come normalised;
- a condition is checked by the service in the same atomic step as the write;
- a write that returns was applied; ConditionFailed, SourceChanged, NotFound, AccessRefused, Throttled and Unsupported say
  that it was not; OutcomeUnknown says that nobody knows; Unreachable is raised by writes only if nothing was sent;
- listings are pages in one strict order of names; names are data, any of them may hold any character;
- no request leaves once ``MAY_SEND`` says no, however long it was held up before;
- no method retries, and none touches a name it was not given.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from datetime import datetime
from typing import Final, Literal, Protocol

from migrator.model.objects import BlobType, Condition, ContainerInfo, Listed, ListingPage, Shape, Survey
from migrator.model.values import value
from migrator.ports.clock import Clock


@value(frozen=True, slots=True)
class Origin:
    """A blob of another account to copy from: generation ``etag`` of ``container/name``. ``size``: its bytes, for the budgets of
    who keeps them."""

    store: ObjectStore
    container: str
    name: str
    etag: str
    size: int = 0


@value(frozen=True, slots=True)
class Written:
    """The answer of an ETag-changing write: the new generation. ``pending`` with a ``copy_id``: an asynchronous copy
    still runs, and the ETag counts only once a HEAD shows success and the same id."""

    etag: str
    copy_id: str | None = None
    pending: bool = False


@value(frozen=True, slots=True)
class Whole:
    """All bytes of one generation."""

    etag: str
    body: bytes


NO_SIGNATURE: Final = "NoSignature"
"""The code of Unsupported for a copy whose source may be shown to nobody: its credential makes no signature for that."""
NO_SERVER: Final = "NoServer"
"""The code of Unreachable where the address may be wrong: nothing listens there, nobody knows its name, its certificate is
another's."""
TOO_LARGE: Final = "AnswerTooLarge"
"""The code of an answer that is longer than the asker wants to hold."""


def _always() -> bool:
    return True


MAY_SEND: ContextVar[Callable[[], bool]] = ContextVar("MAY_SEND", default=_always)
"""Asked at the last moment, before the first byte of a request leaves: one that was held up meanwhile - for a connection, a
token - is not sent when its time is over, and Unreachable says so."""

Operation = Literal["list", "read", "write", "delete", "other"]


class ObjectStore(Protocol):
    """All methods raise the CloudError family of ``migrator.errors``; errors name account, container and blob."""

    account: str
    """The account's name in the plan."""

    @property
    def endpoint(self) -> str:
        """What a route record tells clients; for a local account ``local:`` and the absolute path."""
        ...

    @property
    def answered_at(self) -> float | None:
        """Unix time of the newest answer, by the service's own clock; None where it says none, or nothing was answered yet. What
        was asked is counted by it, since the service's metrics are."""
        ...

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        """All containers whose name begins with ``prefix``, ascending; complete or an error."""
        ...

    async def container(self, name: str) -> ContainerInfo:
        """Raises NotFound(what="container")."""
        ...

    async def create_container(self, like: ContainerInfo) -> None:
        """Create with this metadata (private access unless ``like`` says so); nothing happens if it is there."""
        ...

    async def set_container_metadata(self, container: str, metadata: Mapping[str, str]) -> None:
        """Replace all of it; no condition, and safe to repeat."""
        ...

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = 5000,
        start: str | None = None,
    ) -> ListingPage:
        """One page of the names that begin with ``prefix``, with metadata and tags. NotFound(what="container") is never an
        empty page. ``start``: the listing begins with this name, or the next one that there is; given again with each marker.
        Unsupported where the service cannot: nobody may rely on it before it has shown that it can."""
        ...

    async def head(self, container: str, name: str) -> Listed:
        """The live blob now, tags included. NotFound(what="blob") or NotFound(what="container"), with the service's own word for
        it as ``code`` (BlobNotFound, ContainerNotFound): without one nobody knows who answered."""
        ...

    def read(
        self, container: str, name: str, *, if_match: str, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Bytes as stored (never decompressed), in chunks of at most 4 MiB; ConditionFailed on another generation."""
        ...

    async def whole(self, container: str, name: str, *, if_match: str | None = None, most_bytes: int) -> Whole:
        """A small blob in one request, as stored: of generation ``if_match`` (else ConditionFailed), or the one that is there.
        One of more than ``most_bytes`` (at most BLOCK_BYTES) is a CloudError(code=TOO_LARGE)."""
        ...

    async def page_ranges(self, container: str, name: str, *, if_match: str) -> Sequence[tuple[int, int]]:
        """Where a page blob was written: (offset, bytes), ascending, whole pages; everything else of it reads as zeros and costs
        nothing. ConditionFailed on another generation."""
        ...

    def can_copy_from(self, other: ObjectStore) -> bool:
        """May server-side copies from ``other`` be tried at all? A probe decides."""
        ...

    async def copy(self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition) -> Written:
        """Synchronous server-side copy of at most SYNC_COPY_LIMIT_BYTES of a block blob, source condition included.
        The result has the origin's headers and metadata, and ``shape``'s tags and tier."""
        ...

    async def start_copy(
        self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition
    ) -> Written:
        """Asynchronous server-side copy of any blob type; ask ``head`` until ``copy_pending`` is false."""
        ...

    async def abort_copy(self, container: str, name: str, copy_id: str) -> None:
        """Abort a pending copy; nothing happens if none runs."""
        ...

    async def put(self, container: str, name: str, body: bytes, shape: Shape, *, condition: Condition) -> Written:
        """Create a whole block blob from memory (at most BLOCK_BYTES), with everything in ``shape``."""
        ...

    async def stage_block(self, container: str, name: str, block_id: str, body: bytes) -> None:
        """Stage one uncommitted block; ``block_id`` is plain text of one length per blob."""
        ...

    async def stage_block_from(
        self, origin: Origin, container: str, name: str, block_id: str, *, offset: int, length: int
    ) -> None:
        """Stage one block server-side, with the source condition."""
        ...

    async def commit_blocks(
        self, container: str, name: str, block_ids: Sequence[str], shape: Shape, *, condition: Condition
    ) -> Written:
        """Commit staged blocks as the whole content, with everything in ``shape``."""
        ...

    async def uncommitted(self, container: str, *, prefix: str = "") -> Sequence[str]:
        """Names that have uncommitted blocks and no committed content, ascending."""
        ...

    async def create_empty(
        self, container: str, name: str, size: int, shape: Shape, *, condition: Condition
    ) -> Written:
        """Create an empty append blob (size 0), which ``seal`` seals, or a zeroed page blob of ``size`` bytes (a multiple of 512)
        with its sequence number."""
        ...

    async def append(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        """Append ``body`` at exactly ``offset``."""
        ...

    async def seal(self, container: str, name: str, *, size: int, if_match: str) -> Written:
        """An append blob of ``size`` bytes takes nothing more from now on. Unsupported where the service knows no seals."""
        ...

    async def put_pages(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        """Write whole pages (multiples of 512 bytes)."""
        ...

    async def set_tags(self, container: str, name: str, tags: Mapping[str, str]) -> None: ...

    async def set_tier(self, container: str, name: str, tier: str) -> None: ...

    async def delete(self, container: str, name: str, *, if_match: str, with_snapshots: bool = True) -> None:
        """NotFound if it is gone already; ConditionFailed on another generation. Snapshots of it go with it, or where they are
        to stay, a CloudError(code="SnapshotsPresent") says that there are some, and nothing is deleted."""
        ...

    async def survey(self, container: str, *, prefix: str = "", marker: str | None = None) -> Survey:
        """Count what a page of a full listing shows, snapshots and versions included: what there is to copy, and what a move
        cannot keep."""
        ...

    async def late_write_seconds(self, now: datetime) -> float:
        """For how many seconds after ``now`` (aware) a write of this run that was not answered may still be applied. It decides
        when another run may go on and when a fence may begin, so there is no default: 0 only where the account itself refuses
        a run that was succeeded, infinite where nobody knows."""
        ...

    async def bind_run(self, token: int) -> None:
        """Tell the account which run writes (local accounts refuse lower tokens from then on; elsewhere nothing)."""
        ...

    async def close(self) -> None: ...


class RequestCounter(Protocol):
    """Own traffic, counted by whoever sends it."""

    def count(self, account: str, operation: Operation, *, minute: int, requests: int = 1) -> None: ...


def minute_of_answer(store: ObjectStore, clock: Clock) -> int:
    """Unix time // 60 of the answer that ``store`` has just got: by the service's own clock, else by ours."""
    return int(store.answered_at or clock.now().timestamp()) // 60


__all__ = [
    "MAY_SEND",
    "NO_SERVER",
    "NO_SIGNATURE",
    "TOO_LARGE",
    "BlobType",
    "ObjectStore",
    "Operation",
    "Origin",
    "RequestCounter",
    "Whole",
    "Written",
    "minute_of_answer",
]
