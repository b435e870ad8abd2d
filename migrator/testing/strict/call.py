"""One request as it came, and one answer as it goes; nothing is decided here.

Addresses are ``/account/container/name``, as Azurite has them. A name is what its address says, unquoted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

Headers = list[tuple[str, str]]


@dataclass
class Call:
    """``target``: path and query as on the wire; ``headers``: in order, names as they came."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    path: str = ""
    query: dict[str, str] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)
    """The names in ``query``, which are lower case, as they came."""
    account: str = ""
    container: str = ""
    name: str = ""
    must_sign_anew: bool = False
    """Something of it was changed on its way, or its signature is none that Azurite knows."""
    who: str = "nobody"

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path = parts.path
        pairs = [part.partition("=") for part in parts.query.split("&") if part]
        self.spelled = {unquote(key).lower(): unquote(key) for key, _, _ in pairs}
        self.query = {unquote(key).lower(): unquote(value) for key, _, value in pairs}  # a plus is a plus
        self.account, _, rest = parts.path.removeprefix("/").partition("/")
        container, _, name = rest.partition("/")
        self.container, self.name = unquote(container), unquote(name)

    def header(self, name: str) -> str:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    def set_header(self, name: str, value: str | None) -> None:
        wanted = name.lower()
        self.headers = [pair for pair in self.headers if pair[0].lower() != wanted]
        if value is not None:
            self.headers.append((name, value))
        self.must_sign_anew = True

    def rename(self, name: str) -> None:
        """Another blob is meant than the address said."""
        self.name = name
        self.path = f"/{self.account}/{quote(self.container, safe='$')}/{quote(name, safe='/~')}"
        self.must_sign_anew = True

    @property
    def comp(self) -> str:
        return self.query.get("comp", "")

    @property
    def restype(self) -> str:
        return self.query.get("restype", "")

    @property
    def version(self) -> str:
        return self.header("x-ms-version")


@dataclass
class Answer:
    status: int
    headers: Headers
    body: bytes = b""

    def header(self, name: str) -> str:
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    def set_header(self, name: str, value: str) -> None:
        wanted = name.lower()
        self.headers = [pair for pair in self.headers if pair[0].lower() != wanted] + [(name, value)]


class Refused(Exception):
    """A rule of the service says no. ``rule``: its name in ``rules.RULES``; ``code`` is empty where the service gives none."""

    def __init__(self, rule: str, status: int, code: str, message: str = "", *, headers: Headers | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.rule, self.status, self.code, self.message = rule, status, code, message or code
        self.headers = headers or []

    def answer(self, call: Call) -> Answer:
        headers = list(self.headers)
        if self.code:
            headers.append(("x-ms-error-code", self.code))
        if not self.code or call.method == "HEAD" or self.status == 304:
            return Answer(self.status, headers)
        said = f"<Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
        body = f'\ufeff<?xml version="1.0" encoding="utf-8"?><Error>{said}</Error>'.encode()
        return Answer(self.status, [*headers, ("Content-Type", "application/xml")], body)


class Unanswered(Exception):
    """The connection ends without an answer."""


__all__ = ["Answer", "Call", "Headers", "Refused", "Unanswered"]
