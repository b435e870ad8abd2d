"""Promises about what listings show: every name once, in one order, as it is now, with all that a pass decides by."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from migrator.engine.proving.ground import CREATE, PLAIN, RICH, Ask, Ground, different
from migrator.model.objects import Condition
from migrator.model.values import replace

NAMES: Final = (
    *("#?% é", "%2Fcode+plus ", "a//b", "a/b/c.json", "A", "a", "[bold]", "<&>\"'", "emoji \U0001f389"),
    *("\uffee after every emoji in UTF-8 only", "z", "~", "0", "_", "-", "Ä", "ä"),
)
WRITTEN_TIMES: Final = 3
TAGS: Final = {"day": "2"}


async def keeps_names(ground: Ground) -> str:
    for name in NAMES:
        await ground.put(name)
    return different(sorted(await ground.names()), sorted(NAMES))


async def rises(ground: Ground) -> str:
    for name in NAMES:
        await ground.put(name)
    found = await ground.names()
    if len(found) != len(NAMES):
        return f"{len(found)} of {len(NAMES)} names are listed"
    orders = [[name.encode(form, "surrogatepass") for name in found] for form in ("utf-8", "utf-16-be")]
    if any(all(one < other for one, other in pairwise(keys)) for keys in orders):
        return ""
    return f"the order is neither UTF-8's nor UTF-16's: {found}"


async def pages(ground: Ground) -> str:
    every = [f"{number:02}" for number in range(7)]
    for name in every:
        await ground.put(name)
    return different(await ground.names(limit=2), every)


async def prefixes(ground: Ground) -> str:
    for name in ("a/1", "a/2", "ab", "b/1"):
        await ground.put(name)
    return different(await ground.names("a/"), ["a/1", "a/2"])


async def is_fresh(ground: Ground) -> str:
    for turn in range(WRITTEN_TIMES):
        written = await ground.put(f"{turn}")
        rows = {row.name: row.etag for row in await ground.rows(f"{turn}")}
        if rows.get(ground.name(f"{turn}")) != written.etag:
            return f"a blob that was written and acknowledged is not listed so at once: {rows}"
        over = Condition(if_match=written.etag)
        written = await ground.store.put(ground.box, ground.name(f"{turn}"), b"two", PLAIN, condition=over)
        await ground.store.set_tags(ground.box, ground.name(f"{turn}"), TAGS)
        told = {row.name: (row.etag, row.size, dict(row.tags)) for row in await ground.rows(f"{turn}")}
        if found := different(told, {ground.name(f"{turn}"): (written.etag, 3, TAGS)}):
            return f"a blob that was overwritten and tagged is not listed so at once: {found}"
        await ground.store.delete(ground.box, ground.name(f"{turn}"), if_match=written.etag)
        if await ground.rows(f"{turn}"):
            return "a blob that was deleted is still listed"
    return ""


async def tells_etags(ground: Ground) -> str:
    written = await ground.put("n")
    return different([row.etag for row in await ground.rows()], [written.etag])


async def tells_metadata(ground: Ground) -> str:
    await ground.put("n", shape=RICH)
    return different([dict(row.metadata) for row in await ground.rows()], [dict(RICH.metadata)])


async def tells_tags(ground: Ground) -> str:
    await ground.put("n", shape=RICH)
    return different([dict(row.tags) for row in await ground.rows()], [dict(RICH.tags)])


async def tells_tiers(ground: Ground) -> str:
    await ground.put("cool", shape=replace(PLAIN, tier="Cool"))
    await ground.put("untiered")
    return different([row.explicit_tier for row in await ground.rows()], ["Cool", None])


async def hides_blocks(ground: Ground) -> str:
    name = ground.name("blocks")
    await ground.store.stage_block(ground.box, name, "block-1", b"staged")
    if rows := await ground.names():
        return f"a blob without a commit is listed: {rows}"
    found = different(list(await ground.store.uncommitted(ground.box, prefix=ground.prefix)), [name])
    await ground.store.commit_blocks(ground.box, name, ["block-1"], PLAIN, condition=CREATE)
    return found


ASKED: Final[Mapping[str, Ask]] = {
    "names-are-kept": keeps_names,
    "listings-rise": rises,
    "pages-are-complete": pages,
    "prefixes-are-exact": prefixes,
    "listings-are-fresh": is_fresh,
    "listings-tell-etags": tells_etags,
    "listings-tell-metadata": tells_metadata,
    "listings-tell-tags": tells_tags,
    "listings-tell-tiers": tells_tiers,
    "uncommitted-blocks-are-apart": hides_blocks,
}
