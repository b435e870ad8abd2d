"""Which addresses of accounts may be trusted with a credential: known blob services, and whatever was named beside them.

Shared by clients, which hold each record of the route document against it, and by the plan's rules. Decides by the text of the
address alone; reads it itself and strictly, since two readers that disagree about one address are how a credential goes astray:

- printable ASCII without space, backslash, ``@``, ``%``, ``?`` or ``#``; a host of labels, or an IPv4 or [IPv6] address; a port;
  a plain path. No dot at the end, no user, no query, nothing to be decoded;
- ``https``; ``http`` on loopback only;
- a pattern's ``*`` is one whole label without ``xn--``, and a port counts: the one that is named, else the scheme's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from migrator.model.values import value

KNOWN: Final = (
    "*.blob.core.windows.net",
    "*.*.blob.storage.azure.net",
    "*.blob.core.usgovcloudapi.net",
    "*.blob.core.chinacloudapi.cn",
)
"""The public cloud (with and without DNS zone), US government, China. Source: "Storage account overview", endpoints; "Azure
Government", "Azure China" developer guides."""
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
EMBEDDED: Final = "local:"
"""Addresses of embedded accounts begin so: a file of this machine, to which no credential goes."""
_LOCAL: Final = (EMBEDDED, *(f"http://{host}" for host in sorted(LOOPBACK)))

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_ADDRESS = re.compile(
    rf"(?P<scheme>https?)://(?P<host>{_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])(:(?P<port>[1-9][0-9]{{0,4}}))?"
    r"(?P<path>(/[A-Za-z0-9._~$-]+)*)/?",
    re.ASCII,
)
_PATTERN = re.compile(
    rf"((?P<scheme>https?)://)?(?P<host>(\*\.)*{_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]{{2,45}}\])(:(?P<port>[1-9][0-9]{{0,4}}))?/?",
    re.ASCII,
)
_STAR = re.compile(rf"(?!xn--){_LABEL}", re.ASCII)
"""What ``*`` stands for: no ``xn--``, which shows as letters that look like others."""
_PORTS: Final = {"https": 443, "http": 80}


