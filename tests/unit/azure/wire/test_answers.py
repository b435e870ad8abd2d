"""What a server may answer, and what it may not: in memory, byte by byte."""

from __future__ import annotations

import pytest

from migrator.adapters.azure.wire import Answer, NoAnswer, Stream, TooLarge, WireLimits
from tests.unit.azure.wire.peers import converse

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
GOOD = {
    "a length": (SIZED, b"hello"),
    "no bytes": (b'HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nETag: "0x1"\r\n\r\n', b""),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2;note=1\r\nlo\r\n0\r\n\r\n", b"hello"),
    "chunks and a trailer": (CHUNKED + b"5\r\nhello\r\n0\r\nETag: liar\r\n\r\n", b"hello"),
    "interim answers": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + SIZED, b"hello"),
    "a header without a value": (b"HTTP/1.1 200 OK\r\nx-a:\r\nContent-Length: 1\r\n\r\nx", b"x"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"x"),
    "a refusal without a length": (b"HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n", b""),
    "not modified, with the length it would have": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", b""),
}


@pytest.mark.parametrize("kind", GOOD)
async def test_an_answer_may_be_split_at_every_byte(kind: str) -> None:
    raw, body = GOOD[kind]
    for cut in range(len(raw) + 1):
        answer, _ = await converse([raw[:cut], raw[cut:]])
        assert isinstance(answer, Answer)
        assert answer.body == body
    answer, _ = await converse([raw[at : at + 1] for at in range(len(raw))])
    assert isinstance(answer, Answer)
    assert answer.body == body
    assert answer.headers.get(b"etag") != b"liar"


@pytest.mark.parametrize("kind", [kind for kind in GOOD if "refusal" not in kind])
async def test_a_connection_that_ends_at_any_byte_leaves_no_half_answer(kind: str) -> None:
    raw, _ = GOOD[kind]
    for cut in range(len(raw)):
        with pytest.raises(NoAnswer) as failure:
            await converse([raw[:cut]])
        assert failure.value.was_begun == (cut > 0)


@pytest.mark.parametrize("kind", GOOD)
async def test_only_a_whole_and_keeping_answer_leaves_a_reusable_connection(kind: str) -> None:
    raw, _ = GOOD[kind]
    _, connection = await converse([raw], ends=False)
    assert connection.is_reusable == ("refusal" not in kind)
    _, connection = await converse([raw + b"more"], ends=False)
    assert not connection.is_reusable


