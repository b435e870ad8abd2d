"""The estate on a port of this machine, in a thread of its own, so that tests of any kind can use it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from aiohttp import web

from migrator.testing.beside import beside
from migrator.testing.estate.service import Cut, Estate
from migrator.testing.estate.wire import Request


async def handle(estate: Estate, request: web.BaseRequest) -> web.StreamResponse:
    headers = {name.lower(): value for name, value in request.headers.items()}
    asked = Request(request.method, request.raw_path, headers, await request.content.read(), request.secure)
    try:
        answer = await estate.answer(asked)
    except Cut:
        if request.transport is not None:
            request.transport.abort()
        raise asyncio.CancelledError from None
    headers = {"Content-Type": "application/json; charset=utf-8", **answer.headers}
    body = None if answer.status in (204, 304) else answer.body
    return web.Response(status=answer.status, body=body, headers=headers)


async def serve(
    estate: Estate, port: int, certificate: tuple[Path, Path] | None, ready: Callable[[], None], stop: asyncio.Event
) -> None:
    """Serve until ``stop``; calls ``ready`` once it is reached, and sets the estate's ``public`` before."""
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    runner = web.ServerRunner(web.Server(lambda one: handle(estate, one), access_log=None), shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
        estate.public = f"{'https' if context else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
        ready()
        await stop.wait()
    finally:
        await runner.cleanup()


@contextlib.contextmanager
def running(estate: Estate, *, port: int = 0, certificate: tuple[Path, Path] | None = None) -> Iterator[Estate]:
    """Serve ``estate`` in a thread until the end. Raises RuntimeError if it does not come up.

    Args:
        certificate: PEM files of a certificate for 127.0.0.1 and of its key: https, which tokens need.
    """
    with beside("estate", partial(serve, estate, port, certificate)):
        yield estate


__all__ = ["handle", "running", "serve"]
