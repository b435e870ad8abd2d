"""Ends one try of a write in time, whatever its connection does: in azure-core's transports for requests and for aiohttp.

Decides where a transport can be stopped: no request begins to leave later than ``TryTimes.connect_seconds`` after the try began
(a token, a place in the pool, a name, TCP, TLS and a proxy all come before that), and no connection outlives ``end_seconds``.
Leaves what that means for the write to ``writes`` and to the policies. Rules:

- what was not sent in time is not sent at all, and says so: ``ConnectExpired``;
- a try that ends without an answer takes its unsent bytes with it: the connection is reset, not closed, since a closed one
  goes on delivering what lies in its buffers to a service that was slow to read;
- a connection that went back to its pool belongs to the next request: only its owner may end it.

The timeouts of the transports are no bound: each address, each read and each piece of a body starts them anew. Neither
library has a public place to end a request from outside, so two methods are wrapped, once for each pool: the connection's
``connect`` and ``putrequest`` (urllib3), and the connector's ``connect`` (aiohttp). A transport of another kind gets its
timeouts only.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any

from migrator.client.lease import TryTimes
from migrator.errors import UsageError

_RESET = struct.pack("ii", 1, 0)
_NO_RESET = struct.pack("ii", 0, 0)
"""SO_LINGER on with no time: closing throws away what was not sent and resets the connection."""


class ConnectExpired(ConnectionError):
    """The time for connecting was over before the request could leave; nothing was sent."""


class _Try:
    """The times of one try, from now on, and whether it was answered."""

    def __init__(self, times: TryTimes) -> None:
        began = time.monotonic()
        self._must_leave = began + times.connect_seconds
        self._must_end = began + times.end_seconds
        self.was_cut = False

    def left_to_connect(self) -> float:
        return self._must_leave - time.monotonic()

    def left(self) -> float:
        return self._must_end - time.monotonic()


# Threads: requests over urllib3.

_OWNERSHIP = threading.Lock()
"""Held for the moment in which a connection changes hands or is ended."""


class SyncTry(_Try):
    """One try in one thread. ``cut`` comes from a timer's thread."""

    def __init__(self, times: TryTimes) -> None:
        super().__init__(times)
        self._connection: Any = None
        self._is_over = False

    def connect(self, connection: Any, really: Callable[[], None]) -> None:
        """Connect in a thread of its own: a name that nobody answers, or a handshake that trickles, cannot be cut short."""
        finished, given_up = threading.Event(), False
        faults: list[BaseException] = []

        def work() -> None:
            try:
                really()
            except BaseException as fault:
                faults.append(fault)
            with _OWNERSHIP:
                finished.set()
                is_late = given_up
            if is_late:
                connection.close()

        threading.Thread(target=work, name="migrate-connect", daemon=True).start()
        try:
            finished.wait(max(0.0, self.left_to_connect()))
        finally:
            with _OWNERSHIP:
                given_up = not finished.is_set()
        if given_up:
            raise ConnectExpired("no connection in time; nothing was sent")
        if faults and isinstance(
            faults[0], TimeoutError
        ):  # of a handshake: urllib3 would call it an answer that did not come
            raise ConnectExpired("no connection in time; nothing was sent") from faults[0]
        if faults:
            raise faults[0]

    def own(self, connection: Any) -> None:
        """The request leaves now, over ``connection``. ConnectExpired if it is too late for that."""
        with _OWNERSHIP:
            if self._is_over or self.left_to_connect() <= 0:
                raise ConnectExpired("connected too late; nothing was sent")
            self._connection, connection.owner = connection, self
        connection.sock.settimeout(max(0.001, self.left()))  # until then that of connecting, too short for a large body
        _linger(_plain(connection.sock), _RESET)

    def cut(self) -> None:
        """The time is over."""
        with _OWNERSHIP:
            self._is_over = self.was_cut = True
            self._end()

    def finish(self, *, is_answered: bool) -> None:
        with _OWNERSHIP:
            self._is_over = True
            if not is_answered:
                self._end()
            elif self._owns():
                _linger(_plain(self._connection.sock), _NO_RESET)

    def _owns(self) -> bool:
        connection = self._connection
        return connection is not None and connection.owner is self and connection.sock is not None

    def _end(self) -> None:
        """Wake whoever sends or reads; that thread closes the connection, which then is reset."""
        if self._owns():
            plain = _plain(self._connection.sock)
            with suppress(OSError):  # it is closed already
                # Not the method of an SSLSocket: that one forgets its TLS state under a thread that is reading.
                socket.socket.shutdown(plain, socket.SHUT_RDWR)


_sync_try: ContextVar[SyncTry | None] = ContextVar("migrate_sync_try", default=None)


class _Endable:
    """Mixed into a class of urllib3 connections."""

    owner: SyncTry | None = None
    sock: Any

    def connect(self) -> None:
        current = _sync_try.get()
        if current is None:
            super().connect()  # type: ignore[misc]
        else:
            current.connect(self, super().connect)  # type: ignore[misc]

    def putrequest(self, *args: Any, **options: Any) -> None:
        current = _sync_try.get()
        if current is None:
            with _OWNERSHIP:
                self.owner = None
        else:
            if self.sock is None:
                self.connect()
            current.own(self)
        super().putrequest(*args, **options)  # type: ignore[misc]


