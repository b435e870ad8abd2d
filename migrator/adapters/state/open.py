"""Opening a state store: from a URL to a connection pool with the right journal mode, and a current schema.

Decides which database it is, and what is SQLite's alone; PostgreSQL's is in ``postgres``. Rules for SQLite:

- a rollback journal (``TRUNCATE``), not a WAL: several processes use one file, and SQLite before 3.51.3 may corrupt a WAL that
  several connections checkpoint. ``synchronous=FULL``: a commit that returned survives a power cut;
- the file and its journal are for their owner alone (0600), a directory made for them too (0700);
- readers wait for a writer's last moment, writers for each other, both at most ``BUSY_SECONDS``.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from migrator.adapters.folders import make_private
from migrator.adapters.state import postgres
from migrator.adapters.state.database import BUSY_SECONDS, Database
from migrator.adapters.state.faults import place_of
from migrator.adapters.state.store import SqlStateStore
from migrator.adapters.state.tables import SCHEMA_VERSION
from migrator.adapters.state.upgrades import lineage_of, make_current, version_of
from migrator.errors import StateError
from migrator.ports.state_store import EXCEPTION_CAP

UPGRADE_SECONDS: Final = 600.0
"""Making the tables, or bringing them up to date: nobody is at work then."""
_MEMORY: Final = frozenset({"", ":memory:"})


def open_store(url: str, plan_name: str, *, create: bool = True, exception_cap: int = EXCEPTION_CAP) -> SqlStateStore:
    """The state store at ``url``, bound to ``plan_name``; an older schema is upgraded.

    Args:
        url: any SQLAlchemy URL; ``sqlite:///state/migrator.db`` is relative to the working directory.
        create: make the store, its file and directory if there is none yet; else StateError.
        exception_cap: most exceptions of one move and kind that are kept in full.
    Raises:
        StateError: no store, no right to it, locked, damaged, another program's, or newer than this program.
    """
    parsed = _parse(url)
    place = place_of(parsed)
    _prepare(parsed, place, create=create)
    database = _database(parsed, place)
    try:
        lineage = _make_ready(database, create=create)
    except BaseException:
        database.close()
        raise
    return SqlStateStore(database, plan_name, lineage=lineage, exception_cap=exception_cap)


def database_at(url: str, *, create: bool = False) -> Database:
    """The database at ``url``, whatever it holds. StateError: no file and not to be made, or an address that is not used."""
    parsed = _parse(url)
    place = place_of(parsed)
    _prepare(parsed, place, create=create)
    return _database(parsed, place)


def has_tables(url: str) -> bool:
    """False if the database at ``url`` holds nothing at all. StateError if it does not say."""
    parsed = _parse(url)
    database = _database(parsed, place_of(parsed))
    try:
        return database.run("read", lambda connection: version_of(connection, database.place)) is not None
    finally:
        database.close()


def stored_plans(url: str) -> tuple[str, ...]:
    """The names of all plans that were ever saved in the store at ``url``, ascending. StateError if there is none."""
    store = open_store(url, "", create=False)
    try:
        return store.plan_names()
    finally:
        store.close()


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # neither shown nor chained: what cannot be parsed may hold a password
        raise StateError(
            "cannot open the state store: its URL cannot be understood",
            hint="write it like sqlite:///state/migrator.db",
        ) from None


def _make_ready(database: Database, *, create: bool) -> str:
    place = database.place

    def current(connection: Connection) -> tuple[int | None, str]:
        version = version_of(connection, place)
        return version, lineage_of(connection) if version == SCHEMA_VERSION else ""

    def made(connection: Connection) -> str:
        if database.is_remote:
            postgres.make_others_wait(connection)
        make_current(connection, place)  # looks again: two processes may open a new store at once
        return lineage_of(connection)

    version, lineage = database.run("read", current)
    if version is None and not create:
        raise _none(place)
    return lineage or database.run("write", made, seconds=UPGRADE_SECONDS)


def _none(place: str) -> StateError:
    return StateError(
        f"cannot read the state store {place}: there is none",
        hint="`migrate apply PLAN` makes it; check --state and MIGRATE_STATE if there should be one",
    )


def _prepare(url: URL, place: str, *, create: bool) -> None:
    """SQLite: make the empty file ourselves, because SQLite would make it readable for others."""
    if not _is_file(url):
        return
    path = Path(unquote((url.database or "").removeprefix("file:")))  # SQLite has addresses of its own
    try:
        if path.exists():
            return
        if not create:
            raise _none(place)
        make_file(path)
    except OSError as fault:
        cause = (fault.strerror or type(fault).__name__).lower()
        raise StateError(
            f"cannot make the state store {place}: {cause}",
            hint="check the directory, its rights and its space, or name another place with --state",
        ) from fault


def make_file(path: Path) -> None:
    """An empty file for its owner alone, in a folder that is made if need be."""
    make_private(path.parent)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _is_file(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and (url.database or "") not in _MEMORY


def _database(url: URL, place: str) -> Database:
    if postgres.is_postgres(url):
        return postgres.open_database(url, place, os.environ)
    return Database(_engine(url, place), place)


def _engine(url: URL, place: str) -> Engine:
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        if not _is_file(url):
            options["poolclass"] = StaticPool  # one connection: each would be a database of its own
    try:
        engine = create_engine(url, **options)
    except (NoSuchModuleError, ModuleNotFoundError) as fault:
        raise StateError(
            f"cannot open the state store {place}: there is no driver for {url.drivername} here",
            hint="install the driver, or use sqlite:///state/migrator.db",
        ) from fault
    except (ArgumentError, TypeError) as fault:
        raise StateError(
            f"cannot open the state store {place}: its URL has an option that {url.drivername} does not know",
            hint="write it like sqlite:///state/migrator.db",
        ) from fault
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_sqlite(raw: sqlite3.Connection, _record: object) -> None:
    raw.isolation_level = None  # we say BEGIN ourselves
    raw.execute("PRAGMA foreign_keys = ON")
    raw.execute("PRAGMA synchronous = FULL")
    raw.execute("PRAGMA journal_mode = TRUNCATE")


def _begin_sqlite(connection: Connection) -> None:
    """A writer queues at its beginning: one that became a writer midway would be refused instead of waiting."""
    is_write = connection.get_execution_options().get("is_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")
