"""The register of a document in a blob: a container beside the document's, with one empty blob for each follower.

Decides how a roll is one listing: an entry is a blob's metadata. Leaves the form of an entry to ``migrator.model.register``, and
connections to the object store. Rule: the document's own container is not written here, so applications that write entries need
no right to write the document.
"""

from __future__ import annotations

from contextlib import suppress

from migrator.errors import ConditionFailed, NotFound
from migrator.model.objects import CREATE, EMPTY, BlobType, ContainerInfo, ContentHeaders, Listed, Shape
from migrator.model.register import (
    ENTRY_METADATA,
    HEAD,
    MAX_ENTRIES,
    RollEntry,
    is_id,
    register_container,
    register_path,
)
from migrator.ports.object_store import ObjectStore
from migrator.ports.register import Attendant, RollUnknown

_SHAPE = Shape(
    blob_type=BlobType.BLOCK,
    headers=ContentHeaders(content_type="application/octet-stream", cache_control="no-store"),
    metadata=EMPTY,
    tags=EMPTY,
    tier=None,
)


class StoreRegister:
    """A ``Register`` for the document ``name`` of ``container``. Closing it leaves ``store`` open: it belongs to its maker."""

    def __init__(self, store: ObjectStore, container: str, name: str) -> None:
        """Raises ValueError where the document's container can have none beside it."""
        self._store = store
        self._container = register_container(container)
        self._name = name

    @property
    def place(self) -> str:
        return f"{self._store.account}/{self._container}/{self._name}"

    async def open(self, generation: str) -> None:
        head = f"{register_path(self._name, generation)}/{HEAD}"
        with suppress(ConditionFailed):
            try:
                await self._store.put(self._container, head, b"", _SHAPE, condition=CREATE)
            except NotFound as missing:
                if missing.what != "container":
                    raise
                await self._store.create_container(ContainerInfo(self._container))
                await self._store.put(self._container, head, b"", _SHAPE, condition=CREATE)

    async def roll(self, generation: str) -> tuple[Attendant, ...]:
        prefix = f"{register_path(self._name, generation)}/"
        found: list[Attendant] = []
        marker: str | None = None
        has_head = False
        while True:
            try:
                page = await self._store.page(self._container, prefix=prefix, marker=marker)
            except NotFound as missing:
                if missing.what == "account":
                    raise
                raise self._unknown("its container is gone") from missing
            for listed in page.entries:
                name = listed.name.removeprefix(prefix)
                has_head = has_head or name == HEAD
                if is_id(name):
                    found.append(self._attendant(name, listed))
            if len(found) > MAX_ENTRIES:
                raise self._unknown(f"it has more than {MAX_ENTRIES:,} entries")
            marker = page.marker
            if marker is None:
                break
        if not has_head:
            raise self._unknown("its head is gone")
        return tuple(found)

    async def remove(self, generation: str, attendant: Attendant) -> None:
        name = f"{register_path(self._name, generation)}/{attendant.id}"
        with suppress(ConditionFailed, NotFound):
            await self._store.delete(self._container, name, if_match=attendant.token)

    async def close(self) -> None:
        """Nothing of ours stays open."""

    def _attendant(self, id: str, listed: Listed) -> Attendant:
        try:
            entry = RollEntry.decode(listed.metadata.get(ENTRY_METADATA, ""))
        except ValueError:
            entry = None
        answered, modified = self._store.answered_at, listed.last_modified
        age = None if answered is None or modified is None else max(0.0, answered - modified.timestamp())
        return Attendant(id, listed.etag, entry, age)

    def _unknown(self, why: str) -> RollUnknown:
        return RollUnknown(f"cannot read the register {self.place}: {why}", hint="it may be empty by mistake")
