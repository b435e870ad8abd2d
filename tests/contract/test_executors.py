"""What every executor promises (``migrator.ports.executor``), for hands in this process and in processes of their own.

Both are given embedded accounts: their requests are real, and an answer of the account decides, not one of a double.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import closing

import pytest

from migrator.adapters.azure import open_store
from migrator.adapters.clock import SystemClock
from migrator.adapters.local import LocalStore
from migrator.adapters.workers import InlineExecutor, WorkerPool, WorkerProcesses
from migrator.adapters.workers.lane_letters import read_order, read_outcome
from migrator.adapters.workers.letters import answer_letter, batch_letter
from migrator.adapters.workers.pool import LOOKS_WORTH
from migrator.errors import ConditionFailed, NotFound, SourceChanged, Throttled, Unreachable
from migrator.model.letters import LENGTH_BYTES, length_of
from migrator.model.looks import LaneToLook, RangeToLook
from migrator.model.moves import Direction
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.ports.executor import UNSENT, BatchAnswer, CopyBatch, CopyUnit, CutOff, Refusal
from migrator.ports.object_store import MAY_SEND, Written
from migrator.transfer.looking import look
from tests.contract.object_store_suite import PLAIN, SERVICE_NAMES

COMMAND = (sys.executable, "-m", "migrator.cli.worker")


def soon() -> float:
    return SystemClock().monotonic() + 60.0


@pytest.fixture
async def accounts(tmp_path):
    """Two embedded accounts with one container each; the first is filled."""
    stores = {}
    for name in ("source", "target"):
        stores[name] = LocalStore(name, tmp_path / f"{name}.db")
        await stores[name].create_container(ContainerInfo("box"))
    yield stores
    for store in stores.values():
        await store.close()


@pytest.fixture
def planned(tmp_path):
    return [Account(name, "local", path=str(tmp_path / f"{name}.db")) for name in ("source", "target")]


async def fill(store, names, *, tier=None) -> list[CopyUnit]:
    shape = Shape(BlobType.BLOCK, ContentHeaders("text/plain"), {"owner": "web"}, {}, tier)
    return [CopyUnit(n, (await store.put("box", n, n.encode(), shape, condition=CREATE)).etag) for n in names]


def batch(units, until=None) -> CopyBatch:
    return CopyBatch("source", "target", "box", tuple(units), soon() if until is None else until)


def lane(number=1, until=None, pages=10) -> LaneToLook:
    """All of both containers, by what their listings show."""
    places = {"origin": "source", "destination": "target", "container": "box", "prefix": ""}
    most = {"page_size": 5000, "pages": pages, "most_shown": 100, "most_names": 1000}
    return LaneToLook(
        number,
        "attributes",
        direction=Direction.FORWARD,
        order="utf-16",
        above=None,
        ranges=(RangeToLook(None),),
        spoken_of=(),
        share=0.0,
        until=soon() if until is None else until,
        **places,
        **most,
    )


class ExecutorSuite:
    """A subclass gives the fixture ``executor``."""

    async def test_every_copy_is_answered_with_its_new_etag_in_order(self, executor, accounts):
        units = await fill(accounts["source"], SERVICE_NAMES)
        answer = await executor.copy(batch(units))
        there = {name: await accounts["target"].head("box", name) for name in SERVICE_NAMES}
        assert list(answer.answers) == [there[name].etag for name in SERVICE_NAMES]
        assert sum(answer.answered.values()) == len(SERVICE_NAMES)
        assert all(dict(found.metadata) == {"owner": "web"} for found in there.values())

    async def test_tags_and_tier_go_with_the_copy(self, executor, accounts):
        # Azurite copies the origin's mark "inferred" with it, so the origin has a tier, too.
        (unit,) = await fill(accounts["source"], ["a"], tier="Hot")
        await executor.copy(batch([unit._replace(tags={"area": "web", "n": "1"}, tier="Cool")]))
        found = await accounts["target"].head("box", "a")
        assert (dict(found.tags), found.explicit_tier) == ({"area": "web", "n": "1"}, "Cool")

    async def test_what_is_refused_is_said_for_each_and_stops_no_other(self, executor, accounts):
        units = await fill(accounts["source"], ["changed", "fine", "gone", "taken"])
        await accounts["source"].delete("box", "gone", if_match=units[2].etag)
        units[0] = units[0]._replace(etag="0x8DFFFFFFFFFFFFF")
        await accounts["target"].put("box", "taken", b"other", PLAIN, condition=CREATE)
        answers = (await executor.copy(batch(units))).answers
        kinds = [one if isinstance(one, str) else type(one.as_error()) for one in answers]
        fine = await accounts["target"].head("box", "fine")
        assert kinds == [SourceChanged, fine.etag, NotFound, ConditionFailed]
        assert answers[2].as_error().what == "blob"
        assert (await accounts["target"].head("box", "taken")).size == len(b"other")

    async def test_a_replacement_keeps_to_its_condition(self, executor, accounts):
        (unit,) = await fill(accounts["source"], ["a"])
        old = await accounts["target"].put("box", "a", b"older", PLAIN, condition=CREATE)
        wrong, right = unit._replace(if_match="0x8DFFFFFFFFFFFFF"), unit._replace(if_match=old.etag)
        (refused,) = (await executor.copy(batch([wrong]))).answers
        assert refused.kind == "condition-failed"
        (etag,) = (await executor.copy(batch([right]))).answers
        assert etag == (await accounts["target"].head("box", "a")).etag != old.etag

    async def test_nothing_is_sent_after_the_batch_s_time(self, executor, accounts):
        units = await fill(accounts["source"], ["a", "b"])
        answer = await executor.copy(batch(units, until=SystemClock().monotonic() - 0.001))
        assert list(answer.answers) == [UNSENT, UNSENT]
        assert not answer.answered
        assert (await accounts["target"].page("box")).entries == ()

    async def test_many_batches_at_once_are_each_answered_whole(self, executor, accounts):
        units = await fill(accounts["source"], [f"{n:04}" for n in range(200)])
        answers = await asyncio.gather(*(executor.copy(batch(units[n : n + 10])) for n in range(0, 200, 10)))
        etags = [etag for answer in answers for etag in answer.answers]
        listed = (await accounts["target"].page("box")).entries
        assert etags == [entry.etag for entry in listed]

    async def test_an_empty_batch_is_answered(self, executor):
        assert list((await executor.copy(batch([]))).answers) == []

    async def test_of_a_lane_those_names_are_shown_of_which_something_is_to_be_said(self, executor, accounts):
        await executor.copy(batch(await fill(accounts["source"], SERVICE_NAMES)))
        await fill(accounts["source"], ["only here"])
        answer = await executor.look(lane(number=7))
        (found,) = answer.looked.ranges
        assert (answer.number, answer.refusal) == (7, None)
        assert [(one.name, one.origin.size, one.destination) for one in found.shown] == [("only here", 9, None)]
        assert found.at_rest == len(SERVICE_NAMES)
        assert (answer.looked.origin.objects, answer.looked.destination.objects) == (found.at_rest + 1, found.at_rest)
        assert sum(pages for _, _, pages in answer.answered) == 2
        assert {account for account, _, _ in answer.answered} == {"source", "target"}

    async def test_no_page_of_a_lane_is_asked_for_after_its_time(self, executor):
        answer = await executor.look(lane(until=SystemClock().monotonic() - 0.001))
        assert (answer.looked, answer.answered) == (None, ())
        assert answer.refusal is not None

    async def test_many_lanes_at_once_are_each_answered_by_their_number(self, executor):
        answers = await asyncio.gather(*(executor.look(lane(number)) for number in range(1, 40)))
        assert [one.number for one in answers] == list(range(1, 40))
        assert all(one.looked is not None for one in answers)

    async def test_it_may_be_closed_twice(self, executor):
        await executor.close()
        await executor.close()


class TestInline(ExecutorSuite):
    @pytest.fixture
    def executor(self, accounts):
        return InlineExecutor(accounts, SystemClock(), look=look)

    async def test_one_that_was_not_told_how_looks_at_no_lane(self, accounts):
        executor = InlineExecutor(accounts, SystemClock())
        assert (executor.lanes_at_once, executor.expect_lanes(10**9)) == (0, False)
        assert (await executor.look(lane())).refusal == UNSENT

    async def test_after_a_throttled_answer_the_rest_of_the_batch_is_unsent(self, accounts):
        class Busy:
            account = "target"
            answered_at = None
            sent = 0

            async def copy(self, *arguments, **options):
                self.sent += 1
                raise Throttled("cannot copy: busy", retry_after_seconds=3.0, account_side="origin")

        busy = Busy()
        executor = InlineExecutor({"source": accounts["source"], "target": busy}, SystemClock())
        answers = (await executor.copy(batch([CopyUnit(f"{n:03}", "e") for n in range(100)]))).answers
        refused = [one for one in answers if one.kind == "throttled"]
        assert len(refused) == busy.sent < 20
        assert all(one.kind == "unsent" for one in answers if one not in refused)
        assert (refused[0].retry_after_seconds, refused[0].is_origin) == (3.0, True)

    async def test_more_is_under_way_where_the_service_is_far_away(self, accounts):
        class Distant:
            account = "target"
            answered_at = None
            under_way = most = 0

            async def copy(self, *arguments, **options):
                self.under_way += 1
                self.most = max(self.most, self.under_way)
                await asyncio.sleep(0.05)
                self.under_way -= 1
                return Written("e2")

        for adapts in (True, False):
            distant = Distant()
            executor = InlineExecutor({"source": accounts["source"], "target": distant}, SystemClock(), adapts=adapts)
            units, batches = [CopyUnit(f"{n:03}", "e") for n in range(128)], iter(range(40))

            async def keep_busy(executor=executor, units=units, batches=batches):
                for _ in batches:
                    answer = await executor.copy(batch(units))
                    assert executor.window in (0, answer.window)

            assert executor.window == 0
            await asyncio.gather(*(keep_busy() for _ in range(executor.batches_at_once)))
            assert (distant.most > 64) == adapts
            assert executor.window == 0

    async def test_what_was_answered_is_counted_in_the_service_s_minute(self, accounts):
        class Dated:
            account = "target"
            answered_at = 1795608059.0

            async def copy(self, *arguments, **options):
                return Written("e2")

        executor = InlineExecutor({"source": accounts["source"], "target": Dated()}, SystemClock())
        answer = await executor.copy(batch([CopyUnit(f"{n:03}", "e") for n in range(20)]))
        assert answer.answered == {29926800: 20}

    async def test_what_was_held_up_until_the_batch_s_time_was_over_is_unsent(self, accounts):
        """For a connection, say: the store asks once more before the request leaves."""
        clock, sent = SystemClock(), []

        class HeldUp:
            account = "target"
            answered_at = None

            async def copy(self, origin, container, name, shape, *, condition):
                await asyncio.sleep(0.2)
                if not MAY_SEND.get()():
                    raise Unreachable("cannot copy: its time was over")
                sent.append(name)

        executor = InlineExecutor({"source": accounts["source"], "target": HeldUp()}, clock)
        answer = await executor.copy(batch([CopyUnit(f"{n:03}", "e") for n in range(40)], clock.monotonic() + 0.1))
        assert set(answer.answers) == {UNSENT}
        assert sent == []
        assert MAY_SEND.get()()

    async def test_a_cancelled_batch_sends_nothing_more(self, accounts):
        begun, sent = asyncio.Event(), []

        class Slow:
            account = "target"
            answered_at = None

            async def copy(self, origin, container, name, shape, *, condition):
                sent.append(name)
                begun.set()
                await asyncio.sleep(60)

        executor = InlineExecutor({"source": accounts["source"], "target": Slow()}, SystemClock())
        cut = []

        async def ask():
            try:
                await executor.copy(batch([CopyUnit(f"{n:03}", "e") for n in range(100)]))
            except CutOff as end:
                cut.append(end)
                raise

        work = asyncio.ensure_future(ask())
        await begun.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        before = list(sent)
        await asyncio.sleep(0)
        assert sent == before
        kinds = [one.kind for one in cut[0].answer.answers]
        assert kinds == ["unknown"] * len(sent) + ["unsent"] * (100 - len(sent))


class TestWorkers(ExecutorSuite):
    @pytest.fixture
    async def executor(self, accounts, planned):
        pool = WorkerPool(
            WorkerProcesses(COMMAND, 2), planned, {}, inline=InlineExecutor(accounts, SystemClock()), small=-1
        )
        await pool.ready()
        yield pool
        await pool.close()

    async def test_the_copies_are_made_by_other_processes(self, executor):
        assert len(executor.pids) == 2
        assert os.getpid() not in executor.pids

    async def test_a_run_that_copies_little_starts_none(self, accounts, planned):
        pool = WorkerPool(WorkerProcesses(COMMAND, 2), planned, {}, inline=InlineExecutor(accounts, SystemClock()))
        units = await fill(accounts["source"], SERVICE_NAMES)
        answer = await pool.copy(batch(units))
        await pool.close()
        assert all(isinstance(one, str) for one in answer.answers)
        assert pool.pids == ()

    async def test_few_names_to_look_at_start_none_and_many_do(self, accounts, planned):
        pool = WorkerPool(WorkerProcesses(COMMAND, 1), planned, {}, inline=InlineExecutor(accounts, SystemClock()))
        assert not pool.expect_lanes(LOOKS_WORTH)
        assert not pool._starting
        assert (await pool.look(lane())).refusal == UNSENT
        assert not pool.expect_lanes(1)

        async def are_ready() -> bool:
            return pool.expect_lanes(0)

        await until(are_ready)
        assert (await pool.look(lane())).looked is not None
        await pool.close()

    async def test_a_worker_that_dies_over_a_lane_has_seen_nothing(self, executor):
        for pid in executor.pids:
            os.kill(pid, signal.SIGSTOP)
        looks = [asyncio.create_task(executor.look(lane(number))) for number in (1, 2)]
        await asyncio.sleep(0.05)
        for pid in executor.pids:
            os.kill(pid, signal.SIGKILL)
        for answer in await asyncio.gather(*looks):
            assert (answer.looked, answer.refusal.kind) == (None, "unknown")

    async def test_a_run_that_expects_many_has_them_ready_before_the_first_copy(self, accounts, planned):
        processes = WorkerProcesses(COMMAND, 2)
        pool = WorkerPool(processes, planned, {}, inline=InlineExecutor(accounts, SystemClock()))
        pool.expect(100)
        assert not pool._starting
        processes.expect(1_000_000)
        pool.expect(1_000_000)

        async def are_ready() -> bool:
            return len(pool.pids) == 2

        await until(are_ready)
        await pool.close()

    async def test_processes_that_nobody_took_are_ended(self):
        processes = WorkerProcesses(COMMAND, 2)
        processes.expect(1_000_000)
        started = [one.pid for one in processes._ready]
        assert len(started) == 2
        processes.close()
        for pid in started:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    async def test_no_more_begin_at_once_than_the_caller_says(self):
        with closing(WorkerProcesses(COMMAND, 3, at_once=1)) as processes:
            for copies in (10_000, 20_000):
                processes.expect(copies)
                assert len(processes._ready) == 1

            async def have_all_begun() -> bool:
                processes.expect(30_000)
                return len(processes._ready) == 3

            await until(have_all_begun)

    async def test_what_a_dead_worker_had_is_unknown_and_another_takes_its_place(self, executor, accounts):
        units = await fill(accounts["source"], [f"{n:05}" for n in range(2_000)])
        work = asyncio.ensure_future(executor.copy(batch(units)))
        await until(lambda: has_begun(accounts["target"]))
        for pid in executor.pids:
            os.kill(pid, signal.SIGKILL)
        answers = (await work).answers
        assert {one.kind for one in answers} == {"unknown"}
        await executor.ready()
        fresh = await fill(accounts["source"], ["after"])
        (etag,) = (await executor.copy(batch(fresh))).answers
        assert etag == (await accounts["target"].head("box", "after")).etag

    async def test_a_cancelled_batch_is_at_rest_when_the_caller_learns_of_it(self, executor, accounts):
        """And it learns what was done."""
        units = await fill(accounts["source"], [f"{n:05}" for n in range(2_000)])
        cut = []

        async def ask():
            try:
                await executor.copy(batch(units))
            except CutOff as end:
                cut.append(end)
                raise

        work = asyncio.ensure_future(ask())
        await until(lambda: has_begun(accounts["target"]))
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert sum(isinstance(one, str) for one in cut[0].answer.answers) == len(
            (await accounts["target"].page("box")).entries
        )
        assert {one.kind for one in cut[0].answer.answers if not isinstance(one, str)} == {"unsent"}
        there = len((await accounts["target"].page("box")).entries)
        await asyncio.sleep(0.2)
        assert len((await accounts["target"].page("box")).entries) == there < 2_000

    async def test_workers_end_with_the_pipe_of_a_killed_engine(self, accounts, planned, tmp_path):
        program = (
            "import asyncio, json, sys, time\n"
            "from migrator.adapters.clock import SystemClock\n"
            "from migrator.adapters.workers import InlineExecutor, WorkerProcesses, WorkerPool\n"
            "from migrator.model.schedule import Account\n"
            "async def main():\n"
            "    accounts = [Account(n, 'local', path=p) for n, p in json.loads(sys.argv[1])]\n"
            "    command = (sys.executable, '-m', 'migrator.cli.worker')\n"
            "    pool = WorkerPool(WorkerProcesses(command, 2), accounts, {}, inline=InlineExecutor({}, SystemClock()))\n"
            "    await pool.ready()\n"
            "    print(json.dumps(pool.pids), flush=True)\n"
            "    await asyncio.sleep(60)\n"
            "asyncio.run(main())\n"
        )
        places = json.dumps([(one.name, one.path) for one in planned])
        engine = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, places, stdout=asyncio.subprocess.PIPE
        )
        pids = json.loads(await engine.stdout.readline())
        engine.kill()
        await engine.wait()
        await until(lambda: have_ended(pids))

    async def test_a_worker_imports_little(self, executor):
        """Neither SDK nor plan parser nor database: its memory is counted as many times as there are workers."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys, migrator.cli.worker\nprint(' '.join(m.partition('.')[0] for m in sys.modules))",
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        assert not {"azure", "pydantic", "sqlalchemy", "rich", "typer", "ruamel", "aiohttp"} & set(out.decode().split())


