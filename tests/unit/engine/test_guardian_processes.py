"""The guardian as a process of its own, over real pipes: however the engine ends, and whatever ends the guardian."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from migrator.adapters.routing import FileRouter
from migrator.engine.guardian import SIGNALS
from migrator.engine.guarding import Guardian
from migrator.errors import CloudError, InternalError
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.ports.guardian import GuardianPort
from tests.children import state_of
from tests.unit.engine.test_guardian import BEFORE, FENCE, KEY, OTHER, revoked

CHILD = """
import asyncio, contextlib, sys
from migrator.adapters.clock import SystemClock
from migrator.adapters.routing import FileRouter
from migrator.engine.guardian import ignore_signals, serve_pipes
ignore_signals()
@contextlib.asynccontextmanager
async def opened(letter):
    yield FileRouter(sys.argv[1]), lambda account: None
asyncio.run(serve_pipes(opened, SystemClock(), say=lambda text: print(text, file=sys.stderr)))
"""

ENGINE = """
import asyncio, json, sys
from migrator.adapters.routing import FileRouter
from migrator.engine.guarding import Guardian
from tests.unit.engine.test_guardian import BEFORE, FENCE, KEY
from tests.unit.engine.test_guardian_processes import CHILD

async def main():
    guardian, router = Guardian([sys.executable, "-c", CHILD, sys.argv[1]]), FileRouter(sys.argv[1])
    await guardian.watch(KEY, BEFORE, FENCE, 600)
    seen = await router.read("europe")
    await router.swap("europe", seen.document.with_record(KEY, FENCE), expected_etag=seen.etag)
    print(guardian.pid, flush=True)
    {end}

