"""Versions of the schema: making a new store, and bringing an older one up to date.

Decides what version a database has and which steps lead to the newest. Rules: a step is SQL of its own, written against the
schema as it was then, never against ``tables``, which moves on; all steps of an upgrade are one transaction; a newer schema
is refused, and so is a database that belongs to somebody else.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, inspect, select, update

from migrator.adapters.state.tables import EVERY_PLAN, META, SCHEMA_VERSION, TABLES
from migrator.errors import StateUnusable

Step = Callable[[Connection], None]


def _names_become_bytes(connection: Connection) -> None:
    """1 -> 2: names may hold what text cannot; exceptions beyond the cap are counted. Version 1 was only ever SQLite."""
    for table, columns in (
        ("ranges", ("container", "prefix")),
        ("exceptions", ("container", "name")),
        ("outstanding", ("container", "name")),
    ):
        changes = ", ".join(f"{column} = CAST({column} AS BLOB)" for column in columns)
        connection.exec_driver_sql(f"UPDATE {table} SET {changes}")  # noqa: S608 - names of our own tables
    connection.exec_driver_sql("CREATE INDEX exceptions_by_kind ON exceptions (plan, region, area, kind)")
    connection.exec_driver_sql(
        "CREATE TABLE exceptions_beyond (plan TEXT NOT NULL, region TEXT NOT NULL, area TEXT NOT NULL,"
        " mark BLOB NOT NULL, kind VARCHAR(32) NOT NULL, PRIMARY KEY (plan, region, area, mark))"
    )


ARRIVING: Final = "arriving"
"""Instead of a version: a copy into it has not ended. "moved:VERSION:PLACE" stands there once it was moved elsewhere."""


@dataclass(frozen=True)
class Marked:
    """Whose rows these are, and what stands where a version does."""

    lineage: str
    text: str

    @property
    def is_arriving(self) -> bool:
        return self.text.startswith(ARRIVING)

    @property
    def moved_to(self) -> str:
        """Empty: it was not moved."""
        return self.text.split(":", 2)[2] if self.text.startswith("moved:") else ""

    def is_like(self, old: Marked) -> bool:
        """Is this the unfinished copy of ``old``?"""
        return self.is_arriving and self.lineage == old.lineage


STEPS: Final[Mapping[int, Step]] = {1: _names_become_bytes}
"""Version -> the step that makes the next version of it."""


def version_of(connection: Connection, place: str) -> int | None:
    """The schema's version; None for an empty database. StateError if it is another program's, or newer than this one."""
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    meta = _meta(connection) if META.name in tables else {}
    _check_mark(place, meta.get("schema_version", ""))
    if "lineage" not in meta or not meta.get("schema_version", "").isdecimal():
        raise StateUnusable(
            f"cannot use the state store {place}: it is another program's database",
            hint="name another place with --state",
        )
    version = int(meta["schema_version"])
    if version > SCHEMA_VERSION:
        raise _newer(place, version)
    return version


def make_current(connection: Connection, place: str) -> None:
    """Inside a write transaction: make the tables, or upgrade them; nothing happens if they are current."""
    version = version_of(connection, place)
    if version is None:
        TABLES.create_all(connection)
        first = {"schema_version": str(SCHEMA_VERSION), "lineage": secrets.token_hex(8)}
        rows = [{"plan": EVERY_PLAN, "key": key, "value": value} for key, value in first.items()]
        connection.execute(insert(META), rows)
        return
    for step in range(version, SCHEMA_VERSION):
        STEPS[step](connection)
    connection.execute(update(META).where(META.c.key == "schema_version").values(value=str(SCHEMA_VERSION)))


def check_current(connection: Connection, place: str) -> None:
    """Take the row that every writer takes, and make sure that no newer program has upgraded the store meanwhile."""
    query = select(META.c.value).where(META.c.plan == EVERY_PLAN, META.c.key == "schema_version").with_for_update()
    value = str(connection.execute(query).scalar_one())
    _check_mark(place, value)
    version = int(value)
    if version != SCHEMA_VERSION:
        raise _newer(place, version)


def marked(connection: Connection) -> Marked | None:
    """None: there is no store."""
    if META.name not in inspect(connection).get_table_names():
        return None
    meta = _meta(connection)
    return Marked(meta.get("lineage", ""), meta.get("schema_version", ""))


def mark(connection: Connection, value: str) -> None:
    """Write ``value`` where the version stands."""
    connection.execute(update(META).where(META.c.key == "schema_version").values(value=value))


def _check_mark(place: str, value: str) -> None:
    found = Marked("", value)
    if found.moved_to:
        raise StateUnusable(
            f"cannot use the state store {place}: it was moved to {found.moved_to}",
            hint="name that place with --state or MIGRATE_STATE",
        )
    if found.is_arriving:
        raise StateUnusable(
            f"cannot use the state store {place}: a copy of another one into it has not ended",
            hint="run the same migrate state copy FROM TO again",
        )


def lineage_of(connection: Connection) -> str:
    return _meta(connection)["lineage"]


def _newer(place: str, version: int) -> StateUnusable:
    return StateUnusable(
        f"cannot use the state store {place}: its schema {version} is newer than this program's {SCHEMA_VERSION}",
        hint="use the newer program that wrote it",
    )


def _meta(connection: Connection) -> dict[str, str]:
    query = select(META.c.key, META.c.value).where(META.c.plan == EVERY_PLAN)
    return {row.key: row.value for row in connection.execute(query)}
