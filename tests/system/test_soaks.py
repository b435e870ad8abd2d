"""Real soaks of a real `migrate apply`: gates asked of a real Prometheus, and a process that is killed in the middle.

The plan is a document, the commands are processes; the application that Prometheus scrapes is this test.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.contract.prometheus_server import BINARY, Application, Server, prometheus

PATIENCE_SECONDS = 300
PLAN = """\
version: 1
name: small
state: sqlite:///{home}/state.db
accounts:
  src: {{kind: local, path: {home}/src.db}}
  dst: {{kind: local, path: {home}/dst.db}}
areas:
  web: {{containers: [web]}}
regions:
  europe: {{source: src, targets: {{web: dst}}}}
routing: {{kind: file, path: {home}/routes.json, ttl: 500ms}}
cutover: {{max_write: 500ms, clock_margin: 100ms, straggler_interval: 2s}}
metrics:
  figures: {source}
gates:
  app-errors:
    source: figures
    query: 'max(app_error_ratio{{area="$area"}})'
    max: 0.1
    window: 2s
    settle: 0s
    on_no_data: inconclusive
    failure_limit: 2
waves:
  - name: first
    moves: [{{region: europe, areas: [web]}}]
    soak: {soak}
    interval: 2s
    gates: [app-errors]
"""


class Plan:
    """A plan document in a folder of its own, and the command line over it."""

    def __init__(self, home: Path, source: str, *, soak: str) -> None:
        self.home = home
        self.path = home / "plan.yaml"
        self.path.write_text(PLAN.format(home=home, source=source, soak=soak))

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "migrator.cli.app", "--no-color", words[0], str(self.path), *words[1:])
        return await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def run(self, *words: str) -> tuple[int, str]:
        process = await self.start(*words)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                output, _ = await process.communicate()
        finally:
            _kill(process)
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def move(self) -> dict[str, Any]:
        code, output = await self.run("status", "--json")
        assert code == 0, output
        moves: list[dict[str, Any]] = json.loads(output)["waves"][0]["moves"]
        return moves[0]

    async def until(self, true: Any) -> dict[str, Any]:
        """The move's status once it is as wanted."""
        for _ in range(PATIENCE_SECONDS):
            try:
                move = await self.move()
            except AssertionError:
                move = {}
            if move and true(move):
                return move
            await asyncio.sleep(0.3)
        raise AssertionError(f"it never came: {move}")

    async def history(self) -> list[str]:
        _, output = await self.run("history", "--json")
        return [entry["text"] for entry in json.loads(output)["entries"]]


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def applying(plan: Plan, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await plan.start("apply", "--yes", *options)
    try:
        yield process
    finally:
        _kill(process)
        await process.communicate()


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def is_soaking(move: dict[str, Any], seconds: float = 0.0) -> bool:
    return bool(move["state"] == "soaking" and move["soak_seconds"] > seconds)


@pytest.mark.system
@pytest.mark.skipif(BINARY is None and os.environ.get("CI") != "true", reason="needs the package prometheus")
class TestPrometheus:
    @asynccontextmanager
    async def world(self, folder: Path, *, soak: str) -> AsyncIterator[tuple[Plan, Application, Server]]:
        application = Application()
        application.lines = ['app_error_ratio{area="web"} 0.01', 'app_error_ratio{area="mail"} 1']
        async with prometheus(folder, application) as server:
            plan = Plan(folder, f'{{kind: prometheus, url: "{server.url}"}}', soak=soak)
            code, output = await plan.run("sample", "--objects", "20")
            assert code == 0, output
            yield plan, application, server

    async def test_a_wave_whose_application_is_well_soaks(self, tmp_path: Path) -> None:
        async with self.world(tmp_path, soak="4s") as (plan, _, _server):
            code, output = await plan.run("apply", "--yes")
            assert code == 0, output
            assert "gate app-errors passed: 0.01, wanted at most 0.1" in output
            move = await plan.move()
            assert move["state"] == "soaked"
            assert move["soak_seconds"] >= 4

    async def test_when_the_application_degrades_everything_goes_back(self, tmp_path: Path) -> None:
        async with self.world(tmp_path, soak="10m") as (plan, application, _server):
            async with applying(plan) as process:
                await plan.until(lambda move: is_soaking(move, 1))
                application.lines[0] = 'app_error_ratio{area="web"} 0.7'
                code, output = await ended(process)
            assert code == 4, output
            assert "gate app-errors of europe/web failed" in output
            assert (await plan.move())["state"] == "reversed"
            routes = json.loads((tmp_path / "routes.json").read_text())["routes"]
            assert routes["europe/web"]["account"] == "src"
            again, said = await plan.run("apply", "--yes", "--no-wait")
            assert again == 4
            assert "is reversed: gate app-errors of europe/web failed" in said

    async def test_without_its_prometheus_a_soak_stands_still_and_says_why(self, tmp_path: Path) -> None:
        async with self.world(tmp_path, soak="10m") as (plan, _, server):
            async with applying(plan):
                await plan.until(lambda move: is_soaking(move, 1))
                await server.stop()
                stood = await plan.until(lambda move: move["gates"][0]["verdict"] == "errored")
                await asyncio.sleep(3)
                later = await plan.move()
            assert later["soak_seconds"] == stood["soak_seconds"]
            assert "could not be asked: cannot reach Prometheus" in later["gates"][0]["reason"]
            code, said = await plan.run("apply", "--yes", "--no-wait")
            assert code == 3, said
            assert "of healthy time left" in said
            assert "gate app-errors errored: the source could not be asked: cannot reach Prometheus" in said
            assert any("gate app-errors errored" in text for text in await plan.history())


@pytest.mark.crash
@pytest.mark.slow
async def test_a_soak_that_is_killed_goes_on_from_its_samples(tmp_path: Path) -> None:
    """Three processes and two SIGKILLs; the time between them adds nothing, and no sample is lost or taken twice."""
    figures = tmp_path / "figures.py"
    figures.write_text("import json, time\nprint(json.dumps({'at': time.time() - 0.5, 'value': 0.0}))\n")
    plan = Plan(tmp_path, f"{{kind: command, argv: [{sys.executable}, {figures}]}}", soak="12s")
    assert (await plan.run("sample", "--objects", "20"))[0] == 0
    before = 0.0
    for _ in range(2):
        async with applying(plan):
            move = await plan.until(lambda move, so_far=before: is_soaking(move, so_far + 2))
            before = move["soak_seconds"]
        await asyncio.sleep(4)
        stood = await plan.move()
        assert stood["state"] == "soaking"
        assert before <= stood["soak_seconds"] <= before + 5, "time without a process is not healthy time"
        before = stood["soak_seconds"]
    code, output = await plan.run("apply", "--yes")
    assert code == 0, output
    move = await plan.move()
    assert move["state"] == "soaked"
    assert 12 <= move["soak_seconds"] < 18
