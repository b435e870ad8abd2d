"""Targets that are traffic: answers and requests, both judged by another implementation (h11), and listings by two readers."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any, Final
from urllib.parse import unquote

import h11

from migrator.adapters.azure import shapes
from migrator.adapters.azure.counting import survey_of
from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.errors import redacted
from migrator.adapters.azure.forms import FormReader
from migrator.adapters.azure.listing import read_page, read_tags
from migrator.adapters.azure.requests import Requests
from migrator.adapters.azure.wire.answers import Answer
from migrator.adapters.azure.wire.connection import Connection
from migrator.adapters.azure.wire.failures import UnsafeRequest, WireFailure
from migrator.adapters.azure.wire.heads import constant_part, head_of
from migrator.adapters.azure.wire.limits import Timeouts, WireLimits
from migrator.adapters.azure.xml_reader import NotUnderstood
from migrator.errors import CloudError
from migrator.model.objects import BlobType, ContentHeaders, Shape
from migrator.model.schedule import Account
from tests.fuzz.mutation import mutated_bytes
from tests.fuzz.running import Target

ANSWERS: Final = (
    b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "0x8D"\r\n\r\nhello',
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nDate: Tue, 24 Nov 2026 06:00:00 GMT\r\n\r\n",
    b"HTTP/1.1 503 Server Busy\r\nContent-Length: 2\r\nRetry-After: 3\r\n\r\nno",
    b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
)
HEAD_WORDS: Final = (
    b"\r\n", b"\r\n\r\n", b"\n", b"\r", b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Content-Length: +5\r\n",
    b"Content-Length: 99999999999999999999\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n", b"\x00", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 103 Early\r\n\r\n", b" ", b":",
    b"ffffffffffffffff\r\n", b"Connection: close\r\n", b"Upgrade: h2c\r\n", b"x" * 70_000,
)  # fmt: skip


LENIENT: Final = ("chunk header", "illegal status line", "no response line received")
"""Where httptools takes what h11 does not, with the same framing: zeros before a chunk's size, controls in a reason phrase,
an empty line before the first."""


class _Wire(asyncio.Transport):
    """Takes what is written; nothing is behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.is_aborted = False

    def write(self, data: Any) -> None:
        """Nobody reads it."""

    def abort(self) -> None:
        self.is_aborted = True

    close = abort

    def is_closing(self) -> bool:
        return self.is_aborted

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        """There is no reading to pause."""

    resume_reading = pause_reading


