"""How many requests an account answered: per second, caller, operation and status, kept for some hours.

Counted in memory and written at most twice a second, so that reads stay reads: a killed process loses half a second of its
counts, never more, and no data. ``metrics/local`` reads them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from migrator.adapters.local.file import AccountFile
from migrator.errors import CloudError, ConditionFailed, MigrateError, NotFound, SourceChanged, Throttled
from migrator.ports.object_store import Operation

T = TypeVar("T")

Caller = Literal["app", "engine"]
Status = Literal["ok", "refused", "throttled", "error"]
"""``refused``: the account answered rightly and said no (a condition, nothing there, a wrong type); such errors have a code."""

FLUSH_SECONDS: Final = 0.5
KEPT_SECONDS: Final = 6 * 3600
_MOST_PENDING: Final = 10_000
"""Rows kept while the file cannot be written; beyond them counting stops."""


@dataclass(slots=True)
class Request:
    """One request on its way: when it began, and the bytes of customers' content it moved."""

    operation: Operation
    second: int
    began_monotonic: float
    requests: int = 1
    """0: part of a request that was counted before."""
    ingress_bytes: int = 0
    egress_bytes: int = 0


def status_of(fault: BaseException | None) -> Status:
    match fault:
        case None:
            return "ok"
        case ConditionFailed() | NotFound() | SourceChanged():
            return "refused"
        case Throttled():
            return "throttled"
        case CloudError() if fault.code:
            return "refused"
    return "error"


class Counters:
    """The counts of one process for one account. Used by the one thread that owns ``file``."""

    def __init__(self, file: AccountFile, caller: Caller) -> None:
        self._file = file
        self._caller = caller
        self._pending: dict[tuple[int, str, Operation, Status], list[float]] = {}
        self._flushed = time.monotonic()
        self._pruned = 0

    def counted(self, request: Request, work: Callable[[], T]) -> T:
        """Do the work of ``request`` and count it by how it ends."""
        try:
            answer = work()
        except BaseException as fault:
            self._count(request, status_of(fault))
            raise
        self._count(request, "ok")
        return answer

    def _count(self, request: Request, status: Status) -> None:
        key = (request.second, self._caller, request.operation, status)
        if key not in self._pending and len(self._pending) >= _MOST_PENDING:
            return
        row = self._pending.setdefault(key, [0, 0, 0, 0.0])
        row[0] += request.requests
        row[1] += request.ingress_bytes
        row[2] += request.egress_bytes
        row[3] += (time.monotonic() - request.began_monotonic) * 1000
        if time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Write what is pending. Counting must not fail a request: what cannot be written now waits for the next time."""
        self._flushed = time.monotonic()
        if not self._pending:
            return
        try:
            self._file.write(self._write, is_request=False)
        except MigrateError:
            return
        self._pending.clear()

    def _write(self, connection: sqlite3.Connection) -> None:
        connection.executemany(
            "INSERT INTO requests VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " requests = requests + excluded.requests, ingress = ingress + excluded.ingress,"
            " egress = egress + excluded.egress, latency_ms = latency_ms + excluded.latency_ms",
            [(*key, *row) for key, row in self._pending.items()],
        )
        newest = max(second for second, *_ in self._pending)
        if newest - self._pruned > KEPT_SECONDS // 60:
            connection.execute("DELETE FROM requests WHERE second < ?", (newest - KEPT_SECONDS,))
            self._pruned = newest
