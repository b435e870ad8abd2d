"""How a request says who sends it: a signature in its address, one made with the account's key, or a token.

Decides headers and address of one request, no more; nothing is sent here. Rule: what is secret leaves only in what
``sign`` returns, which goes on the wire and nowhere else.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from operator import itemgetter
from typing import Any, Protocol
from urllib.parse import quote

HeaderPairs = list[tuple[str, str]]
Query = Sequence[tuple[str, str]]
"""Names ascending as they are in lower case, values as they are (not yet quoted)."""

SIGNED_HEADERS = (
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-MD5",
    "Content-Type",
    "Date",
    "If-Modified-Since",
    "If-Match",
    "If-None-Match",
    "If-Unmodified-Since",
    "Range",
)
"""In the order in which their values are signed. Source: Azure "Authorize with Shared Key", Blob service."""

EMPTY_BODY = "0"
"""A Content-Length that is signed as if it were not there."""
BLOCK_BYTES = 64
"""Of SHA-256."""
MOST_LAYOUTS = 1000
"""Kept in memory; metadata may have any names."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_SAFE = re.compile(r"[A-Za-z0-9_.~/-]*").fullmatch


class Signer(Protocol):
    @property
    def secret(self) -> str:
        """What would be another if it were renewed; empty where nothing can be."""
        ...

    def sign(self, method: str, path: str, query: Query, headers: HeaderPairs) -> str:
        """Add what is missing to ``headers`` and return the request's target. ``path`` is quoted already."""
        ...


@lru_cache(maxsize=4096)
def quoted(text: str, safe: str = "") -> str:
    """As a part of an address. Kept, for containers, tags and the names of a copy's two sides come again and again.
    Raises UnicodeEncodeError for half a character."""
    return quote(text, safe=safe)


def quoted_name(name: str) -> str:
    """A blob's name as a part of an address; most hold nothing that must be quoted."""
    return name if _SAFE(name) else quoted(name, "~/")


def target_of(path: str, query: Query) -> str:
    if not query:
        return path
    if isinstance(query, tuple):
        return path + _asked(query)
    return path + _asked.__wrapped__(query)


@lru_cache(maxsize=64)
def _asked(query: Query) -> str:
    """Kept, for what is a constant of the program."""
    return f"?{'&'.join([f'{name}={quoted(value)}' for name, value in query])}"


@lru_cache(maxsize=64)
def _signed_query(query: Query) -> str:
    """As ``_asked``."""
    return "".join([f"\n{name.lower()}:{value}" for name, value in query])


class _Dates:
    """The time as HTTP writes it, made once a second."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._second = -1
        self._text = ""

    def now(self) -> str:
        second = int(self._now())
        if second != self._second:
            t = time.gmtime(second)
            self._text = (
                f"{DAYS[t.tm_wday]}, {t.tm_mday:02} {MONTHS[t.tm_mon - 1]} {t.tm_year:04} "
                f"{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} GMT"
            )
            self._second = second
        return self._text


class SasSigner:
    """The operator's shared access signature, appended as it is."""

    def __init__(self, sas: str) -> None:
        self._sas = sas

    @property
    def secret(self) -> str:
        return self._sas

    def sign(self, method: str, path: str, query: Query, headers: HeaderPairs) -> str:
        target = target_of(path, query)
        return f"{target}{'&' if query else '?'}{self._sas}"


