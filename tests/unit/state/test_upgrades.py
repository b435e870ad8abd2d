"""Older stores are brought up to date as they are opened, in one piece; newer ones are refused and left alone."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from migrator.adapters.state import open_store, upgrades
from migrator.adapters.state.tables import SCHEMA_VERSION, TABLES
from migrator.errors import LockedError, StateError
from migrator.model.moves import (
    Control,
    EvidenceRange,
    ExceptionRow,
    Figures,
    JournalEntry,
    LockRecord,
    MoveRecord,
    MoveState,
    Outstanding,
    WaveRecord,
    WaveState,
)
from migrator.model.names import MoveId
from migrator.ports.state_store import AddJournal, DropException, PutException, ReplaceRanges

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
MOVE = MoveId("europe", "web-tracking")
SCHEMA_1 = Path(__file__).with_name("schema_1.sql").read_text(encoding="utf-8")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store as the program of schema 1 left it, with one of everything."""
    path = tmp_path / "migrator.db"
    with sqlite3.connect(path) as raw:
        raw.executescript(SCHEMA_1)
    raw.close()
    return path


def _version(path: Path) -> str:
    raw = sqlite3.connect(path)
    found = raw.execute("SELECT value FROM migrator_meta WHERE \"key\" = 'schema_version'").fetchone()[0]
    raw.close()
    return str(found)


def test_everything_recorded_by_an_older_program_is_there_after_the_upgrade(old: Path) -> None:
    store = open_store(f"sqlite:///{old}", "p", create=False)
    assert _version(old) == str(SCHEMA_VERSION)
    assert store.lineage == "1b6e6ba85cfd0e0b"
    plan = store.plan()
    assert plan is not None
    assert plan.document == "version: 1\n"
    assert list(store.waves()) == [WaveRecord("w", 0, WaveState.RUNNING, "wf", NOW)]
    assert list(store.moves()) == [
        MoveRecord(MOVE, "w", "na-core", "na-web", MoveState.COPYING, figures=Figures(objects_copied=3), epoch=2)
    ]
    ranges = [EvidenceRange("box", "in/é", b"m", b"r" * 24, True), EvidenceRange("box", "in/é", None)]
    assert list(store.ranges(MOVE, "box", "in/é")) == ranges
    assert list(store.containers_with_ranges(MOVE)) == [("box", "in/é")]
    kept = ExceptionRow("box", "naïve \U0001f600", "kept", "e1", None, "why", "marks", NOW)
    assert store.exception(MOVE, "box", kept.name) == kept
    assert dict(store.exception_counts(MOVE)) == {"kept": 1}
    assert list(store.outstanding(MOVE)) == [Outstanding("target", "box", "ö", "create", None, NOW, 5.0)]
    assert [sample.value for sample in store.samples(MOVE)] == [1.5]
    assert [line.text for line in store.journal()] == ["one", "two"]
    assert list(store.controls()) == [Control("hold", "", {"on": True}, "ann", NOW)]
    assert [approval.who for approval in store.approvals()] == ["ann"]
    assert store.note("k") == {"n": [1]}
    assert dict(store.requests("a", first_minute=5, last_minute=5)) == {"read": 7}
    store.close()


def test_an_upgraded_store_goes_on_where_it_was(old: Path) -> None:
    store = open_store(f"sqlite:///{old}", "p")
    held = store.lock()
    assert held is not None
    changes = [
        ReplaceRanges(MOVE, "box", "in/é", None, b"m", (EvidenceRange("box", "in/é", b"m", b"s" * 24),)),
        PutException(MOVE, ExceptionRow("box", "\ud800", "foreign", "e1", None)),
        DropException(MOVE, "box", "naïve \U0001f600"),
        AddJournal(JournalEntry(NOW, "engine", "k", "three")),
    ]
    store.commit(changes, token=held.token)
    assert [each.records for each in store.ranges(MOVE, "box", "in/é")] == [b"s" * 24, b""]
    assert dict(store.exception_counts(MOVE)) == {"foreign": 1}
    assert store.journal()[-1].number == 3
    with pytest.raises(LockedError):
        store.acquire(LockRecord("bb", 0, "r", "o", "h", 1, "b", NOW, NOW, 1.0))
    store.give_back(held.token)
    assert store.acquire(LockRecord("bb", 0, "r", "o", "h", 1, "b", NOW, NOW, 1.0)).token == 2
    store.close()


def test_an_upgraded_store_has_the_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    """Same tables, columns, keys and indexes; only the declared types may differ, which SQLite does not enforce."""

    def shape(path: Path) -> object:
        raw = sqlite3.connect(path)
        names = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
        columns = {
            name: sorted((row[1], row[3], row[5] > 0) for row in raw.execute(f"PRAGMA table_info({name})"))
            for name in names
        }
        indexes = sorted(
            (table, tuple(row[2] for row in raw.execute(f'PRAGMA index_info("{index}")')))
            for table, index in raw.execute("SELECT tbl_name, name FROM sqlite_schema WHERE type = 'index'")
        )
        raw.close()
        return columns, indexes

    open_store(f"sqlite:///{old}", "p").close()
    open_store(f"sqlite:///{tmp_path}/new.db", "p").close()
    assert shape(old) == shape(tmp_path / "new.db")


def test_an_upgrade_that_fails_half_way_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = upgrades.STEPS[1]

    def fails(connection: Connection) -> None:
        first(connection)
        connection.exec_driver_sql("INSERT INTO nowhere VALUES (1)")

    monkeypatch.setattr(upgrades, "STEPS", {1: fails})
    before = "\n".join(sqlite3.connect(old).iterdump())
    with pytest.raises(StateError):
        open_store(f"sqlite:///{old}", "p")
    assert "\n".join(sqlite3.connect(old).iterdump()) == before


def test_a_newer_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "migrator.db"
    open_store(f"sqlite:///{path}", "p").close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE migrator_meta SET value = '99' WHERE \"key\" = 'schema_version'")
    raw.close()
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(StateError, match=r"its schema 99 is newer than this program's \d+; use the newer program"):
            open_store(f"sqlite:///{path}", "p", create=create)
    assert path.read_bytes() == before


def test_a_running_program_stops_writing_when_a_newer_one_upgraded_the_store(tmp_path: Path) -> None:
    path = tmp_path / "migrator.db"
    store = open_store(f"sqlite:///{path}", "p")
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE migrator_meta SET value = '99' WHERE \"key\" = 'schema_version'")
    raw.close()
    with pytest.raises(StateError, match="schema 99 is newer"):
        store.commit([AddJournal(JournalEntry(NOW, "engine", "k", "late"))], token=None)
    assert list(store.journal()) == []
    store.close()


def test_every_older_version_has_its_step() -> None:
    assert sorted(upgrades.STEPS) == list(range(1, SCHEMA_VERSION))


def test_every_key_begins_with_the_plan() -> None:
    for table in TABLES.tables.values():
        keys = [column.name for column in table.primary_key]
        assert keys[0] == "plan" or keys == ["id"], table.name
        assert "plan" in table.c
