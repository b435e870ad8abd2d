"""What went wrong with the database, in one plain sentence and with what to do next.

The only file that reads the errors of SQLAlchemy and its drivers. Rule: no message holds a password, so places are shown
without user, password and options.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, OperationalError

from migrator.adapters.open_files import are_used_up
from migrator.errors import StateError, StateFull, StateUnusable

Verb = Literal["read", "write", "open"]
DatabaseFault: Final = (DBAPIError, sqlite3.Error)
"""What statements and connecting raise. SQLite's own comes through where a connection is being set up."""

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FOREIGN: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT})
_DENIED: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})

_FULL: Final = frozenset({"53100"})
_NOT_OURS: Final = frozenset({"28000", "28P01", "3D000", "3F000", "42501", "42P01"})
"""No such user, password, database, schema, right or table. Source: PostgreSQL, "Error Codes"."""
_ELSEWHERE: Final = frozenset({"25006", "57P01", "57P02", "57P03"})
"""The server only reads (it was the primary), shuts down, or starts. Source: as above."""
_WAITED: Final = frozenset({"55P03", "57014", "25P03"})
"""A lock was not free, a statement or a transaction took too long. Source: as above."""


def place_of(url: URL) -> str:
    """The store for people: a file's whole path, since a relative one is another file in another folder; or driver, host and
    database."""
    if url.get_backend_name() == "sqlite":
        is_file = url.database and not url.database.startswith((":", "file:"))
        return str(Path(url.database).absolute()) if is_file and url.database else url.database or "in memory"
    given = url.query.get("host", ())
    hosts = url.host or ",".join([given] if isinstance(given, str) else given) or "localhost"
    return f"{url.get_backend_name()}://{hosts}{f':{url.port}' if url.port else ''}/{url.database or ''}"


def is_elsewhere(fault: DBAPIError) -> bool:
    """Is the server that answered not the one to go on with?"""
    return _code(fault.orig) in _ELSEWHERE


def is_away(fault: DBAPIError) -> bool:
    """Was no server reached, or was the conversation with it broken off?"""
    return (
        fault.connection_invalidated
        or (isinstance(fault, OperationalError) and not _code(fault.orig))
        or is_elsewhere(fault)
    )


def explain(fault: Exception, place: str, verb: Verb, *, is_late: bool = False) -> StateError:
    """The StateError for ``fault`` while the store at ``place`` was to be read or written. ``is_late``: we ended it ourselves."""
    cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    what = f"cannot {verb} the state store {place}"
    if isinstance(cause, sqlite3.Error):
        return _explain_sqlite(cause, what, place, verb)
    return _explain_server(cause, what, is_late=is_late)


def _explain_server(cause: BaseException, what: str, *, is_late: bool) -> StateError:
    code = _code(cause)
    if is_late or code in _WAITED:
        return StateError(
            f"{what}: it does not answer in time", hint="wait until it answers again, then run the same command again"
        )
    said = getattr(getattr(cause, "diag", None), "message_primary", None) or str(cause).strip()
    first = (said.splitlines() or [type(cause).__name__])[0].removeprefix("connection failed: ")
    if code in _FULL:
        return StateFull(f"{what}: the disk is full", hint="free some space, then run the same command again")
    if code in _NOT_OURS:
        return StateUnusable(f"{what}: {first}", hint="give its user what the documentation of the state store names")
    return StateError(f"{what}: {first}", hint="check that the database answers and that the program may use it")


def _code(cause: Any) -> str:
    """PostgreSQL's code of the fault; empty for any other, and for a connection that was never made or broke."""
    return getattr(cause, "sqlstate", None) or ""


def _explain_sqlite(cause: sqlite3.Error, what: str, place: str, verb: Verb) -> StateError:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return StateError(
            f"{what}: another program keeps it locked",
            hint="end what has it open (a backup, an sqlite3 shell), then run the same command again",
        )
    if code == sqlite3.SQLITE_FULL:
        return StateFull(f"{what}: the disk is full", hint="free some space, then run the same command again")
    if code in _FOREIGN:
        return StateUnusable(
            f"{what}: it is damaged or not a state store",
            hint="name another file with --state, or restore this one from a backup",
        )
    if code == sqlite3.SQLITE_CANTOPEN and are_used_up(place):
        return StateError(
            f"{what}: this process may open no more files",
            hint="raise the limit (ulimit -n 4096), then run the same command again",
        )
    if code in _DENIED or code == sqlite3.SQLITE_CANTOPEN:
        may = "read" if verb == "read" else "written"
        return StateUnusable(
            f"{what}: the file or its directory may not be {may}",
            hint="give yourself the right to the file and its directory, or name another place with --state",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StateError(
            f"{what}: the disk refused ({cause})",
            hint="check the disk's health, space and limits, then run the same command again",
        )
    return StateError(f"{what}: {cause}", hint="name another place with --state if it cannot be repaired")
