"""Requests of the client as its tests send them, and a server that hangs up."""

from __future__ import annotations

import asyncio

from migrator.adapters.azure.wire import Answer, Client, Stream
from tests.unit.azure.wire.peers import Peer, Serve


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


async def stream(client: Client) -> Stream:
    found = await client.stream("GET", "/n", ())
    assert isinstance(found, Stream)
    return found
