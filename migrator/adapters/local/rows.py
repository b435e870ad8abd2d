"""Containers, blobs and staged blocks as rows: what each request does to them, inside one transaction.

Decides conditions, ETags, listing order and what a refusal says. Leaves transactions to ``file`` and bytes to ``contents``.
Rules: names are ordered by the bytes of their UTF-8; every ETag-changing write takes a number never used before in this
account; tags and tier change no ETag; a write that replaces a blob drops its staged blocks.
"""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from migrator.adapters.local import contents
from migrator.adapters.local.file import next_number
from migrator.errors import CloudError, ConditionFailed, NotFound
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import (
    COSTLY_TIERS,
    BlobType,
    Condition,
    ContainerInfo,
    ContentHeaders,
    Features,
    Listed,
    ListingPage,
    Shape,
    Survey,
)
from migrator.model.values import replace, value
from migrator.ports.troubles import TROUBLES

ARCHIVE: Final = "Archive"
TIERS: Final = ("Hot", "Cool", "Cold", ARCHIVE)
_SEQUENCE_NUMBER: Final = "sequence_number"
_SEALED: Final = "is_sealed"
_SELECT: Final = "SELECT name, etag, size, type, content, headers, metadata, tags, tier, modified, copy_id FROM blobs"


@value(frozen=True, slots=True)
class Place:
    """One name of one account, and how to say it to people."""

    account: str
    container: str
    name: str

    @property
    def key(self) -> tuple[str, bytes]:
        return self.container, encode(self.name)

    def __str__(self) -> str:
        return f"{self.account}/{self.container}/{shown(self.name)}"


@value(frozen=True, slots=True)
class BlobRow:
    """A blob and where its bytes are."""

    listed: Listed
    content: int


def encode(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def shown(name: str) -> str:
    """``name`` for a message: what a terminal would obey is escaped."""
    return "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in name)


def etag_text(number: int) -> str:
    """``0x`` and 16 hex digits, as Azure's look."""
    return f"0x8D{number:014X}"


def containers(connection: sqlite3.Connection, prefix: str) -> list[ContainerInfo]:
    rows = connection.execute(f"{_CONTAINERS} ORDER BY name")
    return [_container(row) for row in rows if row[0].startswith(prefix)]


def container(connection: sqlite3.Connection, account: str, name: str) -> ContainerInfo:
    row = connection.execute(f"{_CONTAINERS} WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise NotFound(
            f"cannot find container {account}/{shown(name)}: it is not there",
            what="container",
            code="ContainerNotFound",
        )
    return _container(row)


_CONTAINERS = (
    "SELECT name, metadata, public_access, etag FROM containers LEFT JOIN generations ON generations.container = name"
)


def _container(row: tuple[str, str, str | None, int | None]) -> ContainerInfo:
    name, metadata, access, number = row
    return ContainerInfo(name, json.loads(metadata), access, etag="" if number is None else etag_text(number))


def create_container(connection: sqlite3.Connection, like: ContainerInfo) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO containers VALUES (?, ?, ?)",
        (like.name, json.dumps(dict(like.metadata)), like.public_access),
    )


def set_container_metadata(
    connection: sqlite3.Connection, account: str, name: str, metadata: Mapping[str, str]
) -> None:
    container(connection, account, name)
    connection.execute("UPDATE containers SET metadata = ? WHERE name = ?", (json.dumps(dict(metadata)), name))


def find(connection: sqlite3.Connection, place: Place) -> BlobRow | None:
    """The live blob, or None; NotFound(what="container") if there is no container."""
    row = connection.execute(
        f"{_SELECT} WHERE container = ? AND name = ?",
        place.key,
    ).fetchone()
    if row is None:
        container(connection, place.account, place.container)
        return None
    return _row(row)


def get(connection: sqlite3.Connection, place: Place) -> BlobRow:
    """The live blob; NotFound otherwise."""
    row = find(connection, place)
    if row is None:
        raise NotFound(f"cannot find blob {place}: it is not there", what="blob", code="BlobNotFound")
    return row


def page(
    connection: sqlite3.Connection,
    account: str,
    name: str,
    prefix: str,
    marker: str | None,
    limit: int,
    start: str | None = None,
) -> ListingPage:
    """Names in [prefix, end of prefix), from ``start`` on, after ``marker``; one more row than asked for tells whether there is
    more."""
    container(connection, account, name)
    low, high = encode(prefix), _after(encode(prefix))
    if start is not None:
        low = max(low, encode(start))
    clauses, values = ["container = ?", "name >= ?"], [name, low]
    if high is not None:
        clauses.append("name < ?")
        values.append(high)
    if marker is not None:
        clauses.append("name > ?")
        values.append(_decode_marker(marker))
    where = " AND ".join(clauses)
    found = connection.execute(
        f"{_SELECT} WHERE {where} ORDER BY name LIMIT ?",
        (*values, limit + 1),
    ).fetchall()
    rows = found[:limit]
    more = base64.urlsafe_b64encode(rows[-1][0]).decode() if len(found) > limit else None
    return ListingPage(tuple(_row(row).listed for row in rows), more)


