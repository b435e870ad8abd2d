"""Both state stores keep the contract; the SQL one on a file and in memory. What only a store on a disk can promise - other
processes, kill -9, rights, a full disk - follows the suites."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.adapters.state import SqlStateStore, open_store, stored_plans
from migrator.errors import LockedError, StateError
from migrator.model.moves import Control, MoveRecord, PlanRecord
from migrator.ports.state_store import AddJournal, SaveMove, SavePlan, SetControl, SetNote, StateStore
from migrator.testing.memory_state import MemoryStateStore
from tests.contract.state_store_suite import MOVE, NOW, SMALL_CAP, StateStoreSuite, at, entry, lock, piece, replaced


class TestMemoryStateStore(StateStoreSuite):
    @pytest.fixture
    def store(self) -> StateStore:
        return MemoryStateStore("p")

    @pytest.fixture
    def capped_store(self) -> StateStore:
        return MemoryStateStore("p", exception_cap=SMALL_CAP)


class TestSqliteFile(StateStoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[StateStore]:
        yield from _opened(f"sqlite:///{tmp_path}/state/migrator.db")

    @pytest.fixture
    def capped_store(self, tmp_path: Path) -> Iterator[StateStore]:
        yield from _opened(f"sqlite:///{tmp_path}/state/migrator.db", exception_cap=SMALL_CAP)


class TestSqliteInMemory(StateStoreSuite):
    @pytest.fixture
    def store(self) -> Iterator[StateStore]:
        yield from _opened("sqlite://")

    @pytest.fixture
    def capped_store(self) -> Iterator[StateStore]:
        yield from _opened("sqlite://", exception_cap=SMALL_CAP)


def _opened(url: str, **options: int) -> Iterator[SqlStateStore]:
    store = open_store(url, "p", **options)
    yield store
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "migrator.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStateStore]:
    yield from _opened(f"sqlite:///{path}")


def _run(script: str, *arguments: object, prefix: tuple[str, ...] = (), check: bool = True) -> str:
    """Standard output of a real process that runs ``script``."""
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, timeout=120
    )
    if check and done.returncode:
        pytest.fail(f"exit {done.returncode}: {done.stderr}")
    return done.stdout


class TestManyPlansInOneStore:
    def test_plans_do_not_see_each_other_but_share_the_lineage(self, store: SqlStateStore, path: Path) -> None:
        other = open_store(f"sqlite:///{path}", "q")
        token, other_token = (
            store.acquire(lock("aa")).token,
            other.acquire(lock("bb")).token,
        )
        store.commit([SaveMove(MoveRecord(MOVE, "w", "a", "b")), SetNote("k", 1), AddJournal(entry("p1"))], token=token)
        other.commit([replaced(None, None, piece(None)), AddJournal(entry("q1"))], token=other_token)
        assert other.lineage == store.lineage
        assert (other.move(MOVE), other.note("k")) == (None, None)
        assert list(store.ranges(MOVE, "box", "in/")) == []
        assert [(line.number, line.text) for line in other.journal()] == [(1, "q1")]
        other.close()

    def test_the_plans_of_a_store_are_known_by_name(self, store: SqlStateStore, path: Path) -> None:
        for name in ("z", "a"):
            bound = open_store(f"sqlite:///{path}", name)
            bound.commit([SavePlan(PlanRecord(name, "", "", NOW))], token=bound.acquire(lock(name)).token)
            bound.close()
        assert stored_plans(f"sqlite:///{path}") == ("a", "z")

    def test_a_lock_is_removed_by_its_id_whatever_plan_it_belongs_to(self, store: SqlStateStore, path: Path) -> None:
        store.acquire(lock("aa"))
        nobody = open_store(f"sqlite:///{path}", "")
        assert nobody.remove_lock("aa")
        assert store.lock() is None
        nobody.close()


class TestProcesses:
    COMMITS = """
import sys
from datetime import UTC, datetime
from migrator.adapters.state import open_store
from migrator.model.moves import JournalEntry
from migrator.ports.state_store import AddJournal
url, who, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
store = open_store(url, "p")
print("ready", flush=True)
sys.stdin.readline()
for n in range(count):
    store.commit([AddJournal(JournalEntry(datetime.now(UTC), who, "k", f"{n}.{half}")) for half in (1, 2)], token=None)
