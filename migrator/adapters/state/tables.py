"""The tables of the state store, as the newest schema has them. Decides keys and types; knows no record's fields.

Rules: every table has a ``plan`` column and every key begins with it, since one store holds many plans. A record that is
only ever read whole is one JSON document beside its key, so it may grow fields without a new schema; what is searched or
summed has a column. Evidence is the only table that grows with the data: its records lie in one BLOB for each range.
A change here needs a new version and its step in ``upgrades``.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

from migrator.adapters.state.columns import Name, Sorted, Word

SCHEMA_VERSION: Final = 2
EVERY_PLAN: Final = ""
"""The ``plan`` of rows that speak of the store itself."""

TABLES: Final = MetaData()


def _key(name: str, kind: Any = Word) -> Column[Any]:
    return Column(name, kind, primary_key=True, autoincrement=False)


def _kept(name: str, kind: Any) -> Column[Any]:
    return Column(name, kind, nullable=False)


def _move() -> tuple[Column[Any], ...]:
    return _key("plan"), _key("region"), _key("area")


def _document() -> Column[Any]:
    return _kept("document", Text)


META: Final = Table("migrator_meta", TABLES, _key("plan"), _key("key"), _kept("value", Text))
"""``schema_version``: the version of these tables. ``lineage``: the store's random identity."""

COUNTERS: Final = Table("counters", TABLES, _key("plan"), _key("name"), _kept("value", BigInteger))
"""``token`` outlives the lock, because a token must never be given twice; ``journal`` is the newest line's number."""

LOCK: Final = Table("lock_holder", TABLES, _key("plan"), _kept("token", BigInteger), _kept("nonce", Word), _document())

PLANS: Final = Table("plans", TABLES, _key("plan"), _document())

WAVES: Final = Table("waves", TABLES, _key("plan"), _key("name"), _kept("position", Integer), _document())

MOVES: Final = Table("moves", TABLES, *_move(), _document())

RANGES: Final = Table(
    "ranges",
    TABLES,
    *_move(),
    _key("container", Name),
    _key("prefix", Name),
    _key("upper", LargeBinary),
    _kept("is_open", Boolean),
    _kept("records", LargeBinary),
)
"""``upper`` is ``rules.position`` of the range's upper bound."""

EXCEPTIONS: Final = Table(
    "exceptions",
    TABLES,
    *_move(),
    _key("container", Name),
    _key("name", Name),
    _kept("kind", String(32)),
    _document(),
    Index("exceptions_by_kind", "plan", "region", "area", "kind"),
)

BEYOND: Final = Table("exceptions_beyond", TABLES, *_move(), _key("mark", LargeBinary), _kept("kind", String(32)))
"""Exceptions beyond the cap: ``columns.name_mark`` and kind alone, so that their number stays exact."""

OUTSTANDING: Final = Table(
    "outstanding", TABLES, *_move(), _key("side"), _key("container", Name), _key("name", Name), _document()
)

SAMPLES: Final = Table(
    "samples",
    TABLES,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _kept("plan", Word),
    _kept("region", Word),
    _kept("area", Word),
    _kept("gate", Word),
    _kept("at", Sorted),
    _document(),
    Index("samples_by_time", "plan", "region", "area", "at"),
)

JOURNAL: Final = Table("journal", TABLES, _key("plan"), _key("number", BigInteger), _document())

CONTROLS: Final = Table("controls", TABLES, _key("plan"), _key("kind"), _key("scope"), _document())

APPROVALS: Final = Table(
    "approvals",
    TABLES,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("plan", Word, nullable=False, index=True),
    _document(),
)

NOTES: Final = Table("notes", TABLES, _key("plan"), _key("key"), _document())

REQUESTS: Final = Table(
    "requests",
    TABLES,
    _key("plan"),
    _key("account"),
    _key("minute", BigInteger),
    _key("operation"),
    _kept("requests", BigInteger),
)
