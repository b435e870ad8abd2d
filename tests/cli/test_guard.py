"""The guardian's command line: it finds the routes by the plan alone, knows no secret, and frees writers when its pipe ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.adapters.own_processes import command
from migrator.adapters.routing import CommandRouter, FileRouter, StoreRouter
from migrator.cli.guard_post import written
from migrator.cli.wiring import guardian_post
from migrator.kinds import ROUTING
from migrator.model.letters import LENGTH_BYTES, framed, length_of
from migrator.model.objects import ContainerInfo
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.plan import loads
from migrator.ports.router import Router
from migrator.testing.estate import Estate, running
from tests.children import Start
from tests.cli.conftest import PLAN
from tests.contract.test_routers_of_commands import script_of_the_page

BEFORE = RouteRecord("core", "local:core", "read-write", 1, "lin", "2026-01-01T00:00:00Z", "run")
FENCE = replace(BEFORE, mode="read-only", epoch=2)
IN = {
    "blob": "routing: {kind: blob, account: core, container: routing, name: routes.json,",
    "command": "routing: {kind: command, argv: [./routes.sh, .],",
}


async def put_fence(router: Router) -> None:
    await router.swap("na", RouteDocument(1, 1, {"na/web": FENCE}), expected_etag=None)


def plan_on(kind: str) -> str:
    return PLAN if kind == "file" else PLAN.replace("routing: {kind: file, path: state/routes.json,", IN[kind])


async def router_on(kind: str) -> Router:
    if kind == "file":
        return FileRouter("state/routes.json")
    if kind == "configuration":
        routing = loads(plan_on(kind), "p.yaml").schedule.routing
        return ROUTING[routing.kind].open(routing, {}, environ=os.environ, cloud={})
    if kind == "command":
        return CommandRouter([f"./{script_of_the_page(Path())}", "."], {"PATH": "/usr/bin:/bin"})
    store = LocalStore("core", Path("state/core.db"))
    await store.create_container(ContainerInfo("routing"))
    return StoreRouter(store, "routing", "routes.json")


@pytest.fixture
def in_configuration(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with running(Estate()) as estate:
        endpoint = f"{estate.public}/appconfig/routes"
        monkeypatch.setenv("ROUTES", estate.store("routes").connection_string(endpoint))
        monkeypatch.setitem(
            IN,
            "configuration",
            f"routing: {{kind: app-configuration, endpoint: '{endpoint}', credential: 'env:ROUTES',",
        )
        yield


@pytest.mark.parametrize("kind", ["file", "blob", "command", "configuration"])
def test_a_guardian_started_from_the_plan_frees_the_writers_when_its_pipe_ends(
    here: Path, start: Start, kind: str, in_configuration: None
) -> None:
    schedule = loads(plan_on(kind), "p.yaml").schedule
    asyncio.run(_fence(kind))
    watch = {"cmd": "watch", "id": 1, "key": "na/web", "before": asdict(BEFORE), "fence": asdict(FENCE)}
    process = start(command("migrator.cli.guard"), stdin=subprocess.PIPE, text=False)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(framed(written(guardian_post(schedule))) + framed({**watch, "deadline_seconds": 600}))
    process.stdin.flush()
    answer = process.stdout.read(length_of(process.stdout.read(LENGTH_BYTES)))
    assert json.loads(answer) == {"ok": True, "id": 1}
    _, err = process.communicate(timeout=30)  # closes its standard input
    assert process.returncode == 0
    assert err.startswith(b"guardian: ")
    record = asyncio.run(_record(kind))
    assert (record.mode, record.epoch, record.account) == ("read-write", 3, "core")


async def _fence(kind: str) -> None:
    await put_fence(await router_on(kind))


async def _record(kind: str) -> RouteRecord:
    document = (await (await router_on(kind)).read("na")).document
    assert document is not None
    return document.routes["na/web"]


def test_the_first_letter_names_credentials_and_holds_none(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "very-secret")
    remote = "core: {endpoint: https://core.blob.core.windows.net, credential: 'env:KEY'}"
    text = plan_on("blob").replace("core: {kind: local, path: state/core.db}", remote)
    letter = json.dumps(written(guardian_post(loads(text, "p.yaml").schedule)))
    assert "env:KEY" in letter
    assert "very-secret" not in letter


def test_routes_that_cannot_be_opened_are_one_sentence(here: Path) -> None:
    text = plan_on("blob").replace(
        "core: {kind: local, path: state/core.db}",
        "core: {endpoint: https://c.blob.core.windows.net, credential: 'env:ABSENT'}",
    )
    done = subprocess.run(
        command("migrator.cli.guard"),
        input=framed(written(guardian_post(loads(text, "p.yaml").schedule))),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: cannot ")
    assert b"Traceback" not in done.stderr