"""

    def test_processes_that_make_and_fill_one_store_at_once_lose_nothing(self, path: Path) -> None:
        """Four processes create it together, then commit together, while this one reads: no error, whole commits only."""
        command = [sys.executable, "-c", self.COMMITS, f"sqlite:///{path}"]
        writers = [
            subprocess.Popen([*command, f"w{n}", "30"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for n in range(4)
        ]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n"
        reader = open_store(f"sqlite:///{path}", "p", create=False)
        for writer in writers:
            assert writer.stdin is not None
            writer.stdin.write("go\n")
            writer.stdin.flush()
        while any(writer.poll() is None for writer in writers):
            assert len(reader.journal()) % 2 == 0
        for writer in writers:
            writer.communicate(timeout=60)
            assert writer.returncode == 0
        lines = reader.journal()
        reader.close()
        assert [line.number for line in lines] == list(range(1, 241))
        for n in range(4):
            said = [line.text for line in lines if line.actor == f"w{n}"]
            assert said == [f"{k}.{half}" for k in range(30) for half in (1, 2)]
        pairs = zip(lines[::2], lines[1::2], strict=True)
        assert all((first.actor, first.text[:-1]) == (second.actor, second.text[:-1]) for first, second in pairs)

    ACQUIRE = """
import sys
from migrator.adapters.state import open_store
from migrator.errors import LockedError
from tests.contract.state_store_suite import lock
store = open_store(sys.argv[1], "p")
print("ready", flush=True)
sys.stdin.readline()
try:
    print(store.acquire(lock(sys.argv[2])).token)
except LockedError:
    print("locked")
"""

    def test_of_processes_that_want_the_lock_one_gets_it(self, store: SqlStateStore, path: Path) -> None:
        command = [sys.executable, "-c", self.ACQUIRE, f"sqlite:///{path}"]
        takers = [
            subprocess.Popen([*command, f"{n:02}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for n in range(4)
        ]
        for taker in takers:
            assert taker.stdout is not None
            assert taker.stdout.readline() == "ready\n"
        answers = sorted(taker.communicate("go\n", timeout=60)[0].strip() for taker in takers)
        assert answers == ["1", "locked", "locked", "locked"]

    VICTIM = """
import sys
from datetime import UTC, datetime
from migrator.adapters.state import open_store
from migrator.model.moves import JournalEntry
from migrator.ports.state_store import AddJournal, SetNote
from tests.contract.state_store_suite import lock, piece, replaced
store = open_store(sys.argv[1], "p")
before = store.lock()
token = store.acquire(lock(sys.argv[2]), dead=before.nonce if before else "").token
n = store.note("n") or 0
while True:
    n += 1
    records = bytes([n % 256]) * 24 * 2000
    store.commit([SetNote("n", n), replaced(None, None, piece(b"m", records), piece(None, records)),
                  AddJournal(JournalEntry(datetime.now(UTC), "v", "k", str(n)))], token=token)
    print(n, flush=True)
