"""Promises about writes to one account: conditions hold on every kind of write, and an ETag is a generation's name."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from migrator.engine.proving.ground import APPEND, CREATE, PAGE, PLAIN, RICH, STALE, Ask, Ground, different, refusal
from migrator.errors import CloudError, ConditionFailed, NotFound, Unreachable
from migrator.model.objects import Condition
from migrator.ports.troubles import OTHERS_BLOCKS

RACERS: Final = 8
PAGE_BYTES: Final = 512


async def put_creates(ground: Ground) -> str:
    await ground.put("n")
    found = await refusal(ground.put("n", b"two"), ConditionFailed)
    return found or different(await ground.body("n"), b"one")


async def put_overwrites(ground: Ground) -> str:
    old = await ground.put("n")
    name, over = ground.name("n"), Condition(if_match=old.etag)
    await ground.store.put(ground.box, name, b"two", PLAIN, condition=over)
    found = await refusal(ground.store.put(ground.box, name, b"three", PLAIN, condition=over), ConditionFailed)
    return found or different(await ground.body("n"), b"two")


async def commit_creates(ground: Ground) -> str:
    name = ground.name("n")
    await ground.put("n")
    await ground.store.stage_block(ground.box, name, "block-1", b"two")
    commit = ground.store.commit_blocks(ground.box, name, ["block-1"], PLAIN, condition=CREATE)
    return await refusal(commit, ConditionFailed) or different(await ground.body("n"), b"one")


async def commit_overwrites(ground: Ground) -> str:
    name = ground.name("n")
    await ground.put("n")
    await ground.store.stage_block(ground.box, name, "block-1", b"two")
    commit = ground.store.commit_blocks(ground.box, name, ["block-1"], PLAIN, condition=STALE)
    return await refusal(commit, ConditionFailed) or different(await ground.body("n"), b"one")


async def commit_needs_blocks(ground: Ground) -> str:
    name = ground.name("n")
    await ground.store.stage_block(ground.box, name, "block-1", b"one")
    commit = ground.store.commit_blocks(ground.box, name, ["block-1", "block-2"], PLAIN, condition=CREATE)
    found = await refusal(commit, CloudError) or different(await ground.names("n"), [])
    await ground.store.commit_blocks(ground.box, name, ["block-1"], PLAIN, condition=CREATE)
    return found


async def ranges(ground: Ground) -> str:
    written = await ground.put("n", b"0123456789")
    parts = []
    for offset, length in ((0, 4), (3, 4), (8, None)):
        try:
            parts.append(await _read(ground, written.etag, offset, length))
        except Unreachable as unread:
            await ground.body("n")  # so the account is reached, and its answer was not what was asked for
            return f"another range was answered: {unread}"
    return different(parts, [b"0123", b"3456", b"89"])


async def _read(ground: Ground, etag: str, offset: int, length: int | None) -> bytes:
    read = ground.store.read(ground.box, ground.name("n"), if_match=etag, offset=offset, length=length)
    async with read as chunks:
        return b"".join([chunk async for chunk in chunks])


async def empty_creates(ground: Ground) -> str:
    await ground.put("n")
    create = ground.store.create_empty(ground.box, ground.name("n"), 0, APPEND, condition=CREATE)
    return await refusal(create, CloudError, "BlobAlreadyExists", "InvalidBlobType", "ConditionNotMet") or different(
        await ground.body("n"), b"one"
    )


async def append_conditions(ground: Ground) -> str:
    name = ground.name("log")
    made = await ground.store.create_empty(ground.box, name, 0, APPEND, condition=CREATE)
    first = await ground.store.append(ground.box, name, b"1", offset=0, if_match=made.etag)
    stale = await refusal(ground.store.append(ground.box, name, b"2", offset=1, if_match=made.etag), ConditionFailed)
    elsewhere = await refusal(
        ground.store.append(ground.box, name, b"3", offset=0, if_match=first.etag), ConditionFailed
    )
    return stale or elsewhere or different(await ground.body("log"), b"1")


async def page_conditions(ground: Ground) -> str:
    name = ground.name("disk")
    made = await ground.store.create_empty(ground.box, name, PAGE_BYTES, PAGE, condition=CREATE)
    first, second = b"1" * PAGE_BYTES, b"2" * PAGE_BYTES
    await ground.store.put_pages(ground.box, name, first, offset=0, if_match=made.etag)
    stale = ground.store.put_pages(ground.box, name, second, offset=0, if_match=made.etag)
    return await refusal(stale, ConditionFailed) or different(await ground.body("disk"), first)


async def delete_conditions(ground: Ground) -> str:
    await ground.put("n")
    delete = ground.store.delete(ground.box, ground.name("n"), if_match=STALE.if_match or "")
    return await refusal(delete, ConditionFailed) or different(await ground.body("n"), b"one")


async def read_conditions(ground: Ground) -> str:
    await ground.put("n")
    read = ground.store.whole(ground.box, ground.name("n"), if_match=STALE.if_match, most_bytes=PAGE_BYTES)
    try:
        return await refusal(read, ConditionFailed)
    except Unreachable:
        await ground.body("n")  # so the account is reached, and its answer was another generation's
        return "another generation was answered"


async def one_create_wins(ground: Ground) -> str:
    bodies = [f"{racer}".encode() for racer in range(RACERS)]
    answers = await asyncio.gather(*(ground.put("n", body) for body in bodies), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, ConditionFailed):
            raise answer
    won = [body for body, answer in zip(bodies, answers, strict=True) if not isinstance(answer, BaseException)]
    return different([await ground.body("n")], won)


async def etag_of_a_write(ground: Ground) -> str:
    first = await ground.put("n")
    over = Condition(if_match=first.etag)
    second = await ground.store.put(ground.box, ground.name("n"), b"one", PLAIN, condition=over)
    if first.etag == second.etag:
        return "an overwrite leaves the ETag as it was"
    return different((await ground.head("n")).etag, second.etag)


async def etag_of_tags(ground: Ground) -> str:
    written = await ground.put("n")
    await ground.store.set_tags(ground.box, ground.name("n"), {"day": "2"})
    blob = await ground.head("n")
    return different((blob.etag, dict(blob.tags)), (written.etag, {"day": "2"}))


async def etag_of_tier(ground: Ground) -> str:
    written = await ground.put("n")
    await ground.store.set_tier(ground.box, ground.name("n"), "Cool")
    blob = await ground.head("n")
    return different((blob.etag, blob.explicit_tier), (written.etag, "Cool"))


async def keeps_what_is_written(ground: Ground) -> str:
    await ground.put("n", shape=RICH)
    blob = await ground.head("n")
    found = (blob.headers.content_type, blob.headers.content_encoding, blob.headers.content_disposition)
    expected = (RICH.headers.content_type, RICH.headers.content_encoding, RICH.headers.content_disposition)
    return different(
        (*found, dict(blob.metadata), dict(blob.tags), blob.explicit_tier),
        (*expected, dict(RICH.metadata), dict(RICH.tags), RICH.tier),
    )


async def missing_blob(ground: Ground) -> str:
    return await refusal(ground.head("nothing"), NotFound, "BlobNotFound")


async def missing_container(ground: Ground) -> str:
    missing = f"{ground.box}-none"
    return await refusal(ground.store.head(missing, ground.name("n")), NotFound, "ContainerNotFound")


async def others_blocks(ground: Ground) -> str:
    name = ground.name("n")
    await ground.store.stage_block(ground.box, name, "long-block-name-1", b"theirs")
    found = await refusal(ground.store.stage_block(ground.box, name, "b1", b"ours"), CloudError, OTHERS_BLOCKS)
    await ground.store.commit_blocks(ground.box, name, ["long-block-name-1"], PLAIN, condition=CREATE)
    return found


ASKED: Final[Mapping[str, Ask]] = {
    "put-creates-once": put_creates,
    "put-overwrites-its-own": put_overwrites,
    "commit-creates-once": commit_creates,
    "commit-overwrites-its-own": commit_overwrites,
    "commit-needs-its-blocks": commit_needs_blocks,
    "ranges-are-exact": ranges,
    "empty-creates-once": empty_creates,
    "append-has-conditions": append_conditions,
    "pages-have-conditions": page_conditions,
    "delete-has-conditions": delete_conditions,
    "read-has-conditions": read_conditions,
    "one-create-wins": one_create_wins,
    "a-write-changes-the-etag": etag_of_a_write,
    "tags-leave-the-etag": etag_of_tags,
    "tier-leaves-the-etag": etag_of_tier,
    "what-is-written-is-kept": keeps_what_is_written,
    "a-missing-blob-is-said": missing_blob,
    "a-missing-container-is-said": missing_container,
    "others-blocks-are-refused": others_blocks,
}
