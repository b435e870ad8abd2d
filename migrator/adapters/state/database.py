"""One database as the state store uses it: whole transactions that end in time, whoever is at the other side.

Decides when a transaction is tried once more, and what an answer that never came means. Leaves statements to ``store`` and
``writes``, and what is one database's alone to ``sqlite`` and ``postgres``. Rules:

- a conversation that broke before its COMMIT was sent did nothing, so it is held once more, over a new connection; a run at work
  tries for ``BUSY_SECONDS``, in which another server has taken over or this one started again, most often;
- one that broke after it may have been written: it carries an identity, by which a later transaction finds out, and nobody
  makes it again before that;
- a caller waits for one transaction at most ``BUSY_SECONDS``: nothing else of a run goes on meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic, sleep
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from migrator.adapters.state.faults import DatabaseFault, Verb, explain, is_away, is_elsewhere
from migrator.errors import CommitUnknown, StateError

T = TypeVar("T")
BUSY_SECONDS: Final = 10.0
"""Less than half of the lock's timeout: a run that cannot write for that long must be able to say so while it still runs."""

PAUSE_SECONDS: Final = 0.25
"""Between two tries to reach a database that is away."""

Watch = Callable[[Connection, float], AbstractContextManager[None]]
"""Cuts the connection when the seconds are over before the context is."""


def unwatched(connection: Connection, seconds: float) -> AbstractContextManager[None]:
    """Of a database that lies in a file of this machine, and waits by itself no longer than it is told."""
    return nullcontext()


class Database:
    """Transactions over ``engine``. ``is_remote``: a connection can break, so an answer can be lost."""

    def __init__(
        self,
        engine: Engine,
        place: str,
        *,
        is_remote: bool = False,
        watch: Watch = unwatched,
        closing: Callable[[], None] = lambda: None,
    ) -> None:
        self.place = place
        """Where it is, for people."""
        self.is_remote = is_remote
        self.is_at_work = False
        """Does a run hold the lock? A person who asks is told at once that the database is away."""
        self._engine = engine
        self._watch = watch
        self._closing = closing
        self._process = os.getpid()

    def run(self, verb: Verb, work: Callable[[Connection], T], *, seconds: float | None = None, commit: str = "") -> T:
        """``work`` in one transaction; StateError for whatever the database says.

        Args:
            work: statements, and no other effect: it may be called twice.
            seconds: instead of ``BUSY_SECONDS``.
            commit: the identity that ``work`` writes down; empty: making it again does no harm.

        Raises:
            CommitUnknown: it may have been written (only with ``commit``).
        """
        seconds = BUSY_SECONDS if seconds is None else seconds
        begun, tries = monotonic(), 0
        while True:
            try:
                return self._once(verb, work, monotonic() + seconds, commit)
            except StateError as fault:
                tries += 1
                if not self._may_try_again(fault, tries, begun):
                    raise
            if tries > 1:
                sleep(PAUSE_SECONDS)

    def _may_try_again(self, fault: StateError, tries: int, begun: float) -> bool:
        """Is the database away, and did it do nothing?"""
        cause = fault.__cause__
        if not self.is_remote or isinstance(fault, CommitUnknown) or not isinstance(cause, DBAPIError):
            return False
        if not self.is_at_work:
            return tries == 1 and _is_broken(cause)
        return is_away(cause) and monotonic() < begun + BUSY_SECONDS

    def close(self) -> None:
        """Give the connections back; a forked child leaves its parent's alone."""
        self._engine.dispose(close=os.getpid() == self._process)
        self._closing()

    def _once(self, verb: Verb, work: Callable[[Connection], T], until: float, commit: str) -> T:
        is_sent = False
        try:
            with self._connected(verb, until) as connection:
                begun = connection.begin()
                try:
                    done = work(connection)
                except BaseException:
                    begun.rollback()
                    raise
                is_sent = True
                begun.commit()
                return done
        except DatabaseFault as fault:
            told = explain(fault, self.place, verb, is_late=monotonic() >= until)
            if is_sent and commit and _is_broken(fault):
                raise CommitUnknown(
                    f"cannot tell whether the state store {self.place} was written: {told.message.partition(': ')[2]}",
                    hint="run the same command again",
                    commit=commit,
                ) from fault
            raise told from fault

    @contextmanager
    def _connected(self, verb: Verb, until: float) -> Iterator[Connection]:
        with self._engine.connect() as fresh, self._watch(fresh, until - monotonic()):
            try:
                yield fresh.execution_options(is_write=verb != "read")
            except DBAPIError as fault:
                if is_elsewhere(
                    fault
                ):  # a server that only reads now: the one to write to is found by connecting again
                    fresh.invalidate()
                    self._engine.dispose()
                raise


def _is_broken(fault: Any) -> bool:
    return isinstance(fault, DBAPIError) and (fault.connection_invalidated or is_elsewhere(fault))
