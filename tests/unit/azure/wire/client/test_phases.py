"""Each phase of a request has its own time, and half an answer is known as such, against servers on loopback."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
from pathlib import Path

import pytest

from migrator.adapters.azure.wire import Answer, Client, NoAnswer, NotSent, Timeouts, UnsafeRequest, WireLimits
from migrator.adapters.azure.wire.heads import head_of
from tests.certificates import make_certificate
from tests.unit.azure.wire.client.asking import get, put, stream
from tests.unit.azure.wire.peers import OK, Peer, Serve, answering, peer

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")
NONE = (("Content-Length", "0"),)


async def silent(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def deaf(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(30)


def stopping_after(part: bytes) -> Serve:
    async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        writer.write(part)
        await reader.read()

    return serve


async def trickling(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await server.read(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(10_000):
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.005)


class TestPhases:
    @pytest.mark.parametrize(
        ("serve", "timeouts", "body"),
        [
            (silent, Timeouts(first_byte=0.05), b""),
            (deaf, Timeouts(send=0.05), bytes(30_000_000)),
            (stopping_after(b"HTTP/1.1 200 OK\r\nContent-"), Timeouts(first_byte=0.05), b""),
            (stopping_after(OK[:-1]), Timeouts(between_bytes=0.05), b""),
            (trickling, Timeouts(whole=0.1), b""),
            (trickling, Timeouts(whole=0.1), bytes(100_000)),
        ],
        ids=["first byte", "send", "head", "between bytes", "whole", "whole after a body"],
    )
    async def test_each_phase_of_a_silent_server_ends(self, serve: Serve, timeouts: Timeouts, body: bytes) -> None:
        async with peer(serve) as server:
            client = Client(server.endpoint, timeouts=timeouts)
            with pytest.raises(NoAnswer, match="no answer within the time allowed"):
                await put(client, body)
            client.close()

    async def test_a_connection_that_is_never_made_ends_and_nothing_was_sent(self, tmp_path: Path) -> None:
        """A server that takes the connection and never speaks TLS."""
        make_certificate(tmp_path)
        async with peer(silent) as server:
            trust = ssl.create_default_context()
            client = Client(server.endpoint.replace("http", "https"), trust=trust, timeouts=Timeouts(connect=0.05))
            with pytest.raises(NotSent, match="no connection within the time allowed"):
                await put(client)
            client.close()

    async def test_a_slow_reader_is_not_a_silent_server(self) -> None:
        body = bytes(4_000_000)
        async with peer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n" + body)) as server:
            client = Client(
                server.endpoint, timeouts=Timeouts(between_bytes=0.05), limits=WireLimits(stream_bytes=64 * 1024)
            )
            got = 0
            async with await stream(client) as coming:
                async for chunk in coming.chunks():
                    if got == 0:
                        await asyncio.sleep(0.3)
                    got += len(chunk)
            assert got == len(body)
            client.close()


class TestStreams:
    async def test_a_stream_gives_every_byte_and_its_connection_back(self) -> None:
        body = bytes(range(256)) * 20_000
        async with peer(answering(b"HTTP/1.1 206 Part\r\nContent-Length: 5120000\r\n\r\n" + body)) as server:
            client = Client(server.endpoint)
            for _ in range(2):
                async with await stream(client) as coming:
                    assert b"".join([chunk async for chunk in coming.chunks()]) == body
            assert server.connections == 1
            client.close()

    async def test_a_slow_reader_stops_the_server_instead_of_filling_memory(self) -> None:
        sent = 0

        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal sent
            await server.read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000000\r\n\r\n")
            for _ in range(300):
                writer.write(bytes(1_000_000))
                await writer.drain()
                sent += 1

        async with peer(serve) as server:
            client = Client(server.endpoint, limits=WireLimits(stream_bytes=64 * 1024))
            async with await stream(client) as coming:
                before = -1
                while sent != before:
                    before = sent
                    await asyncio.sleep(0.2)
                assert sent < 100  # the rest is in nobody's buffer: the kernel's hold a few megabytes
                chunks = coming.chunks()
                assert len(await anext(chunks)) <= 2 * 256 * 1024
            client.close()

    async def test_a_stream_that_is_left_early_drops_its_connection(self) -> None:
        async with peer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000))) as server:
            client = Client(server.endpoint)
            for _ in range(2):
                async with await stream(client) as coming:
                    async for _chunk in coming.chunks():
                        break
            assert server.connections == 2
            client.close()

    async def test_a_stream_that_breaks_says_so(self) -> None:
        for part in (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", CHUNKS):
            async with peer(breaking(part)) as server:
                client = Client(server.endpoint)
                async with await stream(client) as coming:
                    with pytest.raises(NoAnswer):
                        [chunk async for chunk in coming.chunks()]
                client.close()

    async def test_a_refused_stream_is_a_whole_answer(self) -> None:
        async with peer(answering(b"HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nwhy", OK)) as server:
            client = Client(server.endpoint)
            answer = await client.stream("GET", "/n", ())
            assert isinstance(answer, Answer)
            assert (answer.status, answer.body) == (404, b"why")
            await get(client)
            assert server.connections == 1
            client.close()

    async def test_readers_of_streams_never_keep_each_other_from_their_requests(self) -> None:
        """With every connection held by a reader who needs another one, nobody would go on."""
        async with peer(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000))) as server:
            client = Client(server.endpoint, limits=WireLimits(connections=1, stream_bytes=1000))

            async def copy() -> int:
                got = 0
                async with await stream(client) as coming:
                    async for chunk in coming.chunks():
                        if got == 0:
                            await client.exchange("GET", "/other", (), most_bytes=10_000_000)
                        got += len(chunk)
                return got

            assert await asyncio.wait_for(asyncio.gather(copy(), copy(), copy()), 30) == [3_000_000] * 3
            client.close()


CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n"


def breaking(part: bytes) -> Serve:
    async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.read(reader)
        writer.write(part)
        await writer.drain()

    return serve


class TestBodies:
    @pytest.mark.parametrize("size", [0, 1, 32 * 1024, 32 * 1024 + 1, 8 * 1024 * 1024])
    async def test_a_body_arrives_whole_and_once(self, size: int) -> None:
        body = bytes(range(251)) * (size // 251 + 1)
        async with peer(answering(OK)) as server:
            client = Client(server.endpoint)
            for _ in range(2):
                assert (await put(client, body[:size])).status == 200
            assert [sent for _, sent in server.requests] == [body[:size]] * 2
            assert server.connections == 1
            client.close()

    async def test_a_refusal_that_comes_before_the_body_went_out_is_the_answer(self) -> None:
        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 2\r\n\r\nno")
            await writer.drain()
            await asyncio.sleep(0.5)

        async with peer(serve) as server:
            client = Client(server.endpoint)
            for _ in range(2):
                answer = await put(client, bytes(30_000_000))
                assert (answer.status, answer.body) == (412, b"no")
            assert server.connections == 2
            client.close()

    async def test_a_success_that_comes_before_the_body_went_out_is_none(self) -> None:
        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.5)

        async with peer(serve) as server:
            client = Client(server.endpoint)
            with pytest.raises(NoAnswer, match="cannot be understood"):
                await put(client, bytes(30_000_000))
            client.close()

    async def test_a_cancelled_body_leaves_no_complaint_behind(self, caplog: pytest.LogCaptureFixture) -> None:
        async with peer(deaf) as server:
            client = Client(server.endpoint)
            task = asyncio.ensure_future(put(client, bytes(30_000_000)))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            client.close()
            del task
            gc.collect()
            await asyncio.sleep(0)
        assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []


class TestHeads:
    @pytest.mark.parametrize(
        ("target", "name", "value"),
        [
            ("/a b", "x-a", "v"),
            ("/a\r\nx-b: 1", "x-a", "v"),
            ("/a\n", "x-a", "v"),
            ("/é", "x-a", "v"),
            ("http://other/", "x-a", "v"),
            ("", "x-a", "v"),
            ("/", "x-a:", "v"),
            ("/", "x-a\r\nx-b", "v"),
            ("/", "x a", "v"),
            ("/", "", "v"),
            ("/", "x-é", "v"),
            ("/", "x-a", "v\r\nx-b: 1"),
            ("/", "x-a", "v\n"),
            ("/", "x-a", "v\r"),
            ("/", "x-a", "v\x00"),
            ("/", "x-a", "v\x7f"),
            ("/", "x-a", "v\u2028x"),
            ("/", "x-a", "v\x85x"),
            ("/", "x-a", "v\ud800"),
        ],
    )
    async def test_nothing_ends_its_line(self, target: str, name: str, value: str) -> None:
        async with peer(answering(OK)) as server:
            client = Client(server.endpoint)
            with pytest.raises(UnsafeRequest):
                await client.exchange("PUT", target, [(name, value), *NONE])
            assert server.requests == []
            client.close()

    @pytest.mark.parametrize("value", ["", "a\tb", "é ü 漢", "no\u00a0break", 'x; y="z"', "\udce9"])
    def test_what_is_harmless_goes_out_as_it_is(self, value: str) -> None:
        head = head_of("PUT", "/", "", [("x-a", value)])
        assert head == b"PUT / HTTP/1.1\r\nx-a: " + value.encode("utf-8", "surrogateescape") + b"\r\n\r\n"
