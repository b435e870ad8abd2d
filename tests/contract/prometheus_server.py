"""A real Prometheus (Debian package) on loopback that scrapes a small application every half second."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

BINARY = shutil.which("prometheus")
READY_SECONDS = 30
"""It is ready within one or two; this is only to end at all."""


class Application:
    """What is scraped: the text of ``/metrics`` is whatever ``lines`` holds."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scrapes = 0
        self.changed = asyncio.Event()

    async def metrics(self, request: web.Request) -> web.Response:
        self.scrapes += 1
        self.changed.set()
        return web.Response(text="".join(f"{line}\n" for line in self.lines))

    async def scraped(self, times: int) -> None:
        """Wait for so many more scrapes."""
        wanted = self.scrapes + times
        while self.scrapes < wanted:
            self.changed.clear()
            await self.changed.wait()


class Server:
    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def serving(routes: dict[str, object], *, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """An application of our own on loopback; ``routes``: path -> handler of every method."""
    app = web.Application(client_max_size=10 * 1024 * 1024)
    for path, handler in routes.items():
        app.router.add_route("*", path, handler)  # type: ignore[arg-type]
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        port = runner.addresses[0][1]
        yield f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def prometheus(folder: Path, application: Application, *, beside: str = "") -> AsyncIterator[Server]:
    """Scrapes the application, and what listens at the address ``beside``, if anything does."""
    async with serving({"/metrics": application.metrics}) as target:
        config = folder / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
            "scrape_configs: [{job_name: app, static_configs: [{targets: ["
            f"{', '.join(repr(one) for one in (target.removeprefix('http://'), beside) if one)}"
            "]}]}]\n"
        )
        port = free_port()
        assert BINARY is not None
        process = await asyncio.create_subprocess_exec(
            BINARY,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "GOMAXPROCS": "1"},
        )
        server = Server(process, f"http://127.0.0.1:{port}")
        try:
            async with asyncio.timeout(READY_SECONDS):
                await _ready(server)
                await application.scraped(1)
            yield server
        finally:
            await server.stop()


async def _ready(server: Server) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            assert server.process.returncode is None, "prometheus ended by itself"
            try:
                async with session.get(f"{server.url}/-/ready") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
