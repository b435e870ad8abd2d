"""The state store in PostgreSQL keeps the contract of every state store, and what only a shared one must promise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from migrator.adapters.state import open_store, stored_plans
from migrator.errors import StateError, StateUnusable
from migrator.model.moves import PlanRecord
from migrator.ports.state_store import SavePlan, StateStore
from tests.contract.state_store_suite import NOW, SMALL_CAP, StateStoreSuite, lock
from tests.postgres.server import Server, needs_postgres

pytestmark = needs_postgres


class TestPostgres(StateStoreSuite):
    @pytest.fixture
    def store(self, postgres: Server) -> Iterator[StateStore]:
        store = open_store(postgres.fresh(), "p")
        yield store
        store.close()

    @pytest.fixture
    def capped_store(self, postgres: Server) -> Iterator[StateStore]:
        store = open_store(postgres.fresh(), "p", exception_cap=SMALL_CAP)
        yield store
        store.close()


class TestItsTables:
    def test_the_first_one_who_may_make_it_makes_it(self, postgres: Server) -> None:
        url = postgres.fresh()
        with pytest.raises(
            StateError, match=r"cannot read the state store postgresql://127.0.0.1:\d+/postgres: there is none"
        ):
            open_store(url, "p", create=False)
        made = open_store(url, "p")
        again = open_store(url, "p", create=False)
        assert again.lineage == made.lineage
        made.close()
        again.close()

    def test_a_newer_schema_is_refused(self, postgres: Server) -> None:
        url = postgres.fresh()
        open_store(url, "p").close()
        schema = url.rpartition("%3D")[2]
        postgres.sql(f"UPDATE {schema}.migrator_meta SET value = '99' WHERE key = 'schema_version'")
        with pytest.raises(StateUnusable, match="its schema 99 is newer than this program's"):
            open_store(url, "p")

    def test_another_programs_tables_are_left_alone(self, postgres: Server) -> None:
        url = postgres.fresh()
        postgres.sql(f"CREATE TABLE {url.rpartition('%3D')[2]}.customers (id int)")
        with pytest.raises(StateUnusable, match="it is another program's database"):
            open_store(url, "p")

    def test_a_user_without_the_right_to_make_them_is_told(self, postgres: Server) -> None:
        url = postgres.fresh()
        postgres.sql("DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        with pytest.raises(StateUnusable, match=r"cannot write the state store .*: permission denied|no schema"):
            open_store(url.replace("me@", "guest@"), "p")

    def test_plans_of_one_store_are_known_by_name(self, postgres: Server) -> None:
        url = postgres.fresh()
        for name in ("z", "a", "Z"):
            bound = open_store(url, name)
            bound.commit([SavePlan(PlanRecord(name, "", "", NOW))], token=bound.acquire(lock(name)).token)
            bound.close()
        assert stored_plans(url) == ("Z", "a", "z")


PROCESS = """
import sys
from datetime import UTC, datetime
from migrator.adapters.state import open_store
from migrator.errors import LockedError
from migrator.model.moves import JournalEntry
from migrator.ports.state_store import AddJournal
from tests.contract.state_store_suite import lock
url, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
store = open_store(url, "p")
try:
    print(store.acquire(lock(who)).token)
except LockedError:
    print("locked")
for n in range(count):
    store.commit([AddJournal(JournalEntry(datetime.now(UTC), who, "k", f"{n}.{half}")) for half in (1, 2)], token=None)
"""


def test_processes_that_make_lock_and_fill_one_store_at_once_lose_nothing(postgres: Server) -> None:
    url = postgres.fresh()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, url, f"{n:02}", "20"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    said = sorted(process.communicate("go\n", timeout=60)[0].strip() for process in processes)
    assert [process.returncode for process in processes] == [0] * 4
    assert said == ["1", "locked", "locked", "locked"]
    store = open_store(url, "p", create=False)
    lines = store.journal()
    store.close()
    assert [line.number for line in lines] == list(range(1, 161))
    assert all(first.actor == second.actor for first, second in zip(lines[::2], lines[1::2], strict=True))
