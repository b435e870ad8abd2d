"""One SQLite file as an account: opening, schema, transactions, and the words for what went wrong.

Decides the journal mode, who may write (the run token), and which of our errors an error of SQLite is. Leaves the rows to
``rows``, ``contents`` and ``counters``. Rules:

- the standard library's ``sqlite3``, not SQLAlchemy: an account is one fixed schema on one engine, and a request costs less
  than what a query builder adds to it;
- a rollback journal (``TRUNCATE``), not a WAL: several processes use one file, and SQLite before 3.51.3 may corrupt a WAL
  that several connections checkpoint. ``synchronous=OFF``: ``kill -9`` of any process leaves the file sound, because the
  kernel keeps the order of its writes; a power cut may damage the file, which an embedded account accepts for its speed;
- writes begin IMMEDIATE and no transaction waits for another file's, so processes queue and never deadlock.

Used by one thread at a time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from migrator.adapters.folders import make_private
from migrator.adapters.open_files import are_used_up
from migrator.errors import AccessRefused, CloudError, MigrateError, NotFound, OutcomeUnknown, Throttled

T = TypeVar("T")

APPLICATION_ID: Final = 0x6D696772
"""Marks our files ("migr"), so that no other database is taken for an account."""
SCHEMA_VERSION: Final = 2
BUSY_SECONDS: Final = 30.0
"""How long a request waits for other processes before it is refused as throttled."""
LOOSE_SECONDS: Final = 3600
"""Content that a dead process left unpublished is removed after this time, when the account is next opened."""

_GENERATIONS: Final = (
    "CREATE TABLE generations (container TEXT PRIMARY KEY, etag INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TRIGGER container_made AFTER INSERT ON containers BEGIN"
    " UPDATE meta SET value = value + 1 WHERE key = 'number';"
    " DELETE FROM generations WHERE container = new.name;"  # a REPLACE would follow the outer statement's OR IGNORE
    " INSERT INTO generations SELECT new.name, value FROM meta WHERE key = 'number'; END",
    "CREATE TRIGGER container_set AFTER UPDATE ON containers BEGIN"
    " UPDATE meta SET value = value + 1 WHERE key = 'number';"
    " DELETE FROM generations WHERE container = new.name;"  # a REPLACE would follow the outer statement's OR IGNORE
    " INSERT INTO generations SELECT new.name, value FROM meta WHERE key = 'number'; END",
)
"""The ETag of a container: another number whenever it is made or set, whoever does it. One of before this table has none."""
_SCHEMA: Final = (
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE containers (name TEXT PRIMARY KEY, metadata TEXT NOT NULL, public_access TEXT) WITHOUT ROWID",
    # A name is the bytes of its UTF-8: BLOBs compare by bytes, and any character is allowed, lone surrogates too.
    "CREATE TABLE blobs (container TEXT NOT NULL, name BLOB NOT NULL, etag INTEGER NOT NULL, size INTEGER NOT NULL,"
    " type TEXT NOT NULL, content INTEGER NOT NULL, headers TEXT NOT NULL, metadata TEXT NOT NULL, tags TEXT NOT NULL,"
    " tier TEXT, modified INTEGER NOT NULL, copy_id TEXT, PRIMARY KEY (container, name)) WITHOUT ROWID",
    "CREATE TABLE staged (container TEXT NOT NULL, name BLOB NOT NULL, block_id TEXT NOT NULL,"
    " content INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (container, name, block_id)) WITHOUT ROWID",
    # A content is a list of pieces, a piece a chunk at an offset; gaps read as zeros.
    "CREATE TABLE pieces (content INTEGER NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL,"
    " chunk INTEGER NOT NULL, PRIMARY KEY (content, offset)) WITHOUT ROWID",
    "CREATE TABLE chunks (id INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE loose (content INTEGER PRIMARY KEY, born INTEGER NOT NULL)",
    "CREATE TABLE requests (second INTEGER NOT NULL, caller TEXT NOT NULL, operation TEXT NOT NULL,"
    " status TEXT NOT NULL, requests INTEGER NOT NULL, ingress INTEGER NOT NULL, egress INTEGER NOT NULL,"
    " latency_ms REAL NOT NULL, PRIMARY KEY (second, caller, operation, status)) WITHOUT ROWID",
    *_GENERATIONS,
    "INSERT INTO meta VALUES ('number', abs(random()) % 0x10000000000 * 0x1000), ('run', 0)",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


class AccountFile:
    """The file of account ``account`` at ``path``; opened by the first request.

    Args:
        create: make the file (mode 0600) and its directories if they are not there; else NotFound(what="account"). A callable is
            asked whenever they are missing.
    """

    def __init__(self, account: str, path: Path, *, create: bool | Callable[[], bool] = True) -> None:
        self.account = account
        self.path = Path(os.path.abspath(path))
        self.run: int | None = None
        """The token of the run that writes through this object; None for applications, which are not checked."""
        self.write_check: Callable[[], None] | None = None
        self._may_create = create if callable(create) else lambda: create
        self._connection: sqlite3.Connection | None = None

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """``work`` in one transaction that sees one state of the account."""
        return self._transact("BEGIN", work, is_write=False)

    def write(self, work: Callable[[sqlite3.Connection], T], *, is_request: bool = True) -> T:
        """``work`` in one transaction, all or nothing. ``is_request`` False: housekeeping, which nobody sees.

        Raises:
            AccessRefused: a newer run has bound itself to the account.
            Throttled: other processes kept the file busy; nothing was written.
        """
        return self._transact("BEGIN IMMEDIATE", work, is_write=True, is_request=is_request)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transact(
        self, begin: str, work: Callable[[sqlite3.Connection], T], *, is_write: bool, is_request: bool = True
    ) -> T:
        is_committing = False
        try:
            connection = self._opened()
            connection.execute(begin)
            try:
                if is_write:
                    self._admit(connection, is_request=is_request)
                answer = work(connection)
                is_committing = is_write
                connection.execute("COMMIT")
                return answer
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as fault:
            raise self._error(fault, is_write=is_write, is_committing=is_committing) from fault

    def _admit(self, connection: sqlite3.Connection, *, is_request: bool) -> None:
        """May this object write? Asked when the file is ours, so that no wait lies between the answer and the write."""
        if not is_request:
            return
        if self.write_check is not None:
            self.write_check()
        if self.run is None:
            return
        (newest,) = connection.execute("SELECT value FROM meta WHERE key = 'run'").fetchone()
        if newest > self.run:
            raise AccessRefused(
                f"cannot write to account {self.account}: a newer run has taken over",
                hint="let the newer run go on; see migrate status",
                code="NewerRun",
            )

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._open()
        return self._connection

    def _open(self) -> sqlite3.Connection:
        self._prepare()
        connection = sqlite3.connect(
            self.path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=200
        )
        try:
            connection.execute("PRAGMA page_size = 8192")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA temp_store = MEMORY")
            self._check_schema(connection)
            connection.execute("PRAGMA journal_mode = TRUNCATE")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self) -> None:
        """Make the empty file ourselves: SQLite would make it readable for others."""
        try:
            if self._may_create():
                make_private(self.path.parent)
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            elif not self.path.exists():
                raise NotFound(
                    f"cannot open account {self.account}: there is no file {self.path}",
                    what="account",
                    hint="a plan's paths begin at the working directory: run it in the folder where the file is, or put the file"
                    " back; `migrate sample PLAN` makes and fills the sources of a rollout that has not begun",
                )
        except PermissionError as fault:
            raise AccessRefused(
                f"cannot open account {self.account}: {self.path} may not be written",
                hint="give yourself the right to write the file and its directory",
            ) from fault
        except OSError as fault:
            cause = (fault.strerror or "unknown cause").lower()
            raise CloudError(f"cannot open account {self.account} in {self.path}: {cause}") from fault

    def _check_schema(self, connection: sqlite3.Connection) -> None:
        if _numbers(connection) == (APPLICATION_ID, SCHEMA_VERSION):
            return
        connection.execute("BEGIN IMMEDIATE")  # two processes may open a new account at once: look again
        try:
            application, version = _numbers(connection)
            tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            if (application, version, tables) == (0, 0, 0) and self._may_create():
                for statement in _SCHEMA:
                    connection.execute(statement)
            elif application != APPLICATION_ID:
                raise self._foreign()
            elif version == 1:
                for statement in _GENERATIONS:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            elif version != SCHEMA_VERSION:
                raise CloudError(
                    f"cannot open account {self.account}: {self.path} has schema {version}, this program knows "
                    f"{SCHEMA_VERSION}",
                    hint="use the program that wrote it",
                )
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _foreign(self) -> CloudError:
        return CloudError(
            f"cannot open account {self.account}: {self.path} is not a local account",
            hint="name another file in the plan, or move this one away",
        )

    def _error(self, fault: sqlite3.Error, *, is_write: bool, is_committing: bool) -> MigrateError:
        code = getattr(fault, "sqlite_errorcode", 0) & 0xFF
        verb = "write to" if is_write else "read"
        what = f"cannot {verb} account {self.account}"
        match code:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
                return Throttled(f"{what}: other processes keep {self.path} busy", code="ServerBusy")
            case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
                return self._foreign()
            case sqlite3.SQLITE_FULL:
                return CloudError(f"{what}: the disk is full", hint="free some space and go on")
            case sqlite3.SQLITE_CANTOPEN if are_used_up(self.path):
                return CloudError(
                    f"{what}: this process may open no more files",
                    hint="raise the limit (ulimit -n 4096), then run the same command again",
                )
            case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN:
                if not self.path.exists():
                    return AccessRefused(f"{what}: its file {self.path} is gone", hint="put the file back")
                return AccessRefused(
                    f"{what}: {self.path} may not be written",
                    hint="give yourself the right to write the file and its directory",
                )
            case _ if is_committing:
                return OutcomeUnknown(f"{what}: the commit was not answered ({fault})")
        return CloudError(f"{what}: {fault}")


def _numbers(connection: sqlite3.Connection) -> tuple[int, int]:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return application, connection.execute("PRAGMA user_version").fetchone()[0]


def next_number(connection: sqlite3.Connection) -> int:
    """A number never given before in this account, for ETags and contents."""
    row = connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'number' RETURNING value").fetchone()
    return int(row[0])


def newest_run(connection: sqlite3.Connection, token: int) -> int:
    """Remember ``token`` if it is the highest so far; the highest."""
    connection.execute("UPDATE meta SET value = ? WHERE key = 'run' AND value < ?", (token, token))
    return int(connection.execute("SELECT value FROM meta WHERE key = 'run'").fetchone()[0])