class KeySigner:
    """The account's key signs method, headers and address of each request."""

    def __init__(
        self, account_name: str, key: str, constant: HeaderPairs, *, now: Callable[[], float] = time.time
    ) -> None:
        """``constant``: the ``x-ms-`` headers of every request, which ``sign`` is not given. ``now``: Unix time, by the
        service's clock where it is known."""
        self._account_name = account_name
        self._constant = constant
        self._keyed = Keyed(base64.b64decode(key))
        self._dates = _Dates(now)
        self._layouts: dict[tuple[str, ...], _Layout] = {}

    @property
    def secret(self) -> str:
        return ""

    def sign(self, method: str, path: str, query: Query, headers: HeaderPairs) -> str:
        headers.append(("x-ms-date", self._dates.now()))
        signature = self.signature(self.string_to_sign(method, path, query, headers))
        headers.append(("Authorization", f"SharedKey {self._account_name}:{signature}"))
        return target_of(path, query)

    def string_to_sign(self, method: str, path: str, query: Query, headers: HeaderPairs) -> str:
        """Source: Azure "Authorize with Shared Key"."""
        names, given = zip(*headers, strict=True)
        layout = self._layouts.get(names)
        if layout is None:
            layout = _Layout(names, self._constant)
            if len(self._layouts) < MOST_LAYOUTS:
                self._layouts[names] = layout
        values = list(map(str.strip, given))
        if layout.length_at is not None and values[layout.length_at] == EMPTY_BODY:
            values[layout.length_at] = ""
        lines = layout.text % layout.pick(values)
        if not lines.isascii():
            # The service signs the letters that it has read, and it reads a header's bytes as Latin-1.
            values = [value.encode("utf-8", "surrogateescape").decode("latin-1") for value in values]
            lines = layout.text % layout.pick(values)
        text = f"{method}\n{lines}\n/{self._account_name}{path}"
        if not query:
            return text
        return text + (_signed_query(query) if isinstance(query, tuple) else _signed_query.__wrapped__(query))

    def signature(self, text: str) -> str:
        return base64.b64encode(self._keyed.digest(text.encode("utf-8", "surrogateescape"))).decode()


class Keyed:
    """HMAC-SHA256 of short texts under one key. ``hmac`` takes nearly twice as long for each, which is a tenth of a copy.
    Source: RFC 2104."""

    def __init__(self, key: bytes) -> None:
        block = (sha256(key).digest() if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\0")
        self._inner = sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, text: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(text)
        outer.update(inner.digest())
        return outer.digest()


class _Layout:
    """How headers of ``names`` and the ``constant`` ones are signed: few sets of names are ever sent. ``text`` is filled with
    what ``pick`` takes from the values; ``length_at``: which of them is the body's length, if one is."""

    def __init__(self, names: Sequence[str], constant: HeaderPairs) -> None:
        place = {name: index for index, name in enumerate(names)}
        own: list[tuple[str, str, int | None]] = [(name, _literal(value), None) for name, value in constant]
        own += [(name.lower(), "%s", place[name]) for name in names if name.startswith("x-ms-")]
        own.sort(key=_sort_key)
        lines = ["%s" if name in place else "" for name in SIGNED_HEADERS]
        lines += [f"{_literal(name)}:{value}" for name, value, _ in own]
        order = [place[name] for name in SIGNED_HEADERS if name in place]
        order += [index for _, _, index in own if index is not None]
        self.text: str = "\n".join(lines)
        self.pick: Callable[[list[str]], Any] = _picked(order)
        self.length_at = place.get("Content-Length")


def _picked(order: Sequence[int]) -> Callable[[list[str]], Any]:
    if len(order) > 1:
        return itemgetter(*order)
    return lambda values: tuple(values[index] for index in order)


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _sort_key(header: tuple[str, str, int | None]) -> str:
    """The service compares names by a language's rules: hyphens count last, an underscore comes before the digits."""
    name = header[0]
    return f"{name.replace('-', '').replace('_', '!')}\0{name}"


class TokenSigner:
    """A token of Microsoft Entra ID; ``token`` is set by whoever renews it."""

    def __init__(self) -> None:
        self._token = ""

    def use(self, token: str) -> None:
        self._token = token

    @property
    def secret(self) -> str:
        return self._token

    def sign(self, method: str, path: str, query: Query, headers: HeaderPairs) -> str:
        headers.append(("Authorization", f"Bearer {self._token}"))
        return target_of(path, query)


__all__ = [
    "HeaderPairs",
    "KeySigner",
    "Query",
    "SasSigner",
    "Signer",
    "TokenSigner",
    "quoted",
    "quoted_name",
    "target_of",
]