REFUSED = {
    "nothing of HTTP": b"garbage\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "two lengths that differ": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "chunks and a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    "a length below nothing": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nx",
    "a list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\nx",
    "a length beyond counting": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nx",
    "a size of a chunk that is no number": CHUNKED + b"zz\r\nx\r\n0\r\n\r\n",
    "a size of a chunk beyond counting": CHUNKED + b"fffffffffffffffffffff\r\nx\r\n0\r\n\r\n",
    "a chunk longer than it says": CHUNKED + b"1\r\nxyz\r\n0\r\n\r\n",
    "a success that ends with the connection": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "a folded header": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a bare carriage return": b"HTTP/1.1 200 OK\r\nA: b\rContent-Length: 1\r\n\r\nx",
    "a nul": b"HTTP/1.1 200 OK\r\nA: b\x00c\r\nContent-Length: 0\r\n\r\n",
    "a space before the colon": b"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\nx",
    "another protocol": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 99 x\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 x\r\nContent-Length: 0\r\n\r\n",
    "interim answers without end": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000,
    "a header without end": b"HTTP/1.1 200 OK\r\na: " + b"x" * 100_000,
    "a reason without end": b"HTTP/1.1 200 " + b"x" * 100_000,
    "an extension without end": CHUNKED + b"1;" + b"x" * 300_000,
    "a length in a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    "an encoding in a trailer": CHUNKED + b"5\r\nhello\r\n0\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    "trailers without end": CHUNKED + b"1\r\nx\r\n0\r\n" + b"a: b\r\n" * 50_000,
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("streams", [False, True])
async def test_what_is_no_answer_is_refused_and_the_connection_dropped(kind: str, streams: bool) -> None:
    raw = REFUSED[kind]
    if len(raw) < 1000:
        pieces = [raw[at : at + 1] for at in range(len(raw))]
    else:
        pieces = [raw[at : at + 4096] for at in range(0, len(raw), 4096)]
    for way in (pieces, [raw]):
        with pytest.raises(NoAnswer):
            await read_whole(way, streams=streams)


async def read_whole(pieces: list[bytes], *, streams: bool) -> None:
    answer, connection = await converse(pieces, ends=False, streams=streams)
    assert isinstance(answer, Stream)
    assert not connection.is_reusable
    async for _ in answer.chunks():
        pass


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 404 Gone\r\nContent-Length: 5\r\nx-ms-error-code: BlobNotFound\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
)
async def test_a_head_has_no_body_whatever_it_says(raw: bytes) -> None:
    for cut in range(len(raw)):
        answer, connection = await converse([raw[:cut], raw[cut:]], is_head=True, ends=False)
        assert isinstance(answer, Answer)
        assert answer.body == b""
        assert connection.is_reusable
    for more in (b"hello", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"):
        _, connection = await converse([raw + more], is_head=True, ends=False)
        assert not connection.is_reusable
        _, connection = await converse([raw, more], is_head=True, ends=False)
        assert not connection.is_reusable


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
async def test_a_body_after_no_content_is_never_read_as_the_next_answer(status: bytes) -> None:
    raw = b"HTTP/1.1 %b\r\nContent-Length: 42\r\n\r\n" % status
    for more in (SIZED, b"x"):
        answer, connection = await converse([raw, more], ends=False)
        assert isinstance(answer, Answer)
        assert answer.body == b""
        assert not connection.is_reusable


@pytest.mark.parametrize("wish", [b"Connection: close\r\n", b"Connection: Close\r\n"])
async def test_a_connection_that_will_close_is_not_kept(wish: bytes) -> None:
    for version in (b"1.1", b"1.0"):
        raw = b"HTTP/%b 200 OK\r\nContent-Length: 0\r\n%b\r\n" % (version, wish if version == b"1.1" else b"")
        for is_head in (False, True):
            _, connection = await converse([raw], is_head=is_head, ends=False)
            assert not connection.is_reusable


async def test_a_success_longer_than_allowed_is_too_large_before_it_is_held() -> None:
    for raw in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n",
        CHUNKED + b"65\r\n" + b"x" * 101,
        CHUNKED + b"a\r\n0123456789\r\n" * 11,
    ):
        with pytest.raises(TooLarge):
            await converse([raw], ends=False, most_bytes=100)


async def test_of_a_long_refusal_the_beginning_is_enough() -> None:
    limits = WireLimits(error_bytes=10)
    raw = b"HTTP/1.1 403 No\r\nx-ms-error-code: AuthenticationFailed\r\nContent-Length: 50\r\n\r\n"
    answer, connection = await converse([raw, *([b"0123456789"] * 5)], ends=False, limits=limits, most_bytes=1000)
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body, answer.text(b"x-ms-error-code")) == (403, b"0123456789", "AuthenticationFailed")
    assert not connection.is_reusable


async def test_a_repeated_header_is_one_list_and_names_have_no_case() -> None:
    raw = b"HTTP/1.1 200 OK\r\nETag: a\r\neTAG: b\r\nContent-Length: 0\r\n\r\n"
    answer, _ = await converse([raw])
    assert answer.text(b"etag") == "a, b"
    assert answer.text(b"missing") == ""


async def test_bytes_that_are_no_utf_8_survive_in_a_header() -> None:
    answer, _ = await converse([b"HTTP/1.1 200 OK\r\nx-ms-meta-a: \xe9\r\nContent-Length: 0\r\n\r\n"])
    assert answer.text(b"x-ms-meta-a").encode("utf-8", "surrogateescape") == b"\xe9"
