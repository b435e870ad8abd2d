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
_ACCOUNT: Final = r"(?P<account>[a-z0-9]{3,24})(?P<ways>(?:-[a-z0-9]+)*)"
"""A name has no hyphen: what stands behind one is another way to the same account (``-secondary``, ``-microsoftrouting``)."""
_STORAGE_HOST: Final = re.compile(
    rf"{_ACCOUNT}\.(?:(?P<zone>z[0-9]{{1,2}})\.)?(?:privatelink\.)?"
    rf"(?P<service>{'|'.join(sorted(SERVICES))})\.(?P<suffix>(?:core|storage)\.[a-z0-9.-]+)"
)
"""Public and sovereign clouds, private links, DNS zones, routing choices. Source: Azure "Storage account overview", "Use private
endpoints", "Network routing preference"."""
_LOCAL_HOST: Final = re.compile(rf"{_ACCOUNT}\.(?P<service>blob)\.localhost")
"""An account of a development service that tells them apart by host. Source: Azurite, "production-style URL"."""
_SECONDARY: Final = "-secondary"


def place_of(endpoint: str) -> str:
    """The account that ``endpoint`` leads to, in one spelling; ValueError where it is no address."""
    parts = urlsplit(endpoint)
    host = _host(parts.hostname or "")
    port = parts.port or _PORTS.get(parts.scheme, 0)
    where = host if port in _PORTS.values() and host != "loopback" else f"{host}:{port}"
    path = unquote(parts.path).strip("/")
    if (local := _LOCAL_HOST.fullmatch((parts.hostname or "").rstrip("."))) is not None:
        path = f"{local['account']}/{path}".rstrip("/")
    elif _names_account_in_path(parts.hostname or ""):
        name, slash, rest = path.partition("/")
        path = f"{name.lower().removesuffix(_SECONDARY)}{slash}{rest}"
    return f"{where}/{path.lower()}" if path else where


def blob_endpoint_of(endpoint: str) -> str | None:
    """The blob endpoint that was meant, where ``endpoint`` is one of another service, or the read-only secondary one."""
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").rstrip(".")
    found = _STORAGE_HOST.fullmatch(host) or _LOCAL_HOST.fullmatch(host)
    if found is None:
        path = parts.path.rstrip("/")
        is_secondary = _names_account_in_path(host) and path.lower().endswith(_SECONDARY)
        return f"{parts.scheme}://{parts.netloc}{path[: -len(_SECONDARY)]}" if is_secondary else None
    if found["service"] == "blob" and _SECONDARY not in found["ways"]:
        return None
    name = found["account"] + found["ways"].replace(_SECONDARY, "")
    if found.re is _LOCAL_HOST:
        return f"{parts.scheme}://{parts.netloc.replace(_SECONDARY, '', 1)}"
    zone = f"{found['zone']}." if found["zone"] and found["suffix"].startswith("storage.") else ""
    return f"https://{name}.{zone}blob.{found['suffix']}"


def surplus_path(endpoint: str) -> str:
    """What stands behind the account: a container, or more. At an address without a name the first part is the account."""
    parts = urlsplit(endpoint)
    path = parts.path.strip("/")
    return path.partition("/")[2] if _names_account_in_path(parts.hostname or "") else path


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


def _names_account_in_path(host: str) -> bool:
    """A service without a name for each account: its address is this machine's, or a number."""
    is_local = _host(host) == "loopback" and _LOCAL_HOST.fullmatch(host.rstrip(".")) is None
    return is_local or _address(host) is not None


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


def is_loopback(endpoint: str) -> bool:
    """Is this URL's host this very machine? A text that is no URL is not."""
    try:
        return is_loopback_host(urlsplit(endpoint).hostname or "")
    except ValueError:
        return False


def is_loopback_host(host: str) -> bool:
    """Is this host, without brackets and port, this very machine? Names other than ``localhost`` are not looked up: they may
    change."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
