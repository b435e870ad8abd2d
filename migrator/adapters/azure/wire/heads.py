"""Writes a request's head. Rule: every line is one header, whatever the names and values hold.

A value may hold anything but control characters (tabs excepted), and goes out as UTF-8; a name must be a token; an
address must be visible ASCII. What is not is refused (``UnsafeRequest``), never mended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from migrator.adapters.azure.wire.failures import UnsafeRequest

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]").search
_TARGET = re.compile(r"/[\x21-\x7e]*").fullmatch
MOST_KNOWN_NAMES = 1000

_known_names: set[str] = set()


def constant_part(headers: Iterable[tuple[str, str]]) -> str:
    """The lines that are the same in every request to one server."""
    return "".join([_line(name, value) for name, value in headers])


def head_of(method: str, target: str, constant: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """``method`` is the program's own word; ``constant`` comes from ``constant_part``."""
    if not _TARGET(target):
        raise UnsafeRequest
    lines = [f"{method} {target} HTTP/1.1\r\n", constant]
    for name, value in headers:
        if name not in _known_names:
            _learn(name)
        if not value.isprintable() and _CONTROL(value):
            raise UnsafeRequest
        lines.append(f"{name}: {value}\r\n")
    lines.append("\r\n")
    try:
        return "".join(lines).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as surrogate:
        raise UnsafeRequest from surrogate


def _line(name: str, value: str) -> str:
    _learn(name)
    if _CONTROL(value):
        raise UnsafeRequest
    return f"{name}: {value}\r\n"


def _learn(name: str) -> None:
    if not _TOKEN(name):
        raise UnsafeRequest
    if len(_known_names) < MOST_KNOWN_NAMES:
        _known_names.add(name)
