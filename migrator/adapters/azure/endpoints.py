"""What an endpoint says: whose it is, whether it is this machine's, and the address of a blob under it."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit, urlunsplit

from migrator.errors import CloudError
from migrator.model.addresses import is_loopback

SECONDARY: Final = "-secondary"
"""As -microsoftrouting, -internetrouting, -ipv6 and -dualstack, it stands behind the account's name, which holds no hyphen.
Source: Azure "Network routing preference", "Storage account endpoints"."""


def account_name_of(endpoint: str) -> str:
    """The storage account's own name: the first label of the host, without what says how it is reached; or the first part of the
    path where the host is an address or ``localhost`` (Azurite). Empty if there is none, as in a domain of one's own."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if is_address(endpoint):
        return parts.path.strip("/").partition("/")[0]
    label, *rest = host.split(".")
    return label.partition("-")[0] if "blob" in rest[:3] else ""


def is_secondary(endpoint: str) -> bool:
    """Is it the copy of an account that only reads, and that lags behind? Source: Azure "Read access to the secondary region"."""
    host = urlsplit(endpoint).hostname or ""
    return SECONDARY in host.partition(".")[0] and account_name_of(endpoint) != ""


def is_address(endpoint: str) -> bool:
    """Is its host an address or this machine, and no name that would begin with the account's?"""
    return is_loopback(endpoint) or _is_address(urlsplit(endpoint).hostname or "")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def without_query(url: str) -> str:
    """``url`` as far as it may be shown: without query, fragment and user information. ValueError if it is no address."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, host + port, parts.path.rstrip("/"), "", ""))


def refuse_unsafe(name: str, place: str) -> None:
    """CloudError(code="UnsafeName") for a name that would become that of another blob, or that no blob can have; it must never be
    sent. ``.`` and ``..`` between slashes are resolved on the way (RFC 3986, section 5.2.4); a service drops a dot at the end of
    what stands between slashes, and refuses control characters.

    Source: Azure "Naming and referencing containers, blobs, and metadata".
    """
    if not name:
        raise CloudError(f"cannot address {place}: a blob has a name", code="UnsafeName")
    parts = name.split("/")
    if {".", ".."} & set(parts):
        _refuse(place, "HTTP takes '.' and '..' between slashes for another name")
    if any(part.endswith(".") for part in parts):
        _refuse(place, "a dot at the end of a part of its name is dropped, which makes it the name of another blob")
    if has_controls(name):
        _refuse(place.encode("unicode_escape").decode(), "a name may hold no control characters")


def has_controls(name: str) -> bool:
    return any(char < " " or char == "\x7f" for char in name)


def _refuse(place: str, why: str) -> None:
    raise CloudError(
        f"cannot address {place}: {why}",
        hint="give the blob another name, or leave it out of the plan",
        code="UnsafeName",
    )
