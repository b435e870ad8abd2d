"""What the orchestrator sees of an account that can go away: a loopback port of its own in front of the blob service.

Customers do not pass it; they reach the service as before. Rules:

- an account that is ``away`` refuses connections, and closes those that are open as soon as what was asked on them is answered:
  a write that was cut off would be waited for as long as its signature is good, a quarter of an hour;
- one that is ``silent`` takes everything and answers nothing, and what was sent meanwhile arrives when it speaks again, as with a
  machine that stood still;
- the service copies only from the address it is called by itself, so a copy's ``Host`` is made that of its source; nobody signs
  that header.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Final

_COPY: Final = re.compile(rb"(?im)^x-ms-copy-source:\s*http://([^/\s]+)/")
_HOST: Final = re.compile(rb"(?im)^host:[^\r\n]*")
_REQUEST: Final = re.compile(rb"[A-Z]{3,7} /")
_ANSWER: Final = re.compile(rb"HTTP/1\.1 [^\r\n]*\r\n")
_KEEP: Final = re.compile(rb"(?im)^(connection|keep-alive):[^\r\n]*\r\n")
_PIECE: Final = 64 * 1024
_LOCAL: Final = "127.0.0.1"


@dataclass(eq=False, slots=True)
class _Line:
    """One connection, both halves. ``is_asked``: something was asked, and its answer has not begun."""

    here: asyncio.StreamWriter
    above: asyncio.StreamWriter
    is_asked: bool = False


class Gateway:
    """Open until ``end``. ``port``: where it listens; ``upstream``: the port of the service."""

    def __init__(self, upstream: int):
        self.upstream, self.port = upstream, 0
        self._loop = asyncio.new_event_loop()
        self._speaks = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.back()

    def away(self) -> None:
        self._do(self._close())

    def silent(self) -> None:
        self._loop.call_soon_threadsafe(self._speaks.clear)

    def back(self) -> None:
        """After ``away`` or ``silent``."""
        self._do(self._listen())

    def end(self) -> None:
        self.away()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(timeout=30)

    async def _listen(self) -> None:
        self._speaks.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._pass, _LOCAL, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for line in self._lines:
            if not line.is_asked:
                line.here.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        below, above = await asyncio.open_connection(_LOCAL, self.upstream)
        line = _Line(writer, above)
        self._lines.add(line)
        try:
            await asyncio.gather(self._ask(reader, line), self._answer(below, line))
        except OSError:
            pass
        finally:
            self._lines.discard(line)
            for end in (line.here, line.above):
                end.transport.abort()

    async def _ask(self, reader: asyncio.StreamReader, line: _Line) -> None:
        while piece := await reader.read(_PIECE):
            line.is_asked = True
            await self._speaks.wait()
            line.above.write(as_from_its_source(piece))
            await line.above.drain()
        line.above.close()

    async def _answer(self, below: asyncio.StreamReader, line: _Line) -> None:
        while piece := await below.read(_PIECE):
            await self._speaks.wait()
            is_last = self._server is None and line.is_asked
            line.is_asked = False
            line.here.write(as_the_last(piece) if is_last else piece)
            await line.here.drain()
        line.here.close()


def as_from_its_source(piece: bytes) -> bytes:
    """A request for a copy as if it came to the address that its source has; anything else as it is."""
    head, end, body = piece.partition(b"\r\n\r\n")
    if not end or not _REQUEST.match(head) or not (source := _COPY.search(head)):
        return piece
    return _HOST.sub(b"Host: " + source[1], head, count=1) + end + body


def as_the_last(piece: bytes) -> bytes:
    """An answer after which nothing more is asked on its connection."""
    head, end, body = piece.partition(b"\r\n\r\n")
    if not end or not (first := _ANSWER.match(head)):
        return piece
    rest = _KEEP.sub(b"", head[first.end() :] + b"\r\n")
    return first[0] + b"Connection: close\r\n" + rest + b"\r\n" + body
