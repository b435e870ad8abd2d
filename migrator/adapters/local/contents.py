"""Bytes of blobs and blocks, in chunks, so that no blob is ever whole in memory.

A content is a list of pieces; a piece is a chunk at an offset. Committing blocks moves pieces and leaves chunks where they
are. Rule: a piece has at most CHUNK_BYTES, its chunk belongs to one content, and what no piece covers reads as zeros.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from migrator.adapters.local.file import LOOSE_SECONDS, next_number

CHUNK_BYTES: Final = 1024 * 1024


def new_content(connection: sqlite3.Connection, body: bytes = b"") -> int:
    """A new content that holds ``body``."""
    content = next_number(connection)
    add(connection, content, body, offset=0)
    return content


def add(connection: sqlite3.Connection, content: int, body: bytes, *, offset: int) -> None:
    """Put ``body`` at ``offset``, where nothing lies yet."""
    view = memoryview(body)
    for begin in range(0, len(body), CHUNK_BYTES):
        _store(connection, content, offset + begin, view[begin : begin + CHUNK_BYTES])


def overlay(connection: sqlite3.Connection, content: int, body: bytes, *, offset: int) -> None:
    """Put ``body`` at ``offset`` over what lies there; pieces stay on multiples of CHUNK_BYTES."""
    position, end = offset, offset + len(body)
    while position < end:
        slot = position - position % CHUNK_BYTES
        stop = min(end, slot + CHUNK_BYTES)
        held = bytearray(_piece(connection, content, slot))
        held.extend(bytes(max(0, stop - slot - len(held))))
        held[position - slot : stop - slot] = body[position - offset : stop - offset]
        _drop_piece(connection, content, slot)
        _store(connection, content, slot, memoryview(held))
        position = stop


def read_range(connection: sqlite3.Connection, content: int, offset: int, length: int) -> bytes:
    """Exactly ``length`` bytes from ``offset``."""
    rows = connection.execute(
        "SELECT p.offset, c.body FROM pieces p JOIN chunks c ON c.id = p.chunk"
        " WHERE p.content = ? AND p.offset > ? AND p.offset < ? AND p.offset + p.length > ? ORDER BY p.offset",
        (content, offset - CHUNK_BYTES, offset + length, offset),
    )
    answer = bytearray(length)
    for begin, body in rows:
        first, last = max(begin, offset), min(begin + len(body), offset + length)
        answer[first - offset : last - offset] = body[first - begin : last - begin]
    return bytes(answer)


def written(connection: sqlite3.Connection, content: int) -> list[tuple[int, int]]:
    """(offset, length) of what pieces cover, ascending."""
    rows = connection.execute("SELECT offset, length FROM pieces WHERE content = ? ORDER BY offset", (content,))
    return [(offset, length) for offset, length in rows]


def join(connection: sqlite3.Connection, parts: Sequence[tuple[int, int]]) -> int:
    """A new content of ``parts`` (content, size) one after the other; the parts are to be dropped by ``forget``."""
    content, base = next_number(connection), 0
    for part, size in parts:
        connection.execute(
            "INSERT INTO pieces SELECT ?, offset + ?, length, chunk FROM pieces WHERE content = ?",
            (content, base, part),
        )
        base += size
    return content


def forget(connection: sqlite3.Connection, content: int) -> None:
    """Remove the list of pieces, not the chunks: another content has them now."""
    connection.execute("DELETE FROM pieces WHERE content = ?", (content,))


def drop(connection: sqlite3.Connection, content: int) -> None:
    """Remove a content and its bytes."""
    connection.execute("DELETE FROM chunks WHERE id IN (SELECT chunk FROM pieces WHERE content = ?)", (content,))
    forget(connection, content)


def begin_loose(connection: sqlite3.Connection, now: int) -> int:
    """A new content that no blob names yet; ``publish_loose`` or ``drop_loose`` ends that. Old ones of dead processes go."""
    old = connection.execute("SELECT content FROM loose WHERE born < ?", (now - LOOSE_SECONDS,)).fetchall()
    for (content,) in old:
        drop_loose(connection, content)
    content = next_number(connection)
    connection.execute("INSERT INTO loose VALUES (?, ?)", (content, now))
    return content


def publish_loose(connection: sqlite3.Connection, content: int) -> bool:
    """A blob or block names ``content`` from now on; False if it was published or dropped before."""
    return connection.execute("DELETE FROM loose WHERE content = ?", (content,)).rowcount > 0


def drop_loose(connection: sqlite3.Connection, content: int) -> None:
    """Remove ``content`` unless it was published: a cancelled caller does not know."""
    if publish_loose(connection, content):
        drop(connection, content)


def _store(connection: sqlite3.Connection, content: int, offset: int, body: memoryview) -> None:
    chunk = connection.execute("INSERT INTO chunks (body) VALUES (?)", (body,)).lastrowid
    connection.execute("INSERT INTO pieces VALUES (?, ?, ?, ?)", (content, offset, len(body), chunk))


def _piece(connection: sqlite3.Connection, content: int, offset: int) -> bytes:
    row = connection.execute(
        "SELECT c.body FROM pieces p JOIN chunks c ON c.id = p.chunk WHERE p.content = ? AND p.offset = ?",
        (content, offset),
    ).fetchone()
    return bytes(row[0]) if row else b""


def _drop_piece(connection: sqlite3.Connection, content: int, offset: int) -> None:
    connection.execute(
        "DELETE FROM chunks WHERE id IN (SELECT chunk FROM pieces WHERE content = ? AND offset = ?)", (content, offset)
    )
    connection.execute("DELETE FROM pieces WHERE content = ? AND offset = ?", (content, offset))
