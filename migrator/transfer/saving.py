"""Keep the bytes of the side that lost, under the reserved prefix of an account that the route does not name."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from migrator.errors import ConditionFailed
from migrator.model.names import RESERVED_PREFIX, MoveId
from migrator.model.objects import CREATE, BlobType, Listed, Shape
from migrator.ports.object_store import ObjectStore
from migrator.transfer.copying import require_whole

MOST_UNITS: Final = 1024
"""UTF-16 code units of a blob's name, and most segments of one. Source: Azure "Naming and referencing containers, blobs"."""
MOST_SEGMENTS: Final = 254
SHORTENED: Final = 200
"""Characters that a name which is too long keeps, for people."""
WHOLE_NAME: Final = "migrate_name"
"""Metadata of what is kept under a shortened name: base64 of the whole one, in UTF-8."""
MOST_METADATA_BYTES: Final = 8192
"""Source: Azure "Setting and retrieving properties and metadata": all names and values together."""


def saved_name(move: MoveId, blob: Listed) -> str:
    """Where a loser is kept: ``.migrate/saved/REGION/AREA/ETAG/NAME``; the ETag keeps several apart. A name that would be too
    long for the service is shortened, with a hash of the whole one in place of its end."""
    folder = f"{RESERVED_PREFIX}saved/{move}/{blob.etag}/"
    name = folder + blob.name
    if _units(name) <= MOST_UNITS and name.count("/") < MOST_SEGMENTS:
        return name
    digest = sha256(blob.name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{folder}{blob.name[:SHORTENED].replace('/', '_')}~{digest}"


def _units(name: str) -> int:
    return len(name.encode("utf-16-le", "surrogatepass")) // 2


def _named(blob: Listed, name: str) -> dict[str, str]:
    """Its metadata, and its whole name where ``name`` does not end with it and there is room; the journal has it in any case."""
    metadata = dict(blob.metadata)
    if not name.endswith(f"/{blob.name}"):
        whole = b64encode(blob.name.encode("utf-8", "surrogatepass")).decode("ascii")
        size = sum(len(key) + len(text) for key, text in metadata.items())
        if size + len(WHOLE_NAME) + len(whole) <= MOST_METADATA_BYTES:
            metadata[WHOLE_NAME] = whole
    return metadata


async def save_loser(
    holder: ObjectStore, keeper: ObjectStore, container: str, blob: Listed, move: MoveId, *, block_bytes: int
) -> None:
    """Copy ``blob`` of ``holder`` into ``keeper`` as a block blob; nothing happens if it is saved already.

    ConditionFailed or NotFound: ``blob`` is another generation by now. OutcomeUnknown: safe to call again, because what is
    saved under a name never differs.
    """
    name = saved_name(move, blob)
    shape = Shape(BlobType.BLOCK, blob.headers, _named(blob, name), blob.tags, None)
    ids: list[str] = []
    held, got = bytearray(), 0
    async with holder.read(container, blob.name, if_match=blob.etag) as chunks:
        async for chunk in chunks:
            held += chunk
            got += len(chunk)
            while len(held) >= block_bytes:
                ids.append(f"saved-{len(ids):08d}")
                await keeper.stage_block(container, name, ids[-1], bytes(held[:block_bytes]))
                del held[:block_bytes]
    require_whole(got, container, blob)
    try:
        if not ids:
            await keeper.put(container, name, bytes(held), shape, condition=CREATE)
            return
        if held:
            ids.append(f"saved-{len(ids):08d}")
            await keeper.stage_block(container, name, ids[-1], bytes(held))
        await keeper.commit_blocks(container, name, ids, shape, condition=CREATE)
    except ConditionFailed:
        return  # the same generation was saved by an earlier attempt