"""

    @pytest.mark.crash
    def test_kill_9_in_the_middle_of_commits_leaves_whole_commits(self, path: Path) -> None:
        """A process that commits all the time is killed ten times at different moments; what it said it committed is there,
        and nothing is there by half."""
        for attempt in range(10):
            victim = subprocess.Popen(
                [sys.executable, "-c", self.VICTIM, f"sqlite:///{path}", f"{attempt:02}"],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert victim.stdout is not None
            said = [int(victim.stdout.readline()) for _ in range(1 + 3 * attempt)]
            victim.send_signal(signal.SIGKILL)
            said += [int(line) for line in victim.stdout.read().splitlines() if line]
            victim.wait(timeout=60)
            store = open_store(f"sqlite:///{path}", "p")
            count = store.note("n")
            assert said[-1] <= count <= said[-1] + 1
            assert [line.text for line in store.journal()] == [str(n) for n in range(1, count + 1)]
            records = {each.records for each in store.ranges(MOVE, "box", "in/")}
            assert records == {bytes([count % 256]) * 24 * 2000}
            store.close()
        with sqlite3.connect(path) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def test_a_reader_goes_on_while_a_writer_is_busy(self, store: SqlStateStore, path: Path) -> None:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM notes")
        assert store.note("k") is None
        assert store.lock() is None
        other.execute("ROLLBACK")
        other.close()

    def test_a_store_that_another_program_keeps_locked_is_one_sentence(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("migrator.adapters.state.open.BUSY_SECONDS", 0.05)
        store = open_store(f"sqlite:///{path}", "p")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateError, match=r"cannot write the state store .*: another program keeps it locked"):
            store.commit([AddJournal(entry())], token=None)
        with pytest.raises(StateError, match=r"cannot read the state store .*: another program keeps it locked"):
            store.journal()
        other.execute("ROLLBACK")
        other.close()
        store.commit([AddJournal(entry())], token=None)
        store.close()


class TestTheFile:
    def test_file_journal_and_directory_are_for_their_owner_alone(self, store: SqlStateStore, path: Path) -> None:
        store.commit([AddJournal(entry())], token=None)
        assert path.parent.stat().st_mode & 0o777 == 0o700
        modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
        assert modes == {"migrator.db": 0o600, "migrator.db-journal": 0o600}

    def test_evidence_costs_at_most_26_bytes_an_object_also_after_rewriting(
        self, store: SqlStateStore, path: Path
    ) -> None:
        token, empty = store.acquire(lock()).token, path.stat().st_size
        uppers = [f"{n:06}".encode("utf-16-be") for n in range(9)]
        for is_open in (True, False, True, False):
            records = os.urandom(24 * 10_000)
            ranges = [piece(upper, records, is_open=is_open) for upper in (*uppers, None)]
            store.commit([replaced(None, None, *ranges)], token=token)
        assert (path.stat().st_size - empty) / 100_000 <= 26

    def test_the_journal_mode_survives_a_power_cut(self, store: SqlStateStore) -> None:
        with store._database._engine.connect() as connection:
            found = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
        assert found == ["truncate", 2]

    def test_the_lineage_stays_when_the_store_is_opened_again(self, store: SqlStateStore, path: Path) -> None:
        again = open_store(f"sqlite:///{path}", "p", create=False)
        assert again.lineage == store.lineage
        again.close()

    def test_two_stores_have_two_lineages(self, tmp_path: Path) -> None:
        stores = [open_store(f"sqlite:///{tmp_path}/{n}.db", "p") for n in range(2)]
        assert stores[0].lineage != stores[1].lineage
        for store in stores:
            store.close()

    def test_a_relative_path_starts_at_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        open_store("sqlite:///deep/er/migrator.db", "p").close()
        assert (tmp_path / "deep/er/migrator.db").exists()

    def test_a_store_that_must_exist_and_does_not_is_not_made(self, path: Path) -> None:
        with pytest.raises(StateError, match=r"cannot read the state store .*migrator.db: there is none"):
            open_store(f"sqlite:///{path}", "p", create=False)
        assert not path.parent.exists()
        with pytest.raises(StateError, match="there is none"):
            stored_plans(f"sqlite:///{path}")

    def test_an_empty_file_is_no_store_yet(self, tmp_path: Path) -> None:
        """What a process leaves that died between making the file and its tables."""
        empty = tmp_path / "migrator.db"
        empty.touch(0o600)
        with pytest.raises(StateError, match="there is none"):
            open_store(f"sqlite:///{empty}", "p", create=False)
        open_store(f"sqlite:///{empty}", "p").close()
        open_store(f"sqlite:///{empty}", "p", create=False).close()

    def test_a_file_that_is_no_database_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        text = tmp_path / "plan.yaml"
        text.write_text("version: 1\n" * 1000)
        for create in (True, False):
            with pytest.raises(StateError, match="damaged or not a state store"):
                open_store(f"sqlite:///{text}", "p", create=create)
        assert text.read_text() == "version: 1\n" * 1000

    def test_another_programs_database_is_refused_and_left_alone(self, tmp_path: Path) -> None:
        foreign = tmp_path / "app.db"
        with sqlite3.connect(foreign) as raw:
            raw.execute("CREATE TABLE plans (plan TEXT)")
        before = foreign.read_bytes()
        with pytest.raises(StateError, match="another program's database"):
            open_store(f"sqlite:///{foreign}", "p")
        assert foreign.read_bytes() == before

    def test_a_damaged_store_is_one_sentence(self, path: Path) -> None:
        store = open_store(f"sqlite:///{path}", "p")
        token = store.acquire(lock()).token
        store.commit([replaced(None, None, piece(None, b"x" * 500_000))], token=token)
        store.close()
        raw = bytearray(path.read_bytes())
        raw[4096 : len(raw)] = os.urandom(len(raw) - 4096)
        path.write_bytes(raw)
        with pytest.raises(StateError, match=r"cannot \w+ the state store .*: it is damaged or not a state store"):
            list(open_store(f"sqlite:///{path}", "p").ranges(MOVE, "box", "in/"))

    def test_a_directory_that_cannot_be_made_is_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(StateError, match=r"cannot make the state store .*: not a directory"):
            open_store(f"sqlite:///{tmp_path}/file/state/migrator.db", "p")

    def test_a_directory_in_the_place_of_the_file_is_one_sentence(self, tmp_path: Path) -> None:
        with pytest.raises(StateError, match=r"cannot read the state store .*may not be read"):
            open_store(f"sqlite:///{tmp_path}", "p")


class TestRights:
    SCRIPT = """
