"""What a blob is, as far as keeping it identical needs to know. Values only."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from migrator.model.values import value

BLOCK_BYTES = 8 * 1024 * 1024
"""Size of one block of a large copy. Source: a block may have up to 4000 MiB, a blob 50,000 blocks (Azure limits)."""
SYNC_COPY_LIMIT_BYTES = 256 * 1024 * 1024
"""Largest blob that Copy Blob From URL takes. Source: Azure "Copy Blob From URL"."""
LIST_PAGE = 5000
"""Most entries of one listing page. Source: Azure "List Blobs"."""

EMPTY: Mapping[str, str] = MappingProxyType({})
NO_BYTES: Mapping[str, int] = MappingProxyType({})
NO_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType({})
COSTLY_TIERS = ("Cool", "Cold", "Archive")


class BlobType(StrEnum):
    BLOCK = "BlockBlob"
    APPEND = "AppendBlob"
    PAGE = "PageBlob"


@value(frozen=True, slots=True)
class ContentHeaders:
    """The five content headers and Cache-Control; None is "not set". ``md5`` is the stored Content-MD5 (raw bytes),
    a client's claim that is kept but proves nothing."""

    content_type: str | None = None
    content_encoding: str | None = None
    content_language: str | None = None
    content_disposition: str | None = None
    cache_control: str | None = None
    md5: bytes | None = None


@value(frozen=True, slots=True)
class Listed:
    """One blob as a listing (or a HEAD, which fills the same fields) shows it.

    ``etag`` is normalised: no quotes, no ``W/``. ``tier`` is None where the service has none (append, page, local
    accounts without tiers); ``tier_inferred`` says that nobody set it. ``last_modified`` is shown, never decided upon.
    ``copy_pending`` is true while an asynchronous copy into this blob runs; ``rehydrating`` while it leaves the archive.
    ``copy_failed``: how the last of those copies ended without success, in the service's words; a HEAD alone shows it.
    """

    name: str
    etag: str
    size: int
    blob_type: BlobType = BlobType.BLOCK
    headers: ContentHeaders = ContentHeaders()
    metadata: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    tags: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    tier: str | None = None
    tier_inferred: bool = True
    last_modified: datetime | None = None
    copy_pending: bool = False
    rehydrating: bool = False
    is_archived: bool = False
    copy_id: str | None = None
    copy_failed: str = ""
    sequence_number: int = 0
    """Of a page blob: its writers' own count of its states."""
    is_sealed: bool = False
    """An append blob that takes nothing more."""

    @property
    def explicit_tier(self) -> str | None:
        return None if self.tier_inferred else self.tier


class Entries(Sequence[Listed]):
    """Entries of a page as the service wrote them, one behind the other, which are read when somebody asks for them: whoever
    knows the text need not. Every reading raises CloudError if they cannot be understood."""

    __slots__ = ()

    @property
    @abstractmethod
    def text(self) -> memoryview: ...

    @abstractmethod
    def read(self, at: int = 0) -> tuple[list[Listed], Sequence[int] | None]:
        """The entries from byte ``at`` on, where one begins, and where in the text each of them ends; None: that cannot be
        told."""

    @abstractmethod
    def first(self) -> tuple[Listed, int]:
        """The first entry and where it ends. There is one."""

    @abstractmethod
    def last(self) -> Listed: ...

    def __bool__(self) -> bool:
        return len(self.text) > 0

    def __len__(self) -> int:
        return len(self.read()[0])

    def __iter__(self) -> Iterator[Listed]:
        return iter(self.read()[0])

    def __getitem__(self, index: Any) -> Any:
        return self.read()[0][index]


@value(frozen=True, slots=True)
class ListingPage:
    """One listing page, in the order the service gave. ``marker`` continues it; None at the end. A page may be empty
    and still carry a marker. Its entries may be read as they are asked for (``Entries``)."""

    entries: Sequence[Listed]
    marker: str | None


