"""The route documents behind a compare-and-swap: one for each region, or one that several regions share.

Decides what every place of routes promises, and how all its documents are read as one. Leaves to the adapters which regions share
a document, and to the engine what is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from migrator.errors import CloudError
from migrator.model.routes import Damaged, RouteDocument
from migrator.model.values import replace, value


@value(frozen=True, slots=True)
class RouteSnapshot:
    """The document and its version token; ``document`` None with ``etag`` None: there is none yet."""

    document: RouteDocument | None
    etag: str | None


class RoutesDamaged(CloudError):
    """The document cannot be decoded. ``damaged`` and ``etag``: what a release can still do something with, or None."""

    def __init__(self, message: str, *, damaged: Damaged | None = None, etag: str | None = None) -> None:
        super().__init__(
            message, hint="restore the last good document; clients keep following the one they know until then"
        )
        self.damaged = damaged
        self.etag = etag


def encoded(document: RouteDocument | Damaged, place: str, *, most_bytes: int | None = None) -> bytes:
    """The bytes of a swap. CloudError if nobody could read them again, or the place holds no more than ``most_bytes``: then
    nothing is sent."""
    try:
        return document.encode(most_bytes=most_bytes)
    except ValueError as fault:
        raise CloudError(
            f"cannot write the routes in {place}: {fault}",
            hint="take records out of the document that nobody needs, or give plans documents of their own",
        ) from fault


class Router(Protocol):
    """Promises: a swap is atomic; reads show the newest swap; nothing is retried inside. Regions that share a document read and
    swap the same one.

    Raises:
        RouteChanged: the swap was refused, nothing was written.
        RoutesDamaged: what was read is no document.
        OutcomeUnknown: the swap was sent and no answer came.
        CloudError: everything else; nothing was written.
    """

    def document_of(self, region: str) -> str:
        """What people call the document that holds the records of ``region``; regions of one name share it."""
        ...

    async def read(self, region: str) -> RouteSnapshot:
        """The document of ``region`` now."""
        ...

    async def swap(self, region: str, document: RouteDocument | Damaged, *, expected_etag: str | None) -> str:
        """Write ``document`` if the stored one of ``region`` still has ``expected_etag`` (None: if there is none); the new
        etag."""
        ...

    async def prove_writable(self, region: str) -> None:
        """May the document be written, as far as that shows without writing? CloudError says why not. Nothing is written and
        nothing is made."""
        ...

    async def close(self) -> None: ...


def one_of_each(router: Router, regions: Iterable[str]) -> dict[str, str]:
    """A region of each document that holds records of ``regions``, by the document's name; ascending by region."""
    found: dict[str, str] = {}
    for region in sorted(set(regions)):
        found.setdefault(router.document_of(region), region)
    return found


async def read_all(router: Router, regions: Iterable[str]) -> RouteDocument | None:
    """Every document that holds records of ``regions``, as one; None if there is none at all. Of several, the durations are the
    longest, and the version is the lowest. Raises as ``Router.read``."""
    seen = [(await router.read(region)).document for region in one_of_each(router, regions).values()]
    return as_one([document for document in seen if document is not None])


def as_one(found: Sequence[RouteDocument]) -> RouteDocument | None:
    """See ``read_all``."""
    if len(found) < 2:
        return found[0] if found else None
    routes = {key: record for document in found for key, record in document.routes.items()}
    return replace(
        min(found, key=lambda document: document.version),
        routes=routes,
        ttl_seconds=max(document.ttl_seconds for document in found),
        max_write_seconds=max(document.max_write_seconds for document in found),
    )


async def whole_or_damaged(router: Router, region: str) -> tuple[RouteDocument | Damaged | None, str | None]:
    """What a release works on, and its version token: also a document whose other records somebody broke."""
    try:
        seen = await router.read(region)
    except RoutesDamaged as fault:
        if fault.damaged is None:
            raise
        return fault.damaged, fault.etag
    return seen.document, seen.etag
