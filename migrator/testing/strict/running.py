"""The strict service on a port of this machine, in a thread of its own, so that tests of any kind can use it.

Also plays the identity service's endpoint for managed identities, so that a whole program can be given tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from aiohttp import web

from migrator.testing.beside import beside
from migrator.testing.strict.call import Call, Unanswered
from migrator.testing.strict.service import StrictService

IDENTITY_PATH = "/.strict/token"
NO_BODY = frozenset({204, 304})


class Running:
    """A service that is being served. ``url``: where, without a slash at the end."""

    def __init__(self, service: StrictService, scheme: str) -> None:
        self.service = service
        self.scheme = scheme
        self.port = 0
        self.identity_port = 0
        self.identity_secret = secrets.token_urlsafe(16)
        self.token_seconds = 24 * 3600.0
        """Life of a token that the identity endpoint gives."""
        self.identity = "managed"
        """Object id in it."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def endpoint(self, account: str) -> str:
        return f"{self.url}/{account}"

    def connection_string(self, account: str) -> str:
        key = self.service.backend.keys[account]
        parts = {"DefaultEndpointsProtocol": self.scheme, "AccountName": account, "AccountKey": key}
        parts["BlobEndpoint"] = self.endpoint(account)
        return ";".join(f"{name}={value}" for name, value in parts.items()) + ";"

    def environ(self) -> Mapping[str, str]:
        """Variables with which azure-identity finds a managed identity here, over http as on a real machine. Source:
        azure-identity, App Service."""
        url = f"http://127.0.0.1:{self.identity_port}{IDENTITY_PATH}"
        return {"IDENTITY_ENDPOINT": url, "IDENTITY_HEADER": self.identity_secret}

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == IDENTITY_PATH:
            return self._identity(request)
        if self.scheme == "https" and not request.secure:
            return web.Response(status=400, text="only https")
        headers = [
            (name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in request.raw_headers
        ]
        call = Call(request.method, request.raw_path, headers, await request.content.read())
        try:
            answer = await self.service.answer(call)
        except Unanswered:
            if request.transport is not None:
                request.transport.abort()
            raise asyncio.CancelledError from None
        response = web.Response(status=answer.status, body=None if answer.status in NO_BODY else answer.body)
        response.headers.pop("Content-Type", None)
        for name, value in answer.headers:
            if name.lower() == "content-length":
                if request.method == "HEAD":
                    response.headers["Content-Length"] = value
                continue
            response.headers.add(name, value)
        return response

    def _identity(self, request: web.BaseRequest) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(given.encode(), self.identity_secret.encode()):
            return web.json_response({"error": "unauthorized_client"}, status=401)
        token, end = self.service.token(self.identity, seconds=self.token_seconds)
        said = {"access_token": token, "expires_on": str(int(end)), "token_type": "Bearer"}
        return web.json_response({**said, "resource": request.query.get("resource", "")})


async def serve(
    running: Running, port: int, certificate: tuple[Path, Path] | None, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Serve until ``stop``; calls ``ready`` once it is reached."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    async with running.service.backend:
        server = web.Server(running.handle, access_log=None)
        runner = web.ServerRunner(server, shutdown_timeout=1.0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=context)
        await site.start()
        running.port = running.identity_port = runner.addresses[0][1]
        if context is not None:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            running.identity_port = runner.addresses[1][1]
        running.service.public = running.url
        running.service.hosts = frozenset({f"127.0.0.1:{running.port}", f"localhost:{running.port}"})
        ready()
        try:
            await stop.wait()
        finally:
            await runner.cleanup()


@contextlib.contextmanager
def running(
    service: StrictService, *, port: int = 0, certificate: tuple[Path, Path] | None = None
) -> Iterator[Running]:
    """Serve ``service`` in a thread until the end. Raises RuntimeError if it does not come up.

    Args:
        certificate: PEM files of a certificate for 127.0.0.1 and of its key: https, which tokens need.
    """
    served = Running(service, "https" if certificate else "http")
    with beside("strict service", partial(serve, served, port, certificate)):
        yield served


__all__ = ["Running", "running", "serve"]