def check(place: Place, row: BlobRow | None, condition: Condition) -> None:
    """ConditionFailed unless the blob is as ``condition`` says."""
    if condition.create and row is not None:
        raise ConditionFailed(f"cannot create {place}: it is there already", code="BlobAlreadyExists")
    if not condition.create and (row is None or row.listed.etag != condition.if_match):
        raise _moved_on(place)


def check_generation(place: Place, row: BlobRow, etag: str) -> None:
    if row.listed.etag != etag:
        raise _moved_on(place)


def check_type(place: Place, row: BlobRow, wanted: BlobType) -> None:
    if row.listed.blob_type is not wanted:
        raise CloudError(
            f"cannot write to {place}: it is a {row.listed.blob_type}, not a {wanted}", code="InvalidBlobType"
        )


def publish(
    connection: sqlite3.Connection,
    place: Place,
    old: BlobRow | None,
    *,
    shape: Shape,
    content: int,
    size: int,
    modified: int,
    copy_id: str | None = None,
) -> str:
    """Put a whole blob in the place of ``old``; the new ETag. As the service, never over another type or an archived one."""
    check_tier(place, shape.tier)
    if old is not None:
        check_type(place, old, shape.blob_type)
        if old.listed.is_archived:
            raise CloudError(
                f"cannot write {place}: it is archived", hint=TROUBLES["BlobArchived"].hint, code="BlobArchived"
            )
        contents.drop(connection, old.content)
    drop_staged(connection, place)
    number = next_number(connection)
    connection.execute(
        "INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *place.key,
            number,
            size,
            str(shape.blob_type),
            content,
            _headers_text(shape),
            json.dumps(dict(shape.metadata)),
            json.dumps(dict(shape.tags)),
            shape.tier if shape.blob_type is BlobType.BLOCK else None,
            modified,
            copy_id,
        ),
    )
    return etag_text(number)


def touch(connection: sqlite3.Connection, place: Place, *, size: int, modified: int) -> str:
    """Give the blob a new generation after its bytes were changed in place; the new ETag."""
    number = next_number(connection)
    connection.execute(
        "UPDATE blobs SET etag = ?, size = ?, modified = ? WHERE container = ? AND name = ?",
        (number, size, modified, *place.key),
    )
    return etag_text(number)


def seal(connection: sqlite3.Connection, place: Place, row: BlobRow, *, modified: int) -> str:
    """The new ETag of an append blob that takes nothing more."""
    number, text = next_number(connection), _headers_text(replace(Shape.of(row.listed), is_sealed=True))
    connection.execute(
        "UPDATE blobs SET etag = ?, headers = ?, modified = ? WHERE container = ? AND name = ?",
        (number, text, modified, *place.key),
    )
    return etag_text(number)


def remove(connection: sqlite3.Connection, place: Place, row: BlobRow) -> None:
    contents.drop(connection, row.content)
    drop_staged(connection, place)
    connection.execute("DELETE FROM blobs WHERE container = ? AND name = ?", place.key)


def set_tags(connection: sqlite3.Connection, place: Place, tags: Mapping[str, str]) -> None:
    get(connection, place)
    connection.execute(
        "UPDATE blobs SET tags = ? WHERE container = ? AND name = ?", (json.dumps(dict(tags)), *place.key)
    )


def set_tier(connection: sqlite3.Connection, place: Place, tier: str) -> None:
    check_tier(place, tier)
    check_type(place, get(connection, place), BlobType.BLOCK)
    connection.execute("UPDATE blobs SET tier = ? WHERE container = ? AND name = ?", (tier, *place.key))


def check_tier(place: Place, tier: str | None) -> None:
    if tier is not None and tier not in TIERS:
        raise CloudError(
            f"cannot set the tier of {place}: {shown(tier)} is none of {', '.join(TIERS)}", code="InvalidHeaderValue"
        )


def stage(connection: sqlite3.Connection, place: Place, block_id: str, content: int, size: int) -> None:
    """Remember ``content`` as an uncommitted block; one of the same id is replaced."""
    live = find(connection, place)
    if live is not None:
        check_type(place, live, BlobType.BLOCK)
    same: int | None = None
    for other, held in _staged(connection, place).items():
        if len(encode(other)) != len(encode(block_id)):
            raise CloudError(
                f"cannot stage a block of {place}: its id is not as long as those of the other blocks",
                code="InvalidBlobOrBlock",
            )
        if other == block_id:
            same = held[0]
    if same is not None:
        contents.drop(connection, same)
    connection.execute("INSERT OR REPLACE INTO staged VALUES (?, ?, ?, ?, ?)", (*place.key, block_id, content, size))


