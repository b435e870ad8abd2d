"""Proxies, gateways and front ends between here and an account: what they change is borne, or told from what the account says."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from migrator.adapters.azure import open_store
from migrator.adapters.azure.object_store import AzureStore
from migrator.errors import CloudError, NotFound, OutcomeUnknown, Throttled, Unreachable
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Account
from tests.unit.azure.wire.peers import Peer, answering, peer

KEY = "c2VjcmV0IGtleSB0aGF0IG5vYm9keSBtYXkgc2VlIQ=="
PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
ROW = (
    "<Blob><Name>n</Name><Properties><Etag>0x1</Etag><Content-Length>4</Content-Length><BlobType>BlockBlob</BlobType>"
    "</Properties></Blob>"
)


def said(status: int, *headers: tuple[str, object], body: bytes = b"", http: str = "HTTP/1.1") -> bytes:
    """An answer; its length is told unless ``headers`` do."""
    lines = [f"{http} {status} Said", *(f"{name}: {value}" for name, value in headers)]
    if not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def listing(rows: str = ROW, marker: str = "") -> bytes:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{rows}</Blobs><NextMarker>{marker}</NextMarker>'
        "</EnumerationResults>"
    ).encode()


@asynccontextmanager
async def between(*answers: bytes) -> AsyncIterator[tuple[AzureStore, Peer]]:
    async with peer(answering(*answers)) as server:
        account = Account("real", "azure", endpoint=f"{server.endpoint}/account", credential="env:KEY")
        store = open_store(account, environ={"KEY": KEY})
        try:
            yield store, server
        finally:
            await store.close()


def put(store: AzureStore) -> Awaitable[object]:
    return store.put("box", "n", b"body", PLAIN, condition=CREATE)


def head(store: AzureStore) -> Awaitable[object]:
    return store.head("box", "n")


async def whole_listing(store: AzureStore) -> list[str]:
    found: list[str] = []
    marker = None
    while True:
        page = await store.page("box", marker=marker)
        found += [entry.name for entry in page.entries]
        if (marker := page.marker) is None:
            return found


GZIPPED = gzip.compress(listing())


@pytest.mark.parametrize(
    "answers",
    [
        [said(200, body=listing(), http="HTTP/1.0")],
        [said(200, body=b"\xef\xbb\xbf" + listing())],
        [said(200, body=listing("", "more")), said(200, body=listing("", "and more")), said(200, body=listing())],
        [said(200, ("transfer-encoding", "chunked"), body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(listing()), listing()))],
        [
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            + said(200, ("content-type", "application/xml"), body=listing())
        ],
    ],
    ids=["HTTP/1.0", "a mark of byte order", "empty pages", "chunks", "early hints"],
)
async def test_a_listing_is_read_whatever_it_came_through(answers: list[bytes]) -> None:
    async with between(*answers) as (store, _):
        assert await whole_listing(store) == ["n"]


async def test_nobody_is_asked_to_compress_anything() -> None:
    async with between(said(200, body=listing())) as (store, server):
        await whole_listing(store)
        assert "accept-encoding: identity\r\n" in server.requests[0][0].lower()
    async with between(said(200, ("Content-Encoding", "gzip"), body=GZIPPED)) as (store, _):
        with pytest.raises(Unreachable, match="cannot be understood"):
            await whole_listing(store)


@pytest.mark.parametrize(
    "ask",
    [
        whole_listing,
        lambda store: store.containers(),
        lambda store: store.uncommitted("box"),
        lambda store: _surveyed(store),
    ],
    ids=["blobs", "containers", "uncommitted", "survey"],
)
async def test_a_listing_that_something_between_has_kept_does_not_go_on_for_ever(
    ask: Callable[[AzureStore], Awaitable[object]],
) -> None:
    """It answers every part with the same one."""
    async with between(said(200, body=listing("", "again"))) as (store, server):
        with pytest.raises(Unreachable, match="cannot be understood"):
            await asyncio.wait_for(ask(store), 5)
        assert len(server.requests) <= 4


async def _surveyed(store: AzureStore) -> None:
    marker: str | None = None
    while True:
        marker = (await store.survey("box", marker=marker)).marker
        if marker is None:
            return


@pytest.mark.parametrize("status", [408, 425, 500, 502, 504, 520])
async def test_what_a_gateway_says_passes_by_itself(status: int) -> None:
    """And nobody knows whether a write came through."""
    async with between(said(status)) as (store, _):
        with pytest.raises(Unreachable):
            await head(store)
        with pytest.raises(OutcomeUnknown):
            await put(store)


async def test_an_account_that_is_only_being_made_is_waited_for() -> None:
    async with between(said(409, ("x-ms-error-code", "AccountBeingCreated"))) as (store, _):
        for ask in (whole_listing, put):
            with pytest.raises(Unreachable, match="AccountBeingCreated"):
                await ask(store)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_an_address_that_leads_elsewhere_is_followed_by_nobody(status: int) -> None:
    """With a signature in hand."""
    async with between(said(status, ("Location", "http://127.0.0.1:9/elsewhere"))) as (store, server):
        for ask in (head, put):
            with pytest.raises(CloudError) as caught:
                await ask(store)
            assert caught.value.code == str(status)
            assert "endpoint" in caught.value.hint
        assert len(server.requests) == 2


@pytest.mark.parametrize("code", ["ContainerBeingDeleted", "ContainerNotFound"])
async def test_a_container_that_is_being_deleted_is_none(code: str) -> None:
    async with between(said(409, ("x-ms-error-code", code))) as (store, _):
        for ask in (put, lambda store: store.create_container(ContainerInfo("box"))):
            with pytest.raises(NotFound) as caught:
                await ask(store)
            assert caught.value.what == "container"


async def test_headers_are_read_whatever_their_case() -> None:
    async with between(said(201, ("etag", '"0x2"'))) as (store, _):
        assert (await store.put("box", "n", b"body", PLAIN, condition=CREATE)).etag == "0x2"
    async with between(said(503, ("X-MS-ERROR-CODE", "ServerBusy"), ("RETRY-AFTER", "7"))) as (store, _):
        with pytest.raises(Throttled) as caught:
            await put(store)
        assert caught.value.retry_after_seconds == 7


def _cut() -> Iterator[bytes]:
    yield said(206, ("ETag", '"0x1"'), ("Content-Range", "bytes 0-99/100"), ("Content-Length", 100), body=b"x" * 10)
    yield said(200, ("ETag", '"0x1"'), body=b"x" * 100)


@pytest.mark.parametrize("answer", list(_cut()), ids=["cut off", "another part"])
async def test_a_part_that_is_none_is_no_read(answer: bytes) -> None:
    async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        writer.write(answer)
        await writer.drain()

    async with peer(serve) as server:
        account = Account("real", "azure", endpoint=f"{server.endpoint}/account", credential="env:KEY")
        store = open_store(account, environ={"KEY": KEY})
        with pytest.raises(Unreachable):
            async with store.read(
                "box", "n", if_match="0x1", offset=1 if b"200" in answer[:15] else 0, length=100
            ) as it:
                assert [chunk async for chunk in it]
        await store.close()
