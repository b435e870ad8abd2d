"""One seed, one story: the world it makes, the operator who drives engines through it, and the verdict.

``run(seed)`` is the same story each time: same requests at the same virtual instants, same faults, same history. The engine
is the real one; everything around it is simulated. Rules: processes die without a last word; the operator starts the
next one as a person would; the end is calm weather, in which everything must come to rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from migrator.engine import going_back as going_back_module
from migrator.engine import mover as mover_module
from migrator.engine import pacing as pacing_module
from migrator.engine import rollout as rollout_module
from migrator.engine.rollout import Abandon, Rollout
from migrator.engine.session import LOCK_TIMEOUT_SECONDS
from migrator.engine.steps import carry as carry_module
from migrator.engine.world import Outcome, Run
from migrator.engine.world import World as Doors
from migrator.errors import InternalError, LockedError, MigrateError, PlanError
from migrator.model.moves import Control, Direction, LockRecord, MoveRecord, MoveState
from migrator.model.objects import BlobType, ContainerInfo
from migrator.model.routes import READ_WRITE, RouteDocument
from migrator.model.schedule import POLICY_PROPAGATION_SECONDS, Schedule
from migrator.ports.state_store import SaveMove, SetControl
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation.acts import Writers
from migrator.testing.simulation.blobs import SEED, Account, Blob, Container, Sender
from migrator.testing.simulation.clients import (
    DELETING,
    VERBS,
    Bound,
    Habits,
    Reader,
    Rogue,
    Territory,
    Writer,
    initial,
    numbers,
    shape_of,
    with_type,
)
from migrator.testing.simulation.guardian import SimGuardian
from migrator.testing.simulation.hands import FrailHands
from migrator.testing.simulation.loop import (
    NODE,
    WORLD_BEGINS,
    BusyLoopError,
    DeadlockError,
    Node,
    OutOfTimeError,
    SimClock,
    SimLoop,
)
from migrator.testing.simulation.metrics import MetricWorld, Stretch
from migrator.testing.simulation.oracle import Oracle, Violation
from migrator.testing.simulation.policies import READERS, WRITERS, Policies
from migrator.testing.simulation.router import RouteBoard
from migrator.testing.simulation.state import NodeState
from migrator.testing.simulation.store import Wire
from migrator.testing.simulation.terrain import Terrain, make_terrain
from migrator.testing.simulation.weather import Weather
from migrator.transfer import actions as actions_module
from migrator.transfer import copying as copying_module
from migrator.transfer import hands as hands_module
from migrator.transfer import saving as saving_module
from migrator.transfer import subject as subject_module
from migrator.transfer import walk as walk_module

CREDENTIAL_SECONDS = (60.0, 300.0)
"""How long an unanswered write may still be applied: the engine is told the truth about it."""
PREPARING = (0.0, 0.1, 0.3)
"""How often a writer takes its lease well before it is ready to write."""
BACK = ("rollback-source", "rollback-target", "rollback-abandon")
LOOK_SECONDS = 5.0
BOOK_SECONDS = 60.0
BLOCK_BYTES = 64
"""Objects of a few hundred bytes are large here, so that they are copied in blocks."""
CALM_RUNS = 12
ROUTE_STORM_CHANCE = 0.15
SLOW_PER_MINUTE = (120.0, 1_200.0)
"""What a worried operator lets the tool send."""
FEW_DELETES = 2
MANY_DELETES = 1_000
"""What an operator says who has looked, and found that the customers did it."""
HAS_GUARDIAN = "guardian" in Doors.__dataclass_fields__
"""Without one a fence is open until the next engine comes."""
Engine = Callable[[Schedule, Doors, Run, str], Coroutine[Any, Any, Outcome]]
"""Drives one run; the last argument is the command (apply, rollback, retry)."""


async def real_engine(schedule: Schedule, doors: Doors, run: Run, command: str) -> Outcome:
    """The engine as the command line drives it."""
    rollout = Rollout(schedule, world=doors, run=run)
    node = NODE.get()
    assert node is not None
    node.on_signal = rollout.stop
    if command == "rollback":
        return await rollout.rollback()
    if command == "rollback-abandon":
        return await rollout.rollback(abandon=Abandon("simulated", "operator"))
    if command.startswith("rollback-"):
        return await rollout.rollback(on_conflict=command.removeprefix("rollback-"))
    if command in ("retry", "retry-deletes"):
        accepted = MANY_DELETES if command == "retry-deletes" else None
        outcome = await rollout.retry(reason="simulated", who="operator", accept_deletes=accepted)
        if outcome.code == "halted":  # it says what else there is; this operator reads it
            outcome = await rollout.retry(reason="simulated", who="operator", accept_deletes=accepted, adopt_route=True)
        return outcome
    return await rollout.apply()


@dataclass(slots=True)
class Report:
    """What came of one seed. ``history``: (virtual second, what, details...), every effect in order."""

    seed: int
    violations: tuple[Violation, ...]
    history: list[tuple[Any, ...]]
    moves: tuple[MoveRecord, ...] = ()
    is_unfinished: bool = False
    """At the end of time something was still going on: no broken promise, but worth a look."""
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self.history).encode()).hexdigest()


class Silent:
    """A reporter that writes into the history."""

    def __init__(self, note: Callable[..., None]) -> None:
        self._note = note

    def event(self, kind: str, move: str | None, text: str, **facts: Any) -> None:
        self._note("told", kind, text)

    def progress(self, move: str, **figures: Any) -> None:
        """May be dropped."""


@dataclass(slots=True)
class Process:
    """One engine process on its machine."""

    node: Node
    task: asyncio.Task[Outcome]
    ended: asyncio.Future[None]


class Scenario:
    """The world of a seed, and the operator in it."""

    def __init__(self, seed: int, engine: Engine) -> None:
        self.seed = seed
        self.random = random = Random(f"scenario {seed}")
        self.terrain: Terrain = make_terrain(random)
        self.schedule = self.terrain.schedule
        self.busy_seconds = random.choice([200.0, 600.0, 1200.0])
        """Until then customers write, machines die and operators change their minds; then calm."""
        self.credential_seconds = random.choice(CREDENTIAL_SECONDS)
        self.loop = SimLoop(until=self.busy_seconds + 4000.0)
        self.engine = engine
        self.history: list[tuple[Any, ...]] = []
        self.writers = Writers()
        self.accounts = {
            name: Account(name, order=random.choice(("utf-8", "utf-16", "utf-16")))
            for name in sorted(self.schedule.accounts)
        }
        self.oracle = Oracle(self.loop, self.schedule, self.accounts, self.writers)
        self.wires = {name: self._wire(name) for name in self.accounts}
        self.board = RouteBoard(self.loop, self._route_weather(), f"routes {seed}")
        self.board.swapped = self._swapped
        self.state = MemoryStateStore("simulated", lineage=f"lineage-{seed}")
        self.metrics = self._metrics()
        self.older: list[object] = []
        self.copies: list[MemoryStateStore] = []
        routing = self.schedule.routing
        self.longest = (routing.ttl_seconds, routing.max_write_seconds)
        """The longest ttl and max_write that any edit of the plan ever said: a run may have published them."""
        self.boots: Counter[str] = Counter()
        """How often each machine was started again."""
        self.clock_hands: dict[str, tuple[float, float]] = {}
        """Skew and zero of each clock."""
        self.processes: list[Process] = []
        self.nodes: list[Node] = []
        self._starts = 0
        self._numbers = numbers()
        self._wipes_lock = random.random() < 0.5
        self.ambush_chance = random.choice((0.0, 0.0, 0.0, 0.0, 0.1))

    # The world.

    def _weather(self) -> Weather:
        weather = Weather.of(self.random, late_seconds=self.credential_seconds * 0.95)
        return replace(weather, bad_until=min(weather.bad_until, self.busy_seconds))

    def _route_weather(self) -> Weather:
        """In some stories the route document is the one that seldom answers."""
        weather = self._weather()
        if self.random.random() < ROUTE_STORM_CHANCE:
            weather = replace(weather, unanswered_chance=self.random.uniform(0.1, 0.3))
        return weather

    def _wire(self, name: str) -> Wire:
        account, random = self.accounts[name], self.random
        wire = Wire(self.loop, account, self._weather(), f"{name} {self.seed}")
        account.wrote = self._wrote
        if random.random() < 0.25:
            wire.copies_from = set()
        wire.async_copies = random.random() < 0.7
        if any(wave.cutover.fence == "access-policy" for wave in self.schedule.waves):
            wire.policies = Policies(f"policies {name} {self.seed}")
        wire.listed = lambda node, container, first, sent_at: self._listed(name, node, container, first, sent_at)
        return wire

    def _metrics(self) -> MetricWorld:
        random, bad = self.random, []
        while random.random() < 0.4:
            begin = WORLD_BEGINS + timedelta(seconds=random.uniform(0.0, self.busy_seconds))
            bad.append(Stretch(begin, begin + timedelta(seconds=random.choice([30.0, 120.0, 600.0]))))
        silent, errors = random.choice((0.0, 0.0, 0.1)), random.choice((0.0, 0.0, 0.1))
        name, calm = f"metrics {self.seed}", self.busy_seconds
        return MetricWorld(name, tuple(bad), silent_chance=silent, error_chance=errors, calm_from=calm)

    def note(self, *facts: Any) -> None:
        self.history.append((round(self.loop.time(), 6), *facts))

    def _wrote(
        self,
        account: Account,
        sender: Sender,
        container: str,
        name: str,
        before: Blob | None,
        after: Blob | None,
        sent_at: float,
        kind: str,
    ) -> None:
        etag = after.listed.etag if after else "-"
        self.note("wrote", sender.name, kind, account.name, container, name, etag)
        self.oracle.wrote(account, sender, container, name, before, after, sent_at, kind)

    def _listed(self, account: str, node: Node, container: str, is_first: bool, sent_at: float) -> None:
        if is_first:
            self.note("listed", node.name, account, container)
            self._ambush(account)
        self.oracle.listed(account, node, container, is_first, sent_at)

    def _swapped(self, sender: Sender, before: RouteDocument | None, after: RouteDocument, sent_at: float) -> None:
        routes = {key: f"{r.account} {r.mode} {r.epoch} {r.run}" for key, r in sorted(after.routes.items())}
        self.note("swapped", sender.name, routes)
        self.oracle.swapped(sender, before, after, sent_at)

    def _committed(self, node: Node, changes: Any) -> None:
        self.note("committed", node.name, *(_short(change) for change in changes))
        self.oracle.committed(node, changes)

    def _fill(self) -> None:
        for account, container in self.terrain.containers:
            self.accounts[account].containers[container] = Container(ContainerInfo(container))
            if (policies := self.wires[account].policies) is not None:
                policies.put(container, (WRITERS, READERS), -POLICY_PROPAGATION_SECONDS)
        for account, container, name in self.terrain.neighbours:
            self._seed_blob(account, container, name, BlobType.BLOCK)
        for move, territory in zip(self.schedule.moves, self.terrain.territories, strict=True):
            for container, name in territory.names:
                if self.random.random() < 0.7:
                    type_ = self.random.choice((BlobType.BLOCK, BlobType.BLOCK, BlobType.APPEND, BlobType.PAGE))
                    self._seed_blob(move.source, container, name, type_)

    def _seed_blob(self, account: str, container: str, name: str, type_: BlobType) -> None:
        number = self.random.randrange(10**6)
        shape = with_type(shape_of(self.random, number), type_)
        content = initial(type_, b"seed %d" % number) if self.random.random() < 0.9 else b""
        if type_ is BlobType.PAGE:
            content = content.ljust(512, b"\0")
        self.accounts[account].put(
            SEED, container, name, content, shape, condition=None, sent_at=0.0, modified=WORLD_BEGINS
        )

    # Customers.

    def _node(self, name: str, machine: str = "") -> Node:
        node = Node(name, self.loop, machine=machine)
        self.nodes.append(node)
        return node

    def _clock(self, name: str, boot: str = "") -> SimClock:
        """The clock of a node; those of one ``boot`` of a machine read the same one."""
        skew = self.random.choice((0.0, self.random.uniform(-120.0, 120.0)))
        zero = self.random.uniform(0.0, 1e5)
        skew, zero = self.clock_hands.setdefault(boot or name, (skew, zero))
        return SimClock(self.loop, f"{name} {self.seed}", skew_seconds=skew, monotonic_zero=zero)

    def _start_customers(self) -> None:
        random, routing = self.random, self.schedule.routing
        pause = random.choice((0.0, routing.max_write_seconds, routing.drain_seconds * 2))
        verbs = random.choice((VERBS, VERBS, DELETING))
        far = self._far_weather()
        for number in range(random.randint(1, 4)):
            name = f"writer-{number}"
            think = random.choice((0.5, 2.0, 8.0))
            habits = Habits(
                think, random.choice((0.0, 0.05)), pause, self.busy_seconds, verbs, random.choice(PREPARING)
            )
            node, clock = self._node(name), self._clock(name)
            router = self.board.as_seen_by(node, Sender(name, False), far)
            writer = Writer(
                name, node, clock, router, self.wires, self.writers, habits, self._numbers, f"{name} {self.seed}"
            )
            node.start(writer.work(self.terrain.territories))
        if random.random() < 0.35:
            self._start_rogue()
        self._start_bound()
        node, clock = self._node("reader"), self._clock("reader")
        reader = Reader(
            "reader",
            node,
            clock,
            self.board.as_seen_by(node, Sender("reader", False)),
            f"reader {self.seed}",
            self.oracle.break_,
        )
        node.start(reader.work(tuple(move.id for move in self.schedule.moves), self.busy_seconds, 10.0))

    def _far_weather(self) -> Weather:
        """Customers' own way to the route document: in some stories a slow one."""
        weather = self._weather()
        if self.random.random() < 0.5:
            weather = replace(weather, slow_chance=0.5, slow_seconds=20.0)
        return weather

    def _ambush(self, account: str) -> None:
        """In some stories somebody without a lease writes exactly when the tool has just looked."""
        if self.random.random() >= self.ambush_chance or self.loop.time() >= self.busy_seconds:
            return
        near = [one for one in self.terrain.territories if account in self._accounts_of(one)]
        node, clock = self._node("ambusher"), self._clock("ambusher")
        habits = Habits(1.0, 0.0, 0.0, self.busy_seconds)
        router = self.board.as_seen_by(node, Sender("ambusher", False))
        seed = f"ambusher {self.seed} {self.loop.time()}"
        rogue = Rogue("ambusher", node, clock, router, self.wires, self.writers, habits, self._numbers, seed)
        node.start(rogue.strike(self.random.choice(near), account))

    def _accounts_of(self, territory: Territory) -> tuple[str, str]:
        move = self.schedule.move(territory.move)
        return (move.source, move.target)

    def _start_rogue(self) -> None:
        random = self.random
        territory = random.choice(self.terrain.territories)
        move = self.schedule.move(territory.move)
        account = random.choice((move.source, move.source, move.source, move.target))
        node, clock = self._node("rogue"), self._clock("rogue")
        habits = Habits(random.choice((5.0, 30.0, 200.0)), 0.0, 0.0, self.busy_seconds)
        router = self.board.as_seen_by(node, Sender("rogue", False))
        rogue = Rogue(
            "rogue", node, clock, router, self.wires, self.writers, habits, self._numbers, f"rogue {self.seed}"
        )
        node.start(rogue.raid((territory,), account))

    def _start_bound(self) -> None:
        """Writers that an enforced fence binds, one for each move that has one."""
        for territory in self.terrain.territories:
            move = self.schedule.move(territory.move)
            if self.schedule.wave_of(move.id).cutover.fence != "access-policy":
                continue
            name = f"bound-{move.id.region}"
            node, clock = self._node(name), self._clock(name)
            habits = Habits(self.random.choice((2.0, 8.0, 30.0)), 0.0, 0.0, self.busy_seconds)
            router = self.board.as_seen_by(node, Sender(name, False))
            seed = f"{name} {self.seed}"
            bound = Bound(name, node, clock, router, self.wires, self.writers, habits, self._numbers, seed)
            bound.longest_seconds = lambda: self.schedule.routing.max_write_seconds
            node.start(bound.raid((territory,), move.source))

    # Engines.

    def _start_engine(self, command: str, *, state: MemoryStateStore | None = None) -> Process:
        self._starts += 1
        random, name = self.random, f"engine-{self._starts}"
        node = self._node(name, machine=random.choice(("host-1", "host-1", "host-2")))
        clock = self._clock(name, self._boot_of(node.machine))
        sender = Sender(name, True)
        of = state or self.state
        hook = self._committed if state is None else self._committed_elsewhere
        more: dict[str, Any] = {}
        if HAS_GUARDIAN:
            more["guardian"] = self._guardian(node)
        stores = {account: wire.as_seen_by(node, sender) for account, wire in self.wires.items()}
        if self._starts % 3:  # every third engine copies one by one
            more["executor"] = FrailHands(stores, clock, Random(f"hands {self.seed} {self._starts}"))
        doors = Doors(
            stores=stores,
            router=self.board.as_seen_by(node, sender),
            state=NodeState(of, node, hook),
            metrics={"sim": self.metrics.as_seen_by(node)},
            clock=clock,
            reporter=Silent(self.note),
            write_bounds=dict.fromkeys(self.accounts, self.credential_seconds),
            is_dead=self._is_proven_dead(node),
            **more,
        )
        run = Run(f"run-{self._starts}", "operator", node.machine, self._starts, self._boot_of(node.machine))
        calm = self.loop.time() >= self.busy_seconds
        if not calm and random.random() < 0.6:
            node.steps_left = int(random.choice((30, 150, 600, 1500)) * random.random()) + 1
        self.note("start", name, command)
        self.oracle.directed(node, of.moves())
        if command.startswith("rollback-"):
            self.oracle.decided()
        ended: asyncio.Future[None] = self.loop.create_future()
        task = node.start(self.engine(self.schedule, doors, run, command))
        process = Process(node, task, ended)
        node.on_death.append(lambda: self._died(process))
        task.add_done_callback(lambda _: _resolve(ended), context=self.loop.world)
        self.processes.append(process)
        return process

    def _guardian(self, engine: Node) -> SimGuardian:
        name = engine.name.replace("engine", "guardian")
        post = self._node(name, engine.machine)
        sender = Sender(name, True)
        clock = self._clock(name, self._boot_of(engine.machine))
        stores = {name: wire.as_seen_by(post, sender) for name, wire in self.wires.items() if wire.policies is not None}
        return SimGuardian(engine, post, self.board.as_seen_by(post, sender), clock, stores)

    def _committed_elsewhere(self, node: Node, changes: Any) -> None:
        self.note("committed to a copy", node.name, *(_short(change) for change in changes))
        self.oracle.directed(node, [change.move for change in changes if isinstance(change, SaveMove)])
        self.oracle.kept(changes)

    def _boot_of(self, machine: str) -> str:
        return f"{machine}-boot-{self.boots[machine]} processes"

    def _is_proven_dead(self, asking: Node) -> Callable[[LockRecord], bool]:
        """A machine that was started again cannot say what left it before."""

        def is_dead(lock: LockRecord) -> bool:
            if (lock.host, lock.boot_id) != (asking.machine, self._boot_of(asking.machine)):
                return False
            return not any(one.node.alive and f"run-{_number(one.node)}" == lock.run for one in self.processes)

        return is_dead

    def _died(self, process: Process) -> None:
        self.note("died", process.node.name)
        if not HAS_GUARDIAN:
            self.oracle.excuse_fences()
        _resolve(process.ended)

    # The operator.

    async def _operate(self) -> None:
        """Until calm: start engines, kill and pause them, change one's mind; then let everything come to rest."""
        self._start_customers()
        self.loop.create_task(self._calm_down(), name="calm", context=self.loop.world)
        command = "apply"
        while self.loop.time() < self.busy_seconds:
            await self._run_one(command)
            await asyncio.sleep(self.random.choice((0.1, 2.0, 30.0)))
            command = self._next_command()
        command = "apply"
        for _ in range(CALM_RUNS):
            for other in self._living():
                await other.ended  # a person waits for the run that holds the lock
            process = await self._run_one(command)
            if all(move.state in (MoveState.SOAKED, MoveState.REVERSED) for move in self.state.moves()):
                break
            if _is_refused(process):
                await asyncio.sleep(LOCK_TIMEOUT_SECONDS)  # the lock of a run that is gone
            command = self._advised(command) if process.node.alive else "apply"

    async def _calm_down(self) -> None:
        """Trouble until the busy time is over; then nobody holds, pauses or breaks anything any more."""
        trouble = self.loop.create_task(self._trouble(), name="trouble", context=self.loop.world)
        await asyncio.sleep(self.busy_seconds)
        trouble.cancel()
        for state in (self.state, *self.copies):
            _clear_controls(state)

    def _advised(self, command: str) -> str:
        """What a patient operator does next, by what ``status`` says."""
        moves = self.state.moves()
        halted = [move for move in moves if move.state is MoveState.HALTED]
        if any("--accept-deletes" in move.reason for move in halted):
            return "retry-deletes"
        if any("--on-conflict" in move.reason for move in halted) and command != "rollback-target":
            return "rollback-target"
        if halted and not command.startswith("retry"):
            return "retry"
        if any(move.direction is Direction.REVERSE and move.state is not MoveState.REVERSED for move in moves):
            return "rollback"
        return "apply"

    def _some(self, *states: MoveState) -> bool:
        return any(move.state in states for move in self.state.moves())

    async def _run_one(self, command: str) -> Process:
        process = self._start_engine(command)
        await process.ended
        if process.node.alive:
            self._look_at(process, command)
        return process

    def _look_at(self, process: Process, command: str) -> None:
        fault = process.task.exception() if not process.task.cancelled() else None
        if fault is None:
            self.note(
                "ended", process.node.name, process.task.result() if not process.task.cancelled() else "cancelled"
            )
        elif isinstance(fault, MigrateError) and not isinstance(fault, InternalError):
            self.note("refused", process.node.name, type(fault).__name__, str(fault))
            if isinstance(fault, PlanError):
                self._plan_durations(self.longest)
        else:
            self.note("crashed", process.node.name, repr(fault))
            self.oracle.break_("engine-crash", f"{process.node.name} ({command}) ended with {fault!r}")

    def _next_command(self) -> str:
        draw = self.random.random()
        if self._some(MoveState.HALTED, MoveState.REVERSED):
            return self.random.choice(("retry", "retry", "retry-deletes", "apply", "rollback", *BACK))
        if draw < 0.15:
            return "rollback"
        return "rollback-abandon" if draw < 0.17 else "apply"

    async def _trouble(self) -> None:
        """What operators, machines and passers-by do meanwhile."""
        random = self.random
        calls = (
            self._kill,
            self._stall,
            self._wish,
            self._wish,
            self._second_engine,
            self._remember,
            self._edit,
            self._signal,
            self._edit_plan,
        )
        rate = random.choice((60.0, 200.0, 600.0))
        while True:
            await asyncio.sleep(random.expovariate(1.0 / rate))
            random.choice(calls)()

    def _living(self) -> list[Process]:
        return [one for one in self.processes if one.node.alive and not one.task.done()]

    def _kill(self) -> None:
        """One process dies; or its whole machine, its guardian with it."""
        for process in self._living()[:1]:
            machine = process.node.machine
            is_whole = self.random.random() < 0.3
            process.node.kill(with_machine=is_whole)
            if is_whole:
                self.oracle.excuse_fences()
                self.boots[machine] += 1
                for node in self.nodes:
                    if node.machine == machine:
                        node.kill(with_machine=True)

    def _stall(self) -> None:
        """A process stands still for a while, an engine's or a customer's; or its whole machine does."""
        node = self.random.choice(self.nodes)
        seconds = self.random.choice((5.0, 40.0, 200.0))
        if not node.alive:
            return
        self.oracle.excuse_fences()
        is_whole = self.random.random() < 0.3
        for one in self.nodes:
            if one is node or (is_whole and one.alive and one.machine == node.machine):
                self.note("paused", one.name, seconds)
                one.pause(seconds)

    def _signal(self) -> None:
        """Somebody presses Ctrl-C: the run ends in order, every fence released."""
        for process in self._living()[:1]:
            if process.node.on_signal is not None:
                self.note("signal", process.node.name)
                process.node.on_signal()

    def _edit_plan(self) -> None:
        """The plan says other durations from the next command on. Shorter ones are refused, and put back."""
        routing = self.schedule.routing
        ttl = self.random.choice((routing.ttl_seconds, 5.0, 30.0, 45.0))
        self._plan_durations((ttl, self.random.choice((routing.max_write_seconds, 10.0, 60.0))))

    def _plan_durations(self, durations: tuple[float, float]) -> None:
        """ttl and max_write."""
        routing = replace(self.schedule.routing, ttl_seconds=durations[0], max_write_seconds=durations[1])
        if routing == self.schedule.routing:
            return
        self.note("plan", *durations)
        self.longest = (max(self.longest[0], durations[0]), max(self.longest[1], durations[1]))
        self.schedule = replace(self.schedule, routing=routing, fingerprint=f"print-{len(self.history)}")
        self.oracle.planned(routing)

    def _wish(self) -> None:
        kind = self.random.choice(("hold", "pause", "rollback", "throttle"))
        now = WORLD_BEGINS + timedelta(seconds=self.loop.time())
        known = [one for one in self.state.controls() if one.kind == kind]
        value: dict[str, Any] = {"on": True} if not known else {}
        if kind == "throttle" and value:
            value = {"requests_per_minute": self.random.choice(SLOW_PER_MINUTE)}
        if kind == "rollback":
            if known or self.random.random() < 0.5:
                return
            value = {"wave": None, "region": None, "area": None, "on_conflict": None}
        self.note("wish", kind, bool(value))
        self.state.commit([SetControl(Control(kind, "", value, "operator", now))], token=None)

    def _second_engine(self) -> None:
        """Somebody starts another apply: beside the first, or on a copy of the state store."""
        copied: MemoryStateStore | None = None
        if self.random.random() < 0.5:
            self.oracle.has_one_store = False
            copied = MemoryStateStore("simulated", lineage=self.state.lineage)
            copied.restore(self.random.choice([self.state.snapshot(), *self.older]))
            self._wipe_lock(copied)
            self.copies.append(copied)
        self._start_engine("apply", state=copied)

    def _remember(self) -> None:
        """A backup is made; or one is put back, with everything stopped."""
        if not self.older or self.random.random() < 0.6:
            self.older.append(self.state.snapshot())
            return
        for node in self.nodes:
            if node.name.startswith(("engine", "guardian")):
                node.kill()
        self.oracle.excuse_fences()
        self.state.restore(self.random.choice(self.older))
        self._wipe_lock(self.state)
        self.oracle.has_one_store = False
        self.note("restored")
        self.oracle.restored(self.state)

    def _wipe_lock(self, state: MemoryStateStore) -> None:
        lock = state.lock()
        if lock is not None and self._wipes_lock:
            state.remove_lock(lock.nonce)

    def _edit(self) -> None:
        """A person edits the route document: new text, a new epoch, or (rarely) another account."""
        keys = sorted(self.board.document.routes) if self.board.document else []
        if not keys or self.random.random() < 0.4:
            return
        key, kind = self.random.choice(keys), self.random.choice(("text", "text", "epoch", "account"))

        def change(document: RouteDocument) -> RouteDocument:
            record = document.routes[key]
            if kind == "text":
                return document.with_record(key, replace(record, updated="by hand"))
            new = replace(record, epoch=record.epoch + 1, mode=READ_WRITE)
            if kind == "account":
                move = next(one for one in self.schedule.moves if str(one.id) == key)
                other = move.target if record.account == move.source else move.source
                new = replace(new, account=other, endpoint=f"https://{other}.blob.example")
            return document.with_record(key, new)

        self.note("edited", key, kind)
        self.board.edit(change, Sender("hand", False))

    def _judge_policies(self, moves: Sequence[MoveRecord]) -> None:
        """Where everything is at rest, the account that the route names takes writes again under the policies it had."""
        routes = self.board.document.routes if self.board.document else {}
        for move in moves:
            route = routes.get(str(move.id))
            at_rest = move.state in (MoveState.SOAKED, MoveState.REVERSED) and self.oracle.has_one_store
            policies = self.wires[route.account].policies if route is not None else None
            if route is None or policies is None or not at_rest or self.oracle.was_edited(move.id):
                continue
            area = self.schedule.move(move.id).area
            for container in self.accounts[route.account].containers:
                if area.takes(container, "x") and not policies.lets_write(container):
                    self.oracle.break_("policies-left-revoked", f"{move.id} is {move.state}: {container} is closed")

    def play(self) -> Report:
        """Run the story to its end."""
        is_unfinished = False
        try:
            self._fill()
            self.loop.run_until_complete(self._operate())
        except OutOfTimeError:
            is_unfinished = True
        except (DeadlockError, BusyLoopError) as fault:
            self.oracle.break_("stuck", str(fault))
        moves = tuple(self.state.moves())
        is_settled = not is_unfinished
        self.oracle.finish(moves, is_settled=is_settled, knows_best=self.oracle.has_one_store)
        if is_settled:
            self._judge_policies(moves)
        for text in self.loop.faults:
            self.oracle.break_("engine-crash", text)
        figures = {
            "virtual_seconds": round(self.loop.time(), 1),
            "requests": sum(wire.sent for wire in self.wires.values()),
            "acts": len(self.writers.acts),
            "acknowledged": sum(act.acknowledged_at is not None for act in self.writers.acts),
            "switches": self.oracle.switches,
            "fences": self.oracle.fences,
            "starts": self._starts,
        }
        for node in self.nodes:
            node.on_death.clear()
            node.kill()
        self.loop.discard()
        return Report(self.seed, tuple(self.oracle.violations), self.history, moves, is_unfinished, figures)


