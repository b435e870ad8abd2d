"""Keep the bytes of the side that lost, under the reserved prefix of an account that the route does not name."""

from __future__ import annotations

from migrator.errors import ConditionFailed
from migrator.model.names import RESERVED_PREFIX, MoveId
from migrator.model.objects import BLOCK_BYTES, CREATE, BlobType, Listed, Shape
from migrator.model.values import replace
from migrator.ports.object_store import ObjectStore


def saved_name(move: MoveId, blob: Listed) -> str:
    """Where a loser is kept: ``.migrate/saved/REGION/AREA/ETAG/NAME``; the ETag keeps several apart."""
    return f"{RESERVED_PREFIX}saved/{move}/{blob.etag}/{blob.name}"


async def save_loser(holder: ObjectStore, keeper: ObjectStore, container: str, blob: Listed, move: MoveId) -> None:
    """Copy ``blob`` of ``holder`` into ``keeper`` as a block blob; nothing happens if it is saved already.

    ConditionFailed or NotFound: ``blob`` is another generation by now. OutcomeUnknown: safe to call again, because what is
    saved under a name never differs.
    """
    shape = replace(Shape.of(blob), blob_type=BlobType.BLOCK, tier=None)
    name = saved_name(move, blob)
    ids: list[str] = []
    held = bytearray()
    async with holder.read(container, blob.name, if_match=blob.etag) as chunks:
        async for chunk in chunks:
            held += chunk
            while len(held) >= BLOCK_BYTES:
                ids.append(f"saved-{len(ids):08d}")
                await keeper.stage_block(container, name, ids[-1], bytes(held[:BLOCK_BYTES]))
                del held[:BLOCK_BYTES]
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
