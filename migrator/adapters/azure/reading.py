"""The half of an Azure account that only reads: containers, listings, blobs.

Decides which request answers which question: ETags come normalised, a page of a listing brings metadata and tags. Leaves
sending to ``requests``, the words of headers to ``shapes`` and of listings to ``listing``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from migrator.adapters.azure import listing, shapes
from migrator.adapters.azure.counting import survey_of
from migrator.adapters.azure.errors import NO_TAGS
from migrator.adapters.azure.forms import FormReader
from migrator.adapters.azure.requests import NEWER_API_VERSION, SOURCE_PATH_BYTES, Requests
from migrator.adapters.azure.signing import HeaderPairs, Query
from migrator.adapters.azure.wire import Answer, Stream
from migrator.adapters.azure.xml_reader import Node, read_xml
from migrator.errors import CloudError, ConditionFailed, NotFound, Unsupported
from migrator.model.objects import BLOCK_BYTES, LIST_PAGE, MOST_NAMED, ContainerInfo, Listed, ListingPage, Survey
from migrator.model.values import replace
from migrator.ports.object_store import TOO_LARGE, Whole

LISTED = "copy,metadata,tags"
UNTAGGED = "copy,metadata"
KIND_OF_ROW = b"<ResourceType>"
EVERYTHING = "immutabilitypolicy,legalhold,snapshots,versions"
PAGE_BYTES = 32 * 1024 * 1024
"""Longest page of a listing that is held in memory; of a longer one a smaller page is asked for."""
NO_START = frozenset(
    {
        "InvalidHeaderValue",
        "InvalidQueryParameterValue",
        "OutOfRangeQueryParameterValue",
        "UnsupportedHeader",
        "UnsupportedQueryParameter",
    }
)
"""Codes of a service that knows the version not, or the wish to list from a name on. Source: Azure "Common REST API error
codes"."""
CONTAINER: Query = [("restype", "container")]
TAGS: Query = [("comp", "tags")]