import os, sys
from migrator.adapters.state import open_store
from migrator.errors import StateError
from migrator.ports.state_store import AddJournal
from tests.contract.state_store_suite import entry
open_store("sqlite://", "p").close()  # all modules are loaded while we may read them
if os.getuid() == 0:  # root may write anywhere: be somebody else
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    store = open_store(sys.argv[1], "p")
    print("read", len(store.journal()))
    store.commit([AddJournal(entry())], token=None)
except StateError as refused:
    print("refused", refused)
"""

    @pytest.fixture
    def shelf(self) -> Iterator[Path]:
        """A directory that others may reach; not ``tmp_path``: each run of pytest that begins closes its upper one."""
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            yield Path(name)

    def test_a_store_in_a_read_only_directory_can_be_read_and_says_why_it_cannot_be_written(self, shelf: Path) -> None:
        place = shelf / "state"
        store = open_store(f"sqlite:///{place}/migrator.db", "p")
        store.commit([AddJournal(entry())], token=None)
        store.close()
        (place / "migrator.db-journal").unlink()
        (place / "migrator.db").chmod(0o444)
        place.chmod(0o555)
        said = _run(self.SCRIPT, f"sqlite:///{place}/migrator.db").splitlines()
        assert said[0] == "read 1"
        assert said[1].startswith(
            f"refused cannot write the state store {place}/migrator.db: the file or its directory may"
        )

    def test_a_store_cannot_be_made_in_a_read_only_directory(self, shelf: Path) -> None:
        place = shelf / "state"
        place.mkdir(0o555)
        said = _run(self.SCRIPT, f"sqlite:///{place}/migrator.db")
        assert said.startswith(f"refused cannot make the state store {place}/migrator.db: permission denied; check")

    def test_a_store_of_somebody_else_is_one_sentence(self, shelf: Path) -> None:
        place = shelf / "state"
        open_store(f"sqlite:///{place}/migrator.db", "p").close()
        place.chmod(0o755)
        (place / "migrator.db").chmod(0o000 if os.getuid() else 0o600)
        said = _run(self.SCRIPT, f"sqlite:///{place}/migrator.db")
        assert said.startswith(
            f"refused cannot read the state store {place}/migrator.db: the file or its directory may"
        )


class TestAFullDisk:
    def test_a_full_disk_is_one_sentence_and_what_was_committed_stays(self, store: SqlStateStore, path: Path) -> None:
        token = store.acquire(lock()).token
        store.commit([replaced(None, None, piece(None, b"first"))], token=token)
        with store._database._engine.connect() as connection:  # one pooled connection: the limit stays with it
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StateError, match=r"cannot write the state store .*: the disk is full; free some space"):
            store.commit([AddJournal(entry()), replaced(None, None, piece(None, b"x" * 1_000_000))], token=token)
        assert [each.records for each in store.ranges(MOVE, "box", "in/")] == [b"first"]
        assert list(store.journal()) == []
        store.commit([AddJournal(entry())], token=token)

    LIMITED = """
