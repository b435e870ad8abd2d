"""Sample data as a marketing platform keeps it: page visits, email events, campaign participants, images.

Decides what lies in an area: its containers (from its selectors), and per area name the kind of its objects - their names,
bytes, headers, metadata, tags and types. Everything follows from the seed, the area and an index, so filling again makes the
same objects and skips those that are there. Goes through the object-store port only.

Memory: at most AT_ONCE objects, the largest of about 12 MiB.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Final

from migrator.errors import ConditionFailed, UsageError
from migrator.model.names import Area, Selector
from migrator.model.objects import (
    BLOCK_BYTES,
    CREATE,
    EMPTY,
    BlobType,
    ContainerInfo,
    ContentHeaders,
    Shape,
)
from migrator.model.values import value
from migrator.ports.object_store import ObjectStore

AT_ONCE: Final = 16
_EPOCH: Final = datetime(2026, 3, 1, 6, tzinfo=UTC)
_PAGES: Final = ("/", "/pricing", "/blog/caf\u00e9-ren\u00e9", "/docs/api", "/cart", "/checkout", "/search?q=red+shoes")
_EVENTS: Final = ("delivered", "opened", "clicked", "bounced", "unsubscribed")
_CAMPAIGNS: Final = ("spring-sale", "welcome", "win-back", "newsletter 12")


@value(frozen=True, slots=True)
class Tally:
    """What a filling did; ``bytes`` are those of the objects created."""

    containers: int
    created: int
    skipped: int
    bytes: int


@value(frozen=True, slots=True)
class _Object:
    name: str
    body: bytes
    shape: Shape


@value(frozen=True, slots=True)
class _Kind:
    """``words`` take the place of a glob's ``*``."""

    words: tuple[str, str]
    make: Callable[[Random, int], _Object]


async def fill(store: ObjectStore, area: Area, *, objects: int, seed: int) -> Tally:
    """Make ``objects`` objects of ``area`` in ``store``; those that are there already are left as they are.

    Args:
        objects: how many the area has afterwards, spread evenly over its containers and prefixes.
    Raises:
        UsageError: a glob of the area fits no container name that we can think of.
        CloudError: the account refused; the objects made so far stay, and filling again goes on.
    """
    kind = _kind_of(area.name)
    places = [(container, one.prefix) for one in area.selectors for container in _containers(one, kind)]
    for container in dict(places):
        await store.create_container(ContainerInfo(container, {"area": area.name}))
    work = _objects(kind, area, places, objects, seed)
    counts: list[int] = []
    skipped = 0
    while batch := list(islice(work, AT_ONCE)):
        made = await asyncio.gather(*(_create(store, container, one) for container, one in batch))
        counts += [len(one.body) for (_, one), is_new in zip(batch, made, strict=True) if is_new]
        skipped += made.count(False)
    return Tally(len(dict(places)), len(counts), skipped, sum(counts))


def containers_of(area: Area) -> tuple[str, ...]:
    """The containers ``fill`` puts this area's objects in, in the order of the selectors."""
    kind = _kind_of(area.name)
    return tuple(dict.fromkeys(name for one in area.selectors for name in _containers(one, kind)))


def _objects(
    kind: _Kind, area: Area, places: list[tuple[str, str]], objects: int, seed: int
) -> Iterator[tuple[str, _Object]]:
    for index in range(objects):
        container, prefix = places[index % len(places)]
        number = index // len(places)
        chance = Random(f"{seed}/{area.name}/{container}/{prefix}/{number}")
        one = kind.make(chance, number)
        yield container, _Object(prefix + one.name, one.body, one.shape)


async def _create(store: ObjectStore, container: str, one: _Object) -> bool:
    """False: there is an object of this name."""
    try:
        match one.shape.blob_type:
            case BlobType.APPEND:
                await _create_append(store, container, one)
            case BlobType.PAGE:
                made = await store.create_empty(container, one.name, len(one.body), one.shape, condition=CREATE)
                await store.put_pages(container, one.name, one.body[:4096], offset=0, if_match=made.etag)
            case _ if len(one.body) > BLOCK_BYTES // 2:
                await _create_in_blocks(store, container, one)
            case _:
                await store.put(container, one.name, one.body, one.shape, condition=CREATE)
    except ConditionFailed:
        return False
    return True


async def _create_append(store: ObjectStore, container: str, one: _Object) -> None:
    """One append per line, as an event sink writes."""
    made = await store.create_empty(container, one.name, 0, one.shape, condition=CREATE)
    offset = 0
    for line in one.body.splitlines(keepends=True):
        made = await store.append(container, one.name, line, offset=offset, if_match=made.etag)
        offset += len(line)


async def _create_in_blocks(store: ObjectStore, container: str, one: _Object) -> None:
    size = BLOCK_BYTES // 2
    ids = [f"part-{begin // size:05d}" for begin in range(0, len(one.body), size)]
    for number, block_id in enumerate(ids):
        await store.stage_block(container, one.name, block_id, one.body[number * size : (number + 1) * size])
    await store.commit_blocks(container, one.name, ids, one.shape, condition=CREATE)


def _containers(selector: Selector, kind: _Kind) -> list[str]:
    if not selector.is_glob:
        return [selector.container]
    if "[" in selector.container:
        raise UsageError(
            f"cannot make containers for {selector.container}: sample data knows only the globs * and ?",
            hint="name the containers in the plan, or create them yourself",
        )
    words = kind.words if "*" in selector.container else ("1", "2")
    return [selector.container.replace("*", word).replace("?", word[0]) for word in words]


