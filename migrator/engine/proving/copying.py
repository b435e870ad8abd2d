"""Promises about server-side copies from one account to another: the destination's conditions, the source's, what is carried."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from migrator.engine.proving.ground import CREATE, PLAIN, RICH, STALE, Ask, Ground, different, refusal
from migrator.errors import ConditionFailed, NotFound, SourceChanged
from migrator.model.objects import Listed
from migrator.model.values import replace

LOOK_SECONDS: Final = 0.5
LOOKS: Final = 120


async def copy_carries(ground: Ground) -> str:
    origin = await ground.origin("n", shape=RICH)
    shape = replace(RICH, tags={"copied": "yes"}, tier="Cool")
    await ground.store.copy(origin, ground.box, ground.name("copy"), shape, condition=CREATE)
    blob = await ground.head("copy")
    return different(
        (
            blob.headers.content_type,
            blob.headers.content_encoding,
            dict(blob.metadata),
            dict(blob.tags),
            blob.explicit_tier,
        ),
        (RICH.headers.content_type, RICH.headers.content_encoding, dict(RICH.metadata), {"copied": "yes"}, "Cool"),
    ) or different(await ground.body("copy"), b"one")


async def copy_creates(ground: Ground) -> str:
    origin = await ground.origin("n", b"two")
    await ground.put("copy")
    copy = ground.store.copy(origin, ground.box, ground.name("copy"), PLAIN, condition=CREATE)
    return await refusal(copy, ConditionFailed) or different(await ground.body("copy"), b"one")


async def copy_overwrites(ground: Ground) -> str:
    origin = await ground.origin("n", b"two")
    await ground.put("copy")
    copy = ground.store.copy(origin, ground.box, ground.name("copy"), PLAIN, condition=STALE)
    return await refusal(copy, ConditionFailed) or different(await ground.body("copy"), b"one")


async def copy_of_the_same(ground: Ground) -> str:
    origin = replace(await ground.origin("n"), etag=STALE.if_match or "")
    copy = ground.store.copy(origin, ground.box, ground.name("copy"), PLAIN, condition=CREATE)
    return await refusal(copy, SourceChanged) or different(await ground.names("copy"), [])


async def copy_of_nothing(ground: Ground) -> str:
    origin = replace(await ground.origin("n"), name=ground.name("nothing"))
    copy = ground.store.copy(origin, ground.box, ground.name("copy"), PLAIN, condition=CREATE)
    return await refusal(copy, NotFound) or different(await ground.names("copy"), [])


async def block_of_the_same(ground: Ground) -> str:
    origin = replace(await ground.origin("n"), etag=STALE.if_match or "")
    name = ground.name("blocks")
    staged = ground.store.stage_block_from(origin, ground.box, name, "block-1", offset=0, length=3)
    found = await refusal(staged, SourceChanged)
    return found or different(list(await ground.store.uncommitted(ground.box, prefix=name)), [])


async def blocks_carry(ground: Ground) -> str:
    origin, name = await ground.origin("n", b"first second"), ground.name("blocks")
    await ground.store.stage_block_from(origin, ground.box, name, "block-1", offset=6, length=6)
    await ground.store.stage_block_from(origin, ground.box, name, "block-2", offset=0, length=5)
    await ground.store.commit_blocks(ground.box, name, ["block-1", "block-2"], RICH, condition=CREATE)
    blob = await ground.head("blocks")
    return different(await ground.body("blocks"), b"secondfirst") or different(
        (dict(blob.metadata), dict(blob.tags)), (dict(RICH.metadata), dict(RICH.tags))
    )


async def async_carries(ground: Ground) -> str:
    origin = await ground.origin("n")
    begun = await ground.store.start_copy(origin, ground.box, ground.name("copy"), PLAIN, condition=CREATE)
    blob = await _ended(ground, "copy")
    if blob.copy_pending:
        return f"an asynchronous copy of three bytes is not done after {LOOKS * LOOK_SECONDS:.0f} s"
    return different(blob.copy_id, begun.copy_id) or different(await ground.body("copy"), b"one")


async def async_creates(ground: Ground) -> str:
    origin = await ground.origin("n", b"two")
    await ground.put("copy")
    copy = ground.store.start_copy(origin, ground.box, ground.name("copy"), PLAIN, condition=CREATE)
    found = await refusal(copy, ConditionFailed)
    await _ended(ground, "copy")
    return found or different(await ground.body("copy"), b"one")


async def async_overwrites(ground: Ground) -> str:
    origin = await ground.origin("n", b"two")
    await ground.put("copy")
    copy = ground.store.start_copy(origin, ground.box, ground.name("copy"), PLAIN, condition=STALE)
    found = await refusal(copy, ConditionFailed)
    await _ended(ground, "copy")
    return found or different(await ground.body("copy"), b"one")


async def async_of_the_same(ground: Ground) -> str:
    origin = replace(await ground.origin("n"), etag=STALE.if_match or "")
    copy = ground.store.start_copy(origin, ground.box, ground.name("copy"), PLAIN, condition=CREATE)
    return await refusal(copy, SourceChanged)


async def _ended(ground: Ground, text: str) -> Listed:
    for _ in range(LOOKS):
        blob = await ground.head(text)
        if not blob.copy_pending:
            return blob
        await asyncio.sleep(LOOK_SECONDS)
    return blob


ASKED: Final[Mapping[str, Ask]] = {
    "copies-carry-all": copy_carries,
    "copies-create-once": copy_creates,
    "copies-overwrite-their-own": copy_overwrites,
    "copies-know-their-source": copy_of_the_same,
    "copies-say-what-is-gone": copy_of_nothing,
    "blocks-know-their-source": block_of_the_same,
    "blocks-carry-all": blocks_carry,
    "async-copies-carry-all": async_carries,
    "async-copies-create-once": async_creates,
    "async-copies-overwrite-their-own": async_overwrites,
    "async-copies-know-their-source": async_of_the_same,
}