def answers() -> Target:
    """Pieces of bytes, to a connection that waits. What ours calls whole, and good for a next request, is so for h11."""
    loop = asyncio.new_event_loop()

    def make(random: Random) -> bytes:
        raw = b"".join(random.choice(ANSWERS) for _ in range(random.choice((1, 1, 1, 2))))
        if random.random() < 0.85:
            raw = mutated_bytes(random, raw, HEAD_WORDS)
        cuts = sorted(random.randrange(len(raw) + 1) for _ in range(random.choice((0, 0, 1, 2, 5, 30))))
        pieces = [raw[a:b].decode("latin-1") for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
        return json.dumps([random.random() < 0.2, pieces]).encode()

    async def answered(pieces: list[bytes], is_head: bool) -> tuple[Answer | None, bool]:
        connection, wire = Connection(loop, WireLimits(), Timeouts()), _Wire()
        connection.connection_made(wire)
        connection.watch(lambda _: None)
        waiting = connection.send(b"GET / HTTP/1.1\r\n\r\n", b"", is_head=is_head, most_bytes=1 << 20, streams=False)
        for piece in pieces:
            if piece and not wire.is_aborted:
                connection.data_received(piece)
        is_reusable = connection.is_reusable
        if not waiting.done() or is_reusable:
            connection.connection_lost(None)
        assert waiting.done(), "the caller is never told"
        assert not (wire.is_aborted and is_reusable), "reusable though aborted"
        try:
            found = waiting.result()
        except WireFailure:
            return None, is_reusable
        assert isinstance(found, Answer)
        return found, is_reusable

    def check(item: bytes) -> None:
        is_head, texts = json.loads(item)
        pieces = [text.encode("latin-1") for text in texts]
        found, is_reusable = loop.run_until_complete(answered(pieces, is_head))
        if found is None:
            return
        try:
            other = _by_h11(b"".join(pieces), is_head)
        except h11.RemoteProtocolError as fault:
            why = str(fault)
        else:
            why = ""
        if why:
            has_no_body = is_head or found.status in (
                204,
                304,
            )  # it ends with its head, whatever that says (RFC 9112, 6.3)
            is_lenient = has_no_body or any(one in why for one in LENIENT)
            assert not is_reusable or is_lenient, f"h11 refuses what is whole and reusable here: {why}"
            return
        if other is None:
            assert not is_reusable, "h11 waits for more"
            assert found.status >= 300 or b"Upgrade" in item, "h11 waits for more of what ours calls whole"
            return
        status, body, trailing = other
        assert found.status == status
        if found.status < 300 or is_reusable:
            assert found.body == body
        assert not is_reusable or is_head or not trailing.strip(b"\r\n"), "something follows"

    return Target("answers", make, check)


def _by_h11(raw: bytes, is_head: bool) -> tuple[int, bytes, bytes] | None:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method="HEAD" if is_head else "GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(raw)
    body, status = b"", 0
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return status, body, bytes(connection.trailing_data[0])
        elif event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
            return None


HARD: Final = "ab/.%?#& \r\n\t\x00\x1f\x7f\x85\u2028é\U0001f600\udc80:;=+'\"<>\\~$-_"
SOFT: Final = "ab/.%?#& é\U0001f600:;=+'\"<>~$-_{}\t"


def requests() -> Target:
    """Names, metadata, tags and headers of all characters: what is written is one request, as meant, or is refused."""
    credential = Credential("key", "nacore", "https://nacore.blob.core.windows.net", key="A" * 86 + "==")
    door = Requests(Account("a", "azure", endpoint="https://nacore.blob.core.windows.net"), credential, cloud={})
    constant = constant_part([("Host", "nacore.blob.core.windows.net"), ("x-ms-version", "2024-11-04")])

    def text(random: Random, most: int = 20, *, hard: str = HARD) -> str:
        return "".join(random.choice(hard if random.random() < 0.01 else SOFT) for _ in range(random.randrange(most)))

    def plain(random: Random, most: int = 20) -> str:
        return text(random, most, hard=HARD.replace("\udc80", ""))

    def make(random: Random) -> bytes:
        headers = [text(random) or None for _ in range(5)]
        metadata = {random.choice(["a", "b_c", "X", text(random, 6)]): text(random) for _ in range(random.randrange(3))}
        tags = {plain(random, 8): plain(random) for _ in range(random.randrange(3))}
        query = [(random.choice(["comp", "marker"]), plain(random)) for _ in range(random.randrange(3))]
        container = "box" if random.random() < 0.5 else plain(random, 8)
        return json.dumps([container, plain(random), headers, metadata, tags, text(random), query]).encode()

    def check(item: bytes) -> None:
        container, name, headers, metadata, tags, etag, query = json.loads(item)
        query = [(key, value) for key, value in query]
        path = door.path_of(container, name)
        shape = Shape(BlobType.BLOCK, ContentHeaders(*headers, None), metadata, tags, None)
        given = [*shapes.described(shape), shapes.matching(etag), ("Content-Length", "0")]
        target = door._signer.sign("PUT", path, query, given)
        raw = head_of("PUT", target, constant, given)
        server = h11.Connection(h11.SERVER)
        server.receive_data(raw)
        read = server.next_event()
        assert isinstance(read, h11.Request)
        assert isinstance(server.next_event(), h11.EndOfMessage)
        assert server.trailing_data[0] == b""
        assert unquote(read.target.decode().partition("?")[0], errors="surrogatepass") == f"/{container}/{name}"
        sent = [("Host", "nacore.blob.core.windows.net"), ("x-ms-version", "2024-11-04"), *given]
        meant = sorted((key.lower(), value.encode("utf-8", "surrogateescape").strip(b" \t")) for key, value in sent)
        assert sorted((key.decode("latin-1"), value) for key, value in read.headers) == meant

    return Target("requests", make, check, (CloudError, UnsafeRequest))


ENTRY: Final = (
    b"<Blob><Name>a%d</Name><Properties><Etag>0x8D</Etag><Content-Length>5</Content-Length><BlobType>BlockBlob</BlobType>"
    b"<Content-Type>text/plain</Content-Type><Last-Modified>Tue, 24 Nov 2026 06:00:00 GMT</Last-Modified>"
    b"<AccessTier>Hot</AccessTier></Properties><Metadata><k>v</k></Metadata>"
    b"<Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags></Blob>"
)
PAGE: Final = (
    b'<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="c"><Blobs>'
    + b"".join(ENTRY % number for number in range(4))
    + b"</Blobs><NextMarker>m</NextMarker></EnumerationResults>"
)
XML_WORDS: Final = (
    b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]>", b"<!ENTITY a SYSTEM 'file:///etc/passwd'>", b"&a;", b"&#0;", b"&#x10ffff;",
    b"<![CDATA[x]]>", b"<!--x-->", b"<?x y?>", b"<Blob>", b"</Blob>", b"<Name>", b"</Name>", b"<NextMarker/>", b"<a>" * 30,
    b"<Content-Length>-5</Content-Length>", b"<Content-Length>" + b"9" * 5000 + b"</Content-Length>", b"\xff", b"\xef\xbb\xbf",
    b"\x00", b"]]>", b"&amp;", b" xmlns='x'", b'Encoded="true"',
    b"<BlobPrefix><Name>x</Name></BlobPrefix>", b"<Snapshot>1</Snapshot>",
)  # fmt: skip


def listings() -> Target:
    """The quick reader and the XML reader agree on every page, or both refuse it."""
    reader = FormReader()

    def tried(read: Any, raw: bytes) -> Any:
        try:
            return read(raw)
        except (NotUnderstood, ValueError, LookupError):
            return None

    def check(item: bytes) -> None:
        one, other = tried(reader.read_page, item), tried(read_page, item)
        assert one == other, "the two readers differ"
        tried(survey_of, item)
        tried(read_tags, item)
        assert (said := redacted(item.decode("utf-8", "replace"))).isprintable() or not said

    return Target("listings", lambda random: mutated_bytes(random, PAGE, XML_WORDS), check)
