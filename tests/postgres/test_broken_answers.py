"""Connections that break while a real PostgreSQL commits, falls silent, or gives its work to another server."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from migrator.adapters.state import SqlStateStore, database, open_store
from migrator.errors import CommitUnknown, StateError
from migrator.model.moves import MoveRecord
from migrator.ports.state_store import AddJournal, CountRequests, SaveMove, made_again
from tests.contract.state_store_suite import MOVE, at, entry, lock, piece, replaced
from tests.postgres.proxy import Proxy
from tests.postgres.server import Server, needs_postgres, running

pytestmark = needs_postgres


@pytest.fixture
def proxy(postgres: Server) -> Iterator[Proxy]:
    with Proxy(postgres.port) as proxy:
        yield proxy


@pytest.fixture
def store(postgres: Server, proxy: Proxy) -> Iterator[SqlStateStore]:
    with closing(open_store(postgres.fresh(port=proxy.port), "p")) as store:
        yield store


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 1.5)


def texts(store: SqlStateStore) -> list[str]:
    return [line.text for line in store.journal()]


def test_a_commit_whose_answer_is_lost_is_found_and_not_made_again(store: SqlStateStore, proxy: Proxy) -> None:
    token = store.acquire(lock()).token
    for number in range(3):
        proxy.cuts_commits = 1
        store.commit([AddJournal(entry(f"{number}")), CountRequests("a", 1, "List", 5)], token=token)
    assert proxy.cuts == 3
    assert texts(store) == ["0", "1", "2"]
    assert store.requests("a", first_minute=0, last_minute=2) == {"List": 15}


def test_a_commit_that_never_arrived_is_made_once(store: SqlStateStore, proxy: Proxy) -> None:
    proxy.swallows_commits = 1
    store.commit([AddJournal(entry("one"))], token=None)
    assert (proxy.cuts, texts(store)) == (1, ["one"])


def test_the_lock_is_taken_and_removed_once_whatever_gets_lost(store: SqlStateStore, proxy: Proxy) -> None:
    proxy.cuts_commits = 1
    taken = store.acquire(lock("aa"), changes=[AddJournal(entry("taken"))])
    assert store.lock() == taken
    proxy.cuts_commits = 1
    store.heartbeat(taken.token, at(1))
    proxy.cuts_commits = 1
    assert store.remove_lock("aa", changes=[AddJournal(entry("removed"))])
    assert (store.lock(), texts(store)) == (None, ["taken", "removed"])


@pytest.mark.parametrize("is_kept", [True, False])
def test_one_that_cannot_be_looked_up_yet_is_looked_up_before_it_is_made_again(
    store: SqlStateStore, proxy: Proxy, is_kept: bool
) -> None:
    token = store.acquire(lock()).token
    proxy.cuts_commits, proxy.swallows_commits = int(is_kept), int(not is_kept)
    proxy.on_cut = lambda: setattr(proxy, "refuses", True)
    with pytest.raises(CommitUnknown, match=r"cannot tell whether the state store .* was written") as lost:
        store.commit([SaveMove(MoveRecord(MOVE, "w", "a", "b")), AddJournal(entry("one"))], token=token)
    with pytest.raises(StateError, match="cannot write the state store"):
        store.journal()  # what it says may be about to change
    proxy.refuses = False
    assert texts(store) == (["one"] if is_kept else [])
    with made_again(lost.value.commit):
        store.commit([AddJournal(entry("another of the same act"))], token=token)
        store.commit([SaveMove(MoveRecord(MOVE, "w", "a", "b")), AddJournal(entry("one"))], token=token)
        store.commit([SaveMove(MoveRecord(MOVE, "w", "a", "b")), AddJournal(entry("two"))], token=token)
    assert sorted(texts(store)) == ["another of the same act", "one", "two"]


def test_what_somebody_else_commits_after_a_lost_one_is_written(store: SqlStateStore, proxy: Proxy) -> None:
    proxy.cuts_commits, proxy.on_cut = 1, lambda: setattr(proxy, "refuses", True)
    with pytest.raises(CommitUnknown):
        store.commit([AddJournal(entry("one"))], token=None)
    proxy.refuses = False
    store.commit([AddJournal(entry("one"))], token=None)
    assert texts(store) == ["one", "one"]


def test_connections_that_broke_while_nobody_used_them_are_made_anew(store: SqlStateStore, proxy: Proxy) -> None:
    for _ in range(3):
        proxy.cut()
        store.commit([AddJournal(entry())], token=None)
        proxy.cut()
        assert store.note("k") is None
    assert len(texts(store)) == 3


def test_a_run_at_work_waits_for_another_server_and_a_person_is_told(store: SqlStateStore, proxy: Proxy) -> None:
    proxy.refuses = True
    proxy.cut()
    began = time.monotonic()
    with pytest.raises(StateError, match="cannot read the state store"):
        store.note("k")
    assert time.monotonic() - began < 1
    proxy.refuses = False
    token = store.acquire(lock()).token
    for _ in range(2):
        proxy.refuses = True
        proxy.cut()
        threading.Timer(0.7, lambda: setattr(proxy, "refuses", False)).start()
        store.commit([AddJournal(entry())], token=token)
        assert store.note("k") is None
    store.give_back(token)
    assert len(texts(store)) == 2


def test_a_partition_ends_in_time_and_nothing_is_lost(store: SqlStateStore, proxy: Proxy) -> None:
    token = store.acquire(lock()).token
    store.commit([replaced(None, None, piece(None, b"1"))], token=token)
    proxy.silence()
    began = time.monotonic()
    with pytest.raises(StateError, match="it does not answer in time"):
        store.commit([replaced(None, None, piece(None, b"2"))], token=token)
    assert time.monotonic() - began < 1.5 + 5
    proxy.speak()
    assert [each.records for each in store.ranges(MOVE, "box", "in/")] == [b"1"]
    store.commit([replaced(None, None, piece(None, b"3"))], token=token)
    assert [each.records for each in store.ranges(MOVE, "box", "in/")] == [b"3"]


def test_a_server_that_stands_still_is_given_up_and_found_again(postgres: Server) -> None:
    with closing(open_store(postgres.fresh(), "p")) as store:
        token = store.acquire(lock()).token
        postgres.freeze()
        began = time.monotonic()
        try:
            with pytest.raises(StateError, match="does not answer in time"):
                store.commit([AddJournal(entry("one"))], token=token)
            assert time.monotonic() - began < 1.5 + 10
        finally:
            postgres.thaw()
        store.heartbeat(token, at(2))
        store.commit([AddJournal(entry("two"))], token=token)
        assert texts(store) in (["two"], ["one", "two"])


def test_a_server_that_starts_again_is_gone_on_with() -> None:
    """In order, and after a crash: what was committed is there."""
    with running() as server, closing(open_store(server.fresh(), "p")) as store:
        token = store.acquire(lock()).token
        for number, how in enumerate((signal.SIGINT, signal.SIGQUIT)):
            store.commit([AddJournal(entry(f"{number}"))], token=token)
            server.stop(how)
            with pytest.raises(StateError, match="connection to server at"):
                store.commit([AddJournal(entry("lost"))], token=token)
            server.start()
        store.commit([AddJournal(entry("2"))], token=token)
        assert texts(store) == ["0", "1", "2"]


def test_a_primary_that_only_reads_now_is_left_for_the_next_one(postgres: Server) -> None:
    """After a failover the old server may still answer; connecting again finds the one that may be written to."""
    with closing(open_store(postgres.fresh(), "p")) as store:
        store.commit([AddJournal(entry("one"))], token=None)
        postgres.sql("ALTER SYSTEM SET default_transaction_read_only = on")
        postgres.sql("SELECT pg_reload_conf()")
        try:
            time.sleep(0.3)
            with pytest.raises(StateError, match="read-only"):
                store.commit([AddJournal(entry("lost"))], token=None)
            assert store._database._engine.pool.checkedin() == 0  # type: ignore[attr-defined]
        finally:
            postgres.sql("ALTER SYSTEM RESET default_transaction_read_only")
            postgres.sql("SELECT pg_reload_conf()")
        time.sleep(0.3)
        store.commit([AddJournal(entry("two"))], token=None)
        assert texts(store) == ["one", "two"]


def test_who_stands_still_inside_a_commit_keeps_nobody_out_for_long(postgres: Server) -> None:
    """A machine that is suspended holds the row that every writer takes; the server ends its transaction."""
    url = postgres.fresh()
    with closing(open_store(url, "p")) as sleeper, closing(open_store(url, "p")) as other:
        engine = sleeper._database._engine
        with engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar() == "10s"
            connection.exec_driver_sql("SET idle_in_transaction_session_timeout = 1000")
            connection.commit()
            connection.exec_driver_sql("SELECT * FROM migrator_meta FOR UPDATE")
            began = time.monotonic()
            other.commit([AddJournal(entry())], token=None)
            assert 0.5 < time.monotonic() - began < 5
            connection.invalidate()
        assert len(texts(other)) == 1


def test_a_reader_in_another_thread_does_not_wait_for_a_commit(store: SqlStateStore) -> None:
    with store._database._engine.connect() as connection:
        connection.exec_driver_sql("SELECT * FROM migrator_meta FOR UPDATE")
        found: list[object] = []
        reader = threading.Thread(target=lambda: found.append(store.note("k")))
        reader.start()
        reader.join(timeout=5)
        assert found == [None]
