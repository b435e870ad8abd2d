"""The writer follows its route through a cut-over, and the audit finds whatever is lost."""

import asyncio
import json
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.errors import UsageError
from migrator.model.objects import CREATE, Condition, ContainerInfo, Shape
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.ports.object_store import Origin
from migrator.testing.audit import Report, audit, replay
from tests.contract.object_store_suite import content, listed

TTL, MAX_WRITE = 0.4, 1.0


@dataclass
class World:
    """Two accounts, a route document in a file, and writers."""

    old: LocalStore
    new: LocalStore
    routes: Path
    logs: list[Path]
    running: list[subprocess.Popen]

    def route(self, store: LocalStore, mode: str, epoch: int) -> None:
        record = RouteRecord(store.account, store.endpoint, mode, epoch, "lineage", "", "")
        fresh = self.routes.with_suffix(".new")
        fresh.write_bytes(RouteDocument(TTL, MAX_WRITE, {"na/web": record}).encode())
        fresh.replace(self.routes)

    def write(self, *, seed=1, rate=150.0, seconds=30) -> subprocess.Popen:
        log = self.routes.parent / f"w{seed}.jsonl"
        words = f"--region na --area web --container box --prefix in/ --seconds {seconds} --rate {rate} --seed {seed}"
        program = [sys.executable, "-m", "migrator.testing.writer", "--routes", self.routes, "--log", log]
        self.running.append(subprocess.Popen([*program, *words.split()], stdout=subprocess.DEVNULL))
        self.logs.append(log)
        return self.running[-1]

    async def until(self, lines: int, kind: str = "done") -> None:
        """Wait for so many lines of this kind in each log."""
        async with asyncio.timeout(60):
            for log in self.logs:
                while not log.exists() or log.read_text().count(f'"kind": "{kind}"') < lines:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)

    async def copy_all(self, here: LocalStore, there: LocalStore) -> None:
        for blob in await listed(here, "box"):
            origin = Origin(here, "box", blob.name, blob.etag)
            await there.start_copy(origin, "box", blob.name, Shape.of(blob), condition=CREATE)

    async def end(self, process: subprocess.Popen, number=signal.SIGTERM) -> int:
        process.send_signal(number)
        return await asyncio.to_thread(process.wait, 30)

    async def audit(self) -> Report:
        return await audit(str(self.routes), self.logs)


@pytest.fixture
async def world(tmp_path):
    made = World(
        LocalStore("old", tmp_path / "old.db"), LocalStore("new", tmp_path / "new.db"), tmp_path / "routes.json", [], []
    )
    for store in (made.old, made.new):
        await store.create_container(ContainerInfo("box"))
    made.route(made.old, READ_WRITE, 1)
    yield made
    for process in made.running:
        process.kill()
        process.wait()
    for store in (made.old, made.new):
        await store.close()


async def test_a_writer_loses_nothing_over_a_cut_over_and_says_how_long_it_paused(world):
    writers = [world.write(seed=1), world.write(seed=2)]
    await world.until(60)
    world.route(world.old, READ_ONLY, 2)
    await asyncio.sleep(TTL + MAX_WRITE)
    before = [(blob.name, blob.etag, blob.tags) for blob in await listed(world.old, "box")]
    await world.copy_all(world.old, world.new)
    assert [(blob.name, blob.etag, blob.tags) for blob in await listed(world.old, "box")] == before
    world.route(world.new, READ_WRITE, 3)
    await world.until(150)
    assert [await world.end(one) for one in writers] == [0, 0]
    report = await world.audit()
    assert report.is_good, report
    assert (report.writers, report.unknown) == (2, 0)
    assert report.acknowledged >= 300
    assert report.pauses == 2
    assert report.longest_pause_seconds > 0
    assert "0 lost" in report.summary()


async def test_a_writer_waits_for_the_first_route(world):
    world.routes.unlink()
    writer = world.write()
    await world.until(1, "writer")
    await asyncio.sleep(0.5)
    world.route(world.old, READ_WRITE, 1)
    await world.until(5)
    assert await world.end(writer) == 0
    report = await world.audit()
    assert (report.is_good, report.pauses) == (True, 0)


async def test_a_killed_writer_has_at_most_one_unknown_write(world):
    for seed in range(4):
        await asyncio.to_thread(lambda seed=seed: world.write(seed=seed, rate=2000))
        await world.until(24 - seed)
        await world.end(world.running[-1], signal.SIGKILL)
    report = await world.audit()
    assert report.is_good, report
    assert report.unknown <= 4


async def test_names_of_another_run_of_the_same_seed_are_its_own(world):
    for lines in (30, 1000):
        writer = world.write(rate=1000)
        await world.until(lines)
        await world.end(writer)
        world.logs.pop()
    world.logs = [world.routes.parent / "w1.jsonl"]
    report = await world.audit()
    assert (report.is_good, report.writers) == (True, 2)


