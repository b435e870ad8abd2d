"""Column types of keys: how a name is kept so that any database gives it back.

Rules: names of containers and blobs are bytes, because they may hold any character, lone surrogates too; identifiers from
the plan are text, where what a database cannot keep (lone surrogates, NUL) becomes an escape instead of failing a commit, and
which sorts by its bytes, whatever language the database speaks.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

from sqlalchemy import Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

Sorted: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that sorts by its bytes, as SQLite's does by itself."""


class Name(TypeDecorator[str]):
    """The name of a container or blob, or a prefix of one."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else name_bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


class Word(TypeDecorator[str]):
    """An identifier: a plan, region, area, account, scope or key."""

    impl = Sorted
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value


def name_bytes(name: str) -> bytes:
    """The bytes by which names are kept and sorted."""
    return name.encode("utf-8", "surrogatepass")


def name_mark(container: str, name: str) -> bytes:
    """16 bytes that stand for a blob of a move where its name is not kept."""
    return blake2b(name_bytes(container) + b"\xff" + name_bytes(name), digest_size=16).digest()