@value(frozen=True, slots=True)
class Address:
    """An account's address, in one spelling."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def read(cls, text: str) -> Address | None:
        """None: it is not one."""
        return _read(text) if len(text) <= 2048 else None


@lru_cache(maxsize=256)
def _read(text: str) -> Address | None:
    """Followers hold the same few addresses against their hosts at every refresh."""
    head, slashes, rest = text.partition("://")
    host, slash, path = rest.partition("/")
    found = _ADDRESS.fullmatch(f"{head.lower()}{slashes}{host.lower()}{slash}{path}")
    if found is None or any(part in (".", "..") for part in found["path"].split("/")):
        return None
    port = int(found["port"] or _PORTS[found["scheme"]])
    return Address(found["scheme"], found["host"], port, found["path"]) if port < 65_536 else None


@value(frozen=True, slots=True)
class Hosts:
    """The addresses that are trusted.

    >>> Hosts.of().objection("eu-web", "https://euweb.blob.core.windows.net")
    >>> Hosts.of().objection("eu-web", "https://euweb.blob.core.windows.net.evil.example")
    'its host euweb.blob.core.windows.net.evil.example is not one that may be given credentials'
    >>> Hosts.of(["*.blob.contoso.example"]).objection("eu-web", "https://euweb.blob.contoso.example")
    """

    patterns: tuple[tuple[tuple[str, ...], str, int | None], ...] = ()
    """Labels (one for an address), scheme, port; no port: any, on loopback."""
    accounts: Mapping[str, Address | str] | None = None
    """Where given, these addresses alone."""
    takes_embedded: bool = False

    @classmethod
    def of(cls, hosts: Iterable[str] | None = None, *, is_local: bool = False) -> Hosts:
        """``hosts``, or where they are None the known ones.

        Args:
            hosts: such as ``name.blob.core.windows.net``, ``*.blob.example.org``, ``127.0.0.1:8443``; ``local:`` for embedded
                accounts.
            is_local: the document lies on this machine; so the known ones are also embedded accounts, and a development service
                without TLS on loopback, to which no token is ever sent.
        Raises:
            ValueError: a host that is none; the text is one clause.
        """
        if isinstance(hosts, str):
            raise ValueError("hosts are a list, not one text")
        wanted = list((*KNOWN, *(_LOCAL if is_local else ())) if hosts is None else hosts)
        return cls(tuple(_pattern(host) for host in wanted if host != EMBEDDED), takes_embedded=EMBEDDED in wanted)

    @classmethod
    def of_accounts(cls, accounts: Mapping[str, str]) -> Hosts:
        """Each account at its own address and nowhere else. Raises ValueError as ``of``."""
        return cls(accounts={name: _trusted(name, address) for name, address in accounts.items()})

    def objection(self, account: str, endpoint: str) -> str | None:
        """Why nothing may be sent to ``endpoint`` as the address of ``account``, in one clause; None: it may."""
        if self.accounts is not None:
            if account not in self.accounts:
                return f"its account {_shown(account)} is not one that was named"
            found: Address | str | None = endpoint if endpoint.startswith(EMBEDDED) else Address.read(endpoint)
            if found != self.accounts[account]:
                return f"its address {_shown(endpoint)} is not that of {_shown(account)}"
            return None
        if endpoint.startswith(EMBEDDED):
            return None if self.takes_embedded else "its address is a file of this machine"
        address = Address.read(endpoint)
        if address is None:
            return f"its address {_shown(endpoint)} is not the plain https address of an account"
        return self._objection_to(address)

    def objection_to_url(self, url: str) -> str | None:
        """The same for the address of a request, whose account nobody says."""
        address = Address.read("/".join(url.split("/", 3)[:3]))
        if address is None:
            return "its address is not the plain https address of an account"
        if self.accounts is None:
            return self._objection_to(address)
        known = [one for one in self.accounts.values() if isinstance(one, Address)]
        if any((one.scheme, one.host, one.port) == (address.scheme, address.host, address.port) for one in known):
            return None
        return f"its host {_shown(address.host)} is not that of an account that was named"

    def _objection_to(self, address: Address) -> str | None:
        if address.scheme == "http" and address.host not in LOOPBACK:
            return f"its host {_shown(address.host)} would be sent credentials without TLS"
        if any(_matches(pattern, address) for pattern in self.patterns):
            return None
        return f"its host {_shown(address.host)} is not one that may be given credentials" + (
            "" if address.port == _PORTS[address.scheme] else f" at port {address.port}"
        )


def _matches(pattern: tuple[tuple[str, ...], str, int | None], address: Address) -> bool:
    labels, scheme, port = pattern
    if address.host in LOOPBACK and port is None:
        port = address.port
    there = (address.host,) if address.host.startswith("[") else tuple(address.host.split("."))
    return (
        (not scheme or scheme == address.scheme)
        and address.port == (port or _PORTS[address.scheme])
        and len(labels) == len(there)
        and all(
            _STAR.fullmatch(one) if label == "*" else one == label for label, one in zip(labels, there, strict=True)
        )
    )


def _pattern(text: str) -> tuple[tuple[str, ...], str, int | None]:
    found = _PATTERN.fullmatch(text.lower())
    if found is None:
        raise ValueError(f"{_shown(text)} is not a host such as name.blob.core.windows.net or *.blob.example.org")
    host = found["host"]
    labels = (host,) if host.startswith("[") else tuple(host.split("."))
    if labels[0] == "*" and len([label for label in labels if label != "*"]) < 2:
        raise ValueError(f"{_shown(text)} takes in too much: name at least two labels after the star")
    if found["scheme"] == "http" and host not in LOOPBACK:
        raise ValueError(f"{_shown(text)} is http: only https is safe there")
    return labels, found["scheme"] or "", int(found["port"]) if found["port"] else None


def _trusted(name: str, text: str) -> Address | str:
    if text.startswith(EMBEDDED):
        return text
    address = Address.read(text)
    if address is None or (address.scheme == "http" and address.host not in LOOPBACK):
        raise ValueError(f"{_shown(text)} is not the plain https address of account {name}")
    return address


def _shown(text: str) -> str:
    """Somebody else's text for people: short, no secret of a query, no control characters."""
    plain = re.sub(r"//.*@", "//...@", text.partition("?")[0])
    plain = plain if plain.isprintable() and plain.isascii() else ascii(plain)
    return plain if len(plain) <= 100 else f"{plain[:97]}..."
