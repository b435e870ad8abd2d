"""Which level of `verify` sees which damage: the table of README's "What verify sees", tried one by one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.model.names import Area, Selector
from migrator.model.objects import CREATE, BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.ports.object_store import ObjectStore
from migrator.transfer.verify import ContentComparison, Level, compare

AREA = Area("web", (Selector("web"),))
BOX = "web"
SHAPE = Shape(BlobType.BLOCK, ContentHeaders("text/plain"), {"kind": "page"}, {"turn": "1"}, "Cool")

Damage = Callable[[ObjectStore], Awaitable[None]]


@pytest.fixture
def stores(tmp_path: Path) -> tuple[LocalStore, LocalStore]:
    return LocalStore("old", tmp_path / "old.db"), LocalStore("new", tmp_path / "new.db")


async def fill(store: ObjectStore) -> None:
    await store.create_container(ContainerInfo(BOX))
    for name, body in (("one", b"first body"), ("two", b"other body"), ("three", b"a longer third body")):
        await store.put(BOX, name, body, SHAPE, condition=CREATE)
    log = await store.create_empty(
        BOX, "log", 0, Shape(BlobType.APPEND, ContentHeaders(), {}, {}, None), condition=CREATE
    )
    await store.append(BOX, "log", b"line\n", offset=0, if_match=log.etag)


async def replace(store: ObjectStore, name: str, body: bytes, shape: Shape = SHAPE) -> None:
    await store.put(BOX, name, body, shape, condition=Condition(if_match=(await store.head(BOX, name)).etag))


async def flip_a_byte(store: ObjectStore) -> None:
    await replace(store, "one", b"first bodY")


async def truncate(store: ObjectStore) -> None:
    await replace(store, "one", b"first bod")


async def swap_two_alike(store: ObjectStore) -> None:
    await replace(store, "one", b"other body")
    await replace(store, "two", b"first body")


async def swap_two_sizes(store: ObjectStore) -> None:
    await replace(store, "one", b"a longer third body")
    await replace(store, "three", b"first body")


async def drop_a_tag(store: ObjectStore) -> None:
    await store.set_tags(BOX, "one", {})


async def change_a_tag(store: ObjectStore) -> None:
    await store.set_tags(BOX, "one", {"turn": "2"})


async def change_the_tier(store: ObjectStore) -> None:
    await store.set_tier(BOX, "one", "Hot")


async def change_metadata(store: ObjectStore) -> None:
    await replace(
        store, "one", b"first body", Shape(BlobType.BLOCK, SHAPE.headers, {"kind": "Page"}, SHAPE.tags, "Cool")
    )


async def change_a_header(store: ObjectStore) -> None:
    headers = ContentHeaders("text/html")
    await replace(store, "one", b"first body", Shape(BlobType.BLOCK, headers, SHAPE.metadata, SHAPE.tags, "Cool"))


async def change_the_type(store: ObjectStore) -> None:
    await store.delete(BOX, "log", if_match=(await store.head(BOX, "log")).etag)
    shape = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
    await store.put(BOX, "log", b"line\n", shape, condition=CREATE)


async def append_twice(store: ObjectStore) -> None:
    await store.append(BOX, "log", b"line\n", offset=5, if_match=(await store.head(BOX, "log")).etag)


async def add(store: ObjectStore) -> None:
    await store.put(BOX, "four", b"", SHAPE, condition=CREATE)


async def remove(store: ObjectStore) -> None:
    await store.delete(BOX, "two", if_match=(await store.head(BOX, "two")).etag)


async def add_a_reserved_name(store: ObjectStore) -> None:
    await store.put(BOX, ".migrate/saved/one", b"kept bytes", SHAPE, condition=CREATE)


async def nothing(store: ObjectStore) -> None:
    return None


@dataclass(frozen=True)
class Row:
    """``attributes`` and ``content``: what each level says, as "kind name: why"; empty is equal."""

    damage: Damage
    attributes: tuple[str, ...]
    content: tuple[str, ...]


def both(damage: Damage, *says: str) -> Row:
    return Row(damage, says, says)


TABLE = (
    both(nothing),
    Row(flip_a_byte, (), ("changed one: content",)),
    Row(swap_two_alike, (), ("changed one: content", "changed two: content")),
    both(swap_two_sizes, "changed one: size", "changed three: size"),
    both(truncate, "changed one: size"),
    both(append_twice, "changed log: size"),
    both(drop_a_tag, "changed one: tags"),
    both(change_a_tag, "changed one: tags"),
    both(change_the_tier, "changed one: tier"),
    both(change_metadata, "changed one: metadata"),
    both(change_a_header, "changed one: headers"),
    both(change_the_type, "changed log: type"),
    both(add, "extra four: only at the target"),
    both(remove, "missing two: only at the source"),
    both(add_a_reserved_name),
)


@pytest.mark.parametrize("level", ["attributes", "content"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.damage.__name__)
async def test_each_level_sees_what_it_claims(stores: tuple[LocalStore, LocalStore], row: Row, level: Level) -> None:
    source, target = stores
    for store in stores:
        await fill(store)
    await row.damage(target)
    found = await compare(source, target, AREA, level=level)
    says = row.attributes if level == "attributes" else row.content
    assert told(found) == says
    assert found.is_equal == (not says)
    for store in stores:
        await store.close()


async def test_damage_at_the_source_is_seen_as_well(stores: tuple[LocalStore, LocalStore]) -> None:
    source, target = stores
    for store in stores:
        await fill(store)
    await flip_a_byte(source)
    await remove(source)
    found = await compare(source, target, AREA, level="content")
    assert sorted(told(found)) == ["changed one: content", "extra two: only at the target"]
    for store in stores:
        await store.close()


def told(found: ContentComparison) -> tuple[str, ...]:
    return tuple(f"{kind} {name}: {why}" for kind, _, name, why in found.named)
