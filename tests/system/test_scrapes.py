"""A real Prometheus scrapes a real `migrate apply`, and its own linter finds nothing to say."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.contract.prometheus_server import BINARY, Application, free_port, prometheus
from tests.system.test_soaks import PATIENCE_SECONDS, Plan, applying

PROMTOOL = shutil.which("promtool")


async def asked(url: str, query: str) -> list[dict[str, Any]]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/api/v1/query", params={"query": query}) as answer,
    ):
        found: list[dict[str, Any]] = (await answer.json())["data"]["result"]
        return found


async def until_asked(url: str, query: str) -> list[dict[str, Any]]:
    for _ in range(PATIENCE_SECONDS):
        if found := await asked(url, query):
            return found
        await asyncio.sleep(0.3)
    raise AssertionError(f"Prometheus never had {query}")


async def lint(text: bytes) -> tuple[int | None, str]:
    assert PROMTOOL is not None
    process = await asyncio.create_subprocess_exec(
        PROMTOOL,
        "check",
        "metrics",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(text)
    return process.returncode, output.decode()


@pytest.mark.system
@pytest.mark.skipif(BINARY is None and os.environ.get("CI") != "true", reason="needs the package prometheus")
async def test_a_running_apply_is_scraped_and_its_figures_are_those_of_status(tmp_path: Path) -> None:
    figures = tmp_path / "figures.py"
    figures.write_text("import json, time\nprint(json.dumps({'at': time.time() - 0.5, 'value': 0.0}))\n")
    plan = Plan(tmp_path, f"{{kind: command, argv: [{sys.executable}, {figures}]}}", soak="10m")
    assert (await plan.run("sample", "--objects", "20"))[0] == 0
    address = f"127.0.0.1:{free_port()}"
    async with (
        prometheus(tmp_path, Application(), beside=address) as server,
        applying(plan, "--metrics-listen", address),
    ):
        await until_asked(server.url, 'migrate_move_state{state="soaking",region="europe",area="web"} == 1')
        copied = await until_asked(server.url, "migrate_move_copied_objects_total")
        paused = await until_asked(server.url, "migrate_move_writers_paused_seconds")
        assert (await asked(server.url, "migrate_run_at_work"))[0]["value"][1] == "1"
        move = await plan.move()
        assert float(copied[0]["value"][1]) == move["objects_copied"]
        assert float(paused[0]["value"][1]) == move["writers_paused_seconds"]
        async with aiohttp.ClientSession() as session, session.get(f"http://{address}/metrics") as answer:
            scraped = await answer.read()
    assert await lint(scraped) == (0, "")
    code, output = await plan.run("status", "--metrics-file", str(tmp_path / "rollout.prom"))
    assert code == 0, output
    written = (tmp_path / "rollout.prom").read_bytes()
    assert b"migrate_run_at_work" in written
    assert await lint(written) == (0, "")
