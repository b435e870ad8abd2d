"""From a file to PostgreSQL and back, and a backup of it while a run is at work."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from migrator.adapters.state import back_up, move_store, open_store
from migrator.errors import StateUnusable
from migrator.ports.state_store import AddJournal
from tests.contract.state_store_suite import entry, lock
from tests.postgres.server import Server, needs_postgres
from tests.unit.state.moving_suite import facts, fill, goes_on

pytestmark = needs_postgres


def test_there_and_back(postgres: Server, tmp_path: Path) -> None:
    file, shared, last = f"sqlite:///{tmp_path}/old.db", postgres.fresh(), f"sqlite:///{tmp_path}/new.db"
    fill(file)
    before = facts(file)
    move_store(file, shared)
    assert facts(shared) == before
    with pytest.raises(StateUnusable, match="it was moved to postgresql://"):
        open_store(file, "p")
    goes_on(shared)
    before = facts(shared)
    move_store(shared, last)
    assert facts(last) == before
    with pytest.raises(StateUnusable, match="it was moved to"):
        open_store(shared, "p")
    goes_on(last)


def test_a_backup_while_a_run_is_at_work(postgres: Server, tmp_path: Path) -> None:
    url, path = postgres.fresh(), tmp_path / "saved.db"
    fill(url)
    with closing(open_store(url, "p")) as store:
        token = store.acquire(lock("dd")).token
        before = facts(url)
        back_up(url, path)
        store.commit([AddJournal(entry("later"))], token=token)
    assert facts(f"sqlite:///{path}") == before
