"""The tables of the state store. Decides keys, types and the version of the schema; knows no record's fields.

Rule: every table has a ``plan`` column and every key begins with it, since one store holds many plans. A record that is
only ever read whole is one JSON document beside its key; what is searched or summed has a column.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

SCHEMA_VERSION: Final = 1
EVERY_PLAN: Final = ""
"""The ``plan`` of rows that speak of the store itself."""

METADATA: Final = MetaData()


def _key(name: str, length: int = 255) -> Column[str]:
    return Column(name, String(length), primary_key=True)


def _document() -> Column[str]:
    return Column("document", Text, nullable=False)


META: Final = Table("migrator_meta", METADATA, _key("plan"), _key("key"), Column("value", Text, nullable=False))
COUNTERS: Final = Table("counters", METADATA, _key("plan"), _key("name"), Column("value", BigInteger, nullable=False))
LOCK: Final = Table(
    "lock_holder",
    METADATA,
    _key("plan"),
    Column("token", BigInteger, nullable=False),
    Column("nonce", String(255), nullable=False),
    _document(),
)
PLANS: Final = Table("plans", METADATA, _key("plan"), _document())
WAVES: Final = Table(
    "waves", METADATA, _key("plan"), _key("name"), Column("position", Integer, nullable=False), _document()
)
MOVES: Final = Table("moves", METADATA, _key("plan"), _key("region"), _key("area"), _document())
RANGES: Final = Table(
    "ranges",
    METADATA,
    _key("plan"),
    _key("region"),
    _key("area"),
    _key("container"),
    _key("prefix", 1024),
    Column("upper", LargeBinary, primary_key=True),
    Column("records", LargeBinary, nullable=False),
    Column("is_open", Boolean, nullable=False),
)
EXCEPTIONS: Final = Table(
    "exceptions",
    METADATA,
    _key("plan"),
    _key("region"),
    _key("area"),
    _key("container"),
    _key("name", 1024),
    Column("kind", String(32), nullable=False),
    _document(),
)
OUTSTANDING: Final = Table(
    "outstanding",
    METADATA,
    _key("plan"),
    _key("region"),
    _key("area"),
    _key("side", 16),
    _key("container"),
    _key("name", 1024),
    _document(),
)
SAMPLES: Final = Table(
    "samples",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("plan", String(255), nullable=False),
    Column("region", String(255), nullable=False),
    Column("area", String(255), nullable=False),
    Column("gate", String(255), nullable=False),
    Column("at", String(40), nullable=False),
    _document(),
    Index("samples_by_time", "plan", "region", "area", "at"),
)
JOURNAL: Final = Table(
    "journal", METADATA, _key("plan"), Column("number", BigInteger, primary_key=True, autoincrement=False), _document()
)
CONTROLS: Final = Table("controls", METADATA, _key("plan"), _key("kind"), _key("scope"), _document())
APPROVALS: Final = Table(
    "approvals",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("plan", String(255), nullable=False, index=True),
    _document(),
)
NOTES: Final = Table("notes", METADATA, _key("plan"), _key("key", 512), _document())
REQUESTS: Final = Table(
    "requests",
    METADATA,
    _key("plan"),
    _key("account"),
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    _key("operation"),
    Column("requests", BigInteger, nullable=False),
)
