"""A page for browsers of this machine: read only, whole, and never older than whoever makes it lets it be.

Decides who is answered: this machine alone, under its own name, and only with the page. Leaves making the page to the caller; no
request makes anything. Rules: no address but a loopback one is listened at; a request that names another host is refused, so that
a page of somebody else's cannot read this one by a name that leads here.
"""

from __future__ import annotations

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from migrator.errors import UsageError
from migrator.model.addresses import is_loopback_host

_HEADERS: Final = (
    ("Content-Type", "text/html; charset=utf-8"),
    (
        "Content-Security-Policy",
        "frame-ancestors 'none'",
    ),  # the page has the rest of it; this part works in a header alone
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-store"),
)
QUIET_SECONDS: Final = 10
"""A connection that says nothing for so long is closed."""


class PageServer:
    """Answers with the page that was put in last; until the first one it says that there is none yet.

    Raises:
        UsageError: the address is not one of this machine alone, or nobody can listen there.
    """

    def __init__(self, address: str) -> None:
        host, port = read_address(address)
        self._page = b""
        try:
            self._server = _server_of(host, port, self)
        except OSError as refused:
            raise UsageError(
                f"cannot serve a report at {address}: {(refused.strerror or str(refused)).lower()}",
                hint="choose a free port of this machine, as in --serve 127.0.0.1:8080",
            ) from refused
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_address[1]}/"
        port_shown = self._server.server_address[1]
        self.names = frozenset(f"{name}:{port_shown}" for name in (shown, "localhost", "127.0.0.1", "[::1]"))
        self._thread = threading.Thread(target=self._server.serve_forever, name="report", daemon=True)
        self._thread.start()

    @property
    def page(self) -> bytes:
        return self._page

    def put(self, text: str) -> None:
        self._page = text.encode()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def read_address(address: str) -> tuple[str, int]:
    """``127.0.0.1:8080``, ``localhost:8080`` or ``[::1]:8080``; port 0 is any free one. UsageError for anything else."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not int(port) < 65536:
        raise UsageError(f"cannot serve a report at {address}: expected HOST:PORT", hint="as in --serve 127.0.0.1:8080")
    if not is_loopback_host(host):
        raise UsageError(
            f"cannot serve a report at {address}: only addresses of this machine alone are allowed, since everybody who can"
            " reach the page can read it",
            hint="use --serve 127.0.0.1:8080, and a proxy that asks who is there, or --out FILE for a web server",
        )
    return ("127.0.0.1" if host == "localhost" else host), int(port)


def _server_of(host: str, port: int, pages: PageServer) -> ThreadingHTTPServer:
    class Handler(_Handler):
        source = pages

    class PageListener(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True

    return PageListener((host, port), Handler)


class _Handler(BaseHTTPRequestHandler):
    source: PageServer
    timeout = QUIET_SECONDS
    server_version = "migrate"
    sys_version = ""
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, body = self._answer()
        self.send_response(status)
        for name, value in _HEADERS:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 - http.server's own names

    def _refuse(self) -> None:
        self.close_connection = True  # what it sent with the request is not read
        self.send_response(HTTPStatus.METHOD_NOT_ALLOWED)
        self.send_header("Allow", "GET, HEAD")
        self.send_header("Connection", "close")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _refuse  # noqa: N815

    def _answer(self) -> tuple[HTTPStatus, bytes]:
        if self.headers.get("Host", "").lower() not in self.source.names:
            return HTTPStatus.FORBIDDEN, b"this page is for this machine alone"
        if self.path.partition("?")[0] != "/":
            return HTTPStatus.NOT_FOUND, b"there is one page here: /"
        if not self.source.page:
            return HTTPStatus.SERVICE_UNAVAILABLE, b"the page is being made"
        return HTTPStatus.OK, self.source.page

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""
