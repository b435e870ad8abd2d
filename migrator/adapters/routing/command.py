"""Route documents behind an executable of the operator's own, for stores that this program does not know.

Decides how a compare-and-swap is asked of it, and that it is one. Leaves how it is run, and what of the environment it gets, to
``operators_commands``. Rules:

- it is called with ``get``, or with ``swap ETAG`` and the document on standard input; an empty ETAG: there must be none;
- it answers ``get`` with ``{"etag": "...", "document": "..."}``, without a document where there is none; ``swap`` with
  ``{"etag": "..."}`` of what it wrote, or with ``{"changed": true}`` where it wrote nothing, since another version is there;
- one that swaps without comparing would let two writers in: before this process first swaps a document it sees a stale swap
  refused. Whatever it answers else to a swap - nothing, another exit code, too late - the swap may have been written.

``$region`` in its argv makes a document for each region. Known weakness: whether an edit there and back is noticed depends on
ETags that never come twice, and that cannot be tried.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from migrator.adapters.operators_commands import NotStarted, run
from migrator.errors import CloudError, OutcomeUnknown, RouteChanged
from migrator.model.routes import Damaged, RouteDocument
from migrator.ports.router import RoutesDamaged, RouteSnapshot, encoded

REGION: Final = "$region"
MOST_SECONDS: Final = 10.0
"""Of one call. A guardian gives up an attempt after 15."""
MOST_BYTES: Final = 512 * 1024
"""Of a document: what a command prints is read up to twice that."""
_ASKED = "answer as the page on routes says: docs/routing.md"


class CommandRouter:
    """A ``Router`` behind ``argv``, which gets ``environ`` and nothing else of the environment."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], *, seconds: float = MOST_SECONDS) -> None:
        self._argv = tuple(argv)
        self._environ = environ
        self._seconds = seconds
        self._compares: set[str] = set()
        """Documents of which a stale swap was refused."""

    def document_of(self, region: str) -> str:
        return f"command {' '.join(self._of(region))}"

    async def read(self, region: str) -> RouteSnapshot:
        raw, etag = await self._get(region)
        if raw is None:
            return RouteSnapshot(None, None)
        try:
            if len(raw) > MOST_BYTES:
                raise ValueError(f"the route document has {len(raw)} bytes, more than {MOST_BYTES}")
            return RouteSnapshot(RouteDocument.decode(raw), etag)
        except ValueError as fault:
            text = f"cannot read the routes in {self.document_of(region)}: {fault}"
            raise RoutesDamaged(text, damaged=Damaged.of(raw), etag=etag) from fault

    async def swap(self, region: str, document: RouteDocument | Damaged, *, expected_etag: str | None) -> str:
        place = self.document_of(region)
        body = encoded(document, place, most_bytes=MOST_BYTES)
        if place not in self._compares:
            await self.prove_writable(region)
        return await self._swap(region, body, expected_etag or "")

    async def prove_writable(self, region: str) -> None:
        """Swap under an ETag that no version has, what is there already: it must be refused. Also where there is none."""
        raw, _ = await self._get(region)
        body = raw if raw is not None else RouteDocument(30, 60).encode()
        for stale in (f"stale-{secrets.token_hex(8)}", *([""] if raw is not None else [])):
            try:
                await self._swap(region, body, stale)
            except RouteChanged:
                continue
            raise CloudError(
                f"cannot keep the routes in {self.document_of(region)}: it took a swap"
                f" {'for a document that is not there yet' if not stale else 'under an ETag that no document has'}, so two"
                " writers could both believe that the route is theirs",
                hint="let it compare ETAG with the stored one and write in one step, or keep the routes elsewhere",
            )
        self._compares.add(self.document_of(region))

    async def close(self) -> None:
        """Nothing stays open between calls."""

    def _of(self, region: str) -> tuple[str, ...]:
        return tuple(word.replace(REGION, region) for word in self._argv)

    async def _get(self, region: str) -> tuple[bytes | None, str | None]:
        doing = f"read the routes in {self.document_of(region)}"
        said = _answer(await self._run(region, ("get",), b"", doing), doing)
        document = said.get("document")
        if document is None:
            return None, None
        raw = document.encode() if isinstance(document, str) else json.dumps(document).encode()
        return raw, _etag(said, doing)

    async def _swap(self, region: str, body: bytes, etag: str) -> str:
        doing = f"change the routes in {self.document_of(region)}"
        try:
            said = _answer(await self._run(region, ("swap", etag), body, doing), doing)
            if said.get("changed") is not True:
                return _etag(said, doing)
        except NotStarted:
            raise
        except CloudError as fault:
            raise OutcomeUnknown(f"{fault.message}; it may have written them", hint=fault.hint) from fault
        raise RouteChanged(f"cannot {doing}: somebody else changed them first")

    async def _run(self, region: str, words: Sequence[str], asked: bytes, doing: str) -> bytes:
        argv = (*self._of(region), *words)
        return await run(
            argv, asked, environ=self._environ, seconds=self._seconds, doing=doing, slow="try again", failed=_ASKED
        )


def _answer(output: bytes, doing: str) -> Mapping[str, Any]:
    try:
        said = json.loads(output)
    except (ValueError, RecursionError) as fault:
        raise CloudError(f"cannot {doing}: what it printed is not JSON", hint=_ASKED) from fault
    if not isinstance(said, dict):
        raise CloudError(f"cannot {doing}: what it printed is not an object", hint=_ASKED)
    return said


def _etag(said: Mapping[str, Any], doing: str) -> str:
    etag = said.get("etag")
    if not isinstance(etag, str) or not etag:
        raise CloudError(f"cannot {doing}: it answers without an etag", hint=_ASKED)
    return etag
