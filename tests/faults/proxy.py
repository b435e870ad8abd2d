"""A proxy in front of the blob service that fails on purpose: it refuses, stays silent, and breaks off.

Decides by a *judge* what becomes of each request: passed on, answered here, applied and then not answered, or broken off.
Leaves the service's own behaviour alone. Its log is what the service would have seen: when each request came, what it asked,
how it was answered. Rule: the judge may only look at the request and how often the same was asked before, so a seed says
what happens to every request, whatever the order they come in.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qs

HEAD_BYTES = 64 * 1024
IDLE_SECONDS = 1.0
"""A connection to the service that idled longer is not used again: Node.js closes it after five seconds."""
LOOK_SECONDS = 0.005
SURE_LOOKS = 4
"""A head that is read now had not come at the look before the last three: one for its bytes, one for its task, one to be sure."""
AZURITES_OWN = "axios/"
"""Who Azurite says it is when it asks for the source of a copy: that is never failed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. ``times``: how often the same method, path and kind were asked before."""

    method: str
    path: str
    query: str
    agent: str
    times: int
    is_copy: bool = False
    """Does it name a source that the service is to read?"""

    @property
    def kind(self) -> str:
        """``PUT``, ``PUT tags``, ``GET list`` ...: the method and what ``comp`` says."""
        return " ".join([self.method, *parse_qs(self.query).get("comp", [])])

    @property
    def is_write(self) -> bool:
        return self.method in ("PUT", "DELETE", "POST")

    def chance(self, seed: str) -> Random:
        return Random(f"{seed}/{self.kind}/{self.path}/{self.times}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of a request.

    Attributes:
        applied: is it passed on?
        status: how it is answered here; None: the service's own answer is used.
        breaks: after this part of the answer (0 to 1) the connection is reset; None: it is answered whole.
    """

    name: str
    applied: bool
    status: int | None = None
    code: str = ""
    retry_after: int | None = None
    breaks: float | None = None


BUSY = Fault("busy", applied=False, status=503, code="ServerBusy")
BUSY_FOR_A_SECOND = Fault("busy for a second", applied=False, status=503, code="ServerBusy", retry_after=1)
TIMED_OUT = Fault("timed out", applied=False, status=500, code="OperationTimedOut")
TIMED_OUT_APPLIED = Fault("timed out, applied", applied=True, status=500, code="OperationTimedOut")
BROKEN_BEFORE = Fault("broken off before", applied=False, breaks=0.0)
BROKEN_BODY = Fault("broken off in the body", applied=True, breaks=0.5)
LOST = Fault("answer lost", applied=True, breaks=0.0)

Judge = Callable[[Asked], Fault | None]


