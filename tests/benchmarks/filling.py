"""Fill real accounts and look at them again, with the plain SDK and none of our code."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from azure.storage.blob.aio import ContainerClient

from tests.benchmarks.contestants import Side

PARALLEL = 16
SEED = 20261101


def fill(side: Side, container: str, sizes: list[int]) -> None:
    """One block blob of each size, in a new container, with bytes of a seeded generator."""
    asyncio.run(_fill(side, container, sizes))


def make_container(side: Side, container: str) -> None:
    asyncio.run(_make(side, container))


def contents(side: Side, container: str) -> dict[str, tuple[int, bytes]]:
    """Size and MD5 by name, as the account lists them."""
    return asyncio.run(_contents(side, container))


def etags(side: Side, container: str) -> dict[str, str]:
    """Each blob's generation by name, without quotes."""
    return asyncio.run(_etags(side, container))


def small_sizes(count: int) -> list[int]:
    """1 to 16 KiB, the same ones every time."""
    chance = random.Random(SEED)
    return [chance.randrange(1024, 16 * 1024) for _ in range(count)]


def _client(side: Side, container: str) -> ContainerClient:
    return ContainerClient.from_connection_string(
        side.connection_string, container, max_single_put_size=128 * 1024 * 1024
    )


async def _make(side: Side, container: str) -> None:
    async with _client(side, container) as client:
        await client.create_container()


async def _fill(side: Side, container: str, sizes: list[int]) -> None:
    chance = random.Random(SEED)
    async with _client(side, container) as client:
        await client.create_container()
        work = iter(enumerate(sizes))

        async def put(turn: Iterator[tuple[int, int]]) -> None:
            for index, size in turn:
                await client.upload_blob(f"blob-{index:07}", chance.randbytes(size))

        await asyncio.gather(*(put(work) for _ in range(PARALLEL)))


async def _etags(side: Side, container: str) -> dict[str, str]:
    async with _client(side, container) as client:
        return {blob.name: blob.etag.strip('"') async for blob in client.list_blobs()}


async def _contents(side: Side, container: str) -> dict[str, tuple[int, bytes]]:
    async with _client(side, container) as client:
        return {
            blob.name: (blob.size, bytes(blob.content_settings.content_md5 or b""))
            async for blob in client.list_blobs()
            if not blob.name.startswith(".migrate/")
        }
