"""The contents of one simulated account: what each request does to it, in one atomic step.

Decides conditions, ETags, staged blocks, pending copies, orders of names. Latency, lost answers and who may ask are the
store's (store.py). Rule: a blob value never changes; every effect puts a new one in the old one's place, so that the
oracle can compare before and after by identity.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from migrator.errors import CloudError, ConditionFailed, NotFound, SourceChanged
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import (
    COSTLY_TIERS,
    BlobType,
    Condition,
    ContainerInfo,
    Features,
    Listed,
    ListingPage,
    Shape,
    Survey,
)
from migrator.model.values import replace
from migrator.ports.troubles import TROUBLES

NameOrder = Literal["utf-8", "utf-16"]
DEFAULT_TIER = "Hot"


@dataclass(eq=False, slots=True)
class Sender:
    """Who sent a request. ``act`` is the customer's operation behind it (clients.py), None for the tool and for hands."""

    name: str
    is_tool: bool
    act: Any = None


SEED = Sender("seed", False)


class Blob:
    """One generation of one blob. ``author`` made the content; ``marked_by`` set tags and tier last."""

    __slots__ = ("author", "blocks", "content", "listed", "made_at", "marked_at", "marked_by", "stray")

    def __init__(
        self, listed: Listed, content: bytes, author: Sender, made_at: float, blocks: Mapping[str, bytes] | None = None
    ) -> None:
        self.listed = listed
        self.content = content
        self.author = author
        self.made_at = made_at
        self.marked_by = author
        self.marked_at = made_at
        self.blocks = blocks or {}
        self.stray = False
        """Written where the route did not point: nobody's truth, and never to be destroyed unasked."""

    @property
    def body(self) -> tuple[Any, ...]:
        """Everything that must move together: type, bytes, headers, metadata, and what a blob of that type has beside."""
        one = self.listed
        metadata, kind = tuple(sorted(one.metadata.items())), (one.blob_type, one.sequence_number, one.is_sealed)
        return (kind, self.content, one.headers, metadata)

    def marked(self, listed: Listed, by: Sender, at: float) -> Blob:
        """The same generation with other tags, tier or copy state."""
        other = Blob(listed, self.content, self.author, self.made_at, self.blocks)
        other.marked_by, other.marked_at, other.stray = by, at, self.stray
        return other


class Container:
    def __init__(self, info: ContainerInfo) -> None:
        self.info = info
        self.blobs: dict[str, Blob] = {}
        self.keys: list[tuple[bytes, str]] = []
        self.staged: dict[str, dict[str, bytes]] = {}


WroteHook = Callable[["Account", Sender, str, str, "Blob | None", "Blob | None", float, str], None]


