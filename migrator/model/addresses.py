"""Which place an account's address means: two spellings of one account are one place.

Decides by the text alone. Whether two different texts lead to one account all the same (a name of one's own, a proxy) only
the accounts can tell; the engine asks them. Rule: what is the same here is surely the same.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import unquote, urlsplit

SERVICES: Final = frozenset({"blob", "dfs", "file", "queue", "table", "web"})
"""Names of a storage account's services in its hosts. Source: Azure "Storage account overview", endpoints."""
_PORTS: Final = {"https": 443, "http": 80}
_STORAGE_HOST: Final = re.compile(
    r"(?P<account>[a-z0-9]{3,24})(?P<secondary>-secondary)?\.(?:(?P<zone>z[0-9]{1,2})\.)?(?:privatelink\.)?"
    rf"(?P<service>{'|'.join(sorted(SERVICES))})\.(?P<suffix>(?:core|storage)\.[a-z0-9.-]+)"
)
"""Public and sovereign clouds, private links, DNS zones. Source: Azure "Storage account overview", "Use private endpoints"."""


def place_of(endpoint: str) -> str:
    """The account that ``endpoint`` leads to, in one spelling; ValueError where it is no address."""
    parts = urlsplit(endpoint)
    host = _host(parts.hostname or "")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    where = host if port in _PORTS.values() and host != "loopback" else f"{host}:{port}"
    path = unquote(parts.path).strip("/")
    return f"{where}/{path.lower()}" if path else where


def blob_endpoint_of(endpoint: str) -> str | None:
    """The blob endpoint that was meant, where ``endpoint`` is one of another service, or the read-only secondary one."""
    parts = urlsplit(endpoint)
    found = _STORAGE_HOST.fullmatch((parts.hostname or "").rstrip("."))
    if found is None or (found["service"] == "blob" and not found["secondary"]):
        return None
    zone = f"{found['zone']}." if found["zone"] and found["suffix"].startswith("storage.") else ""
    return f"https://{found['account']}.{zone}blob.{found['suffix']}"


def surplus_path(endpoint: str) -> str:
    """What stands behind the account: a container, or more. At an address without a name the first part is the account."""
    parts = urlsplit(endpoint)
    path = parts.path.strip("/")
    if _host(parts.hostname or "") == "loopback" or _address(parts.hostname or "") is not None:
        return path.partition("/")[2]
    return path


def shown(url: str) -> str:
    """``url`` as far as it may be shown: scheme, host and path. Users, passwords, queries and fragments are left out, and
    ``?...`` says that something was; the same for state stores, endpoints, sources of figures and webhooks."""
    scheme, found, rest = url.partition("://")
    if not found:
        return "an address that cannot be shown" if "@" in url or "?" in url else url
    rest, _, query = rest.replace("#", "?", 1).partition("?")
    if not scheme.startswith("sqlite"):  # whose address is a file, which may have an @ in its name
        rest = rest.rpartition("@")[2]
    return f"{scheme}://{rest}{'?...' if query else ''}"


def _host(host: str) -> str:
    host = host.lower().rstrip(".")
    address = _address(host)
    if host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback):
        return "loopback"
    if address is not None:
        return str(address)
    found = _STORAGE_HOST.fullmatch(host)
    if found is None:
        return host
    zone = f"{found['zone']}." if found["zone"] and found["suffix"].startswith("storage.") else ""
    return f"{found['account']}.{zone}blob.{found['suffix']}"


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