def _clear_controls(state: MemoryStateStore) -> None:
    for control in state.controls():
        state.commit([SetControl(replace(control, value={}))], token=None)


def _is_refused(process: Process) -> bool:
    task = process.task
    return task.done() and not task.cancelled() and isinstance(task.exception(), LockedError)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _number(node: Node) -> int:
    return int(node.name.rpartition("-")[2])


def _short(change: Any) -> str:
    """A commit's change in the history: enough to follow the story, and to notice any difference between two runs."""
    name = type(change).__name__
    if name == "SaveMove":
        move = change.move
        return f"{move.id} {move.direction} {move.state} epoch {move.epoch}"
    if name == "AddJournal":
        return str(change.entry.text)
    if name == "ReplaceRanges":
        opened = "open" if any(one.is_open for one in change.ranges) else "closed"
        return f"{change.container} {opened} {sum(len(one.records) for one in change.ranges) // 24}"
    if name in ("PutException", "DropException"):
        return repr(change)
    return name


@contextlib.contextmanager
def _slow_looks() -> Iterator[None]:
    """The engine looks for operators' wishes, and writes its counters down, less often: each time costs the simulator more than
    the story gains; and what is large begins at a few bytes."""
    slow = [(module, "CONTROL_SECONDS", LOOK_SECONDS) for module in (going_back_module, mover_module, carry_module)]
    slow += [(pacing_module, "CONTROL_SECONDS", BOOK_SECONDS), (pacing_module, "NOTE_SECONDS", BOOK_SECONDS)]
    slow.append((rollout_module, "COUNTER_SECONDS", BOOK_SECONDS))
    small = {"BLOCK_BYTES": BLOCK_BYTES, "SERVER_BLOCK_BYTES": BLOCK_BYTES, "SYNC_COPY_LIMIT_BYTES": 2 * BLOCK_BYTES}
    for module in (copying_module, saving_module, hands_module, actions_module):
        slow += [(module, name, size) for name, size in small.items() if name in vars(module)]
    with contextlib.ExitStack() as stack:
        for module, name, seconds in slow:
            stack.callback(setattr, module, name, vars(module)[name])
            setattr(module, name, seconds)
        yield


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """A story is short, and its world is thrown away at the end: looking for garbage in between takes a tenth of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextlib.contextmanager
def _small_ranges(seed: int) -> Iterator[None]:
    """In half of the worlds ranges split at a handful of names, so that several are settled side by side; in every fifth a few
    deletes are more than the tool carries out without being told."""
    before = (walk_module.SPLIT_AT, walk_module.PIECE, walk_module.FIRST_PIECE, walk_module.NAMES_IN_FLIGHT)
    cap = subject_module.MIN_DELETE_CAP
    if seed % 2:
        walk_module.SPLIT_AT, walk_module.PIECE, walk_module.FIRST_PIECE, walk_module.NAMES_IN_FLIGHT = 6, 3, 2, 9
    if seed % 5 == 0:
        subject_module.MIN_DELETE_CAP = FEW_DELETES
    try:
        yield
    finally:
        walk_module.SPLIT_AT, walk_module.PIECE, walk_module.FIRST_PIECE, walk_module.NAMES_IN_FLIGHT = before
        subject_module.MIN_DELETE_CAP = cap


def run(seed: int, *, engine: Engine = real_engine, breakage: Callable[[], Any] | None = None) -> Report:
    """The story of ``seed``. ``breakage`` makes a context in which something is deliberately broken."""
    with (
        warnings.catch_warnings(),
        _without_collector(),
        _slow_looks(),
        _small_ranges(seed),
        breakage() if breakage else contextlib.nullcontext(),
    ):
        # A process that dies on its first step leaves coroutines behind that never began.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        return Scenario(seed, engine).play()