def _visit(chance: Random, number: int) -> _Object:
    """Small JSON; every third as a browser's collector sends it, compressed."""
    at = _EPOCH + timedelta(seconds=7 * number)
    visit = {
        "visitor": f"{chance.getrandbits(64):016x}",
        "at": at.isoformat(),
        "pages": chance.choices(_PAGES, k=chance.randint(1, 12)),
        "seconds": round(chance.expovariate(1 / 90), 1),
    }
    body = json.dumps(visit, ensure_ascii=False).encode()
    encoding = "gzip" if number % 3 == 0 else None
    headers = ContentHeaders("application/json", encoding)
    return _Object(
        f"{at:%Y/%m/%d/%H}/visit-{number:06d}.json{'.gz' if encoding else ''}",
        gzip.compress(body, mtime=0) if encoding else body,
        Shape(BlobType.BLOCK, headers, {"source": "collector"}, EMPTY, None),
    )


def _event(chance: Random, number: int) -> _Object:
    """JSON lines, appended as they happen; every fourth closed batch is a block blob."""
    at = _EPOCH + timedelta(minutes=number)
    campaign = chance.choice(_CAMPAIGNS)
    lines = [
        json.dumps(
            {
                "at": (at + timedelta(seconds=n)).isoformat(),
                "event": chance.choice(_EVENTS),
                "to": chance.getrandbits(40),
            }
        )
        for n in range(chance.randint(1, 5))
    ]
    is_closed = number % 4 == 3
    return _Object(
        f"{campaign}/{at:%Y-%m-%d}/{number:06d}.jsonl",
        "".join(line + "\n" for line in lines).encode(),
        Shape(
            BlobType.BLOCK if is_closed else BlobType.APPEND,
            ContentHeaders("application/x-ndjson"),
            {"campaign": campaign.replace(" ", "-")},
            {"state": "closed"} if is_closed else EMPTY,
            None,
        ),
    )


def _participant(chance: Random, number: int) -> _Object:
    """A list (CSV) or a profile (JSON), with metadata and index tags that the platform searches by."""
    campaign = chance.choice(_CAMPAIGNS)
    if number % 5 == 0:
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(["participant", "joined", "score"])
        for _ in range(chance.randint(20, 200)):
            rows.writerow([f"{chance.getrandbits(32):08x}", _EPOCH.date().isoformat(), chance.randint(0, 100)])
        name, body, kind = f"{campaign}/list-{number:06d} (final).csv", text.getvalue().encode(), "text/csv"
    else:
        profile = {
            "id": f"{chance.getrandbits(32):08x}",
            "campaign": campaign,
            "name": "Zo\u00eb \U0001f389",
            "score": chance.random(),
        }
        name, body = f"{campaign}/participant-{number:06d}.json", json.dumps(profile, ensure_ascii=False).encode()
        kind = "application/json"
    return _Object(
        name,
        body,
        Shape(
            BlobType.BLOCK,
            ContentHeaders(kind, content_language="en" if number % 2 else "de", content_disposition="attachment"),
            {"campaign": campaign.replace(" ", "-"), "owner": f"team-{number % 7}"},
            {"campaign": campaign, "stage": chance.choice(("invited", "joined", "left")), "score": str(number % 10)},
            None,
        ),
    )


def _image(chance: Random, number: int) -> _Object:
    """Mostly thumbnails; one of a hundred has some MiB, one of a thousand is uploaded in blocks, page blobs are rare."""
    if number % 1000 == 13:
        headers = ContentHeaders("application/octet-stream")
        shape = Shape(BlobType.PAGE, headers, {"kind": "tile-cache"}, EMPTY, None)
        return _Object(f"cache/tiles-{number:06d}.bin", chance.randbytes(4096) + bytes(60 * 1024), shape)
    if number % 1000 == 7:
        size = chance.randint(9, 12) * 1024 * 1024 + 5
    elif number % 100 == 50:
        size = chance.randint(1_000_000, 3_000_000)
    else:
        size = chance.randint(500, 20_000)
    kind = chance.choice(("jpeg", "png", "webp"))
    return _Object(
        f"{chance.choice(('products', 'banners', 'people'))}/{number % 16:02d}/image {number:06d}@2x.{kind}",
        b"" if number % 500 == 499 else chance.randbytes(size),
        Shape(
            BlobType.BLOCK,
            ContentHeaders(f"image/{kind}", cache_control="public, max-age=31536000"),
            {"width": str(chance.randint(16, 4000)), "height": str(chance.randint(16, 4000))},
            {"reviewed": "yes"} if number % 4 == 0 else EMPTY,
            "Cool" if number % 10 == 9 else None,
        ),
    )


_VISITS: Final = _Kind(("visits", "sessions"), _visit)
_KINDS: Final = {
    "web": _VISITS,
    "mail": _Kind(("events", "bounces"), _event),
    "campaign": _Kind(("participants", "segments"), _participant),
    "image": _Kind(("originals", "renditions"), _image),
}


def _kind_of(area: str) -> _Kind:
    """By a word in the area's name; an area of another trade gets page visits."""
    return next((kind for word, kind in _KINDS.items() if word in area), _VISITS)
