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
    """CloudError(code="UnsafeName") for a name with a ``.`` or ``..`` between slashes: on its way to the service such an
    address becomes that of another blob (RFC 3986, section 5.2.4), so it must never be sent."""
    if not name:
        raise CloudError(f"cannot address {place}: a blob has a name", code="UnsafeName")
    if {".", ".."} & set(name.split("/")):
        raise CloudError(
            f"cannot address {place}: HTTP takes '.' and '..' between slashes for another name",
            hint="give the blob another name, or leave it out of the plan",
            code="UnsafeName",
        )
