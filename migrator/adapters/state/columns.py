"""Column types: how one value is kept so that any database gives it back.

Decides the form of times, names, prose, JSON and figures. Rules: times are UTC in ISO text of one width, so that text sorts
as time; names are bytes, because a blob's name may hold any character, lone surrogates too; prose is for people, so what a
database cannot keep (lone surrogates, NUL) is written as an escape instead of failing a commit.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

from migrator.errors import InternalError


class Stamp(TypeDecorator[datetime]):
    """An aware time, kept to the microsecond."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        return None if value is None else stamp(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        return None if value is None else datetime.fromisoformat(value)


class Name(TypeDecorator[str]):
    """The name of a container or blob, or a prefix of one."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else name_bytes(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).decode("utf-8", "surrogatepass")


class Prose(TypeDecorator[str]):
    """Text for people, and identifiers from the plan."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return value


class Json(TypeDecorator[Any]):
    """A JSON value as text; None is JSON's null, and SQL's NULL reads as None."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        return json_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class Figure(TypeDecorator[float]):
    """A float as text: SQLite would turn NaN into NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> str | None:
        return None if value is None else repr(float(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> float | None:
        return None if value is None else float(value)


def stamp(at: datetime) -> str:
    """ISO text of an aware time in UTC, always with six digits of a second."""
    if at.tzinfo is None:
        raise InternalError(f"the time {at} has no zone")
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def name_bytes(name: str) -> bytes:
    """The bytes by which names are kept and sorted."""
    return name.encode("utf-8", "surrogatepass")


def json_text(value: Any) -> str:
    """Compact JSON in ASCII. InternalError for a value that JSON does not have."""
    try:
        return json.dumps(value, separators=(",", ":"))
    except (TypeError, ValueError) as fault:
        raise InternalError(f"the state store was given a value that is not JSON ({fault})") from fault
