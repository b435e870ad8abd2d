"""An answer: whole in memory, or a head whose body is read piece by piece. What reads them from the network is
``connection``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Protocol

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


class Carrier(Protocol):
    """What a body comes on: a connection that this answer has to itself."""

    async def next_chunk(self) -> bytes | None:
        """The next piece, or None at the end."""

    def leave_stream(self) -> None:
        """Nobody reads on; what has not come whole is not waited for."""


class Stream(_Head):
    """An answer whose body comes as it is read. It holds a connection until ``close``: use ``async with``."""

    __slots__ = ("_carrier", "_give_back")

    def __init__(self, status: int, headers: Headers, pairs: Pairs, carrier: Carrier) -> None:
        super().__init__(status, headers, pairs)
        self._carrier: Carrier | None = carrier
        self._give_back: Callable[[], None] | None = None

    def belongs_to(self, give_back: Callable[[], None]) -> None:
        """How the connection is given back at the end, whatever its state is then."""
        self._give_back = give_back

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body, in the pieces in which it came. Raises NoAnswer if it does not come whole."""
        while self._carrier is not None:
            chunk = await self._carrier.next_chunk()
            if chunk is None:
                self.close()
                return
            yield chunk

    def close(self) -> None:
        """Give the connection back: to be used again if the answer was read to its end, else it is dropped."""
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            carrier.leave_stream()
            if self._give_back is not None:
                self._give_back()
