"""The embedded account keeps the object store's promises, with several processes at one file, and after kill -9."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import stat
import subprocess
import sys

import pytest

from migrator.adapters.local import LocalStore, path_of
from migrator.errors import AccessRefused, CloudError, LeaseError, NotFound, Throttled
from migrator.model.objects import BLOCK_BYTES, CREATE, BlobType, Condition, ContainerInfo
from migrator.model.values import replace
from migrator.ports.object_store import Origin
from tests.contract.object_store_suite import PLAIN, ObjectStoreSuite, content, listed


@pytest.fixture
async def open_store(tmp_path):
    """Make stores that are closed at the end."""
    opened = []

    def make(account="lab", path=None, **options):
        opened.append(LocalStore(account, path or tmp_path / f"{account}.db", **options))
        return opened[-1]

    yield make
    for store in opened:
        await store.close()


@pytest.fixture
async def lab(open_store):
    store = open_store()
    await store.create_container(ContainerInfo("box"))
    return store


class TestLocalStore(ObjectStoreSuite):
    kind = "local"

    @pytest.fixture
    def store_pair(self, open_store):
        return open_store("source"), open_store("target")

    @pytest.fixture
    def source_again(self, open_store):
        return open_store("source")

    @pytest.fixture
    def supports_control_characters(self):
        return True


async def test_the_folder_that_an_account_makes_is_of_its_own_user_alone(open_store, tmp_path):
    before = os.umask(0)
    try:
        store = open_store(path=tmp_path / "state" / "accounts" / "lab.db")
        await store.create_container(ContainerInfo("box"))
    finally:
        os.umask(before)
    for folder in (tmp_path / "state", tmp_path / "state" / "accounts"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


class TestProcesses:
    """Several processes use one file."""

    PROGRAM = """
import asyncio, sys
from pathlib import Path
from migrator.adapters.local import LocalStore
from migrator.errors import ConditionFailed
from migrator.model.objects import Condition
from tests.contract.object_store_suite import PLAIN, content
async def main():
    store = LocalStore("lab", Path(sys.argv[1]))
    for _ in range(int(sys.argv[2])):
        while True:
            blob = await store.head("box", "counter")
            try:
                async with store.read("box", "counter", if_match=blob.etag) as chunks:
                    value = int(b"".join([c async for c in chunks]))
                body = b"%d" % (value + 1)
                await store.put("box", "counter", body, PLAIN, condition=Condition(if_match=blob.etag))
                break
            except ConditionFailed:
                pass
    await store.close()
asyncio.run(main())
"""

    async def test_processes_that_write_one_blob_lose_no_update(self, lab):
        await lab.put("box", "counter", b"0", PLAIN, condition=CREATE)
        running = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", self.PROGRAM, str(lab.path), "60")
            for _ in range(3)
        ]
        assert [await one.wait() for one in running] == [0, 0, 0]
        assert await content(lab, "box", "counter") == b"180"

    async def test_two_accounts_copy_from_each_other_at_once(self, open_store):
        one, other = open_store("one"), open_store("other")
        for store in (one, other):
            await store.create_container(ContainerInfo("box"))
        body = os.urandom(BLOCK_BYTES)
        etags = {store: (await store.put("box", "n", body, PLAIN, condition=CREATE)).etag for store in (one, other)}
        await asyncio.gather(
            *(
                here.copy(Origin(there, "box", "n", etags[there]), "box", f"copy-{number}", PLAIN, condition=CREATE)
                for number in range(5)
                for here, there in ((one, other), (other, one))
            )
        )
        for store in (one, other):
            assert [blob.size for blob in await listed(store, "box")] == [BLOCK_BYTES] * 6

    async def test_two_processes_may_make_the_account_at_once(self, open_store, tmp_path):
        stores = [open_store("lab", tmp_path / "new" / "lab.db") for _ in range(4)]
        await asyncio.gather(*(store.create_container(ContainerInfo("box")) for store in stores))
        assert [one.name for one in await stores[0].containers()] == ["box"]

    async def test_a_file_that_stays_busy_is_throttling_and_nothing_was_written(self, lab):
        await lab._in_thread(lambda: lab._file._opened().execute("PRAGMA busy_timeout = 10"))
        holder = sqlite3.connect(lab.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(Throttled):
            await lab.put("box", "n", b"x", PLAIN, condition=CREATE)
        holder.execute("ROLLBACK")
        holder.close()
        assert await listed(lab, "box") == []


class TestKill:
    PROGRAM = """
