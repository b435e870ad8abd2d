"""An answer: whole in memory, or a head whose body is read piece by piece. What reads them from the network is
``connection``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.adapters.azure.wire.connection import Connection

Headers = dict[bytes, bytes]
"""Names in lower case; repeated ones are joined with commas."""
Pairs = list[tuple[bytes, bytes]]
"""Names and values as they came, in that order."""


class _Head:
    __slots__ = ("headers", "pairs", "status")

    def __init__(self, status: int, headers: Headers, pairs: Pairs) -> None:
        self.status = status
        self.headers = headers
        self.pairs = pairs

    def text(self, name: bytes) -> str:
        """A header's value, or empty. Bytes that are no UTF-8 come as lone surrogates and go out again unchanged."""
        return self.headers.get(name, b"").decode("utf-8", "surrogateescape")


class Answer(_Head):
    """A whole answer. Of a refusal the body may be cut short (``WireLimits.error_bytes``)."""

    __slots__ = ("body",)

    def __init__(self, status: int, headers: Headers, pairs: Pairs, body: bytes) -> None:
        super().__init__(status, headers, pairs)
        self.body = body


class Stream(_Head):
    """An answer whose body comes as it is read. It holds a connection until ``close``: use ``async with``."""

    __slots__ = ("_connection", "_give_back")

    def __init__(self, status: int, headers: Headers, pairs: Pairs, connection: Connection) -> None:
        super().__init__(status, headers, pairs)
        self._connection: Connection | None = connection
        self._give_back: Callable[[Connection], None] | None = None

    def belongs_to(self, give_back: Callable[[Connection], None]) -> None:
        """Who takes the connection at the end, whatever its state is then."""
        self._give_back = give_back

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in the pieces in which it came. Raises NoAnswer if it does not come whole."""
        while self._connection is not None:
            chunk = await self._connection.next_chunk()
            if chunk is None:
                self.close()
                return
            yield chunk

    def close(self) -> None:
        """Give the connection back: to be used again if the answer was read to its end, else it is dropped."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.leave_stream()
            if self._give_back is not None:
                self._give_back(connection)