@pytest.fixture
async def written(world):
    """A world whose writer has ended well."""
    writer = world.write(rate=1000)
    await world.until(200)
    await world.end(writer)
    assert (await world.audit()).is_good
    return world


async def _delete(store, blob):
    await store.delete("box", blob.name, if_match=blob.etag)


async def _flip(store, blob):
    body = await content(store, "box", blob.name)
    changed = bytes([body[0] ^ 1]) + body[1:]
    await store.put("box", blob.name, changed, Shape.of(blob), condition=Condition(if_match=blob.etag))


async def _retag(store, blob):
    await store.set_tags("box", blob.name, {"turn": "lost"})


async def _empty(store, blob):
    await store.put("box", blob.name, b"", Shape.of(blob), condition=Condition(if_match=blob.etag))


async def _add(store, blob):
    await store.put("box", blob.name + "-extra", b"", Shape.of(blob), condition=CREATE)


@pytest.mark.parametrize(
    ("damage", "word"),
    [
        (_delete, "missing"),
        (_flip, "content differs"),
        (_empty, "content differs"),
        (_retag, "tags differ"),
        (_add, "nobody wrote it"),
    ],
)
async def test_the_audit_is_not_blind(written, damage, word):
    blob = next(one for one in await listed(written.old, "box") if one.size and "item-" in one.name)
    await damage(written.old, blob)
    report = await written.audit()
    assert len(report.lost) == 1
    assert word in report.lost[0]
    assert not report.is_good


async def test_an_acknowledged_delete_that_is_undone_is_a_loss(written):
    lines = [json.loads(line) for line in written.logs[0].read_text().splitlines()]
    gone = {line["name"]: line["digest"] for line in lines if line["kind"] == "done"}
    name = next(name for name, digest in gone.items() if digest is None)
    some = (await listed(written.old, "box"))[0]
    await written.old.put("box", name, b"back again", Shape.of(some), condition=CREATE)
    report = await written.audit()
    assert "deleted, and there again" in report.lost[0]


async def test_reading_the_wrong_account_is_a_loss_of_everything(written):
    written.route(written.new, READ_WRITE, 5)
    report = await written.audit()
    assert len(report.lost) > 10


def _line(kind, number=1, **facts):
    whole = {"number": number, "op": "create", "container": "box", "name": "n", "digest": "d1", "tags": {}, "epoch": 3}
    return json.dumps({"kind": kind, "t": 0, "endpoint": "local:/a", **whole, **facts})


HEAD = json.dumps({"kind": "writer", "t": 0, "region": "na", "area": "web", "container": "box", "stem": "w/"})


def test_an_unknown_write_may_be_there_or_not():
    (run,) = replay([HEAD, _line("sent"), _line("done"), _line("sent", 2, digest="d2"), '{"kind": "don'])
    assert run.may_be == {"n": {("d1", ()), ("d2", ())}}
    assert run.unknown == 1


def test_a_refused_write_leaves_what_was_there():
    (run,) = replay([HEAD, _line("sent"), _line("done"), _line("sent", 2, digest="d2"), _line("refused", 2)])
    assert run.may_be == {"n": {("d1", ())}}


def test_a_surprise_is_a_loss_though_the_object_was_written_again():
    (run,) = replay([HEAD, _line("surprise", why="nothing")])
    assert run.surprises == ["n: nothing"]


async def test_two_accounts_in_one_epoch_are_reported(written):
    log = written.logs[0]
    lines = log.read_text().splitlines()
    done = next(json.loads(line) for line in reversed(lines) if '"kind": "done"' in line)
    other = json.dumps({**done, "number": 99_999, "endpoint": "local:/elsewhere"})
    log.write_text("\n".join([*lines, other.replace('"done"', '"sent"'), other]) + "\n")
    report = await written.audit()
    assert len(report.split) == 1
    assert not report.is_good


def test_another_file_is_no_log():
    with pytest.raises(UsageError, match="first line"):
        replay([_line("done")])


def test_a_report_is_good_only_without_losses_and_splits():
    clean = Report(1, 1, 0, 1, (), (), 0, 0.0, 0.0)
    assert clean.is_good
    assert not replace(clean, lost=("x",)).is_good
    assert not replace(clean, split=("x",)).is_good


async def test_the_command_exits_1_if_anything_is_lost(written):
    program = [sys.executable, "-m", "migrator.testing.audit", "--routes", str(written.routes), "--log", *written.logs]
    good = await asyncio.to_thread(subprocess.run, [*program, "--json"], capture_output=True, text=True)
    assert (good.returncode, json.loads(good.stdout)["lost"]) == (0, [])
    await _delete(written.old, (await listed(written.old, "box"))[0])
    bad = await asyncio.to_thread(subprocess.run, program, capture_output=True, text=True)
    assert bad.returncode == 1
    assert "1 lost" in bad.stdout
    assert bad.stdout.count("\n") == 1
