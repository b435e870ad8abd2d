"""Writes a request's head. Rule: every line is one header, whatever the names and values hold.

A value may hold anything but control characters (tabs excepted), and goes out as UTF-8; a name must be a token; an
address must be visible ASCII. What is not is refused (``UnsafeRequest``), never mended.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from migrator.adapters.azure.wire.failures import UnsafeRequest

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]").search
_TARGET = re.compile(r"/[\x21-\x7e]*").fullmatch
_CONTROL_BYTES = bytes(code for code in range(128) if _CONTROL(chr(code)))
MOST_TEMPLATES = 1000

_templates: dict[tuple[str, ...], str] = {}
"""The lines of headers of these names, with a place for each value: few sets of names are ever sent."""


def constant_part(headers: Iterable[tuple[str, str]]) -> str:
    """The lines that are the same in every request to one server."""
    return "".join([_line(name, value) for name, value in headers])


def head_of(method: str, target: str, constant: str, headers: Sequence[tuple[str, str]]) -> bytes:
    """``method`` is the program's own word; ``constant`` comes from ``constant_part``."""
    if not _TARGET(target):
        raise UnsafeRequest
    names, values = zip(*headers, strict=True) if headers else ((), ())
    lines = _templates.get(names)
    if lines is None:
        lines = _template(names)
    _check("".join(values))
    try:
        return f"{method} {target} HTTP/1.1\r\n{constant}{lines % values}\r\n".encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as surrogate:
        raise UnsafeRequest from surrogate


def _template(names: tuple[str, ...]) -> str:
    for name in names:
        _check_name(name)
    lines = "".join([f"{name.replace('%', '%%')}: %s\r\n" for name in names])
    if len(_templates) < MOST_TEMPLATES:
        _templates[names] = lines
    return lines


def _line(name: str, value: str) -> str:
    _check_name(name)
    _check(value)
    return f"{name}: {value}\r\n"


def _check_name(name: str) -> None:
    if not _TOKEN(name):
        raise UnsafeRequest


def _check(values: str) -> None:
    """Letters of ASCII are looked at as bytes: a pattern takes several times as long."""
    if values.isascii():
        if len(values.encode().translate(None, _CONTROL_BYTES)) != len(values):
            raise UnsafeRequest
    elif _CONTROL(values):
        raise UnsafeRequest
