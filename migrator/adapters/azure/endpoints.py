"""What an endpoint says: whose it is, whether it is this machine's, and the address of a blob under it."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit, urlunsplit

from migrator.errors import CloudError


def account_name_of(endpoint: str) -> str:
    """The storage account's own name: the first label of the host, or the first part of the path where the host is an
    address or ``localhost`` (Azurite). Empty if there is none."""
    parts = urlsplit(endpoint)
    host = parts.hostname or ""
    if is_loopback(endpoint) or _is_address(host):
        return parts.path.strip("/").partition("/")[0]
    return host.partition(".")[0]


def is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


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