class AzureReadings:
    """Implements the reading half of ObjectStore."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._forms = FormReader()
        self._may_read_tags: bool | None = None
        """False: that was refused, and the same listing without them was not; None: nobody has asked."""
        self._lists_kinds_of_rows: bool | None = None
        """As accounts with directories do, of every row; None: there was none yet."""

    # Containers

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        found: list[ContainerInfo] = []
        marker: str | None = ""
        while marker is not None:
            query = _query(comp="list", include="metadata", marker=marker, prefix=prefix)
            answer = await self._requests.send("GET", "list containers of", query=query, most_bytes=PAGE_BYTES)
            with self._requests.understanding("list containers of"):
                following = listing.read_entries(
                    answer.body, "Container", lambda node: found.append(listing.listed_container(node))
                )
                marker = _another(marker, following)
        return sorted(found, key=lambda info: info.name)

    async def container(self, name: str) -> ContainerInfo:
        answer = await self._requests.send("HEAD", "look at", name, query=CONTAINER)
        return shapes.container_headed(name, answer)

    # Listings

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = LIST_PAGE,
        start: str | None = None,
    ) -> ListingPage:
        if start is not None and not self._requests.has_newer:
            raise Unsupported(
                f"cannot list {container} of {self._requests.account} from a name on: its api_version is older than that",
                hint=f"leave api_version out, or give a date from {NEWER_API_VERSION} on",
            )
        try:
            answer = await self._page(container, prefix, marker or "", limit, start or "")
        except CloudError as refusal:
            if start is None or marker is not None or refusal.code not in NO_START:
                raise
            raise Unsupported(
                f"cannot list {container} of {self._requests.account} from a name on: {refusal.code}", code=refusal.code
            ) from refusal
        with self._requests.understanding("list", container):
            found = self._forms.unread_page(answer.body, lambda: self._requests.understanding("list", container))
            _another(marker, found.marker)
        if self._lists_kinds_of_rows is not False and found.entries:
            self._lists_kinds_of_rows = KIND_OF_ROW in answer.body
            if self._lists_kinds_of_rows and listing.has_directory(answer.body):
                raise self._requests.hierarchical(container)
        return found

    async def _page(self, container: str, prefix: str, marker: str, limit: int, start: str) -> Answer:
        """With tags, where the credential may read them. Without, a blob that has none says so by a count, and one that has some
        is refused: it would be copied without them."""
        if self._may_read_tags is not False:
            try:
                answer = await self._listing(container, prefix, marker, LISTED, limit, start)
            except CloudError as refusal:
                if refusal.code not in NO_TAGS:
                    raise
            else:
                self._may_read_tags = True
                return answer
        answer = await self._listing(container, prefix, marker, UNTAGGED, limit, start)
        self._may_read_tags = False
        with self._requests.understanding("list", container):
            tagged = listing.tagged(answer.body)
        if tagged:
            raise self._requests.lacking_tags(container, tagged)
        return answer

    async def sees_tags(self, container: str) -> bool:
        """May its credential read the tags of blobs? Asked once, of ``container``. CloudError: it may not even list that."""
        if self._may_read_tags is None:
            try:
                await self._listing(container, "", "", LISTED, 1)
            except CloudError as refusal:
                if refusal.code not in NO_TAGS:
                    raise
                await self._listing(container, "", "", UNTAGGED, 1)
                self._may_read_tags = False
            else:
                self._may_read_tags = True
        return self._may_read_tags

    async def _listing(
        self, container: str, prefix: str, marker: str, include: str, limit: int = LIST_PAGE, start: str = ""
    ) -> Answer:
        """One page as the service gave it; a smaller one if what was asked for is too large to be held."""
        while True:
            query = _query(
                comp="list",
                include=include,
                marker=marker,
                maxresults=str(limit) if limit < LIST_PAGE else "",
                prefix=prefix,
                restype="container",
                startFrom=start,
            )
            try:
                return await self._requests.send(
                    "GET", "list", container, query=query, most_bytes=PAGE_BYTES, is_newer=bool(start)
                )
            except CloudError as failure:
                if failure.code != TOO_LARGE or limit == 1:
                    raise
                limit = max(1, limit // 4)

    async def _every(self, container: str, prefix: str, include: str, each: Callable[[Node], None]) -> None:
        marker: str | None = ""
        while marker is not None:
            answer = await self._listing(container, prefix, marker, include)
            with self._requests.understanding("list", container):
                marker = _another(marker, listing.read_entries(answer.body, "Blob", each))

    async def uncommitted(self, container: str, *, prefix: str = "") -> Sequence[str]:
        """Two listings, as one does not tell an uncommitted name from an empty blob."""
        names: set[str] = set()

        def note_empty(node: Node) -> None:
            properties = node.child("Properties")
            if properties is None or int(properties.value("Content-Length") or 0) == 0:
                names.add(listing.name_of(node))

        await self._every(container, prefix, "uncommittedblobs", note_empty)
        if names:
            await self._every(container, prefix, "", lambda node: names.discard(listing.name_of(node)))
        return sorted(names)

    async def survey(self, container: str, *, prefix: str = "", marker: str | None = None) -> Survey:
        sees_tags = await self.sees_tags(container)
        answer = await self._listing(container, prefix, marker or "", EVERYTHING)
        with self._requests.understanding("list", container):
            found = survey_of(answer.body)
            _another(marker, found.marker)
            found = self._with_long_addresses(found, container, answer.body)
            if sees_tags:
                return found
            return replace(found, features=replace(found.features, tagged=listing.tagged(answer.body)))

    def _with_long_addresses(self, found: Survey, container: str, document: bytes) -> Survey:
        url_of = self._requests.url_of
        names = listing.named_so(document, lambda name: len(url_of(container, name)) > SOURCE_PATH_BYTES)
        if not names:
            return found
        named = {**found.features.named, "long_addressed": tuple(names[:MOST_NAMED])}
        return replace(found, features=replace(found.features, long_addressed=len(names), named=named))

    # Reading

    async def head(self, container: str, name: str) -> Listed:
        answer = await self._requests.send("HEAD", "look at", container, name)
        tags: Mapping[str, str] = {}
        if answer.text(b"x-ms-tag-count") not in ("", "0"):
            said = await self._requests.send("GET", "look at the tags of", container, name, query=TAGS)
            with self._requests.understanding("look at", container, name):
                tags = listing.read_tags(said.body)
        with self._requests.understanding("look at", container, name):
            return shapes.headed(name, answer, tags)

    @asynccontextmanager
    async def read(
        self, container: str, name: str, *, if_match: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """One request; its bytes come as they are read."""
        try:
            stream = await self._opened(container, name, if_match, offset, length)
        except ConditionFailed as refusal:
            await self._raise_if_gone(container, name, refusal)
            raise
        async with stream:
            yield self._requests.chunks(stream, "read", container, name)

    async def page_ranges(self, container: str, name: str, *, if_match: str) -> Sequence[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        marker = ""
        markers: list[str] = []

        def note(node: Node) -> None:
            first, last = int(node.value("Start")), int(node.value("End"))
            if first < (found[-1][0] + found[-1][1] if found else 0) or last < first or first % 512 or (last + 1) % 512:
                raise ValueError("ranges of pages that overlap, or are none")
            found.append((first, last + 1 - first))

        while True:
            query, headers = _query(comp="pagelist", marker=marker), [shapes.matching(if_match)]
            try:
                answer = await self._requests.send(
                    "GET", "list the pages of", container, name, query=query, headers=headers, most_bytes=PAGE_BYTES
                )
            except ConditionFailed as refusal:
                await self._raise_if_gone(container, name, refusal)
                raise
            with self._requests.understanding("list the pages of", container, name):
                read_xml(answer.body, {"PageRange": note, "NextMarker": lambda node: markers.append(node.text)})
            marker = markers.pop() if markers else ""
            if not marker:
                return found

    async def whole(self, container: str, name: str, *, if_match: str | None = None, most_bytes: int) -> Whole:
        headers: HeaderPairs = [] if if_match is None else [shapes.matching(if_match)]
        try:
            answer = await self._requests.send(
                "GET", "read", container, name, headers=headers, most_bytes=min(most_bytes, BLOCK_BYTES)
            )
        except ConditionFailed as refusal:
            await self._raise_if_gone(container, name, refusal)
            raise
        with self._requests.understanding("read", container, name):
            etag = shapes.told_etag(answer)
            if if_match not in (None, etag):
                raise ValueError("another generation than the one that was asked for")
        return Whole(etag, answer.body)

    async def _opened(self, container: str, name: str, if_match: str, offset: int, length: int | None) -> Stream:
        headers: HeaderPairs = [shapes.matching(if_match)]
        if offset == 0 and length is None:
            return await self._requests.open("read", container, name, headers=headers)
        end = "" if length is None else str(offset + length - 1)
        headers.append(("x-ms-range", f"bytes={offset}-{end}"))
        try:
            stream = await self._requests.open("read", container, name, headers=headers)
        except CloudError as refusal:
            if offset > 0 or refusal.code != "InvalidRange":
                raise
            # Of an empty blob the service has no first byte to give.
            return await self._opened(container, name, if_match, 0, None)
        if not stream.text(b"content-range").startswith(f"bytes {offset}-"):
            stream.close()
            raise self._requests.misunderstood("GET", "read", container, name)
        return stream

    async def _raise_if_gone(self, container: str, name: str, refusal: ConditionFailed) -> None:
        """Some services refuse the condition of a request for a blob that is gone: look, and say that it is gone."""
        try:
            await self._requests.send("HEAD", "look at", container, name)
        except NotFound as gone:
            raise gone from refusal
        except CloudError:
            return  # the look failed too: the refusal is the better answer


def _another(marker: str | None, following: str | None) -> str | None:
    """``following``; ValueError where a listing goes on where it began, as one that something between has kept may: it would
    never end."""
    if following and following == marker:
        raise ValueError("the same part of the listing again")
    return following


def _query(**parts: str) -> Query:
    """Names must be given in their alphabetical order; empty values are left out."""
    return [(name, value) for name, value in parts.items() if value]


__all__ = ["CONTAINER", "TAGS", "AzureReadings"]
