"""Where a promise is asked: an account, a container of our own there, names nobody else uses; and what an answer is held against.

Rule: every attempt has names of its own, so that one that was not answered can be made again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from migrator.errors import CloudError, OutcomeUnknown, Throttled, Unreachable
from migrator.model.objects import CREATE, LIST_PAGE, BlobType, Condition, ContentHeaders, Listed, Shape
from migrator.model.values import value
from migrator.ports.object_store import ObjectStore, Origin, Written

PLAIN: Final = Shape(BlobType.BLOCK, ContentHeaders(content_type="text/plain"), {}, {}, None)
APPEND: Final = Shape(BlobType.APPEND, ContentHeaders(), {}, {}, None)
PAGE: Final = Shape(BlobType.PAGE, ContentHeaders(), {}, {}, None)
RICH: Final = Shape(
    BlobType.BLOCK,
    ContentHeaders(
        content_type="application/json",
        content_encoding="gzip",
        content_language="en",
        content_disposition='attachment; filename="x y.csv"',
        cache_control="max-age=60",
    ),
    {"owner": "web team", "batch": "7"},
    {"area": "web", "day": "2026-11-24"},
    "Cool",
)
STALE: Final = Condition(if_match="0x8DFFFFFFFFFFFFFF")
MOST_BYTES: Final = 4096
MAY_PASS: Final = (Throttled, Unreachable, OutcomeUnknown)
"""Refusals that pass by themselves, and say nothing of a promise."""


@value(frozen=True, slots=True)
class Ground:
    """``store`` is where writes go; ``origin_store`` where copies are read. ``box`` is the container of both."""

    store: ObjectStore
    origin_store: ObjectStore
    box: str
    prefix: str

    def name(self, text: str) -> str:
        return f"{self.prefix}{text}"

    async def put(self, text: str, body: bytes = b"one", shape: Shape = PLAIN) -> Written:
        return await self.store.put(self.box, self.name(text), body, shape, condition=CREATE)

    async def origin(self, text: str, body: bytes = b"one", shape: Shape = PLAIN) -> Origin:
        """An object to copy from."""
        written = await self.origin_store.put(self.box, self.name(text), body, shape, condition=CREATE)
        return Origin(self.origin_store, self.box, self.name(text), written.etag)

    async def head(self, text: str) -> Listed:
        return await self.store.head(self.box, self.name(text))

    async def body(self, text: str) -> bytes:
        return (await self.store.whole(self.box, self.name(text), most_bytes=MOST_BYTES)).body

    async def rows(self, text: str = "", limit: int = LIST_PAGE) -> list[Listed]:
        """All that is listed under the prefix."""
        found: list[Listed] = []
        marker: str | None = None
        while True:
            page = await self.store.page(self.box, prefix=self.name(text), marker=marker, limit=limit)
            found += page.entries
            if page.marker is None or len(found) > LIST_PAGE:
                return found
            marker = page.marker

    async def names(self, text: str = "", limit: int = LIST_PAGE) -> list[str]:
        return [row.name.removeprefix(self.prefix) for row in await self.rows(text, limit)]


async def refusal(request: Awaitable[object], kind: type[CloudError], *codes: str) -> str:
    """Empty if ``request`` is refused as ``kind`` (and with one of ``codes``); else what happened."""
    try:
        await request
    except MAY_PASS:
        raise
    except kind as refused:
        if codes and refused.code not in codes:
            return f"it was refused as {refused.code or 'nothing known'}, expected {' or '.join(codes)}"
        return ""
    return "it was accepted"


def different(found: object, expected: object) -> str:
    """Empty if they are equal."""
    return "" if found == expected else f"expected {expected!r}, found {found!r}"


Ask = Callable[[Ground], Awaitable[str]]

__all__ = ["APPEND", "CREATE", "MAY_PASS", "PAGE", "PLAIN", "RICH", "STALE", "Ask", "Ground", "different", "refusal"]