def join_staged(connection: sqlite3.Connection, place: Place, block_ids: Sequence[str]) -> tuple[int, int]:
    """Content and size of the staged blocks in this order; the blocks not named are left for ``drop_staged``."""
    held = _staged(connection, place)
    missing = next((one for one in block_ids if one not in held), None)
    if missing is not None:
        raise CloudError(f"cannot commit {place}: block {shown(missing)} was not staged", code="InvalidBlockList")
    parts = [held[one] for one in block_ids]
    content = contents.join(connection, parts)
    for part, _ in parts:
        contents.forget(connection, part)
    return content, sum(size for _, size in parts)


def drop_staged(connection: sqlite3.Connection, place: Place) -> None:
    gone = connection.execute(
        "DELETE FROM staged WHERE container = ? AND name = ? RETURNING content", place.key
    ).fetchall()
    for (content,) in gone:
        contents.drop(connection, content)


def uncommitted(connection: sqlite3.Connection, account: str, name: str, prefix: str) -> list[str]:
    container(connection, account, name)
    rows = connection.execute(
        "SELECT DISTINCT s.name FROM staged s WHERE s.container = ? AND NOT EXISTS"
        " (SELECT 1 FROM blobs b WHERE b.container = s.container AND b.name = s.name) ORDER BY s.name",
        (name,),
    )
    return [raw.decode("utf-8", "surrogatepass") for (raw,) in rows if raw.startswith(encode(prefix))]


def survey(connection: sqlite3.Connection, account: str, name: str, prefix: str) -> Survey:
    """Of live blobs; there is nothing else here. Reserved names have no size in it."""
    container(connection, account, name)
    rows = connection.execute("SELECT name, size, type, tier FROM blobs WHERE container = ?", (name,))
    mine = [row for row in rows if row[0].startswith(encode(prefix))]
    blobs = [(size, kind, tier) for raw, size, kind, tier in mine if not raw.startswith(encode(RESERVED_PREFIX))]
    streamed = [size for size, kind, _ in blobs if kind != BlobType.BLOCK.value]
    tiered = {
        costly: held for costly in COSTLY_TIERS if (held := sum(size for size, _, tier in blobs if tier == costly))
    }
    features = Features(archived=sum(tier == ARCHIVE for *_, tier in mine))
    return Survey([size for size, *_ in blobs], features, None, streamed, tiered)


def _staged(connection: sqlite3.Connection, place: Place) -> dict[str, tuple[int, int]]:
    rows = connection.execute("SELECT block_id, content, size FROM staged WHERE container = ? AND name = ?", place.key)
    return {block_id: (content, size) for block_id, content, size in rows}


def _moved_on(place: Place) -> ConditionFailed:
    return ConditionFailed(f"cannot go on with {place}: it has another generation by now", code="ConditionNotMet")


def _row(raw: Sequence[Any]) -> BlobRow:
    name, etag, size, kind, content, headers, metadata, tags, tier, modified, copy_id = raw
    held = json.loads(headers)
    listed = Listed(
        name=name.decode("utf-8", "surrogatepass"),
        etag=etag_text(etag),
        size=size,
        blob_type=BlobType(kind),
        sequence_number=held.pop(_SEQUENCE_NUMBER, 0),
        is_sealed=held.pop(_SEALED, False),
        headers=_headers(held),
        metadata=json.loads(metadata),
        tags=json.loads(tags),
        tier=tier,
        tier_inferred=tier is None,
        last_modified=datetime.fromtimestamp(modified, UTC),
        is_archived=tier == ARCHIVE,
        copy_id=copy_id,
    )
    return BlobRow(listed, content)


def _headers_text(shape: Shape) -> str:
    """What only some kinds of blobs have stands beside the headers: files of before know it as little as most blobs need it."""
    headers = shape.headers
    held = {key: value for key, value in asdict(headers).items() if value is not None}
    if headers.md5 is not None:
        held["md5"] = headers.md5.hex()
    if shape.sequence_number and shape.blob_type is BlobType.PAGE:
        held[_SEQUENCE_NUMBER] = shape.sequence_number
    if shape.is_sealed and shape.blob_type is BlobType.APPEND:
        held[_SEALED] = True
    return json.dumps(held)


def _headers(held: dict[str, Any]) -> ContentHeaders:
    if "md5" in held:
        held["md5"] = bytes.fromhex(held["md5"])
    return ContentHeaders(**held)


def _after(prefix: bytes) -> bytes | None:
    """The first bytes behind everything that begins with ``prefix``; None: there is no end."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def _decode_marker(marker: str) -> bytes:
    try:
        return base64.b64decode(marker.encode("ascii"), altchars=b"-_", validate=True)
    except (UnicodeEncodeError, binascii.Error) as fault:
        raise CloudError(
            "cannot go on listing: the marker is not one of this account", code="OutOfRangeInput"
        ) from fault
