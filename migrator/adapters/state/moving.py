"""A whole store in another place: moved for good, or saved as a file.

Decides what is copied, in what order stores become usable, and what is refused. Rules of a move:

- nobody is at work: no plan's lock is held, and none can be taken while rows are read;
- at every moment at most one of the two stores may be used. The new one is filled and still closed; then the old one is marked as
  moved; then the new one is opened. Whatever ends the program, the same command goes on from there;
- the lineage moves too: to the route document it is the same store.

A backup is what the store was at one moment, while a run may be at work; it is a SQLite file whatever the store is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, insert, select, text

from migrator.adapters.state import postgres
from migrator.adapters.state.database import Database
from migrator.adapters.state.open import database_at, make_file
from migrator.adapters.state.tables import EVERY_PLAN, LOCK, META, RANGES, SCHEMA_VERSION, TABLES
from migrator.adapters.state.upgrades import ARRIVING, make_current, mark, marked, version_of
from migrator.errors import LockedError, StateError, StateUnusable

MOVE_SECONDS: Final = 6 * 3600.0
"""For all rows; a hundred million objects have some 2.6 GB."""
ROWS_AT_ONCE: Final = 500
RANGES_AT_ONCE: Final = 40
"""Each has up to 240 kB."""
_SEAL: Final = "commit/%"
"""What processes left of their newest commits; they are no part of the state."""


def move_store(url: str, to: str) -> int:
    """Move the store at ``url`` to ``to``, where there is none; the number of rows.

    Raises:
        LockedError: a run is at work.
        StateError: no store here, another one there, or one of them cannot be used.
    """
    with closing(database_at(url)) as old, closing(database_at(to, create=True)) as new:
        if old.place == new.place:
            raise StateError(f"cannot move the state store {old.place}: it is there already", hint="name another place")
        if _was_moved_there(old, new):
            _open(new)
            return 0
        rows = old.run("write", lambda connection: _move(connection, old, new), seconds=MOVE_SECONDS)
        _open(new)
        return rows


def back_up(url: str, path: Path) -> int:
    """Save the store at ``url`` as the SQLite file ``path``, as it is at this moment; its size in bytes.

    Raises:
        StateError: the file exists, or one of them cannot be read or written.
    """
    if path.exists():
        raise StateError(
            f"cannot save the state store as {path}: there is a file", hint="name a file that is not there"
        )
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(database_at(url)) as here:
        make_file(unfinished)
        if here.is_remote:
            _copy_to_file(here, unfinished)
        else:
            _copy_file(here, unfinished)
    with unfinished.open("rb") as written:
        os.fsync(written.fileno())
    unfinished.rename(path)
    return path.stat().st_size


def _copy_file(here: Database, path: Path) -> None:
    def copy(connection: Connection) -> None:
        raw: Any = connection.connection.dbapi_connection
        with closing(sqlite3.connect(path)) as there:
            raw.backup(there)

    here.run("read", copy, seconds=MOVE_SECONDS)


def _copy_to_file(here: Database, path: Path) -> None:
    with closing(database_at(f"sqlite:///{path}", create=True)) as there:

        def copy(old: Connection) -> None:
            old.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            _take_time(old)
            version_of(old, here.place)
            there.run("write", lambda new: _fill(old, new, there), seconds=MOVE_SECONDS)

        here.run("read", copy, seconds=MOVE_SECONDS)
        _open(there)


def _was_moved_there(old: Database, new: Database) -> bool:
    """Did an earlier command end after it marked the old one, and before it opened the new one?"""
    here, there = old.run("read", marked), new.run("read", marked)
    return here is not None and here.moved_to == new.place and there is not None and there.is_like(here)


def _move(connection: Connection, old: Database, new: Database) -> int:
    _take_time(connection)
    if old.is_remote:
        connection.execute(select(META.c.value).where(META.c.key == "schema_version").with_for_update())
    if version_of(connection, old.place) is None:
        raise StateError(f"cannot move the state store {old.place}: there is none", hint="check its name")
    make_current(connection, old.place)
    held = connection.execute(select(LOCK.c.plan, LOCK.c.nonce)).first()
    if held is not None:
        raise LockedError(
            f"cannot move the state store {old.place}: a run of {held.plan} is at work, or died, under lock {held.nonce}",
            hint=f"end that run with Ctrl-C, or remove a dead run's lock: migrate unlock {held.nonce}",
        )
    rows = new.run("write", lambda there: _fill(connection, there, new), seconds=MOVE_SECONDS)
    mark(connection, f"moved:{SCHEMA_VERSION}:{new.place}")
    return rows


def _fill(old: Connection, new: Connection, there: Database) -> int:
    """Make the tables of a place where nothing is, or where an earlier move did not end, and put all rows into them."""
    _take_time(new)
    if there.is_remote:
        postgres.make_others_wait(new)
    lineage = select(META.c.value).where(META.c.key == "lineage")
    found = marked(new)
    if found is not None and (not found.is_arriving or found.lineage != old.execute(lineage).scalar()):
        raise StateError(
            f"cannot use {there.place}: there is a state store already", hint="name a place where there is none"
        )
    if found is None and version_of(new, there.place) is not None:
        raise StateUnusable(f"cannot use {there.place}: there is a database already", hint="name another place")
    TABLES.create_all(new)
    rows = 0
    for table in TABLES.sorted_tables:
        new.execute(delete(table))
        for some in _pages(old, table):
            new.execute(insert(table), some)
            rows += len(some)
    mark(new, f"{ARRIVING}:{SCHEMA_VERSION}")
    return rows


def _pages(old: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """All rows in the order of their keys, without numbers that the database gives by itself."""
    columns = [column for column in table.columns if column.autoincrement is not True]
    query = select(*columns).order_by(*table.primary_key.columns)
    if table is META:
        query = query.where(~((META.c.plan != EVERY_PLAN) & META.c.key.like(_SEAL)))
    at_once = RANGES_AT_ONCE if table is RANGES else ROWS_AT_ONCE
    found = old.execute(query, execution_options={"yield_per": at_once})
    for some in found.mappings().partitions(at_once):
        yield [dict(row) for row in some]


def _open(new: Database) -> None:
    """From now on it may be used."""
    new.run("write", lambda connection: mark(connection, str(SCHEMA_VERSION)))


def _take_time(connection: Connection) -> None:
    """This transaction may last and be silent for long: nobody is at work, or it only reads."""
    if connection.dialect.name == "postgresql":
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            connection.execute(text(f"SET LOCAL {name} = 0"))
