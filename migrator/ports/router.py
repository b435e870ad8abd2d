"""The route document behind a compare-and-swap."""

from __future__ import annotations

from typing import Protocol

from migrator.model.routes import RouteDocument
from migrator.model.values import value


@value(frozen=True, slots=True)
class RouteSnapshot:
    """The document and its version token; ``document`` None with ``etag`` None: there is none yet."""

    document: RouteDocument | None
    etag: str | None


class Router(Protocol):
    """Promises: a swap is atomic; reads show the newest swap; nothing is retried inside.

    Raises:
        RouteChanged: the swap was refused, nothing was written.
        OutcomeUnknown: the swap was sent and no answer came.
        CloudError: everything else; nothing was written.
    """

    async def read(self) -> RouteSnapshot: ...

    async def swap(self, document: RouteDocument, *, expected_etag: str | None) -> str:
        """Write ``document`` if the stored one still has ``expected_etag`` (None: if there is none); the new etag."""
        ...

    async def prove_writable(self) -> None:
        """May the document be written, as far as that shows without writing? CloudError says why not. Nothing is written and
        nothing is made."""
        ...

    async def close(self) -> None: ...
