"""Strangers broke the document while a fence is open: writers are freed all the same, by engine, guardian and next run."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict

import pytest

from migrator.adapters.clock import SystemClock
from migrator.adapters.routing import FileRouter
from migrator.engine.guardian import serve
from migrator.engine.releasing import release
from migrator.errors import CloudError
from migrator.model.moves import MoveRecord, MoveState, RouteIntent
from migrator.model.routes import MAX_DOCUMENT_BYTES, READ_WRITE, RouteDocument
from migrator.ports.router import RoutesDamaged
from tests.unit.engine.board import ID, before, fence, mover_of

HALF = {"x\ud800/y": asdict(before())}
DAMAGES = {
    "half a character in a foreign key": lambda body: body["routes"].update(HALF),
    "a foreign record without an account": lambda body: body["routes"].update({"x/y": {"epoch": 1}}),
    "a foreign record that is none": lambda body: body["routes"].update({"x/y": 5}),
    "an epoch that nobody can write": lambda body: body["routes"].update({"x/y": {**asdict(before()), "epoch": 2**60}}),
    "no durations": lambda body: body.pop("ttl_seconds"),
    "a version of the future": lambda body: body.update(version=9),
}


def damage(path, how):
    body = json.loads(path.read_text())
    DAMAGES[how](body)
    path.write_text(json.dumps(body))
    return body


async def fenced(tmp_path) -> FileRouter:
    router = FileRouter(tmp_path / "routes.json")
    await router.swap("europe", RouteDocument(30, 60, {str(ID): fence()}), expected_etag=None)
    return router


def now(tmp_path):
    return json.loads((tmp_path / "routes.json").read_text())


@pytest.mark.parametrize("how", DAMAGES)
async def test_the_engine_releases(tmp_path, how):
    record = MoveRecord(
        ID,
        "first",
        "src",
        "dst",
        state=MoveState.DRAINING,
        intent=RouteIntent(before(), fence()),
        epoch=7,
        ever_routed=True,
    )
    mover, _, _ = mover_of(record, None)
    router = await fenced(tmp_path)
    mover.desk._router = router
    body = damage(tmp_path / "routes.json", how)
    with pytest.raises(RoutesDamaged):
        await router.read("europe")

    await release(mover, "a test")

    found = now(tmp_path)
    own = found["routes"].pop(str(ID))
    assert (own["mode"], own["account"]) == (READ_WRITE, "src")
    assert own["epoch"] > fence().epoch
    del body["routes"][str(ID)]
    assert found == body, "the rest is as it was"
    assert mover.record.state is MoveState.CATCHING_UP


@pytest.mark.parametrize("how", DAMAGES)
async def test_the_guardian_releases(tmp_path, how):
    router = await fenced(tmp_path)
    order = {"cmd": "watch", "id": 1, "key": str(ID), "deadline_seconds": 60.0}
    order |= {"before": asdict(before()), "fence": asdict(fence())}
    answers: list[str] = []
    is_watching = asyncio.Event()

    def answer(text: str) -> None:
        answers.append(text)
        is_watching.set()

    async def lines():
        yield json.dumps(order).encode()
        await is_watching.wait()
        damage(tmp_path / "routes.json", how)

    async with asyncio.timeout(10):
        await serve(router, lines(), answer, SystemClock())
    assert json.loads(answers[0])["ok"] is True, answers[0]
    assert now(tmp_path)["routes"][str(ID)]["mode"] == READ_WRITE


async def test_a_document_that_nobody_could_read_is_not_written(tmp_path):
    router = await fenced(tmp_path)
    was = (tmp_path / "routes.json").read_bytes()
    etag = (await router.read("europe")).etag
    large = RouteDocument(30, 60, {f"x{number}/y": before() for number in range(30_000)})
    half = RouteDocument(30, 60, {"x\ud800/y": before()})
    for document, why in ((large, "more than"), (half, "unpaired surrogate")):
        with pytest.raises(CloudError, match=f"cannot write the routes in .*{why}"):
            await router.swap("europe", document, expected_etag=etag)
    assert (tmp_path / "routes.json").read_bytes() == was
    assert len(was) < MAX_DOCUMENT_BYTES