class Account:
    """One account's containers and blobs.

    ``wrote`` is called after every effect with (account, sender, container, name, before, after, sent at, kind).
    ``tiers``: does the service have access tiers? ``carries_tiers``: does a copy into it that names no tier bring the one
    that the source has at that moment, as Azurite does it?
    """

    def __init__(
        self, name: str, *, order: NameOrder = "utf-8", tiers: bool = True, carries_tiers: bool = False
    ) -> None:
        self.name = name
        self.sort_by(order)
        self.tiers = tiers
        self.carries_tiers = carries_tiers
        self.containers: dict[str, Container] = {}
        self.wrote: WroteHook = lambda *facts: None
        self.leases: dict[tuple[str, str], float] = {}
        """(container, name) of blobs that a customer holds a lease of, and until when: nobody writes those without its id."""
        self.keyed: set[tuple[str, str]] = set()
        """(container, name) of blobs that a customer encrypted with a key of his own: nobody reads those without it."""
        self.archives = False
        """Do customers archive blobs now and then?"""
        self.uploads = False
        """Are most of what customers write large objects?"""
        self.rehydrates: Callable[[Account, str, str, str], None] | None = None
        """Called with (account, container, name, tier) when a blob begins to leave the archive; None: that takes no time."""
        self._etags = 0
        self._made = 0

    def sort_by(self, order: NameOrder) -> None:
        """Before there are any names."""
        self.order = order
        self._codec = "utf-8" if order == "utf-8" else "utf-16-be"

    @property
    def endpoint(self) -> str:
        return f"https://{self.name}.blob.example"

    def make_container(self, like: ContainerInfo) -> None:
        """A new one, with an ETag of its own."""
        self.containers[like.name] = Container(replace(like, etag=self._next_container_etag()))

    def touch_container(self, name: str) -> None:
        """Its properties or policies were set."""
        held = self.open(name)
        held.info = replace(held.info, etag=self._next_container_etag())

    def _next_container_etag(self) -> str:
        self._made += 1
        return f"0xC{self._made:04X}"

    def key(self, name: str) -> bytes:
        return name.encode(self._codec, "surrogatepass")

    def open(self, container: str) -> Container:
        found = self.containers.get(container)
        if found is None:
            raise NotFound(
                f"cannot reach {self.name}/{container}: no such container", what="container", code="ContainerNotFound"
            )
        return found

    def get(self, container: str, name: str) -> Blob:
        blob = self.open(container).blobs.get(name)
        if blob is None:
            text = f"cannot reach {self.name}/{container}/{name!r}: no such blob"
            raise NotFound(text, what="blob", code="BlobNotFound")
        return blob

    def peek(self, container: str, name: str) -> Blob | None:
        found = self.containers.get(container)
        return found.blobs.get(name) if found else None

    def matched(self, container: str, name: str, etag: str, *, as_source: bool = False) -> Blob:
        """The blob if it is the generation ``etag``."""
        blob = self.get(container, name)
        if blob.listed.etag != etag:
            family = SourceChanged if as_source else ConditionFailed
            raise family(
                f"cannot use {self.name}/{container}/{name!r}: it is another generation", code="ConditionNotMet"
            )
        return blob

    def readable(self, container: str, name: str, etag: str, *, as_source: bool = False) -> Blob:
        """As ``matched``, for reading: an archived blob cannot be read."""
        blob = self.matched(container, name, etag, as_source=as_source)
        if blob.listed.is_archived:
            raise CloudError(f"cannot read {self.name}/{container}/{name!r}: it is archived", code="BlobArchived")
        if (container, name) in self.keyed:
            raise self.refused(name, "BlobUsesCustomerSpecifiedEncryption")
        return blob

    def page(
        self, container: str, prefix: str, marker: str | None, limit: int, start: str | None = None
    ) -> ListingPage:
        """At most ``limit`` entries from ``marker`` (the first name of the page) on, and from ``start`` on."""
        held = self.open(container)
        stem = self.key(prefix)
        first = stem if start is None else max(stem, self.key(start))
        begin = bisect_left(held.keys, (self.key(marker) if marker is not None else first, ""))
        entries: list[Listed] = []
        following: str | None = None
        for key, name in held.keys[begin:]:
            if not key.startswith(stem):
                break
            if len(entries) == limit:
                following = name
                break
            entries.append(held.blobs[name].listed)
        return ListingPage(tuple(entries), following)

    def next_etag(self) -> str:
        self._etags += 1
        return f"0x{self.name}-{self._etags:x}"

    def check(self, container: str, name: str, condition: Condition | None) -> Blob | None:
        """The blob now there, if ``condition`` (None: none) lets a write go on."""
        before = self.open(container).blobs.get(name)
        if condition is not None:
            if condition.create and before is not None:
                raise ConditionFailed(f"cannot create {name!r}: it exists", code="BlobAlreadyExists")
            if condition.if_match is not None and (before is None or before.listed.etag != condition.if_match):
                raise ConditionFailed(f"cannot replace {name!r}: it is another generation", code="ConditionNotMet")
        if before is not None and before.listed.copy_pending:
            raise ConditionFailed(f"cannot write {name!r}: a copy into it is pending", code="PendingCopyOperation")
        self._unleased(container, name)
        return before

    def changeable(self, container: str, name: str) -> Blob:
        """The blob there, if its bytes or its metadata may be changed as they are."""
        before = self.get(container, name)
        if before.listed.copy_pending:
            raise ConditionFailed(f"cannot write {name!r}: a copy into it is pending", code="PendingCopyOperation")
        if before.listed.is_archived:
            raise self.refused(name, "BlobArchived")
        self._unleased(container, name)
        return before

    def refused(self, name: str, code: str) -> CloudError:
        """For the sake of that name alone, as the service does."""
        return CloudError(
            f"cannot write {self.name}/{name!r}: {TROUBLES[code].why}", hint=TROUBLES[code].hint, code=code
        )

    def _unleased(self, container: str, name: str) -> None:
        if (container, name) in self.leases:
            raise self.refused(name, "LeaseIdMissing")

    def put(
        self,
        sender: Sender,
        container: str,
        name: str,
        content: bytes,
        shape: Shape,
        *,
        condition: Condition | None,
        sent_at: float,
        modified: datetime,
        kind: str = "put",
        blocks: Mapping[str, bytes] | None = None,
        copy_id: str | None = None,
        copy_pending: bool = False,
    ) -> Blob:
        """A whole new generation, in place of whatever ``condition`` allows."""
        before = self.check(container, name, condition)
        if before is not None and before.listed.blob_type is not shape.blob_type:
            raise self.refused(name, "InvalidBlobType")
        if before is not None and before.listed.is_archived:
            raise self.refused(name, "BlobArchived")
        has_tier = self.tiers and shape.blob_type is BlobType.BLOCK
        listed = Listed(
            name=name,
            etag=self.next_etag(),
            size=len(content),
            blob_type=shape.blob_type,
            headers=shape.headers,
            metadata=dict(shape.metadata),
            tags=dict(shape.tags),
            tier=(shape.tier or DEFAULT_TIER) if has_tier else None,
            tier_inferred=not has_tier or shape.tier is None,
            last_modified=modified,
            copy_pending=copy_pending,
            copy_id=copy_id,
            is_archived=has_tier and shape.tier == "Archive",
            sequence_number=shape.sequence_number,
            is_sealed=shape.is_sealed,
        )
        blob = Blob(listed, content, sender, sent_at, blocks)
        self.open(container).staged.pop(name, None)
        self._store(sender, container, name, before, blob, sent_at, kind)
        return blob

    def change(
        self,
        sender: Sender,
        container: str,
        name: str,
        content: bytes,
        *,
        sent_at: float,
        modified: datetime,
        kind: str,
    ) -> Blob:
        """The same blob with other bytes: a new generation that keeps headers, metadata and tags."""
        before = self.changeable(container, name)
        listed = replace(before.listed, etag=self.next_etag(), size=len(content), last_modified=modified)
        return self._regenerate(sender, container, name, before, listed, content, sent_at, kind)

    def set_metadata(
        self,
        sender: Sender,
        container: str,
        name: str,
        metadata: Mapping[str, str],
        *,
        sent_at: float,
        modified: datetime,
    ) -> Blob:
        before = self.changeable(container, name)
        listed = replace(before.listed, etag=self.next_etag(), metadata=dict(metadata), last_modified=modified)
        return self._regenerate(sender, container, name, before, listed, before.content, sent_at, "metadata")

    def seal(self, sender: Sender, container: str, name: str, *, sent_at: float, modified: datetime) -> Blob:
        before = self.changeable(container, name)
        listed = replace(before.listed, etag=self.next_etag(), is_sealed=True, last_modified=modified)
        return self._regenerate(sender, container, name, before, listed, before.content, sent_at, "seal")

    def set_tags(self, sender: Sender, container: str, name: str, tags: Mapping[str, str], *, sent_at: float) -> None:
        before = self.get(container, name)
        after = before.marked(replace(before.listed, tags=dict(tags)), sender, sent_at)
        self._store(sender, container, name, before, after, sent_at, "tags")

    def set_tier(self, sender: Sender, container: str, name: str, tier: str, *, sent_at: float) -> None:
        before = self.get(container, name)
        if not self.tiers or before.listed.blob_type is not BlobType.BLOCK:
            raise CloudError(f"cannot set the tier of {name!r}: this blob has none", code="InvalidBlobType")
        if before.listed.rehydrating:
            raise self.refused(name, "BlobBeingRehydrated")
        if before.listed.is_archived and tier != "Archive" and self.rehydrates is not None:
            after = before.marked(replace(before.listed, rehydrating=True), sender, sent_at)
            self._store(sender, container, name, before, after, sent_at, "rehydrating")
            self.rehydrates(self, container, name, tier)
            return
        self._set_tier(sender, container, name, before, tier, sent_at)

    def end_rehydration(self, container: str, name: str, tier: str, at: float) -> None:
        """A blob has left the archive, if nobody deleted it meanwhile."""
        before = self.peek(container, name)
        if before is not None and before.listed.rehydrating:
            self._set_tier(before.marked_by, container, name, before, tier, at)

    def _set_tier(self, sender: Sender, container: str, name: str, before: Blob, tier: str, at: float) -> None:
        listed = replace(
            before.listed, tier=tier, tier_inferred=False, is_archived=tier == "Archive", rehydrating=False
        )
        self._store(sender, container, name, before, before.marked(listed, sender, at), at, "tier")

    def end_copy(
        self, sender: Sender, container: str, name: str, copy_id: str, content: bytes | None, at: float
    ) -> None:
        """An asynchronous copy ends: with its content, or (None) failed. A new ETag either way."""
        before = self.peek(container, name)
        if before is None or before.listed.copy_id != copy_id or not before.listed.copy_pending:
            return
        body = content or b""
        listed = replace(
            before.listed,
            etag=self.next_etag(),
            size=len(body),
            copy_pending=False,
            copy_failed="failed" if content is None else "",
        )
        after = Blob(listed, body, sender, at)
        kind = "copied" if content is not None else "copy-failed"
        self._store(sender, container, name, before, after, before.made_at, kind)  # asked for when it was begun

    def delete(self, sender: Sender, container: str, name: str, *, if_match: str | None, sent_at: float) -> None:
        before = self.get(container, name) if if_match is None else self.matched(container, name, if_match)
        if before.listed.copy_pending:
            raise ConditionFailed(f"cannot delete {name!r}: a copy into it is pending", code="PendingCopyOperation")
        self._unleased(container, name)
        self._store(sender, container, name, before, None, sent_at, "delete")

    def stage(self, container: str, name: str, block_id: str, body: bytes) -> None:
        staged = self.open(container).staged.setdefault(name, {})
        if any(len(known) != len(block_id) for known in staged):
            raise self.refused(name, "InvalidBlobOrBlock")
        staged[block_id] = body

    def joined(self, container: str, name: str, block_ids: Sequence[str]) -> dict[str, bytes]:
        """The blocks of a commit, the staged before the committed ones."""
        held = self.open(container)
        staged = held.staged.get(name, {})
        committed = held.blobs[name].blocks if name in held.blobs else {}
        blocks: dict[str, bytes] = {}
        for block_id in block_ids:
            found = staged.get(block_id, committed.get(block_id))
            if found is None:
                raise CloudError(f"cannot commit {name!r}: a block is missing", code="InvalidBlockList")
            blocks[block_id] = found
        return blocks

    def uncommitted(self, container: str, prefix: str) -> list[str]:
        held = self.open(container)
        return sorted(name for name in held.staged if name.startswith(prefix) and name not in held.blobs)

    def survey(self, container: str, prefix: str) -> Survey:
        """Nothing here has snapshots, versions, leases, immutability or scopes."""
        held = [blob.listed for name, blob in self.open(container).blobs.items() if name.startswith(prefix)]
        ours = [listed for listed in held if not listed.name.startswith(RESERVED_PREFIX)]
        streamed = [listed.size for listed in ours if listed.blob_type is not BlobType.BLOCK]
        archived = sum(listed.is_archived for listed in held)
        tiered = {
            tier: size for tier in COSTLY_TIERS if (size := sum(listed.size for listed in ours if listed.tier == tier))
        }
        return Survey([listed.size for listed in ours], Features(archived=archived), None, streamed, tiered)

    def _regenerate(
        self,
        sender: Sender,
        container: str,
        name: str,
        before: Blob,
        listed: Listed,
        content: bytes,
        at: float,
        kind: str,
    ) -> Blob:
        after = Blob(listed, content, sender, at)
        after.marked_by, after.marked_at, after.stray = before.marked_by, before.marked_at, before.stray
        self._store(sender, container, name, before, after, at, kind)
        return after

    def _store(
        self,
        sender: Sender,
        container: str,
        name: str,
        before: Blob | None,
        after: Blob | None,
        sent_at: float,
        kind: str,
    ) -> None:
        held = self.open(container)
        if before is None:
            insort(held.keys, (self.key(name), name))
        if after is None:
            del held.blobs[name]
            self.leases.pop((container, name), None)
            self.keyed.discard((container, name))
            held.staged.pop(name, None)  # believed of the service: a blob's uncommitted blocks go with it
            del held.keys[bisect_right(held.keys, (self.key(name), name)) - 1]
        else:
            held.blobs[name] = after
            if after.content is not (before.content if before else None):  # written whole, without such a key
                self.keyed.discard((container, name))
        self.wrote(self, sender, container, name, before, after, sent_at, kind)