import resource, sys
from migrator.adapters.state import open_store
from migrator.errors import StateError
from tests.contract.state_store_suite import lock, piece, replaced
store = open_store(sys.argv[1], "p")
token = store.acquire(lock("bb"), dead="aa").token
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    store.commit([replaced(None, None, piece(None, b"x" * 1_000_000))], token=token)
except StateError as refused:
    print("refused", refused)
"""

    def test_a_disk_that_refuses_is_one_sentence_and_what_was_committed_stays(
        self, store: SqlStateStore, path: Path
    ) -> None:
        token = store.acquire(lock()).token
        store.commit([replaced(None, None, piece(None, b"first"))], token=token)
        said = _run(self.LIMITED, f"sqlite:///{path}")
        assert said.startswith(f"refused cannot write the state store {path}: the disk")
        assert [each.records for each in store.ranges(MOVE, "box", "in/")] == [b"first"]
        with pytest.raises(LockedError):
            store.heartbeat(token, at(1))


class TestUrls:
    @pytest.mark.parametrize("url", ["", "not a url", "migrator.db", "sqlite//x", "postgresql://u:secret@h:port/x"])
    def test_what_is_no_url_is_refused_without_repeating_it(self, url: str) -> None:
        with pytest.raises(StateError, match="cannot open the state store: its URL cannot be understood") as refused:
            open_store(url, "p")
        assert "secret" not in str(refused.value)

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("nosuch://u:secret@h/x", "no driver for nosuch"),
            ("mysql+nosuch://u:secret@h/x?password=secret", "no driver for mysql"),
            ("oracle://u:secret@h/x?password=secret", "no driver for oracle"),
        ],
    )
    def test_a_database_without_driver_is_refused_without_its_password(self, url: str, why: str) -> None:
        with pytest.raises(StateError, match=why) as refused:
            open_store(url, "p")
        assert "secret" not in str(refused.value)


class TestMemoryExtras:
    def test_a_snapshot_can_be_restored_again_and_again_also_elsewhere(self) -> None:
        store = MemoryStateStore("p")
        token = store.acquire(lock()).token
        store.commit([SetNote("n", 1), AddJournal(entry("one")), replaced(None, None, piece(None, b"1"))], token=token)
        kept = store.snapshot()
        for _ in range(2):
            store.commit(
                [SetNote("n", 2), AddJournal(entry("two")), replaced(None, None, piece(None, b"2"))], token=token
            )
            store.give_back(token)
            store.restore(kept)
            assert store.note("n") == 1
            assert [line.text for line in store.journal()] == ["one"]
            assert [each.records for each in store.ranges(MOVE, "box", "in/")] == [b"1"]
            store.heartbeat(token, at(1))
        copy = MemoryStateStore("p", lineage=store.lineage)
        copy.restore(kept)
        copy.commit([SetNote("n", 9)], token=token)
        assert (store.note("n"), copy.note("n")) == (1, 9)

    def test_the_hook_is_called_before_and_after_and_may_stop_a_commit(self) -> None:
        calls: list[tuple[int, str, object]] = []
        store = MemoryStateStore(
            "p", on_commit=lambda changes, when: calls.append((len(changes), when, store.controls()))
        )
        hold = Control("hold", "", {"on": True}, "ann", NOW)
        store.commit([SetControl(hold)], token=None)
        assert calls == [(1, "before", []), (1, "after", [hold])]

        def die(_changes: object, when: str) -> None:
            if when == "before":
                raise ZeroDivisionError

        store.on_commit = die
        with pytest.raises(ZeroDivisionError):
            store.commit([AddJournal(entry())], token=None)
        assert list(store.journal()) == []
