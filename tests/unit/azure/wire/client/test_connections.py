"""How often a request is sent, over which connection, and what is kept, against servers on loopback."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from migrator.adapters.azure.wire import Answer, Client, NoAnswer, NotSent, Timeouts, WireLimits
from migrator.ports.object_store import MAY_SEND
from tests.unit.azure.wire.client.asking import get, hanging_up_after, put
from tests.unit.azure.wire.peers import OK, Peer, answering, peer

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


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