async def until(condition) -> None:
    """Wait for an awaitable condition, ten seconds at most."""
    for _ in range(2_000):
        if await condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came")


async def has_begun(target) -> bool:
    return bool((await target.page("box", limit=1)).entries)


async def have_ended(pids) -> bool:
    return not any(is_running(pid) for pid in pids)


def is_running(pid: int) -> bool:
    """A zombie whose parent is gone does not count as running."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.azurite
class TestWorkersOnAzurite(ExecutorSuite):
    """The same promises of a real service, its keys found by the workers in the inherited environment."""

    @pytest.fixture
    def planned(self, azurite, monkeypatch):
        planned = []
        for name in ("source", "target"):
            own = azurite.take()
            monkeypatch.setenv(f"EXECUTOR_{name.upper()}", azurite.connection_string(own))
            reference = f"env:EXECUTOR_{name.upper()}"
            planned.append(Account(name, "azure", endpoint=azurite.endpoint(own), credential=reference))
        return planned

    @pytest.fixture
    async def accounts(self, planned):
        stores = {account.name: open_store(account, environ=os.environ) for account in planned}
        for store in stores.values():
            await store.create_container(ContainerInfo("box"))
        yield stores
        for store in stores.values():
            await store.close()

    @pytest.fixture
    async def executor(self, accounts, planned):
        pool = WorkerPool(
            WorkerProcesses(COMMAND, 2), planned, {}, inline=InlineExecutor(accounts, SystemClock()), small=-1
        )
        await pool.ready()
        assert len(pool.pids) == 2
        yield pool
        await pool.close()


class TestLetters:
    def test_a_batch_is_read_as_it_was_written(self):
        odd = "new\nline \udc80 \U0001f389 \x00"
        sent = CopyBatch("a", "b", "box", (CopyUnit(odd, "e1", "e0", {"k": odd}, "Cool"), CopyUnit("x", "e2")), 17.25)
        letter = batch_letter(7, sent)
        assert length_of(letter[:LENGTH_BYTES]) == len(letter) - LENGTH_BYTES
        assert read_order(letter[LENGTH_BYTES:]) == (7, sent)

    def test_an_answer_is_read_as_it_was_written(self):
        refusal = Refusal("throttled", "cannot: busy", "wait", "ServerBusy", "", 1.5, True)
        sent = BatchAnswer(("0x1", refusal, UNSENT), {29_000_000: 2})
        assert read_outcome(answer_letter(9, sent)[LENGTH_BYTES:]) == (9, sent)

    def test_a_length_that_cannot_be_is_refused(self):
        with pytest.raises(ValueError, match="a letter of"):
            length_of(b"\xff\xff\xff\xff")
