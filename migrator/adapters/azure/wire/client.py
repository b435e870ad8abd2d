"""Requests to one server, each sent once.

Decides which failures may be tried on another connection: only those that prove that nothing was sent, or, for a read,
that nothing was answered because the kept connection had ended meanwhile. Everything else is the caller's to judge.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import cast

from migrator.adapters.azure.wire import failures
from migrator.adapters.azure.wire.answers import Answer, Stream
from migrator.adapters.azure.wire.connection import Body, Connection
from migrator.adapters.azure.wire.dialling import dial, server_of
from migrator.adapters.azure.wire.failures import NoAnswer, NotSent
from migrator.adapters.azure.wire.heads import constant_part, head_of
from migrator.adapters.azure.wire.limits import Timeouts, WireLimits
from migrator.adapters.azure.wire.pool import Pool
from migrator.ports.object_store import MAY_SEND

READS = frozenset({"GET", "HEAD"})


class Client:
    """Opens nothing until the first request; belongs to the event loop of that one.

    Args:
        endpoint: ``http(s)://host[:port]``; a path is not looked at. ValueError if it names no host.
        trust: for https, which is refused without; verification is the context's own.
        constant: headers of every request, beside Host.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        trust: ssl.SSLContext | None = None,
        constant: Iterable[tuple[str, str]] = (),
        limits: WireLimits | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        limits, timeouts = limits or WireLimits(), timeouts or Timeouts()
        server = server_of(endpoint, trust)
        self._authority = server.authority
        self._constant = self.constant_of(constant)
        self._pool = Pool(lambda: dial(server, limits, timeouts), most=limits.connections, timeouts=timeouts)

    def constant_of(self, headers: Iterable[tuple[str, str]]) -> str:
        """Headers of every request, beside Host, as ``exchange`` takes them."""
        return constant_part([("Host", self._authority), *headers])

    def exchange(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]],
        body: Body = b"",
        *,
        most_bytes: int = 1024 * 1024,
        constant: str | None = None,
    ) -> Awaitable[Answer]:
        """Send a request and read its whole answer. ``headers`` must hold Content-Length wherever the method may have a
        body. ``constant``: by ``constant_of``, in place of the usual one. Raises NotSent, NoAnswer, TooLarge (a success longer
        than ``most_bytes``)."""
        head = head_of(method, target, constant or self._constant, headers)
        return cast(Awaitable[Answer], self._exchange(method, head, body, most_bytes, False))

    async def stream(self, method: str, target: str, headers: Sequence[tuple[str, str]]) -> Answer | Stream:
        """Send a request without a body: a success comes as a Stream to be read and closed, anything else whole."""
        head = head_of(method, target, self._constant, headers)
        return await self._exchange(method, head, b"", 0, True)

    async def _exchange(self, method: str, head: bytes, body: Body, most_bytes: int, streams: bool) -> Answer | Stream:
        connection = self._pool.take_kept() or await self._pool.take()
        was_used = connection.exchanges > 0
        try:
            return await self._exchange_on(connection, method, head, body, most_bytes, streams)
        except NoAnswer as failure:
            if not was_used or failure.was_begun or method not in READS or failure.why != failures.BROKE:
                raise
        connection = await self._pool.take(fresh=True)
        return await self._exchange_on(connection, method, head, body, most_bytes, streams)

    async def _exchange_on(
        self, connection: Connection, method: str, head: bytes, body: Body, most_bytes: int, streams: bool
    ) -> Answer | Stream:
        if not MAY_SEND.get()():
            self._pool.give_back(connection)
            raise NotSent(failures.TOO_LATE)
        try:
            coming = connection.send(head, body, is_head=method == "HEAD", most_bytes=most_bytes, streams=streams)
            if not connection.is_sent_whole:
                await connection.send_body(body)
            answer = await coming
        except BaseException:
            connection.give_up()
            self._pool.give_back(connection)
            raise
        if isinstance(answer, Stream):
            self._pool.lend_to_stream(connection)
            answer.belongs_to(partial(self._pool.give_back, connection))
        else:
            self._pool.give_back(connection)
        return answer

    def close(self) -> None:
        """End all connections at once; what is still asked fails. Safe to call twice."""
        self._pool.close()
