"""A small world in virtual time: embedded accounts, a route file, state in memory, the real engine, weeks in seconds.

Time jumps from timer to timer (``SimLoop``), so that a soak of 96 hours is a test. Each call of ``apply`` is a process of its
own, as cron would start it; ``until`` kills one at a virtual time, without a last word.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from migrator.adapters.local import LocalStore
from migrator.adapters.routing import FileRouter
from migrator.engine.rollout import Outcome, Rollout, Run, World
from migrator.machine import liveness
from migrator.model.happenings.happening import Shown
from migrator.model.moves import MoveRecord
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import CREATE, ContainerInfo
from migrator.model.rhythm import Rhythm
from migrator.model.samples import Point, Question, Reading, Sample
from migrator.model.schedule import Account, Budget, Cutover, Gate, PlannedMove, PlannedWave, Routing, Schedule, Verify
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation.loop import WORLD_BEGINS, Node, SimClock, SimLoop
from migrator.words.happenings import sentence
from tests.scenario.world import shape

HOURS = 3600.0
MINUTES = 60.0
APP_ERRORS = Gate("app-errors", "prom", "inconclusive", query="errors", max=1.0, window_seconds=300, settle_seconds=0)
SLOW_LOCK = {"HEARTBEAT_SECONDS": 60.0, "SILENT_SECONDS": 200.0}
SLOW = Rhythm(wishes_seconds=MINUTES, way_back_wish_seconds=MINUTES)
"""Looks at wishes come less often: weeks have many half seconds."""


class App:
    """A metric source: one point a minute of what ``figure`` says of it (None: no point); an error it raises goes up."""

    def __init__(self) -> None:
        self.figure: Callable[[datetime], float | None] = lambda at: 0.0
        self.asked: list[tuple[datetime, Question]] = []
        self.now: Callable[[], datetime] = lambda: WORLD_BEGINS

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        self.asked.append((self.now(), question))
        minutes = [begin + timedelta(minutes=n) for n in range(max(1, int((end - begin).total_seconds() // 60)))]
        found = [(at, self.figure(at)) for at in minutes]
        return Reading(tuple(Point(at, value, 100.0) for at, value in found if value is not None))

    async def close(self) -> None:
        """Nothing is open."""


class Teller:
    def __init__(self) -> None:
        self.said: list[str] = []

    def event(self, happening: Shown, move: str | None = None) -> None:
        self.said.append(sentence(happening, move))

    def progress(self, move: str, **figures: Any) -> None:
        """Nobody watches."""


@dataclass
class Weeks:
    """``waves`` of moves ``region/area``; each region has a source ``src-REGION`` and a target ``dst-REGION``."""

    folder: Path
    waves: tuple[PlannedWave, ...] = ()
    freeze: tuple[Any, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    app: App = field(default_factory=App)
    accounts: Mapping[str, Account] | None = None
    rhythm: Rhythm = SLOW
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        self.loop = SimLoop()
        self.state = MemoryStateStore("weeks", lineage="one")
        self.teller = Teller()
        self.metrics.setdefault("prom", self.app)
        self.app.now = self.now
        self._runs = 0

    # The plan.

    @property
    def schedule(self) -> Schedule:
        moves = [move for wave in self.waves for move in wave.moves]
        names = {name for move in moves for name in (move.source, move.target)}
        accounts = {name: Account(name, "local", path=str(self.folder / f"{name}.db")) for name in sorted(names)}
        routing = Routing("file", path=str(self.folder / "routes.json"), ttl_seconds=30, max_write_seconds=60)
        areas = {move.area.name: move.area for move in moves}
        return Schedule("weeks", "f", accounts, areas, self.waves, routing, self.budget, {}, {}, freeze=self.freeze)

    def wave(self, name: str, *moves: str, after: tuple[str, ...] = (), **given: Any) -> PlannedWave:
        """A wave of moves written ``region/area``; it soaks 96 h on 5 min samples of one gate unless told otherwise."""
        chosen = {"soak_seconds": 96 * HOURS, "interval_seconds": 5 * MINUTES, "gates": (APP_ERRORS,), **given}
        cutover = chosen.pop("cutover", Cutover(straggler_interval_seconds=HOURS))
        planned = PlannedWave(
            name,
            tuple(_move(*one.split("/")) for one in moves),
            after,
            chosen.pop("soak_seconds"),
            chosen.pop("interval_seconds"),
            chosen.pop("gates"),
            chosen.pop("on_failure", "rollback"),
            chosen.pop("rollback_scope", "wave"),
            cutover,
            Verify(),
            fingerprint=chosen.pop("fingerprint", name),
        )
        planned = replace(planned, **chosen)
        self.waves = (*self.waves, planned)
        return planned

    def change_wave(self, name: str, **changes: Any) -> None:
        self.waves = tuple(replace(one, **changes) if one.name == name else one for one in self.waves)

    # The world.

    def now(self) -> datetime:
        return WORLD_BEGINS + timedelta(seconds=self.loop.time())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def end(self) -> None:
        """Close the world: nothing in it runs any more."""
        self.loop.discard()

    def pass_time(self, seconds: float) -> None:
        """Nothing runs for so long."""
        import asyncio

        self.run(asyncio.sleep(seconds))

    def fill(self, objects: int = 3) -> None:
        async def work() -> None:
            for name in {move.source for wave in self.waves for move in wave.moves}:
                store = LocalStore(name, self.folder / f"{name}.db", caller="app")
                for area in {move.area.name for wave in self.waves for move in wave.moves if move.source == name}:
                    await store.create_container(ContainerInfo(area))
                    for index in range(objects):
                        await store.put(area, f"n{index}", b"v", shape(), condition=CREATE)
                await store.close()

        self.run(work())

    def rollout(self, *, host: str = "here", skew_seconds: float = 0.0) -> Rollout:
        self._runs += 1
        schedule = self.schedule
        stores = {
            name: LocalStore(name, Path(account.path or ""), caller="engine", create=True)
            for name, account in schedule.accounts.items()
        }
        clock = SimClock(self.loop, f"run {self._runs}", skew_seconds=skew_seconds, monotonic_zero=1000.0)
        bounds = dict.fromkeys(stores, 0.0)
        world = World(
            stores, FileRouter(schedule.routing.path or ""), self.state, self.metrics, clock, self.teller, bounds
        )
        world.is_dead = lambda lock: True
        world.rhythm = self.rhythm
        return Rollout(schedule, world=world, run=Run(f"run-{self._runs}", "tester", host, self._runs, f"boot-{host}"))

    def apply(self, *, wait: bool = True, until: datetime | None = None, **of_run: Any) -> Outcome | None:
        """One process. ``until``: it is killed then, and None comes back if it had not ended."""
        import asyncio

        node = Node(f"process {self._runs + 1}", self.loop)
        rollout = self.rollout(**of_run)

        async def work() -> Outcome | None:
            task = node.start(rollout.apply(wait=wait))
            left = None if until is None else (until - self.now()).total_seconds()
            await asyncio.wait({task}, timeout=left)
            return task.result() if task.done() else None

        with slow_heart():
            outcome: Outcome | None = self.run(work())
        node.kill()
        return outcome

    def cron(self, *, every: float = 5 * MINUTES, times: int, **of_run: Any) -> list[Outcome]:
        """``apply --no-wait`` so many times."""
        outcomes = []
        for _ in range(times):
            outcome = self.apply(wait=False, **of_run)
            assert outcome is not None
            outcomes.append(outcome)
            self.pass_time(every)
        return outcomes

    # What is to be seen.

    def record(self, move: str) -> MoveRecord:
        found = self.state.move(MoveId(*move.split("/")))
        assert found is not None
        return found

    def samples(self, move: str, gate: str) -> list[Sample]:
        return list(self.state.samples(MoveId(*move.split("/")), gate=gate))

    def journal(self, kind: str) -> list[str]:
        return [entry.text for entry in self.state.journal() if entry.kind == kind]


def _move(region: str, area: str) -> PlannedMove:
    return PlannedMove(MoveId(region, area), Area(area, (Selector(area),)), f"src-{region}", f"dst-{region}-{area}")


@contextmanager
def slow_heart(**more: float) -> Iterator[None]:
    """Heartbeats come less often: weeks have many half seconds. ``more``: other figures of the lock."""
    wanted = {**SLOW_LOCK, **more}
    right = {name: vars(liveness)[name] for name in wanted}
    try:
        vars(liveness).update(wanted)
        yield
    finally:
        vars(liveness).update(right)
