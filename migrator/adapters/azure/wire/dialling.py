"""Makes connections to one server: name, socket, TLS, and a proxy's tunnel where the environment names one.

Rule: TLS is verified, always; without it only plain sockets are made, and who may talk in plain text is decided by whoever
writes the plan. Every failure here is NotSent.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from dataclasses import field
from urllib.parse import unquote, urlsplit

from migrator.adapters.azure.wire import failures
from migrator.adapters.azure.wire.connection import Connection
from migrator.adapters.azure.wire.failures import NotSent
from migrator.adapters.azure.wire.limits import Limits, Timeouts
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


def server_of(endpoint: str, trust: ssl.SSLContext | None) -> Server:
    """``endpoint`` is an http or https URL. Raises ValueError if it names no host, or https that nothing verifies."""
    parts = urlsplit(endpoint)
    secure = parts.scheme == "https"
    if parts.scheme not in ("http", "https") or not parts.hostname or not parts.hostname.isprintable():
        raise ValueError("not the address of a server")
    if secure and trust is None:
        raise ValueError("https without a context that verifies it would be plain text")
    return Server(parts.hostname, parts.port or (443 if secure else 80), trust if secure else None)


async def dial(server: Server, limits: Limits, timeouts: Timeouts) -> Connection:
    """A fresh connection. Raises NotSent."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeouts.connect):
            return await _connected(loop, server, limits, timeouts)
    except TimeoutError as silence:
        raise NotSent(failures.NO_CONNECTION_IN_TIME) from silence
    except (OSError, UnicodeError) as failure:
        raise NotSent(_why(failure)) from failure


async def _connected(loop: asyncio.AbstractEventLoop, server: Server, limits: Limits, timeouts: Timeouts) -> Connection:
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
    if not address or proxy_bypass(f"{server.host}:{server.port}"):
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme != "http" or not parts.hostname:
        raise NotSent("the environment names a proxy whose address is not http")
    return Proxy(parts.hostname, parts.port or 80, _basic(parts.username, parts.password))


def _basic(user: str | None, password: str | None) -> str:
    if user is None:
        return ""
    from base64 import b64encode

    return "Basic " + b64encode(f"{unquote(user)}:{unquote(password or '')}".encode()).decode()


async def _tunnel(loop: asyncio.AbstractEventLoop, proxy: Proxy, server: Server) -> socket.socket:
    """A socket through ``proxy`` to ``server``, on which nothing has been said yet."""
    addresses = await loop.getaddrinfo(proxy.host, proxy.port, type=socket.SOCK_STREAM)
    family, kind, protocol, _, address = addresses[0]
    tunnel = socket.socket(family, kind, protocol)
    try:
        tunnel.setblocking(False)
        await loop.sock_connect(tunnel, address)
        host = f"[{server.host}]" if ":" in server.host else server.host
        lines = [f"CONNECT {host}:{server.port} HTTP/1.1", f"Host: {host}:{server.port}"]
        lines += [f"Proxy-Authorization: {proxy.authorization}"] if proxy.authorization else []
        await loop.sock_sendall(tunnel, "\r\n".join([*lines, "", ""]).encode("ascii"))
        await _await_tunnel(loop, tunnel)
    except BaseException:
        tunnel.close()
        raise
    return tunnel


async def _await_tunnel(loop: asyncio.AbstractEventLoop, tunnel: socket.socket) -> None:
    """Read the proxy's answer and not one byte more: what follows it is the server's."""
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        byte = await loop.sock_recv(tunnel, 1)
        said += byte
        if not byte or len(said) > PROXY_ANSWER_BYTES:
            raise NotSent(failures.NO_TUNNEL)
    status = said.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise NotSent(failures.NO_TUNNEL)


def _why(failure: OSError | UnicodeError) -> str:
    if isinstance(failure, (socket.gaierror, UnicodeError)):
        return failures.UNKNOWN_NAME
    if isinstance(failure, (ssl.SSLError, ssl.CertificateError)):
        return failures.NO_TRUST
    if isinstance(failure, ConnectionRefusedError) or "refused" in str(failure).lower():
        return failures.NOTHING_LISTENS
    return failures.NO_CONNECTION