@value(frozen=True, slots=True)
class ContainerInfo:
    name: str
    metadata: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    public_access: str | None = None
    has_immutability: bool = False
    has_legal_hold: bool = False
    has_version_immutability: bool = False
    encryption_scope: str | None = None
    """What objects in it are encrypted with that name none; None is the account's own key."""
    etag: str = ""
    """Of the container itself: another one after it was deleted and made anew, and after its properties, metadata or policies
    were set; never after a write to a blob. Empty where the service shows none."""

    @property
    def is_protected(self) -> bool:
        """May something be written there that nobody can delete, or overwrite, for years?"""
        return self.has_immutability or self.has_legal_hold or self.has_version_immutability


@value(frozen=True, slots=True)
class Shape:
    """Everything of a blob beside its bytes, as a create sets it."""

    blob_type: BlobType
    headers: ContentHeaders
    metadata: Mapping[str, str]
    tags: Mapping[str, str]
    tier: str | None
    """The explicit tier, or None to leave it to the service."""
    sequence_number: int = 0
    is_sealed: bool = False
    """To be sealed once its bytes are there."""

    @classmethod
    def of(cls, blob: Listed) -> Shape:
        return cls(
            blob.blob_type,
            blob.headers,
            blob.metadata,
            blob.tags,
            blob.explicit_tier,
            blob.sequence_number,
            blob.is_sealed,
        )


NOTHING = Shape(BlobType.BLOCK, ContentHeaders(), EMPTY, EMPTY, None)
"""Of an object that only throws uncommitted blocks away."""


@value(frozen=True, slots=True)
class Condition:
    """The condition of a write: exactly one of create (``if_none_match``) or replace (``if_match``)."""

    if_match: str | None = None
    """ETag the destination must have; None with ``create`` False is a bug."""
    create: bool = False

    def __post_init__(self) -> None:
        if self.create == (self.if_match is not None):
            raise ValueError("a write needs exactly one condition")


CREATE = Condition(create=True)


@value(frozen=True, slots=True)
class Features:
    """What an account or one blob carries that a move cannot keep; counts per container (``plan`` shows them)."""

    snapshots: int = 0
    versions: int = 0
    leased: int = 0
    immutable: int = 0
    archived: int = 0
    encryption_scoped: int = 0
    tagged: int = 0
    """With tags that the credential may not read."""
    directories: int = 0
    """What a hierarchical namespace lists beside its blobs."""
    customer_keyed: int = 0
    """Encrypted with a key that only its customer has: nobody else can read them."""
    long_addressed: int = 0
    """With an address too long for a service to copy from: they are kept, and go through this machine."""
    named: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: NO_NAMES)
    """By kind, the names of the first few."""

    def __add__(self, other: Features) -> Features:
        counts = {kind: getattr(self, kind) + getattr(other, kind) for kind in FEATURES}
        if not other.named:
            return Features(**counts, named=self.named)
        kinds = self.named.keys() | other.named.keys()
        both = {kind: (*self.named.get(kind, ()), *other.named.get(kind, ())) for kind in kinds}
        return Features(**counts, named={kind: names[:MOST_NAMED] for kind, names in both.items()})


FEATURES = tuple(name for name in Features.__dataclass_fields__ if name != "named")
MOST_NAMED = 3


@value(frozen=True, slots=True)
class Survey:
    """One page of everything that a container lists, in figures. ``sizes``: bytes of each live blob outside the reserved
    prefix; ``features``: of live blobs, snapshots and versions. ``marker`` continues it; None at the end."""

    sizes: Sequence[int]
    features: Features
    marker: str | None
    streamed: Sequence[int] = ()
    """Of ``sizes``, those of append and page blobs: inside a fence they go through this machine."""
    tiered: Mapping[str, int] = field(default_factory=lambda: NO_BYTES)
    """Of ``sizes``, the bytes in each tier that costs something to be read (``COSTLY_TIERS``)."""
    last: str = ""
    """The last name that was counted in ``sizes``; "" where that is not told."""
