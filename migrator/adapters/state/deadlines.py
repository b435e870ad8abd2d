"""An end to every conversation with a database on another machine: one that stopped answering says nothing for ever.

Decides when a connection is cut. Rule: a cut looks like a peer that went away, so whoever waits gets an error and goes on.
The drivers wait in the kernel and cannot be asked to stop; so one thread looks at the clock and shuts the socket.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, Final

from sqlalchemy import Connection

TICK_SECONDS: Final = 0.25


class Deadlines:
    """Of one engine. The thread begins with the first conversation and ends with ``close``."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._open: dict[int, float] = {}
        """Descriptor of our own for the socket -> when it is shut."""
        self._is_closed = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watch(self, connection: Connection, seconds: float) -> Iterator[None]:
        """Cut the connection's socket after ``seconds``, unless the context ends before."""
        raw: Any = connection.connection.dbapi_connection
        mine = os.dup(raw.fileno())  # a number of our own: the driver's may be closed, and be another socket's by then
        with self._guard:
            self._open[mine] = monotonic() + seconds
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="state deadlines", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._guard:
                del self._open[mine]
            os.close(mine)

    def close(self) -> None:
        self._is_closed.set()

    def _look(self) -> None:
        while not self._is_closed.wait(TICK_SECONDS):
            with self._guard:
                for mine in [each for each, at in self._open.items() if at <= monotonic()]:
                    _shut(mine)


def _shut(descriptor: int) -> None:
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as same:
        same.shutdown(socket.SHUT_RDWR)
