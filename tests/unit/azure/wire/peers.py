"""What the wire client talks to in its tests: a server on loopback that follows a script, and a transport in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from migrator.adapters.azure.wire import Answer, Timeouts, WireLimits
from migrator.adapters.azure.wire.answers import Stream
from migrator.adapters.azure.wire.connection import Connection

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Serve = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Peer:
    """``requests``: each request's head and body; ``connections``: how many were made."""

    serve: Serve
    port: int = 0
    connections: int = 0
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    was_asked: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def read(self, reader: asyncio.StreamReader) -> str:
        """Take one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [line for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0].partition(":")[2]) if lengths else 0)
        self.requests.append((head, body))
        self.was_asked.set()
        return head

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.serve(self, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def peer(serve: Serve) -> AsyncIterator[Peer]:
    made = Peer(serve)
    listening = await asyncio.start_server(made._connected, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


def answering(*answers: bytes) -> Serve:
    """Give these answers, one a request, over however many connections; the last one again and again; then hang up."""
    left = list(answers)

    async def serve(server: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await server.read(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return serve


class MemoryTransport(asyncio.Transport):
    """Keeps what was written; ``unsent`` is what its buffer claims to hold."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.is_open = True
        self.is_paused = False

    def write(self, data) -> None:
        self.written += bytes(data)

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def abort(self) -> None:
        self.is_open = False

    def is_closing(self) -> bool:
        return not self.is_open


async def converse(
    pieces: Iterable[bytes],
    *,
    is_head: bool = False,
    streams: bool = False,
    most_bytes: int = 100,
    ends: bool = True,
    limits: WireLimits | None = None,
) -> tuple[Answer | Stream, Connection]:
    """Send one request in memory and receive ``pieces``, then the end of the connection (unless not ``ends``).
    Raises what the exchange raises."""
    connection = Connection(asyncio.get_running_loop(), limits or WireLimits(), Timeouts())
    transport = MemoryTransport()
    connection.connection_made(transport)
    connection.watch(lambda _: None)
    coming = connection.send(b"GET / HTTP/1.1\r\n\r\n", b"", is_head=is_head, most_bytes=most_bytes, streams=streams)
    for piece in pieces:
        if transport.is_open:
            connection.data_received(piece)
    if ends or not transport.is_open:
        connection.connection_lost(None)
    assert coming.done(), "the exchange would wait for ever"
    return coming.result(), connection
