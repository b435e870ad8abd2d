"""Makes connections to one server: name, socket, TLS, and a proxy's tunnel where the environment names one.

Rule: TLS is verified, always; without it only plain sockets are made, and who may talk in plain text is decided by whoever
writes the plan. Every failure here is NotSent.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from dataclasses import field
from urllib.parse import unquote, urlsplit

from migrator.adapters.azure.wire import failures
from migrator.adapters.azure.wire.connection import Connection
from migrator.adapters.azure.wire.failures import NotSent
from migrator.adapters.azure.wire.limits import Timeouts, WireLimits
from migrator.model.values import value

PROXY_ANSWER_BYTES = 16 * 1024


@value(frozen=True, slots=True)
class Server:
    """``trust`` is None for plain text."""

    host: str
    port: int
    trust: ssl.SSLContext | None

    @property
    def authority(self) -> str:
        """What the Host header says: no port where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.trust else 80) else f"{host}:{self.port}"


@value(frozen=True, slots=True)
class Proxy:
    """``authorization``: the value of Proxy-Authorization, or empty; a secret, in no message."""

    host: str
    port: int
    authorization: str = field(repr=False)

    def says(self, why: str) -> str:
        """A failure that is the proxy's."""
        return f"{failures.OF_PROXY}{self.host}:{self.port} that the environment names: {why}"


def server_of(endpoint: str, trust: ssl.SSLContext | None) -> Server:
    """``endpoint`` is an http or https URL. Raises ValueError if it names no host, or https that nothing verifies."""
    parts = urlsplit(endpoint)
    secure = parts.scheme == "https"
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.hostname.isprintable():
        raise ValueError("not the address of a server")
    if secure and trust is None:
        raise ValueError("https without a context that verifies it would be plain text")
    return Server(parts.hostname, parts.port or (443 if secure else 80), trust if secure else None)


async def dial(server: Server, limits: WireLimits, timeouts: Timeouts) -> Connection:
    """A fresh connection. Raises NotSent."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeouts.connect):
            return await _connected(loop, server, limits, timeouts)
    except TimeoutError as silence:
        raise NotSent(failures.NO_CONNECTION_IN_TIME) from silence
    except (OSError, UnicodeError) as failure:
        raise NotSent(_why(failure)) from failure


async def _connected(
    loop: asyncio.AbstractEventLoop, server: Server, limits: WireLimits, timeouts: Timeouts
) -> Connection:
    proxy = proxy_for(server)
    if proxy is None:
        _, protocol = await loop.create_connection(
            lambda: Connection(loop, limits, timeouts), server.host, server.port, ssl=server.trust
        )
        return protocol
    tunnel = await _tunnel(loop, proxy, server)
    try:
        _, protocol = await loop.create_connection(
            lambda: Connection(loop, limits, timeouts),
            sock=tunnel,
            ssl=server.trust,
            server_hostname=server.host if server.trust else None,
        )
    except BaseException:
        tunnel.close()
        raise
    return protocol


def proxy_for(server: Server) -> Proxy | None:
    """The proxy that the environment names (HTTPS_PROXY, NO_PROXY ...) for a server with TLS; in plain text we only talk
    to this machine."""
    if server.trust is None or not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import getproxies, proxy_bypass

    found = getproxies()
    address = found.get("https") or found.get("all")
    if not address or proxy_bypass(f"{server.host}:{server.port}") or _is_in_network(server.host, found.get("no", "")):
        return None
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        raise NotSent(failures.PROXY_ADDRESS) from None  # its text would repeat a part of the address
    if parts.scheme != "http" or not host:
        raise NotSent(failures.PROXY_ADDRESS)
    return Proxy(host, port, _basic(parts.username, parts.password))


def _is_in_network(host: str, exceptions: str) -> bool:
    """NO_PROXY may name networks, as ``10.0.0.0/8``, which are about servers named by address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(_holds(one.strip(), address) for one in exceptions.split(",") if "/" in one)


def _holds(network: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    from base64 import b64encode

    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


async def _tunnel(loop: asyncio.AbstractEventLoop, proxy: Proxy, server: Server) -> socket.socket:
    """A socket through ``proxy`` to ``server``, on which nothing has been said yet."""
    tunnel = await _to_proxy(loop, proxy)
    try:
        host = f"[{server.host}]" if ":" in server.host else server.host
        lines = [f"CONNECT {host}:{server.port} HTTP/1.1", f"Host: {host}:{server.port}"]
        lines += [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []
        await loop.sock_sendall(tunnel, "\r\n".join([*lines, "", ""]).encode("ascii"))
        await _await_tunnel(loop, tunnel, proxy)
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def _to_proxy(loop: asyncio.AbstractEventLoop, proxy: Proxy) -> socket.socket:
    """A connection to the first of the proxy's addresses that takes one."""
    failure: OSError | UnicodeError
    try:
        addresses = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as unknown:
        raise NotSent(proxy.says(failures.UNKNOWN_NAME)) from unknown
    for family, kind, protocol, _, address in addresses:
        tunnel = socket.socket(family, kind, protocol)
        try:
            tunnel.setblocking(False)
            await loop.sock_connect(tunnel, address)
            return tunnel
        except OSError as refused:
            tunnel.close()
            failure = refused
        except BaseException:
            tunnel.close()
            raise
    raise NotSent(proxy.says(_why(failure))) from failure


async def _await_tunnel(loop: asyncio.AbstractEventLoop, tunnel: socket.socket, proxy: Proxy) -> None:
    """Read the proxy's answer and not one byte more: what follows it is the server's."""
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        byte = await loop.sock_recv(tunnel, 1)
        said += byte
        if not byte or len(said) > PROXY_ANSWER_BYTES:
            raise NotSent(proxy.says(failures.NO_TUNNEL))
    status = b"".join(said.split(b" ", 2)[1:2])
    if status == b"407":
        raise NotSent(proxy.says(failures.WHO_ARE_YOU))
    if status != b"200":
        number = f" (HTTP {int(status)})" if len(status) == 3 and status.isdigit() else ""
        raise NotSent(proxy.says(failures.NO_TUNNEL) + number)


def _why(failure: OSError | UnicodeError) -> str:
    if isinstance(failure, (socket.gaierror, UnicodeError)):
        return failures.UNKNOWN_NAME
    if isinstance(failure, (ssl.SSLError, ssl.CertificateError)):
        return failures.NO_TRUST
    if isinstance(failure, OSError) and failure.errno in (errno.EMFILE, errno.ENFILE):
        return failures.NO_FILES
    if isinstance(failure, ConnectionRefusedError) or "refused" in str(failure).lower():
        return failures.NOTHING_LISTENS
    return failures.NO_CONNECTION