asyncio.run(main())
"""


@pytest.fixture
async def routes(tmp_path: Path) -> FileRouter:
    router = FileRouter(tmp_path / "routes.json")
    await router.swap("europe", RouteDocument(30, 60, {KEY: BEFORE}), expected_etag=None)
    return router


async def _put(router: FileRouter, record: RouteRecord, key: str = KEY) -> None:
    seen = await router.read("europe")
    assert seen.document is not None
    await router.swap("europe", seen.document.with_record(key, record), expected_etag=seen.etag)


async def _record(router: FileRouter, key: str = KEY) -> RouteRecord:
    document = (await router.read("europe")).document
    assert document is not None
    return document.routes[key]


async def _until(router: FileRouter, wanted: Callable[[RouteRecord], bool], key: str = KEY) -> RouteRecord:
    for _ in range(600):
        if wanted(found := await _record(router, key)):
            return found
        await asyncio.sleep(0.05)
    pytest.fail(f"the route never became as wanted: {found}")


async def _soon(wanted: Callable[[], bool]) -> None:
    for _ in range(600):
        if wanted():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it never came")


def _guardian(router: FileRouter) -> Guardian:
    return Guardian([sys.executable, "-c", CHILD, router.place])


class TestRealProcesses:
    async def test_watch_done_and_close_leave_the_route_to_the_engine(self, routes: FileRouter) -> None:
        guardian = _guardian(routes)
        port: GuardianPort = guardian
        assert not guardian.alive
        await port.watch(KEY, BEFORE, FENCE, 600)
        assert guardian.alive
        await _put(routes, FENCE)
        await port.done(KEY)
        await port.close()
        assert not guardian.alive
        assert await _record(routes) == FENCE

    async def test_close_without_done_releases(self, routes: FileRouter) -> None:
        guardian = _guardian(routes)
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        await _put(routes, FENCE)
        await guardian.close()
        assert (await _record(routes)).epoch == 8

    async def test_a_deadline_passes_in_real_time(self, routes: FileRouter) -> None:
        guardian = _guardian(routes)
        await guardian.watch(KEY, BEFORE, FENCE, 0.2)
        await _until(routes, lambda record: record.epoch == 8 and record.mode == "read-write")
        assert guardian.alive
        await guardian.close()

    @pytest.mark.parametrize(
        "end",
        [
            "sys.stdin.readline()",
            "raise RuntimeError('a bug of the engine')",
            "return",
            "import os; os._exit(1)",
        ],
    )
    async def test_however_the_engine_ends_its_fence_is_released(self, routes: FileRouter, end: str) -> None:
        """Killed while it waits, broken down, returned without a word, gone without cleaning up."""
        engine = await self._engine(routes, end)
        if "readline" in end:
            engine.send_signal(signal.SIGKILL)
        await asyncio.to_thread(engine.communicate, timeout=60)
        released = await _until(routes, lambda record: record.mode == "read-write")
        assert (released.account, released.epoch) == ("na-core", 8)

    async def test_the_signals_of_a_terminal_do_not_end_it(self, routes: FileRouter) -> None:
        engine = await self._engine(routes, "sys.stdin.readline()")
        for number in SIGNALS:
            os.kill(self.guardian_pid, number)
        os.kill(self.guardian_pid, 0)
        assert state_of(self.guardian_pid) not in ("T", "Z")
        assert await _record(routes) == FENCE
        engine.send_signal(signal.SIGKILL)
        await asyncio.to_thread(engine.communicate, timeout=60)
        await _until(routes, lambda record: record.epoch == 8)

    async def test_who_kills_the_whole_group_of_the_engine_frees_the_writers(self, routes: FileRouter) -> None:
        engine = await self._engine(routes, "sys.stdin.readline()")
        assert os.getsid(self.guardian_pid) != os.getsid(engine.pid)
        os.killpg(engine.pid, signal.SIGKILL)
        await asyncio.to_thread(engine.communicate, timeout=60)
        await _until(routes, lambda record: record.epoch == 8)

    async def test_a_guardian_that_died_is_started_again_for_the_next_watch(self, routes: FileRouter) -> None:
        guardian = _guardian(routes)
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        process = guardian._process
        assert process is not None
        process.kill()
        process.wait(timeout=60)
        assert not guardian.alive
        await guardian.done(KEY)  # nobody hears it, and nobody minds
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        await guardian.close()
        assert (await _record(routes)).epoch == 8

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "is-stopped"])
    async def test_one_that_fails_in_a_fence_is_replaced_and_the_next_one_knows_everything(
        self, routes: FileRouter, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
    ) -> None:
        """Both fences, their deadlines, and what was to be put back."""
        monkeypatch.setattr("migrator.engine.guarding.PING_SECONDS", 0.1)
        monkeypatch.setattr("migrator.engine.guarding.PING_ANSWER_SECONDS", 1.0)
        other, other_fence = "europe/web", replace(OTHER, mode="read-only", epoch=7)
        await _put(routes, OTHER, other)
        guardian = _guardian(routes)
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        await guardian.watch(other, OTHER, other_fence, 8)
        await guardian.keep(KEY, [])
        await _put(routes, FENCE)
        await _put(routes, other_fence, other)
        first = guardian.pid
        os.kill(first, number)
        await _soon(lambda: guardian.alive and guardian.pid not in (0, first))
        assert state_of(first) in ("", "Z")
        released = await _until(routes, lambda record: record.mode == "read-write", other)
        assert released.epoch == 8, "its deadline is kept by the second one"
        assert await _record(routes) == FENCE
        await guardian.done(other)
        await guardian.close()
        assert (await _record(routes)).epoch == 8

    async def test_where_none_can_be_had_any_more_the_fence_is_given_up(
        self, routes: FileRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("migrator.engine.guarding.PING_SECONDS", 0.1)
        monkeypatch.setattr("migrator.engine.guarding.LOST_SECONDS", 0.3)
        guardian = _guardian(routes)
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        lost = asyncio.create_task(guardian.unwatched(KEY))
        await asyncio.sleep(1.0)
        assert not lost.done()
        guardian._argv = ("/no/such/program",)
        os.kill(guardian.pid, signal.SIGKILL)
        assert "/no/such/program" in await asyncio.wait_for(lost, 30)
        await guardian.close()

    async def test_an_engine_that_stands_still_right_after_its_watch_is_not_waited_for(
        self, routes: FileRouter
    ) -> None:
        """Before it could say anything more."""
        impatient = CHILD.replace(
            "ignore_signals()\n", "import migrator.engine.guardian as g\ng.SILENCE_SECONDS = 1.0\n", 1
        )
        assert impatient != CHILD
        guardian = Guardian([sys.executable, "-c", impatient, routes.place])
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        await _put(routes, FENCE)
        time.sleep(8)  # noqa: ASYNC251 - as a process that is stopped
        assert (await _record(routes)).epoch == 8
        await guardian.close()

    async def test_a_stopped_one_does_not_hold_up_the_end_of_a_fence(
        self, routes: FileRouter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("migrator.engine.guarding.PING_ANSWER_SECONDS", 0.5)
        guardian = _guardian(routes)
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        os.kill(guardian.pid, signal.SIGSTOP)
        async with asyncio.timeout(10):
            await guardian.done(KEY)
            await guardian.close()
        assert await _record(routes) == BEFORE

    async def test_policies_and_fences_by_the_ten_thousand_are_no_more_than_a_letter(self, routes: FileRouter) -> None:
        opening = {"accounts": [f"account-{number:05}" + "x" * 300 for number in range(10_000)]}
        guardian = Guardian([sys.executable, "-c", CHILD, routes.place], opening=opening)
        await guardian.watch(KEY, BEFORE, FENCE, 600)
        with pytest.raises(CloudError, match="na-core cannot be put back from here"):
            await guardian.keep(KEY, [revoked(id=f"policy-{number}") for number in range(10_000)])
        assert guardian.alive
        await guardian.done(KEY)
        await guardian.close()

    async def test_routes_that_cannot_be_read_forbid_the_fence(self, tmp_path: Path) -> None:
        (tmp_path / "routes.json").write_text("not json")
        guardian = _guardian(FileRouter(tmp_path / "routes.json"))
        with pytest.raises(CloudError, match=r"cannot fence north-america/web: its guardian refuses .*not JSON"):
            await guardian.watch(KEY, BEFORE, FENCE, 600)
        await guardian.close()

    @pytest.mark.parametrize("argv", [["/no/such/program"], [sys.executable, "-c", "pass"], ["echo", "hello"]])
    async def test_a_command_that_is_no_guardian_forbids_the_fence(self, argv: list[str]) -> None:
        guardian = Guardian(argv)
        with pytest.raises(CloudError, match="no guardian watches over it"):
            await guardian.watch(KEY, BEFORE, FENCE, 600)
        await guardian.close()

    async def test_a_guardian_that_does_not_answer_forbids_the_fence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("migrator.engine.guarding.ANSWER_SECONDS", 0.1)
        guardian = Guardian([sys.executable, "-c", "import sys; sys.stdin.read()"])
        with pytest.raises(CloudError, match="it does not answer"):
            await guardian.watch(KEY, BEFORE, FENCE, 600)
        await guardian.close()

    async def test_records_that_are_no_fence_are_a_bug_of_the_engine(self, routes: FileRouter) -> None:
        guardian = _guardian(routes)
        with pytest.raises(InternalError):
            await guardian.watch(KEY, FENCE, BEFORE, 600)
        assert not guardian.alive

    async def test_a_watch_that_was_given_up_is_taken_back(self, routes: FileRouter) -> None:
        """Cancelled before the answer came: no fence follows, so the route must not be touched when everything ends."""
        guardian = _guardian(routes)
        await guardian.watch("europe/web", OTHER, replace(OTHER, mode="read-only", epoch=7), 600)
        task = asyncio.create_task(guardian.watch(KEY, BEFORE, FENCE, 600))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await guardian.done("europe/web")
        await guardian.close()
        assert await _record(routes) == BEFORE

    guardian_pid = 0

    async def _engine(self, routes: FileRouter, end: str) -> subprocess.Popen[bytes]:
        script = textwrap.dedent(ENGINE).replace("{end}", end)
        engine = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-c", script, routes.place],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert engine.stdout is not None
        self.guardian_pid = int(await asyncio.to_thread(engine.stdout.readline))
        assert await _record(routes) == FENCE or "readline" not in end
        return engine
