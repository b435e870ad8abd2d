"""The route document as one blob of an account, local or Azure, through the object-store port.

Decides how a compare-and-swap is said in conditional writes: create with If-None-Match, replace with If-Match. Leaves
connections, signatures and the names of failures to the object store. Rule: a swap is one write; it is never repeated,
and only ``RouteChanged`` says that somebody else wrote first.
"""

from __future__ import annotations

from migrator.errors import CloudError, ConditionFailed, NotFound, RouteChanged
from migrator.model.objects import CREATE, EMPTY, BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.model.routes import MAX_DOCUMENT_BYTES, Damaged, RouteDocument
from migrator.ports.object_store import TOO_LARGE, ObjectStore
from migrator.ports.router import RoutesDamaged, RouteSnapshot, encoded

_SHAPE = Shape(
    blob_type=BlobType.BLOCK,
    headers=ContentHeaders(content_type="application/json", cache_control="no-store"),
    metadata=EMPTY,
    tags=EMPTY,
    tier=None,
)


NO_GENERATION = '"0x0"'
"""An ETag that no blob ever has."""


class StoreRouter:
    """A ``Router`` on blob ``name`` of ``container``. Closing it leaves ``store`` open: it belongs to its maker."""

    def __init__(self, store: ObjectStore, container: str, name: str) -> None:
        self._store = store
        self._container = container
        self._name = name

    @property
    def place(self) -> str:
        """Where the document is, for people: ``account/container/name``."""
        return f"{self._store.account}/{self._container}/{self._name}"

    def document_of(self, region: str) -> str:
        return self.place

    async def read(self, region: str) -> RouteSnapshot:
        """One request: the answer tells the generation that its bytes are of."""
        try:
            found = await self._store.whole(self._container, self._name, most_bytes=MAX_DOCUMENT_BYTES)
        except NotFound as missing:
            if missing.what == "account":
                raise
            return RouteSnapshot(None, None)
        except CloudError as failure:
            if failure.code != TOO_LARGE:
                raise
            raise self._unreadable(f"it has more than {MAX_DOCUMENT_BYTES} bytes") from failure
        try:
            return RouteSnapshot(RouteDocument.decode(found.body), found.etag)
        except ValueError as fault:
            raise self._unreadable(str(fault), Damaged.of(found.body), found.etag) from fault

    async def swap(self, region: str, document: RouteDocument | Damaged, *, expected_etag: str | None) -> str:
        body = encoded(document, self.place)
        condition = CREATE if expected_etag is None else Condition(if_match=expected_etag)
        try:
            return await self._put(body, condition)
        except ConditionFailed as refused:
            raise RouteChanged(
                f"cannot change the routes in {self.place}: somebody else changed them first"
            ) from refused
        except NotFound as missing:
            if expected_etag is not None:
                raise RouteChanged(f"cannot change the routes in {self.place}: the document is gone") from missing
            raise

    async def prove_writable(self, region: str) -> None:
        """A write whose condition no generation fulfils: it needs the same right as a swap, and is always refused."""
        try:
            await self._put(b"", Condition(if_match=NO_GENERATION))
        except ConditionFailed:
            return
        except NotFound as missing:
            if missing.what == "account":
                raise

    async def close(self) -> None:
        """Nothing of ours stays open."""

    async def _put(self, body: bytes, condition: Condition) -> str:
        try:
            written = await self._store.put(self._container, self._name, body, _SHAPE, condition=condition)
        except NotFound as missing:
            if missing.what != "container" or not condition.create:
                raise
            # Nothing was written: the first document of a rollout may come before its container.
            await self._store.create_container(ContainerInfo(self._container))
            written = await self._store.put(self._container, self._name, body, _SHAPE, condition=condition)
        return written.etag

    def _unreadable(self, why: str, damaged: Damaged | None = None, etag: str | None = None) -> RoutesDamaged:
        return RoutesDamaged(f"cannot read the routes in {self.place}: {why}", damaged=damaged, etag=etag)
