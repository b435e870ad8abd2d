"""Blobs of all shapes through the plain SDK, and everything an account shows of them: none of our code."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any

from azure.storage.blob import BlobBlock, BlobServiceClient, ContainerClient, ContentSettings, StandardBlobTier

API = "2026-06-06"
MIB = 1024 * 1024
NAMES = (
    "plain",
    "#?% é",
    "percent%20code%2F",
    "two  spaces, and a ~tilde",
    "emoji \U0001f389",
    "\uffee beyond \U0001f389 order",
    "a//b///c",
    "dots..within",
    "[bold red]markup[/bold red]",
    "back\\slash and 'quotes\" & <angles>",
    "very long " + "x" * 900,
)
HEADERS = ContentSettings(
    content_type="text/plain; charset=utf-8",
    content_encoding="gzip",
    content_language="de-AT",
    content_disposition='attachment; filename="ä.txt"',
    cache_control="max-age=60, private",
)


def service(text: str) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(text, api_version=API)


@dataclass(frozen=True)
class Place:
    """A container and the prefix of an area in it."""

    container: str
    prefix: str = ""


def fill(client: BlobServiceClient, places: list[Place], count: int, seed: int) -> None:
    """``count`` blobs, spread over ``places``; the first is of 20 MiB in blocks."""
    boxes = {
        place.container: client.create_container(place.container) for place in {p.container: p for p in places}.values()
    }

    def make(index: int) -> None:
        place = places[index % len(places)]
        _make(boxes[place.container], f"{place.prefix}{NAMES[index % len(NAMES)]}-{index}", index, Random(seed + index))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(count)))


def _make(box: ContainerClient, name: str, index: int, chance: Random) -> None:
    blob = box.get_blob_client(name)
    tags = {"index": str(index), "of the": "area + more/less"}
    match index % 9:
        case 0 if index == 0:
            parts = [BlobBlock(f"block-{number}") for number in range(5)]
            for part in parts:
                blob.stage_block(part.id, chance.randbytes(4 * MIB))
            blob.commit_block_list(parts, content_settings=HEADERS, metadata={"large": "yes"}, tags=tags)
        case 0:
            blob.upload_blob(b"", tags=tags)
        case 1:
            blob.upload_blob(gzip.compress(f"body {index}".encode()), content_settings=HEADERS)
        case 2:
            blob.create_append_blob(metadata={"kind": "log"}, content_settings=ContentSettings("application/x-ndjson"))
            for number in range(3):
                blob.append_block(f'{{"line": {number}}}\n'.encode())
        case 3:
            blob.create_page_blob(4096, metadata={"kind": "pages"})
            blob.upload_page(bytes(range(256)) * 2, offset=1024, length=512)
        case 4:
            blob.upload_blob(
                chance.randbytes(3000), standard_blob_tier=StandardBlobTier.COOL, metadata={"Case": "Kept"}
            )
        case 5:
            blob.upload_blob(chance.randbytes(100), tags=tags, metadata={"a": "1", "b": "two words", "c": "x" * 500})
        case 6:
            blob.upload_blob(chance.randbytes(70_000), standard_blob_tier=StandardBlobTier.HOT, tags=tags)
        case 7:
            blob.create_append_blob()
        case _:
            blob.upload_blob(f"text {index}".encode())


def everything(client: BlobServiceClient, container: str, prefix: str) -> dict[str, dict[str, Any]]:
    """All that a customer can see of each blob, times and ETags apart; the reserved names left out."""
    box = client.get_container_client(container)
    names = [blob.name for blob in box.list_blobs(name_starts_with=prefix) if not blob.name.startswith(".migrate/")]
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(names, pool.map(lambda name: _seen(box, name), names), strict=True))


def _seen(box: ContainerClient, name: str) -> dict[str, Any]:
    blob = box.get_blob_client(name)
    found = blob.get_blob_properties()
    headers = found.content_settings
    return {
        "bytes": sha256(blob.download_blob(decompress=False).readall()).hexdigest(),
        "size": found.size,
        "type": found.blob_type,
        "headers": [
            headers.content_type,
            headers.content_encoding,
            headers.content_language,
            headers.content_disposition,
            headers.cache_control,
        ],
        "metadata": dict(found.metadata or {}),
        "tags": dict(blob.get_blob_tags() or {}),
        "tier": None if found.blob_tier_inferred else found.blob_tier,
    }


def differences(found: dict[str, dict[str, Any]], wanted: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            yield f"{name!r}: missing"
        elif name not in wanted:
            yield f"{name!r}: nobody wrote it"
        else:
            for key, value in wanted[name].items():
                if found[name][key] != value:
                    yield f"{name!r}: {key} is {found[name][key]!r}, was {value!r}"