import asyncio, sys
from pathlib import Path
from migrator.adapters.local import LocalStore
from migrator.model.objects import CREATE
from migrator.ports.object_store import Origin
from tests.contract.object_store_suite import PLAIN
async def main():
    store = LocalStore("lab", Path(sys.argv[1]))
    for number in range(10_000):
        name = f"{sys.argv[2]}-{number}"
        made = await store.put("box", name, b"%04d" % number * 500_000, PLAIN, condition=CREATE)
        print(name, made.etag, flush=True)
        await store.stage_block("box", "staged-" + name, "b1", b"x" * 2_000_000)
        await store.copy(Origin(store, "box", "big", sys.argv[3]), "box", "copy-" + name, PLAIN, condition=CREATE)
        print("copy-" + name, flush=True)
asyncio.run(main())
"""

    async def test_a_writer_killed_at_any_moment_leaves_whole_blobs_only(self, lab):
        big = os.urandom(BLOCK_BYTES)
        etag = (await lab.put("box", "big", big, PLAIN, condition=CREATE)).etag
        acknowledged = []
        for number in range(6):
            writer = subprocess.Popen(  # noqa: ASYNC220 - its pipe is read to its end
                [sys.executable, "-c", self.PROGRAM, str(lab.path), f"w{number}", etag],
                stdout=subprocess.PIPE,
                text=True,
            )
            acknowledged += [writer.stdout.readline().split() for _ in range(number + 1)]
            writer.send_signal(signal.SIGKILL)
            acknowledged += [line.split() for line in writer.stdout.read().splitlines()]
            writer.wait()
        found = {blob.name: blob for blob in await listed(lab, "box")}
        assert acknowledged
        for words in acknowledged:
            assert words[0] in found
            assert words[1:] in ([], [found[words[0]].etag])
        for name in found:
            body = await content(lab, "box", name)
            whole = big if name == "big" or name.startswith("copy-") else b"%04d" % int(name.split("-")[1]) * 500_000
            assert body == whole
        rows = sqlite3.connect(lab.path)
        assert rows.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows.close()

    async def test_what_a_dead_copy_left_is_removed_by_a_later_one(self, open_store):
        clock = [1_000_000.0]
        store = open_store("lab", now=lambda: clock[0])
        await store.create_container(ContainerInfo("box"))
        etag = (await store.put("box", "big", bytes(BLOCK_BYTES), PLAIN, condition=CREATE)).etag
        await store._fetch(Origin(store, "box", "big", etag), b"begun", 0, BLOCK_BYTES)
        assert _count(store, "loose") == 1
        clock[0] += 4000
        await store.copy(Origin(store, "box", "big", etag), "box", "copy", PLAIN, condition=CREATE)
        assert _count(store, "loose") == 0
        assert _count(store, "chunks") == 16


class TestBytes:
    async def test_nothing_is_left_of_what_was_replaced_deleted_or_refused(self, lab):
        """Every chunk belongs to a blob or a staged block."""
        etag = (await lab.put("box", "n", bytes(BLOCK_BYTES), PLAIN, condition=CREATE)).etag
        origin = Origin(lab, "box", "n", etag)
        with pytest.raises(CloudError):
            await lab.copy(origin, "box", "n", PLAIN, condition=CREATE)
        with pytest.raises(NotFound):
            await lab.copy(origin, "gone", "n", PLAIN, condition=CREATE)
        await lab.stage_block_from(origin, "box", "n", "b1", offset=0, length=BLOCK_BYTES)
        await lab.stage_block("box", "n", "b2", b"x")
        await lab.stage_block("box", "n", "b2", b"y")
        written = await lab.commit_blocks("box", "n", ["b2"], PLAIN, condition=Condition(if_match=etag))
        assert _count(lab, "chunks") == 1
        await lab.delete("box", "n", if_match=written.etag)
        assert [_count(lab, table) for table in ("chunks", "pieces", "loose", "staged")] == [0, 0, 0, 0]

    async def test_a_cancelled_copy_leaves_no_bytes_behind(self, lab):
        etag = (await lab.put("box", "n", bytes(BLOCK_BYTES), PLAIN, condition=CREATE)).etag
        for turns in range(12):
            copying = asyncio.create_task(
                lab.copy(Origin(lab, "box", "n", etag), "box", f"copy-{turns}", PLAIN, condition=CREATE)
            )
            for _ in range(turns * 3):
                await asyncio.sleep(0.001)
            copying.cancel()
            await asyncio.gather(copying, return_exceptions=True)
        whole = len(await listed(lab, "box"))
        assert _count(lab, "chunks") == whole * 8
        assert _count(lab, "loose") == 0

    async def test_last_modified_is_the_start_of_the_request(self, open_store):
        times = iter([1000.9] + [2000.0] * 20)
        store = open_store("lab")
        await store.create_container(ContainerInfo("box"))
        store._now = lambda: next(times)
        await store.put("box", "n", b"x", PLAIN, condition=CREATE)
        assert (await store.head("box", "n")).last_modified.timestamp() == 1000


class TestRuns:
    async def test_an_older_run_is_refused_inside_its_own_transaction(self, open_store):
        old, new, application = open_store(), open_store(), open_store()
        await old.create_container(ContainerInfo("box"))
        await old.bind_run(7)
        made = await old.put("box", "n", b"x", PLAIN, condition=CREATE)
        await new.bind_run(8)
        for request in (
            old.put("box", "late", b"x", PLAIN, condition=CREATE),
            old.set_tags("box", "n", {"late": "yes"}),
            old.stage_block("box", "late", "b1", b"x"),
            old.delete("box", "n", if_match=made.etag),
            old.create_container(ContainerInfo("late")),
        ):
            with pytest.raises(AccessRefused, match="a newer run"):
                await request
        await application.put("box", "from-an-application", b"x", PLAIN, condition=CREATE)
        await new.put("box", "from-the-new-run", b"x", PLAIN, condition=CREATE)
        assert [blob.name for blob in await listed(old, "box")] == ["from-an-application", "from-the-new-run", "n"]
        assert [one.name for one in await new.containers()] == ["box"]

    async def test_an_older_run_cannot_bind_itself_again(self, open_store):
        new, old = open_store(), open_store()
        await new.bind_run(8)
        with pytest.raises(AccessRefused, match="a newer run"):
            await old.bind_run(7)
        await new.create_container(ContainerInfo("box"))


class TestWriteCheck:
    async def test_a_lease_that_ends_while_the_file_is_busy_stops_the_write(self, lab):
        """The check comes when the file is ours, not before the wait."""
        lease = {"is_over": False}

        def check():
            if lease["is_over"]:
                raise LeaseError("cannot write: the lease is over")

        lab.write_check = check
        await lab.put("box", "in-time", b"x", PLAIN, condition=CREATE)
        holder = sqlite3.connect(lab.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        late = asyncio.create_task(lab.put("box", "late", b"x", PLAIN, condition=CREATE))
        await asyncio.sleep(0.05)
        lease["is_over"] = True
        holder.execute("ROLLBACK")
        holder.close()
        with pytest.raises(LeaseError):
            await late
        assert [blob.name for blob in await listed(lab, "box")] == ["in-time"]
        lab.write_check = None
        await lab.put("box", "unchecked", b"x", PLAIN, condition=CREATE)


class TestFile:
    async def test_the_endpoint_is_the_absolute_path(self, tmp_path, monkeypatch, open_store):
        monkeypatch.chdir(tmp_path)
        store = open_store("lab", "sub/../lab.db")
        assert store.endpoint == f"local:{tmp_path}/lab.db"
        assert path_of(store.endpoint) == tmp_path / "lab.db"
        with pytest.raises(ValueError, match="not a local account"):
            path_of("https://x")

    async def test_the_file_is_for_its_owner_only(self, lab):
        assert stat.S_IMODE(lab.path.stat().st_mode) == 0o600

    async def test_an_account_that_must_exist_and_does_not_is_not_found(self, open_store, tmp_path):
        store = open_store("lab", tmp_path / "no.db", create=False)
        with pytest.raises(NotFound) as refusal:
            await store.containers()
        assert refusal.value.what == "account"
        assert "begin at the working directory" in (refusal.value.hint or "")
        assert not (tmp_path / "no.db").exists()

    async def test_a_file_that_was_moved_away_is_said_to_be_gone(self, lab):
        await lab.create_container(ContainerInfo("web"))
        path_of(lab.endpoint).rename(path_of(lab.endpoint).with_suffix(".away"))
        with pytest.raises(AccessRefused, match="is gone") as refusal:
            await lab.put("web", "a", b"1", PLAIN, condition=CREATE)
        assert refusal.value.hint == "put the file back"

    async def test_other_files_are_refused_and_left_alone(self, open_store, tmp_path):
        text, database = tmp_path / "notes.txt", tmp_path / "other.db"
        text.write_text("these are notes, not an account\n" * 100)
        other = sqlite3.connect(database)
        other.execute("CREATE TABLE mine (x)")
        other.close()
        for path in (text, database):
            before = path.read_bytes()
            with pytest.raises(CloudError, match="is not a local account"):
                await open_store("lab", path).create_container(ContainerInfo("box"))
            assert path.read_bytes() == before

    async def test_an_account_of_before_containers_had_etags_is_opened_and_their_changes_show(self, lab, open_store):
        await lab.create_container(ContainerInfo("box"))
        with contextlib.closing(sqlite3.connect(lab.path)) as old, old:
            for statement in ("DROP TRIGGER container_made", "DROP TRIGGER container_set", "DROP TABLE generations"):
                old.execute(statement)
            old.execute("PRAGMA user_version = 1")
        store = open_store()
        assert (await store.container("box")).etag == ""
        await store.set_container_metadata("box", {"team": "web"})
        await store.create_container(ContainerInfo("other"))
        assert all(info.etag for info in await store.containers())

    async def test_a_container_that_was_made_anew_has_another_etag(self, lab):
        await lab.create_container(ContainerInfo("box"))
        before = await lab.container("box")
        with contextlib.closing(sqlite3.connect(lab.path)) as other, other:
            other.execute("DELETE FROM containers")
        await lab.create_container(ContainerInfo("box"))
        assert (await lab.container("box")).etag not in (before.etag, "")

    async def test_a_newer_account_is_refused(self, lab, open_store):
        other = sqlite3.connect(lab.path)
        other.execute("PRAGMA user_version = 99")
        other.close()
        with pytest.raises(CloudError, match="schema 99"):
            await open_store().containers()

    async def test_a_path_that_cannot_be_a_file_is_one_plain_sentence(self, open_store, tmp_path):
        (tmp_path / "file").write_text("x")
        for path in (tmp_path, tmp_path / "file" / "lab.db"):
            with pytest.raises(CloudError, match="cannot open account lab"):
                await open_store("lab", path).containers()

    async def test_a_file_that_may_not_be_touched_is_one_plain_sentence(self, open_store, tmp_path):
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o500)
        is_root = os.geteuid() == 0
        if is_root:  # root may write everywhere: be somebody else for a moment
            os.chown(closed, 65534, 65534)
            os.seteuid(65534)
        try:
            for create in (True, False):
                with pytest.raises((AccessRefused, NotFound), match="cannot open account lab"):
                    await open_store("lab", closed / "lab.db", create=create).containers()
        finally:
            if is_root:
                os.seteuid(0)
        assert list(closed.iterdir()) == []

    async def test_a_full_disk_is_said_and_nothing_is_half_written(self, lab):
        pages = await lab._in_thread(lambda: lab._file._opened().execute("PRAGMA page_count").fetchone()[0])
        await lab._in_thread(lambda: lab._file._opened().execute(f"PRAGMA max_page_count = {pages + 20}"))
        with pytest.raises(CloudError, match="the disk is full"):
            await lab.put("box", "n", bytes(BLOCK_BYTES), PLAIN, condition=CREATE)
        assert await listed(lab, "box") == []
        await lab.put("box", "small", b"x", PLAIN, condition=CREATE)

    async def test_a_foreign_marker_is_refused(self, lab):
        with pytest.raises(CloudError, match="marker"):
            await lab.page("box", marker="not!base64")


def _count(store: LocalStore, table: str) -> int:
    rows = sqlite3.connect(store.path)
    try:
        return rows.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        rows.close()


async def test_nothing_is_written_over_another_type_or_an_archived_blob(lab):
    """As the service does: who wants that deletes first."""
    etag = (await lab.put("box", "a", b"one", PLAIN, condition=CREATE)).etag
    append = replace(PLAIN, blob_type=BlobType.APPEND)
    with pytest.raises(CloudError) as refusal:
        await lab.create_empty("box", "a", 0, append, condition=Condition(if_match=etag))
    assert refusal.value.code == "InvalidBlobType"
    await lab.set_tier("box", "a", "Archive")
    with pytest.raises(CloudError) as refusal:
        await lab.put("box", "a", b"two", PLAIN, condition=Condition(if_match=etag))
    assert refusal.value.code == "BlobArchived"
    await lab.delete("box", "a", if_match=etag)
    await lab.create_empty("box", "a", 0, append, condition=CREATE)
