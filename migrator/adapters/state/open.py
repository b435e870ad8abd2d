"""Where a state store lies and how it is opened: files, SQLite's settings, the version of the schema, plain errors.

Rule: a database that is not ours, or is of a newer program, is never written to. SQLite runs with a rollback journal and
``synchronous=FULL``: a commit that returned survives a power cut, also on file systems that cannot do shared memory.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from migrator.adapters.state.store import WRITES, SqlStateStore, plain_errors
from migrator.adapters.state.tables import EVERY_PLAN, META, METADATA, SCHEMA_VERSION
from migrator.errors import StateError


def open_store(url: str, plan_name: str, *, create: bool = True) -> SqlStateStore:
    """Open the store at a SQLAlchemy URL for one plan; make it where there is none and ``create`` is True.

    Raises:
        StateError: there is none and ``create`` is False; or it cannot be read, made or understood.
    """
    address = _parsed(url)
    shown = address.render_as_string(hide_password=True)
    path = _path(address)
    if path is not None:
        _prepare(path, shown, create=create)
    engine = _engine(address, shown)
    try:
        with plain_errors("open", shown):
            lineage = _lineage(engine, shown, create=create)
    except BaseException:
        engine.dispose()
        raise
    return SqlStateStore(engine, plan_name, lineage, shown)


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (SQLAlchemyError, ValueError):  # not chained and not shown: what cannot be parsed may hold a password
        raise StateError(
            "cannot open the state store: its URL is not one", hint="write it like sqlite:///state/migrator.db"
        ) from None


def _is_sqlite(address: URL) -> bool:
    return address.get_backend_name() == "sqlite"


def _in_memory(address: URL) -> bool:
    return _is_sqlite(address) and address.database in (None, "", ":memory:")


def _path(address: URL) -> Path | None:
    """The file of the store; None where it is in memory, behind a server, or a ``file:`` URI of SQLite's own."""
    name = address.database
    if not _is_sqlite(address) or _in_memory(address) or name is None or name.startswith("file:"):
        return None
    return Path(name)


def _none(shown: str) -> StateError:
    return StateError(f"cannot read the state store {shown}: there is none", hint="check --state, or run apply first")


def _prepare(path: Path, shown: str, *, create: bool) -> None:
    """Make the file before SQLite does, so that nobody else can read it for even a moment."""
    try:
        if path.exists():
            return
        if not create:
            raise _none(shown)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
        try:
            os.chmod(path, 0o600)
        finally:
            os.close(descriptor)
    except OSError as fault:
        raise StateError(
            f"cannot make the state store {shown}: {(fault.strerror or 'the system refused').lower()}",
            hint="make its directory writable, or name another place with --state",
        ) from fault


def _engine(address: URL, shown: str) -> Engine:
    options: dict[str, Any] = {"hide_parameters": True}
    if _in_memory(address):  # one connection, or every thread would have a store of its own
        options |= {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    try:
        engine = create_engine(address, **options)
    except ModuleNotFoundError as fault:
        raise StateError(
            f"cannot open the state store {shown}: the Python package {fault.name} is not installed",
            hint="install it, or use sqlite:///state/migrator.db",
        ) from fault
    except (SQLAlchemyError, TypeError) as fault:
        raise StateError(
            f"cannot open the state store {shown}: no such kind of database is known",
            hint="write it like sqlite:///state/migrator.db",
        ) from fault
    if _is_sqlite(address):
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
    return engine


def _configure(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin or commit by itself: ``_begin`` does
    for pragma in ("busy_timeout=10000", "journal_mode=TRUNCATE", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    # A deferred transaction that reads and then writes can be refused half way; an immediate one waits its turn.
    immediate = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _lineage(engine: Engine, shown: str, *, create: bool) -> str:
    """The store's identity; the tables are made first where there are none, in one transaction."""
    with engine.connect() as connection:
        found = _identity(connection, shown)
    if found is not None:
        return found
    if not create:
        raise _none(shown)
    with engine.execution_options(**{WRITES: True}).begin() as connection:
        found = _identity(connection, shown)  # again: another process may have made it meanwhile
        if found is None:
            found = secrets.token_hex(8)
            METADATA.create_all(connection)
            for key, value in (("schema_version", str(SCHEMA_VERSION)), ("lineage", found)):
                connection.execute(META.insert().values(plan=EVERY_PLAN, key=key, value=value))
    return found


def _identity(connection: Connection, shown: str) -> str | None:
    names = set(inspect(connection).get_table_names())
    if META.name not in names:
        if names and (connection.dialect.name == "sqlite" or names & set(METADATA.tables)):
            raise StateError(
                f"cannot open the state store {shown}: it is another program's database",
                hint="name another place with --state",
            )
        return None
    meta = {row.key: row.value for row in connection.execute(select(META).where(META.c.plan == EVERY_PLAN))}
    version, lineage = str(meta.get("schema_version", "")), meta.get("lineage")
    if not version.isdecimal() or not lineage:
        raise StateError(f"cannot open the state store {shown}: it is damaged", hint="restore the store from a copy")
    if int(version) > SCHEMA_VERSION:
        raise StateError(
            f"cannot open the state store {shown}: its schema {version} is newer than this program's {SCHEMA_VERSION}",
            hint="use the newer program that wrote it",
        )
    return str(lineage)
