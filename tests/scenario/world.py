"""A small real world for scenarios: two embedded accounts, a route file, a SQLite state store, the real engine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from migrator.adapters.clock import SystemClock
from migrator.adapters.local import LocalStore
from migrator.adapters.routing import FileRouter
from migrator.adapters.state import open_store
from migrator.adapters.workers import InlineExecutor
from migrator.engine.rollout import Rollout, Run, World
from migrator.errors import NotFound
from migrator.model.happenings.happening import event_of
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import CREATE, BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.samples import Point, Reading
from migrator.model.schedule import (
    Account,
    Budget,
    Cutover,
    Gate,
    Metric,
    PlannedMove,
    PlannedWave,
    Routing,
    Schedule,
    Verify,
)
from migrator.words.happenings import sentence

ID = MoveId("europe", "web")


def shape(**tags: str) -> Shape:
    return Shape(BlobType.BLOCK, ContentHeaders(content_type="text/plain"), {"a": "b"}, tags, None)


class Silent:
    def __init__(self) -> None:
        self.events: list[tuple[str, str | None, str]] = []

    def event(self, happening, move=None):
        self.events.append((event_of(happening), move, sentence(happening, move)))

    def progress(self, move, **figures):
        pass


class Figure:
    """A metric source that says one figure."""

    def __init__(self, value: float) -> None:
        self.value = value

    async def ask(self, question, *, begin, end):
        return Reading((Point(begin + (end - begin) / 2, self.value, 100.0),))

    async def close(self):
        pass


@dataclass
class Small:
    """One move of one wave, unless ``schedule`` is replaced."""

    folder: Path
    schedule: Schedule = field(init=False)
    figure: Figure = field(default_factory=lambda: Figure(0.0))
    rhythm: Rhythm = USUAL

    def __post_init__(self) -> None:
        accounts = {n: Account(n, "local", path=str(self.folder / f"{n}.db")) for n in ("src", "dst")}
        move = PlannedMove(ID, Area("web", (Selector("web"),)), "src", "dst")
        gate = Gate("errors", "m", "inconclusive", metric="error_ratio", max=0.5, window_seconds=0.05, settle_seconds=0)
        wave = PlannedWave(
            "first", (move,), (), 0.1, 0.05, (replace(gate, failure_limit=2),), "rollback", "wave", Cutover(), Verify()
        )
        routing = Routing(
            "file",
            path=str(self.folder / "routes.json"),
            ttl_seconds=0.05,
            max_write_seconds=0.05,
            clock_margin_seconds=0.01,
        )
        self.schedule = Schedule(
            "s", "f", accounts, {"web": move.area}, (wave,), routing, Budget(), {}, {"m": Metric("m", "local", {})}
        )

    def change_wave(self, **changes) -> None:
        self.schedule = replace(self.schedule, waves=(replace(self.schedule.waves[0], **changes),))

    def store(self, name: str, caller: str = "app") -> LocalStore:
        return LocalStore(name, Path(self.schedule.accounts[name].path or ""), caller=caller)

    def state(self):
        return open_store(f"sqlite:///{self.folder}/state/m.db", "s")

    def router(self):
        return FileRouter(str(self.folder / "routes.json"))

    def rollout(self, state=None) -> Rollout:
        clock = SystemClock()
        stores = {name: self.store(name, "engine") for name in self.schedule.accounts}
        router = self.router()
        reporter, bounds = Silent(), dict.fromkeys(stores, 0.0)
        world = World(stores, router, state or self.state(), {"m": self.figure}, clock, reporter, bounds)
        world.is_dead = lambda lock: True
        world.executor, world.rhythm = InlineExecutor(stores, clock), self.rhythm
        return Rollout(self.schedule, world=world, run=Run(clock.nonce(), "tester", "here", os.getpid(), "boot"))

    async def route(self):
        return (await FileRouter(str(self.folder / "routes.json")).read("europe")).document.routes[str(ID)]

    async def fill(self, count: int = 30) -> None:
        store = self.store("src")
        await store.create_container(ContainerInfo("web"))
        for index in range(count):
            await store.put("web", f"n{index:03d}", f"v{index}".encode(), shape(i=str(index)), condition=CREATE)
        await store.close()

    async def write(self, account: str, name: str, body: bytes, **tags: str) -> None:
        store = self.store(account)
        try:
            condition = Condition(if_match=(await store.head("web", name)).etag)
        except NotFound:
            condition = CREATE
        await store.put("web", name, body, shape(**tags), condition=condition)
        await store.close()

    async def erase(self, account: str, name: str) -> None:
        store = self.store(account)
        await store.delete("web", name, if_match=(await store.head("web", name)).etag)
        await store.close()

    async def contents(self, account: str) -> dict[str, tuple[bytes, dict[str, str]]]:
        store = self.store(account)
        found = {}
        for blob in (await store.page("web")).entries:
            if blob.name.startswith(".migrate/"):
                continue
            async with store.read("web", blob.name, if_match=blob.etag) as chunks:
                found[blob.name] = (b"".join([chunk async for chunk in chunks]), dict(blob.tags))
        await store.close()
        return found
