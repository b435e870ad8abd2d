"""A store in another place: whole, once, and never two that may be used."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from migrator.adapters.state import back_up, move_store, moving, open_store
from migrator.errors import LockedError, StateError, StateUnusable
from migrator.ports.state_store import AddJournal
from tests.contract.state_store_suite import entry, lock
from tests.unit.state.moving_suite import facts, fill, goes_on


@pytest.fixture
def old(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/old.db"
    fill(url)
    return url


@pytest.fixture
def new(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/deep/new.db"


def test_everything_moves_and_the_old_place_says_where_it_went(old: str, new: str, tmp_path: Path) -> None:
    before = facts(old)
    assert move_store(old, new) > 20
    assert facts(new) == before
    assert (tmp_path / "deep/new.db").stat().st_mode & 0o777 == 0o600
    for create in (False, True):
        with pytest.raises(StateUnusable, match=r"cannot use the state store .*old.db: it was moved to .*deep/new.db"):
            open_store(old, "p", create=create)
    goes_on(new)


def test_who_has_it_open_writes_nothing_any_more(old: str, new: str) -> None:
    with closing(open_store(old, "p")) as store:
        move_store(old, new)
        with pytest.raises(StateUnusable, match="it was moved to"):
            store.commit([AddJournal(entry())], token=None)
        with pytest.raises(StateUnusable, match="it was moved to"):
            store.acquire(lock())


def test_nothing_moves_while_a_run_of_any_plan_is_at_work(old: str, new: str) -> None:
    with closing(open_store(old, "q")) as store:
        token = store.acquire(lock("cc")).token
        with pytest.raises(LockedError, match=r"a run of q is at work, or died, under lock cc; .*migrate unlock cc"):
            move_store(old, new)
        store.commit([AddJournal(entry())], token=token)
        store.give_back(token)
    move_store(old, new)
    facts(new)


@pytest.mark.parametrize("died_at", ["filled", "marked"])
def test_the_same_command_goes_on_where_one_died(
    old: str, new: str, died_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its commits: the copy is whole and closed, or the old one is marked and the new one is not open yet."""
    before = facts(old)

    right = moving.mark

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    def mark(connection: Connection, value: str) -> None:
        if value.startswith("moved"):
            die()
        right(connection, value)

    with monkeypatch.context() as patch:
        if died_at == "filled":
            patch.setattr(moving, "mark", mark)
        else:
            patch.setattr(moving, "_open", die)
        with pytest.raises(KeyboardInterrupt):
            move_store(old, new)
    usable = []
    for url in (old, new):
        try:
            usable.append(facts(url) == before)
        except StateError:
            usable.append(False)
    assert usable == [died_at == "filled", False]
    move_store(old, new)
    assert facts(new) == before
    with pytest.raises(StateUnusable, match="it was moved to"):
        open_store(old, "p")


def test_another_store_is_not_written_over(old: str, new: str) -> None:
    fill(new)
    kept = facts(new)
    with pytest.raises(StateError, match="there is a state store already"):
        move_store(old, new)
    assert facts(new) == kept
    facts(old)


def test_a_place_that_is_the_same_or_is_not_there_is_refused(old: str, new: str, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="it is there already"):
        move_store(old, old)
    with pytest.raises(StateError, match="there is none"):
        move_store(f"sqlite:///{tmp_path}/nowhere.db", new)


def test_a_backup_is_the_store_at_one_moment_while_a_run_is_at_work(old: str, tmp_path: Path) -> None:
    path = tmp_path / "saved" / "state.db"
    with closing(open_store(old, "p")) as store:
        token = store.acquire(lock("dd")).token
        before = facts(old)
        assert back_up(old, path) == path.stat().st_size > 0
        store.commit([AddJournal(entry("later"))], token=token)
    assert facts(f"sqlite:///{path}") == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == ["state.db"]
    with pytest.raises(StateError, match="there is a file"):
        back_up(old, path)
    with sqlite3.connect(path) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
