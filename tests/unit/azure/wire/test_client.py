"""The client against servers on loopback: what is sent, how often, over which connection, and what is kept."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migrator.adapters.azure.wire import Answer, Client, NoAnswer, NotSent, Stream, Timeouts, UnsafeRequest, WireLimits
from migrator.adapters.azure.wire.dialling import Proxy, Server, proxy_for
from migrator.adapters.azure.wire.heads import head_of
from migrator.ports.object_store import MAY_SEND
from tests.certificates import make_certificate
from tests.unit.azure.wire.peers import OK, Peer, Serve, answering, peer

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")
NONE = (("Content-Length", "0"),)


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Every test runs on both loops."""
    if request.param == "asyncio":
        return asyncio.DefaultEventLoopPolicy()
    uvloop = pytest.importorskip("uvloop")
    policy: asyncio.AbstractEventLoopPolicy = uvloop.EventLoopPolicy()
    return policy


async def get(client: Client, target: str = "/n") -> Answer:
    return await client.exchange("GET", target, ())


async def put(client: Client, body: bytes = b"", target: str = "/n") -> Answer:
    return await client.exchange("PUT", target, [("Content-Length", str(len(body)))], body)


def hanging_up_after(*answers: bytes) -> Serve:
    """Each connection gets these answers; the next request on it is read and the connection closed."""

    async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await server.read(reader)
            writer.write(answer)
            await writer.drain()
        await server.read(reader)

    return serve


class TestTime:
    async def test_a_request_that_was_held_up_until_its_time_was_over_is_never_sent(self) -> None:
        """It waited for the only connection, which another request had."""
        wanted, asked, release = True, asyncio.Event(), asyncio.Event()

        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                await server.read(reader)
                asked.set()
                await release.wait()
                writer.write(OK)
                await writer.drain()

        async def late() -> None:
            MAY_SEND.set(lambda: wanted)
            with pytest.raises(NotSent, match="its time was over"):
                await put(client, target="/late")

        async with peer(serve) as server:
            client = Client(server.endpoint, limits=WireLimits(connections=1))
            first = asyncio.ensure_future(put(client, target="/first"))
            await asked.wait()
            second = asyncio.ensure_future(late())
            await asyncio.sleep(0)
            wanted = False
            release.set()
            await asyncio.gather(first, second)
            assert (await put(client, target="/third")).body == b"ok"
            assert [request[0].split()[1] for request in server.requests] == ["/first", "/third"]
            client.close()


class TestConnections:
    async def test_a_connection_is_used_again(self) -> None:
        async with peer(answering(OK)) as server:
            client = Client(server.endpoint, constant=[("User-Agent", "x")])
            for _ in range(3):
                assert (await get(client)).body == b"ok"
            assert server.connections == 1
            host = f"Host: 127.0.0.1:{server.port}"
            assert server.requests[0][0] == f"GET /n HTTP/1.1\r\n{host}\r\nUser-Agent: x\r\n\r\n"
            client.close()

    async def test_a_connection_that_the_server_closes_is_not(self) -> None:
        closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
        async with peer(answering(closing)) as server:
            client = Client(server.endpoint)
            for _ in range(2):
                await get(client)
            assert server.connections == 2
            client.close()

    async def test_there_are_never_more_than_the_limit_and_every_request_gets_its_turn(self) -> None:
        async with peer(answering(OK)) as server:
            client = Client(server.endpoint, limits=WireLimits(connections=3))
            answers = await asyncio.gather(*(get(client, f"/{number}") for number in range(50)))
            assert [one.body for one in answers] == [b"ok"] * 50
            assert server.connections == 3
            client.close()

    async def test_whoever_waits_in_vain_takes_nobodys_turn(self) -> None:
        async with peer(answering(OK)) as server:
            client = Client(server.endpoint, limits=WireLimits(connections=1))
            tasks = [asyncio.ensure_future(get(client)) for _ in range(20)]
            await asyncio.sleep(0)
            for task in tasks[1::2]:
                task.cancel()
            answers = await asyncio.gather(*tasks, return_exceptions=True)
            assert [isinstance(one, Answer) for one in answers] == [True, False] * 10
            assert (await get(client)).body == b"ok"
            client.close()

    async def test_a_connection_is_closed_when_it_was_unused_for_long(self) -> None:
        ended = asyncio.Event()

        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read(reader)
            writer.write(OK)
            assert await reader.read() == b""
            ended.set()

        async with peer(serve) as server:
            client = Client(server.endpoint, timeouts=Timeouts(idle=0.02))
            await get(client)
            await asyncio.wait_for(ended.wait(), 10)
            client.close()

    async def test_a_servers_shorter_wish_is_obeyed(self) -> None:
        brief = b"HTTP/1.1 200 OK\r\nKeep-Alive: max=3, timeout=1\r\nContent-Length: 2\r\n\r\nok"
        async with peer(answering(brief)) as server:
            client = Client(server.endpoint)
            await get(client)
            await get(client)
            assert server.connections == 2
            client.close()

    async def test_after_a_close_nothing_is_sent(self) -> None:
        async with peer(answering(OK)) as server:
            client = Client(server.endpoint)
            await get(client)
            client.close()
            with pytest.raises(NotSent):
                await get(client)
            assert len(server.requests) == 1

    async def test_a_close_ends_what_is_asked_and_what_waits(self) -> None:
        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read(reader)
            await reader.read()

        async with peer(serve) as server:
            client = Client(server.endpoint, limits=WireLimits(connections=1))
            tasks = [asyncio.ensure_future(put(client)) for _ in range(3)]
            await server.was_asked.wait()
            client.close()
            failures = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(one) for one in failures] == [NoAnswer, NotSent, NotSent]