def fair(asked: Asked) -> Fault | None:
    """Fails nothing."""
    return None


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log, on this machine's monotonic clock.

    Attributes:
        at: when the request's head was read.
        since: it had not come before this, since nothing was there to be read. A proxy that gets no processor for a while reads
            late, and then much at once: what came when is known only as far as this.
    """

    at: float
    since: float
    asked: Asked
    status: int
    fault: str


@dataclass(slots=True)
class Proxy:
    """A running one; ``judge`` may be changed while it runs."""

    upstream: int
    judge: Judge = fair
    port: int = 0
    log: list[Entry] = field(default_factory=list)
    _times: Counter[tuple[str, str]] = field(default_factory=Counter)
    _looks: deque[float] = field(default_factory=lambda: deque([0.0], maxlen=SURE_LOOKS))

    async def look(self) -> None:
        """Note again and again when the loop has gone round, and so what had come until then."""
        while True:
            self._looks.append(time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    def endpoint(self, account: str) -> str:
        return f"http://127.0.0.1:{self.port}/{account}"

    def of(self, account: str) -> list[Entry]:
        """What a client asked of this account, oldest first."""
        return [
            one
            for one in self.log
            if one.asked.path.split("/")[1] == account and not one.asked.agent.startswith(AZURITES_OWN)
        ]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, with one of its own to the service."""
        upstream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        used = 0.0
        ends = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*ends):  # the other side's, or this proxy's
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                at, since = time.monotonic(), self._looks[0]
                asked, headers = self._read(head)
                body = await _body(reader, headers)
                fault = None if asked.agent.startswith(AZURITES_OWN) else self.judge(asked)
                answer = b""
                status = fault.status if fault and fault.status else 0
                if fault is None or fault.applied:
                    if upstream is not None and at - used > IDLE_SECONDS:
                        upstream[1].close()
                        upstream = None
                    upstream = upstream or await asyncio.open_connection("127.0.0.1", self.upstream, limit=HEAD_BYTES)
                    upstream[1].write(head + body)
                    own_status, answer = await _answer(upstream[0], asked.method)
                    status, used = status or own_status, time.monotonic()
                self.log.append(Entry(at, since, asked, status, fault.name if fault else ""))
                if fault is not None and fault.status is not None:
                    answer = _refusal(fault, asked.method)
                if fault is not None and fault.breaks is not None:
                    writer.write(answer[: _cut(answer, fault.breaks)])
                    await writer.drain()
                    _reset(writer)
                    break
                writer.write(answer)
                await writer.drain()
        for each in (writer, upstream[1] if upstream else None):
            if each is not None:
                each.close()

    def _read(self, head: bytes) -> tuple[Asked, dict[str, str]]:
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        path, _, query = target.partition("?")
        asked = Asked(method, path, query, headers.get("user-agent", ""), 0)
        key = (asked.kind, path)
        self._times[key] += 1
        is_copy = "x-ms-copy-source" in headers
        return Asked(method, path, query, asked.agent, self._times[key] - 1, is_copy), headers


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    """The raw body, chunks as they came."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunks(reader)
    return await reader.readexactly(int(headers.get("content-length", "0")))


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    raw = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        raw += line + await reader.readexactly(size + 2)
        if size == 0:
            return raw


async def _answer(reader: asyncio.StreamReader, method: str) -> tuple[int, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    status = int(first.split(" ")[1])
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if method == "HEAD" or status in (204, 304):
        return status, head
    return status, head + await _body(reader, headers)


def _refusal(fault: Fault, method: str) -> bytes:
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{fault.code}</Code><Message>{fault.name}</Message></Error>'
    )
    lines = [
        f"HTTP/1.1 {fault.status} {fault.code}",
        f"x-ms-error-code: {fault.code}",
        "x-ms-request-id: 00000000-0000-0000-0000-000000000000",
        "Content-Type: application/xml",
        f"Content-Length: {0 if method == 'HEAD' else len(body)}",
    ]
    lines += [f"Retry-After: {fault.retry_after}"] if fault.retry_after is not None else []
    return ("\r\n".join(lines) + "\r\n\r\n" + ("" if method == "HEAD" else body)).encode()


def _cut(answer: bytes, part: float) -> int:
    """Where to break off: that part of the body, or of the head where there is none."""
    if part == 0.0:
        return 0
    head = answer.index(b"\r\n\r\n") + 4
    return int(len(answer) * part) if head == len(answer) else head + int((len(answer) - head) * part)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextlib.contextmanager
def running(upstream: int, judge: Judge = fair) -> Iterator[Proxy]:
    """A proxy on a port of its own, in a thread of its own."""
    proxy = Proxy(upstream, judge)
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def work() -> None:
        server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=HEAD_BYTES, backlog=512)
        proxy.port = server.sockets[0].getsockname()[1]
        looks = asyncio.create_task(proxy.look())
        ready.set()
        await over.wait()
        looks.cancel()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(work(),), daemon=True)
    thread.start()
    try:
        if not ready.wait(10):
            raise RuntimeError("the proxy did not start")
        yield proxy
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(10)
        loop.close()
