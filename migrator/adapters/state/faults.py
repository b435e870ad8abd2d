"""What went wrong with the database, in one plain sentence and with what to do next.

The only file that reads the errors of SQLAlchemy and its drivers. Rule: no message holds a password, so places are shown
without user, password and options.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final, Literal

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from migrator.adapters.open_files import are_used_up
from migrator.errors import StateError, StateFull, StateUnusable

Verb = Literal["read", "write", "open"]
DatabaseFault: Final = (DBAPIError, sqlite3.Error)
"""What statements and connecting raise. SQLite's own comes through where a connection is being set up."""

_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FOREIGN: Final = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT})
_DENIED: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH})


def place_of(url: URL) -> str:
    """The store for people: a file's whole path, since a relative one is another file in another folder; or driver, host and
    database."""
    if url.get_backend_name() == "sqlite":
        is_file = url.database and not url.database.startswith((":", "file:"))
        return str(Path(url.database).absolute()) if is_file and url.database else url.database or "in memory"
    return f"{url.get_backend_name()}://{url.host or 'localhost'}/{url.database or ''}"


def explain(fault: Exception, place: str, verb: Verb) -> StateError:
    """The StateError for ``fault`` while the store at ``place`` was to be read or written."""
    cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig is not None else fault
    what = f"cannot {verb} the state store {place}"
    if isinstance(cause, sqlite3.Error):
        return _explain_sqlite(cause, what, place, verb)
    first = (str(cause).strip().splitlines() or [type(cause).__name__])[0]
    return StateError(f"{what}: {first}", hint="check that the database answers and that the program may use it")


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
