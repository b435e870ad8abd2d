"""The route document behind a compare-and-swap."""

from __future__ import annotations

from typing import Protocol

from migrator.errors import CloudError
from migrator.model.routes import Damaged, RouteDocument
from migrator.model.values import value


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


def encoded(document: RouteDocument | Damaged, place: str) -> bytes:
    """The bytes of a swap. CloudError if nobody could read them again: then nothing is sent."""
    try:
        return document.encode()
    except ValueError as fault:
        raise CloudError(
            f"cannot write the routes in {place}: {fault}",
            hint="take records out of the document that nobody needs, or give plans documents of their own",
        ) from fault


class Router(Protocol):
    """Promises: a swap is atomic; reads show the newest swap; nothing is retried inside.

    Raises:
        RouteChanged: the swap was refused, nothing was written.
        RoutesDamaged: what was read is no document.
        OutcomeUnknown: the swap was sent and no answer came.
        CloudError: everything else; nothing was written.
    """

    async def read(self) -> RouteSnapshot: ...

    async def swap(self, document: RouteDocument | Damaged, *, expected_etag: str | None) -> str:
        """Write ``document`` if the stored one still has ``expected_etag`` (None: if there is none); the new etag."""
        ...

    async def prove_writable(self) -> None:
        """May the document be written, as far as that shows without writing? CloudError says why not. Nothing is written and
        nothing is made."""
        ...

    async def close(self) -> None: ...


async def whole_or_damaged(router: Router) -> tuple[RouteDocument | Damaged | None, str | None]:
    """What a release works on, and its version token: also a document whose other records somebody broke."""
    try:
        seen = await router.read()
    except RoutesDamaged as fault:
        if fault.damaged is None:
            raise
        return fault.damaged, fault.etag
    return seen.document, seen.etag
