"""The connections to one server: kept, counted, handed out, watched.

Decides who gets which connection: the one used last, for it is the least likely to have been closed; else a new one while
there are fewer than the limit, which other pools and the operating system lower (``files``); else whoever waits longest gets
the next. One clock tick a pool, while it has connections,
finds those whose exchange has been still for too long and those unused for too long.
Rule: every connection is in exactly one place - resting, or lent - or it is forgotten and closed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from migrator.adapters.azure.wire import failures, files
from migrator.adapters.azure.wire.connection import Connection
from migrator.adapters.azure.wire.failures import NotSent
from migrator.adapters.azure.wire.limits import Timeouts

TICK_SECONDS = 0.25
"""How exact a timeout is; shorter only where a timeout is short itself."""


class Pool:
    """``dial`` makes a connection; it raises NotSent."""

    def __init__(self, dial: Callable[[], Awaitable[Connection]], *, most: int, timeouts: Timeouts) -> None:
        self._dial = dial
        self._most = most
        self._tick = min(TICK_SECONDS, *(getattr(timeouts, name) / 4 for name in timeouts.__dataclass_fields__))
        self._resting: list[Connection] = []
        self._lent: set[Connection] = set()
        self._streaming: set[Connection] = set()
        self._dialling = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._ticker: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        files.pools.add(self)

    def take_kept(self) -> Connection | None:
        """A connection that is there and fit for use, or None."""
        loop = self._loop
        while self._resting and loop is not None:
            connection = self._resting.pop()
            if connection.is_alive(loop.time()):
                self._lent.add(connection)
                return connection
            connection.abort()
        return None

    async def take(self, *, fresh: bool = False) -> Connection:
        """A connection, waiting for one if it must. ``fresh``: not one that was used before. Raises NotSent."""
        while True:
            if self._is_closed:
                raise NotSent(failures.CLOSED)
            if not fresh and (kept := self.take_kept()) is not None:
                return kept
            if self._has_room() or (fresh and self._drop_one()):
                try:
                    return await self._make()
                except NotSent as failure:
                    # Somebody else has the files: what we have already must do, as long as it is anything.
                    if failure.why != failures.NO_FILES or not (self._resting or self._lent or self._streaming):
                        raise
                    self._most = max(files.LEAST, len(self._resting) + len(self._lent) + self._dialling)
                    if self._has_room() and not self._resting:
                        raise
            await self._turn()

    def _has_room(self) -> bool:
        most = min(self._most, max(files.LEAST, files.share(self._most) - len(self._streaming)))
        return len(self._resting) + len(self._lent) + self._dialling < most

    def _drop_one(self) -> bool:
        if not self._resting:
            return False
        self._resting.pop(0).abort()
        return True

    async def _make(self) -> Connection:
        self._dialling += 1
        try:
            connection = await self._dial()
        except BaseException:
            self._wake()
            raise
        finally:
            self._dialling -= 1
        if self._is_closed:
            connection.abort()
            raise NotSent(failures.CLOSED)
        self._lent.add(connection)
        connection.watch(self._lost)
        self._start_ticking()
        return connection

    async def _turn(self) -> None:
        """Wait until there may be a connection, or room for one."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._wake()  # it was our turn: the next one's then
            raise

    def _wake(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def lend_to_stream(self, connection: Connection) -> None:
        """Count it no more: who reads a stream may need other connections before it goes on, and with none left for
        them nobody would."""
        self._lent.discard(connection)
        self._streaming.add(connection)
        self._wake()

    def give_back(self, connection: Connection) -> None:
        """After an exchange, however it ended."""
        self._lent.discard(connection)
        self._streaming.discard(connection)
        if connection.is_reusable and not self._is_closed and self._has_room() and self._loop is not None:
            connection.rest(self._loop.time())
            self._resting.append(connection)
        else:
            connection.abort()
        if self._waiting:
            self._wake()

    def _lost(self, connection: Connection) -> None:
        if connection in self._resting:
            self._resting.remove(connection)

    def _start_ticking(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._ticker is None:
            self._ticker = self._loop.call_later(self._tick, self._look_round)

    def _look_round(self) -> None:
        self._ticker = None
        if self._loop is None or self._is_closed:
            return
        now = self._loop.time()
        for connection in [*self._lent, *self._streaming]:
            if connection.deadline < now:
                connection.time_out()
        for connection in [one for one in self._resting if one.idle_until < now]:
            self._resting.remove(connection)
            connection.abort()
        if self._resting or self._lent or self._streaming:
            self._start_ticking()

    def close(self) -> None:
        """Close every connection; what still uses one is told. Nothing can be sent afterwards."""
        self._is_closed = True
        files.pools.discard(self)
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        for connection in [*self._resting, *self._lent, *self._streaming]:
            connection.abort()
        self._resting.clear()
        while self._waiting:
            self._wake()