@contextmanager
def ended_in_time(transport: Any, times: TryTimes) -> Iterator[SyncTry]:
    """Around the sending of one try; leaving by an exception means that there was no answer.

    Raises:
        TimeoutError: it was cut. Also where an answer seems to have come: http.client takes the end of a connection for the
            end of the headers, so it may be half of one.
    """
    _prepare(_innermost(transport))
    current = SyncTry(times)
    timer = threading.Timer(times.end_seconds, current.cut)
    timer.daemon = True
    token = _sync_try.set(current)
    is_answered = False
    timer.start()
    try:
        yield current
        is_answered = True
    finally:
        timer.cancel()
        _sync_try.reset(token)
        current.finish(is_answered=is_answered)
    if current.was_cut:
        raise TimeoutError("the write was cut off at the end of its time")


_PREPARING = threading.Lock()


def _prepare(transport: Any) -> None:
    """Let the transport's pools make connections that can be ended; those that they have already are let go."""
    if getattr(transport, "session", None) is None and hasattr(transport, "open"):
        transport.open()
    adapters = getattr(getattr(transport, "session", None), "adapters", None) or {}
    for adapter in adapters.values():
        with _PREPARING:
            if getattr(adapter, "is_endable", False):
                continue
            for name in ("get_connection_with_tls_context", "get_connection"):  # the second: requests before 2.32
                if hasattr(adapter, name):
                    setattr(adapter, name, _endable_pools(getattr(adapter, name)))
            for pools in (getattr(adapter, "poolmanager", None), *getattr(adapter, "proxy_manager", {}).values()):
                if pools is not None:
                    pools.clear()
            adapter.is_endable = True


def _endable_pools(really: Callable[..., Any]) -> Callable[..., Any]:
    def pool_for(*args: Any, **options: Any) -> Any:
        pool = really(*args, **options)
        kind = getattr(pool, "ConnectionCls", None)
        if kind is not None and not issubclass(kind, _Endable):
            pool.ConnectionCls = _endable(kind)
        return pool

    return pool_for


@cache
def _endable(kind: type[Any]) -> type[Any]:
    return type(f"Endable{kind.__name__}", (_Endable, kind), {})


# One event loop: aiohttp.


class AsyncTry(_Try):
    """One try in one task."""

    def __init__(self, times: TryTimes) -> None:
        super().__init__(times)
        self._wire: Any = None

    def own(self, connection: Any) -> None:
        """The request leaves now. TimeoutError, which aiohttp knows as never connected, if it is too late for that."""
        if self.left_to_connect() <= 0:
            connection.release()
            raise TimeoutError
        self._wire = connection.transport
        _linger(self._wire.get_extra_info("socket"), _RESET)

    def finish(self, *, is_answered: bool) -> None:
        if self._wire is None:
            return
        if is_answered:
            _linger(self._wire.get_extra_info("socket"), _NO_RESET)
        else:
            self._wire.abort()  # ``close`` would go on sending what is buffered


_async_try: ContextVar[AsyncTry | None] = ContextVar("migrate_async_try", default=None)


@asynccontextmanager
async def ended_in_time_async(transport: Any, times: TryTimes) -> AsyncIterator[AsyncTry]:
    """As ``ended_in_time``; TimeoutError at the end of the time."""
    await _prepare_async(_innermost(transport))
    current = AsyncTry(times)
    token = _async_try.set(current)
    is_answered = False
    try:
        async with asyncio.timeout(times.end_seconds):
            yield current
            is_answered = True
    finally:
        _async_try.reset(token)
        current.finish(is_answered=is_answered)


async def _prepare_async(transport: Any) -> None:
    """Let the transport's connector keep the time, and keep aiohttp from sending a PUT or DELETE a second time by itself when
    a connection is cut: an append would be there twice, a create would be refused by its own success. It has no public switch;
    the tests notice if this one goes. Source: aiohttp 3.14, ``ClientSession._request``.
    """
    if getattr(transport, "session", None) is None and hasattr(transport, "open"):
        await transport.open()
    session: Any = getattr(transport, "session", None)
    if hasattr(session, "adapters"):
        raise UsageError(
            "cannot end writes in time with a transport that runs requests in threads",
            hint="use the transport that azure-storage-blob.aio chooses by itself (aiohttp)",
        )
    if hasattr(session, "_retry_connection"):
        session._retry_connection = False
    connector = getattr(session, "connector", None)
    if connector is not None and not getattr(connector, "is_endable", False):
        connector.connect = _timed(connector.connect)
        connector.is_endable = True


def _timed(really: Callable[..., Any]) -> Callable[..., Any]:
    async def connect(*args: Any, **options: Any) -> Any:
        current = _async_try.get()
        if current is None:
            return await really(*args, **options)
        async with asyncio.timeout(max(0.0, current.left_to_connect())):
            connection = await really(*args, **options)
        current.own(connection)
        return connection

    return connect


def _innermost(transport: Any) -> Any:
    """Clients made from a client wrap its transport."""
    while hasattr(transport, "_transport"):
        transport = transport._transport
    return transport


def _plain(sock: Any) -> Any:
    """The socket under TLS within TLS, which is none itself."""
    while not isinstance(sock, socket.socket) and hasattr(sock, "socket"):
        sock = sock.socket
    return sock


def _linger(sock: Any, value: bytes) -> None:
    if sock is not None:
        with suppress(OSError):  # closed already, or no TCP
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, value)
