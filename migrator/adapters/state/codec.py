"""Records as JSON documents and back. Decides the written form; knows no table.

Rule: what ``encode`` wrote of a record of the model, ``decode`` reads as an equal record. A field that a document does
not have takes the model's default, and one that the model does not have is passed over, so records may grow fields.
Times are ISO 8601 in UTC with six digits of the second, so that their texts sort as the times do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from migrator.adapters.state.rules import check_aware
from migrator.errors import InternalError, StateUnusable

T = TypeVar("T")
_JSON = json.JSONEncoder(separators=(",", ":"))


def time_text(at: datetime) -> str:
    """The sortable text of a time; InternalError where it does not say its zone."""
    check_aware(at)
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def encode(value: Any) -> str:
    """JSON of a record, or of JSON values; InternalError where something in it is neither."""
    return _JSON.encode(as_read(value))


def as_read(value: Any) -> Any:
    """What ``decode_value`` would read of what ``encode`` would write, without the text: a copy that shares nothing that can be
    changed. InternalError as ``encode``."""
    try:
        return _plain(value)
    except (TypeError, ValueError) as fault:
        raise InternalError(f"cannot save a {type(value).__name__}: {fault}") from fault


def decode(kind: type[T], document: str) -> T:
    """Read a record; StateError where the document is not one of ``kind``."""
    try:
        return kind(**_arguments(kind, json.loads(document)))
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as fault:
        raise StateUnusable(
            f"cannot read the state store: a {kind.__name__} in it is damaged", hint="restore the store from a copy"
        ) from fault


def decode_value(document: str) -> Any:
    """Read JSON values that ``encode`` wrote; StateError where they are damaged."""
    try:
        return json.loads(document)
    except (ValueError, RecursionError) as fault:
        raise StateUnusable(
            "cannot read the state store: a note in it is damaged", hint="restore the store from a copy"
        ) from fault


_PLAIN = frozenset({str, int, float, bool, type(None)})
"""Most of what is encoded; the kinds below are asked for one by one."""


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is dict:
        return {str(key): inner if type(inner) in _PLAIN else _plain(inner) for key, inner in value.items()}
    if kind is list:
        return [inner if type(inner) in _PLAIN else _plain(inner) for inner in value]
    if isinstance(value, datetime):
        return time_text(value)
    if isinstance(value, StrEnum):
        return value.value
    if is_dataclass(value) and not isinstance(value, type):
        return {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, str | int | float):
        return value
    raise TypeError(f"a {kind.__name__} is not a JSON value")


@cache
def _hints(kind: Any) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _arguments(kind: Any, raw: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(hint, raw[name]) for name, hint in _hints(kind).items() if name in raw}


def _value(hint: Any, raw: Any) -> Any:
    if raw is None:
        return None
    if isinstance(hint, UnionType):  # the model has no union but "... | None"
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:  # the model's tuples are all "of any length, of one kind"
        return tuple(_value(get_args(hint)[0], one) for one in raw)
    if hint is datetime:
        return datetime.fromisoformat(raw)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint(raw)
    if is_dataclass(hint) and isinstance(hint, type):
        return hint(**_arguments(hint, raw))
    return raw