class TestOnce:
    async def test_a_write_whose_kept_connection_breaks_is_not_sent_again(self) -> None:
        async with peer(hanging_up_after(OK)) as server:
            client = Client(server.endpoint)
            await put(client)
            with pytest.raises(NoAnswer):
                await put(client)
            assert len(server.requests) == 2
            client.close()

    async def test_a_read_whose_kept_connection_breaks_unanswered_goes_out_on_a_fresh_one(self) -> None:
        async with peer(hanging_up_after(OK)) as server:
            client = Client(server.endpoint)
            for _ in range(3):
                assert (await get(client)).body == b"ok"
            assert server.connections == 3
            client.close()

    async def test_a_read_on_a_fresh_connection_is_sent_once(self) -> None:
        async with peer(hanging_up_after()) as server:
            client = Client(server.endpoint)
            with pytest.raises(NoAnswer, match="the connection broke"):
                await get(client)
            assert len(server.requests) == 1
            client.close()

    async def test_a_read_whose_answer_had_begun_is_sent_once(self) -> None:
        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for part in (OK, OK[:10]):
                await server.read(reader)
                writer.write(part)
                await writer.drain()

        async with peer(serve) as server:
            client = Client(server.endpoint)
            await get(client)
            with pytest.raises(NoAnswer):
                await get(client)
            assert (len(server.requests), server.connections) == (2, 1)
            client.close()

    async def test_a_connection_that_ended_while_it_rested_is_noticed_before_a_write(self) -> None:
        """Else the write would be sent into it, and nobody would know its outcome."""
        ended = asyncio.Event()

        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read(reader)
            writer.write(OK)
            await writer.drain()
            writer.close()
            ended.set()

        async with peer(serve) as server:
            client = Client(server.endpoint)
            for _ in range(3):
                await put(client)
                await ended.wait()
            assert len(server.requests) == 3
            client.close()

    async def test_what_comes_unasked_for_never_becomes_the_next_answer(self) -> None:
        """A server in a thread: while our loop is busy, its surplus waits unread in our socket."""
        surplus_is_sent = threading.Event()

        def serve(listening: socket.socket) -> None:
            for _ in range(3):
                connection, _ = listening.accept()
                connection.recv(65536)
                connection.sendall(OK)
                time.sleep(0.02)  # else it comes together with the answer
                connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nevil")
                surplus_is_sent.set()

        with socket.create_server(("127.0.0.1", 0)) as listening:
            threading.Thread(target=serve, args=(listening,), daemon=True).start()
            client = Client(f"http://127.0.0.1:{listening.getsockname()[1]}")
            for _ in range(3):
                assert (await put(client)).body == b"ok"
                assert surplus_is_sent.wait(10)  # the loop does not see it come
                surplus_is_sent.clear()
            client.close()

    async def test_a_connection_that_ends_as_soon_as_it_is_made_was_sent_nothing_or_nobody_knows(self) -> None:
        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.transport.abort()

        async with peer(serve) as server:
            client = Client(server.endpoint)
            for _ in range(20):
                with pytest.raises((NotSent, NoAnswer)):
                    await put(client)
            client.close()

    async def test_of_an_endpoint_where_nothing_listens_it_is_known_that_nothing_was_sent(self) -> None:
        async with peer(answering(OK)) as server:
            pass
        client = Client(server.endpoint)
        with pytest.raises(NotSent, match="nothing listens there"):
            await put(client)
        client.close()

    async def test_a_cancelled_request_takes_its_connection_with_it(self) -> None:
        """Its answer may still come, and must not become the next request's."""

        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await server.read(reader)
            if "/slow" in head:
                await server.read(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n" + (b"slow" if "/slow" in head else b"fast"))
            await writer.drain()

        async with peer(serve) as server:
            client = Client(server.endpoint, limits=WireLimits(connections=1))
            slow = asyncio.ensure_future(put(client, target="/slow"))
            await server.was_asked.wait()
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
            assert (await put(client, target="/fast")).body == b"fast"
            assert server.connections == 2
            client.close()


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


async def stream(client: Client) -> Stream:
    found = await client.stream("GET", "/n", ())
    assert isinstance(found, Stream)
    return found


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


@pytest.fixture
def secure(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate for 127.0.0.1, and what a server needs to show it."""
    certificate, key = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return certificate, context


async def serve_securely(context: ssl.SSLContext, serve: Serve) -> tuple[asyncio.Server, Peer]:
    made = Peer(serve)
    listening = await asyncio.start_server(made._connected, "127.0.0.1", 0, ssl=context)
    made.port = listening.sockets[0].getsockname()[1]
    return listening, made


class TestTrust:
    async def test_a_certificate_that_our_file_vouches_for_is_accepted(
        self, secure: tuple[Path, ssl.SSLContext]
    ) -> None:
        listening, server = await serve_securely(secure[1], answering(OK))
        trust = ssl.create_default_context(cafile=str(secure[0]))
        client = Client(f"https://127.0.0.1:{server.port}", trust=trust)
        for body in (b"", bytes(2_000_000)):
            assert (await put(client, body)).body == b"ok"
        assert server.connections == 1
        client.close()
        listening.close()

    async def test_a_slow_reader_stops_the_server_with_tls_too(self, secure: tuple[Path, ssl.SSLContext]) -> None:
        body = bytes(range(256)) * 40_000
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        listening, server = await serve_securely(secure[1], answering(head + body))
        trust = ssl.create_default_context(cafile=str(secure[0]))
        limits = WireLimits(stream_bytes=64 * 1024)
        client = Client(f"https://127.0.0.1:{server.port}", trust=trust, limits=limits)
        for _ in range(2):
            got = b""
            async with await stream(client) as coming:
                async for chunk in coming.chunks():
                    got += chunk
                    await asyncio.sleep(0)
            assert got == body
        assert server.connections == 1
        client.close()
        listening.close()

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
    async def test_an_unknown_certificate_and_another_name_are_refused_and_nothing_was_sent(
        self, secure: tuple[Path, ssl.SSLContext], host: str
    ) -> None:
        listening, server = await serve_securely(secure[1], answering(OK))
        trust = ssl.create_default_context(cafile=str(secure[0]) if host == "localhost" else None)
        client = Client(f"https://{host}:{server.port}", trust=trust)
        with pytest.raises(NotSent, match="its certificate or TLS is not accepted"):
            await put(client)
        assert server.requests == []
        client.close()
        listening.close()


class TestProxies:
    @pytest.fixture
    def environ(self, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
        def put(**variables: str) -> None:
            for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "no_proxy", "NO_PROXY"):
                monkeypatch.delenv(name, raising=False)
            for name, value in variables.items():
                monkeypatch.setenv(name, value)

        return put

    async def _proxy(self, port: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n") -> Serve:
        async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await server.read(reader)
            writer.write(answer)
            if b" 200 " not in answer:
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

            async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
                while piece := await source.read(65536):
                    sink.write(piece)
                sink.close()

            await asyncio.gather(pass_on(reader, far_writer), pass_on(far_reader, writer))

        return serve

    async def test_a_server_with_tls_is_reached_through_the_proxy_that_the_environment_names(
        self, secure: tuple[Path, ssl.SSLContext], environ: Callable[..., None]
    ) -> None:
        listening, server = await serve_securely(secure[1], answering(OK))
        trust = ssl.create_default_context(cafile=str(secure[0]))
        async with peer(await self._proxy(server.port)) as proxy:
            environ(https_proxy=f"http://user:p%40ss@127.0.0.1:{proxy.port}")
            client = Client(f"https://127.0.0.1:{server.port}", trust=trust)
            assert (await put(client, b"body")).body == b"ok"
            assert proxy.requests[0][0].startswith(f"CONNECT 127.0.0.1:{server.port} HTTP/1.1\r\n")
            assert "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in proxy.requests[0][0]
            assert "Proxy-Authorization" not in server.requests[0][0]
            environ(https_proxy=f"http://127.0.0.1:{proxy.port}", no_proxy="127.0.0.1")
            around = Client(f"https://127.0.0.1:{server.port}", trust=trust)
            await put(around)
            assert proxy.connections == 1
            client.close()
            around.close()
        listening.close()

    async def test_a_proxy_that_refuses_was_sent_nothing_of_the_request(self, environ: Callable[..., None]) -> None:
        async with peer(await self._proxy(1, b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")) as proxy:
            environ(https_proxy=f"http://127.0.0.1:{proxy.port}")
            client = Client("https://127.0.0.1:1", trust=ssl.create_default_context())
            with pytest.raises(
                NotSent, match=r"of the proxy 127.0.0.1:\d+ that the environment names: it wants a name and a password"
            ):
                await put(client)
            client.close()

    async def test_a_proxy_that_cannot_reach_the_server_is_named_with_what_it_said(
        self, environ: Callable[..., None]
    ) -> None:
        async with peer(await self._proxy(1, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")) as proxy:
            environ(https_proxy=f"http://127.0.0.1:{proxy.port}")
            client = Client("https://127.0.0.1:1", trust=ssl.create_default_context())
            with pytest.raises(NotSent, match=r"of the proxy .*: it does not connect to the server \(HTTP 502\)"):
                await put(client)
            client.close()

    async def test_a_proxy_that_is_down_is_the_one_that_is_named(self, environ: Callable[..., None]) -> None:
        environ(https_proxy="http://user:secret@127.0.0.1:1")
        client = Client("https://127.0.0.1:2", trust=ssl.create_default_context())
        with pytest.raises(NotSent, match=r"of the proxy 127.0.0.1:1 .*: nothing listens there") as failure:
            await put(client)
        assert "secret" not in str(failure.value)
        client.close()

    async def test_each_address_of_a_proxys_name_is_tried(
        self, environ: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """``localhost`` is ::1 first on many machines, and the proxy listens on 127.0.0.1."""
        loop = asyncio.get_running_loop()
        async with peer(await self._proxy(1, b"HTTP/1.1 403 No\r\n\r\n")) as proxy:
            found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in (1, proxy.port)]

            right = loop.getaddrinfo

            async def both(host: str, port: int, **options: Any) -> object:
                return found if host == "proxy.corp" else await right(host, port, **options)

            monkeypatch.setattr(loop, "getaddrinfo", both)
            environ(https_proxy=f"http://proxy.corp:{proxy.port}")
            client = Client("https://127.0.0.1:2", trust=ssl.create_default_context())
            with pytest.raises(NotSent, match="HTTP 403"):
                await put(client)
            assert proxy.connections == 1
            client.close()

    @pytest.mark.parametrize(
        "address", ["http://proxy:port", "http://proxy:99999", "http://[", "https://proxy:1", "http://"]
    )
    def test_a_proxy_that_is_no_address_is_a_sentence(self, environ: Callable[..., None], address: str) -> None:
        environ(https_proxy=address)
        with pytest.raises(NotSent, match="the environment names a proxy whose address is none"):
            proxy_for(Server("10.1.2.3", 443, ssl.create_default_context()))

    @pytest.mark.parametrize(
        ("exceptions", "host", "is_around"),
        [
            ("10.0.0.0/8", "10.1.2.3", True),
            ("192.168.0.0/16, 10.1.2.0/24", "10.1.2.3", True),
            ("10.1.2.9/24", "10.1.2.3", True),
            ("fd00::/8", "fd12::1", True),
            ("10.0.0.0/8", "11.1.2.3", False),
            ("10.0.0.0/8", "10.example.com", False),
            ("10.0.0.0/99,x/y", "10.1.2.3", False),
        ],
    )
    def test_networks_are_left_out_of_the_proxy(
        self, environ: Callable[..., None], exceptions: str, host: str, is_around: bool
    ) -> None:
        environ(https_proxy="http://127.0.0.1:1", no_proxy=exceptions)
        assert (proxy_for(Server(host, 443, ssl.create_default_context())) is None) == is_around


def test_https_without_a_context_is_refused_instead_of_plain_text() -> None:
    with pytest.raises(ValueError, match="plain text"):
        Client("https://127.0.0.1:1", trust=None)


def test_a_proxy_is_shown_without_its_password() -> None:
    assert "c2VjcmV0" not in repr(Proxy("proxy", 3128, "Basic c2VjcmV0"))
