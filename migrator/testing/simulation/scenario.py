"""One seed, one story: the world it makes, the operator who drives engines through it, and the verdict.

``run(seed)`` is the same story each time: same requests at the same virtual instants, same faults, same history. The engine
is the real one; everything around it is simulated. Rules: processes die without a last word; the operator starts the
next one as a person would; the end is calm weather, in which everything must come to rest.
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from migrator.engine.world import Run
from migrator.engine.world import World as Doors
from migrator.machine.policies import can_write
from migrator.model.happenings.happening import Shown, event_of
from migrator.model.happenings.moves import PassMade
from migrator.model.moves import LockRecord, MoveRecord, MoveState, StoredPolicy
from migrator.model.objects import BlobType, ContainerInfo
from migrator.model.routes import RouteDocument
from migrator.model.schedule import POLICY_PROPAGATION_SECONDS
from migrator.model.values import replace
from migrator.ports.state_store import AddJournal, SaveMove
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation import seams, themes
from migrator.testing.simulation.acts import Writers
from migrator.testing.simulation.blobs import SEED, Account, Blob, NameOrder, Sender
from migrator.testing.simulation.calendars import Calendar
from migrator.testing.simulation.cases import NameStretch
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.clients import (
    initial,
    numbers,
    shape_of,
    with_type,
)
from migrator.testing.simulation.crowd import Crowd
from migrator.testing.simulation.driving import Engine, real_engine
from migrator.testing.simulation.guardian import SimGuardian
from migrator.testing.simulation.hands import FrailHands
from migrator.testing.simulation.history import Report
from migrator.testing.simulation.interrupts import Interrupts
from migrator.testing.simulation.loop import (
    WORLD_BEGINS,
    BusyLoopError,
    DeadlockError,
    Node,
    OutOfTimeError,
    SimClock,
    SimLoop,
)
from migrator.testing.simulation.metrics import MetricWorld, Stretch
from migrator.testing.simulation.oddities import Oddities
from migrator.testing.simulation.oracle import Oracle
from migrator.testing.simulation.outages import Outages
from migrator.testing.simulation.person import Operator
from migrator.testing.simulation.policies import READERS, WRITERS, Policies
from migrator.testing.simulation.processes import Process
from migrator.testing.simulation.reach import Steps, counting, read_off
from migrator.testing.simulation.register import RegisterBoard
from migrator.testing.simulation.retiring import watch
from migrator.testing.simulation.rolls import RollTroubles, attended, weather_of
from migrator.testing.simulation.router import RouteBoard
from migrator.testing.simulation.starts import LISTS_FROM
from migrator.testing.simulation.state import NodeState
from migrator.testing.simulation.store import Wire
from migrator.testing.simulation.terrain import Terrain, make_terrain, sorts_apart
from migrator.testing.simulation.troubles import Troubles
from migrator.testing.simulation.tuning import (
    rhythm_of,
    sorted_in_memory,
    without_collector,
    without_register,
)
from migrator.testing.simulation.warmth import kept_warm
from migrator.testing.simulation.weather import Weather
from migrator.testing.simulation.wholes import Wholes
from migrator.words.happenings import sentence

CREDENTIAL_SECONDS = (60.0, 300.0)
"""How long an unanswered write may still be applied: the engine is told the truth about it."""
ROUTE_STORM_CHANCE = 0.15
SPLIT_CHANCE = 0.5
"""Of stories with two regions, for a route document of each."""
TELLS_TEXTS_CHANCE = 0.6


class Silent:
    """A reporter that writes into the history."""

    def __init__(self, note: Callable[..., None], heard: Callable[[str, str | None, int], None]) -> None:
        self._note = note
        self._heard = heard

    def event(self, happening: Shown, move: str | None = None) -> None:
        self._note("told", event_of(happening), sentence(happening, move))
        self._heard(event_of(happening), move, happening.waiting if isinstance(happening, PassMade) else 0)

    def progress(self, move: str, **figures: Any) -> None:
        """May be dropped."""


class Scenario:
    """The world of a seed, and the operator in it."""

    def __init__(self, seed: int, engine: Engine, reached: Counter[str] | None = None, theme: str = "") -> None:
        self.seed = seed
        self.theme = theme
        self.reached: Counter[str] = Counter() if reached is None else reached
        """What came to pass, by its name in ``reach``."""
        self.steps = Steps(self.reached)
        self.rhythm = rhythm_of(seed)
        self.random = random = Chance(f"scenario {seed}")
        is_apart = sorts_apart(seed) or theme == themes.ORDERS
        terrain = make_terrain(random, is_apart=is_apart, is_wide=theme == themes.WAYS_BACK)
        self.terrain: Terrain = themes.made(self, terrain)
        self.schedule = attended(self, kept_warm(seed, self.terrain.schedule))
        self.busy_seconds = themes.busy_seconds(self, random.choice([200.0, 600.0, 1200.0]))
        """Until then customers write, machines die and operators change their minds; then calm."""
        self.credential_seconds = random.choice(CREDENTIAL_SECONDS)
        self.loop = SimLoop(until=self.busy_seconds + 4000.0)
        self.engine = engine
        self.calendar = Calendar(self)
        self.schedule = replace(self.calendar.enter(self.schedule), retire=watch(seed))
        self.notes: list[tuple[float, tuple[Any, ...]]] = []
        self.writers = Writers()
        self.accounts = {
            name: Account(name, order=random.choice(("utf-8", "utf-16", "utf-16")))
            for name in sorted(self.schedule.accounts)
        }
        self.oracle = Oracle(self.loop, self.schedule, self.accounts, self.writers, self.rhythm)
        self.wires = {name: self._wire(name) for name in self.accounts}
        if is_apart:
            self._sort_apart()
        self.board = RouteBoard(self.loop, self._route_weather(), f"routes {seed}")
        self.board.swapped = self._swapped
        self.board.seen = self.oracle.routes_seen
        self.board.unanswered = self.oracle.routes_unanswered
        self.registers = RegisterBoard(self.loop, weather_of(self, self.credential_seconds * 0.95), f"register {seed}")
        self.state = MemoryStateStore("simulated", lineage=f"lineage-{seed}")
        seams.keep(seed, self.schedule, self.terrain, self.state)
        self.metrics = self._metrics()
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
        self.numbers = numbers()
        self.interrupts = Interrupts(self)
        self.board.sending = self.interrupts.sending
        self.troubles = Troubles(self, self.interrupts, self.steps)
        self.board.is_split = self._has_document_per_region()
        self.crowd = Crowd(self)
        self.oddities = Oddities(self)
        self.wholes = Wholes(self)
        self.outages = Outages(self)
        self.rolls = RollTroubles(self, self.crowd)

    def _has_document_per_region(self) -> bool:
        """No register then: it is of one document."""
        is_one = self.troubles.damage.happens or self.schedule.routing.protocol > 1
        regions = {move.id.region for move in self.schedule.moves}
        return len(regions) > 1 and not is_one and Random(f"{self.seed}/documents").random() < SPLIT_CHANCE

    # The world.

    def _sort_apart(self) -> None:
        """Sources keep one order, targets the other, and pages are short."""
        chance = Random(f"{self.seed}/pages")
        orders: list[NameOrder] = themes.orders(self, chance.sample(["utf-8", "utf-16"], 2))
        sources = {move.source for move in self.schedule.moves}
        for name, wire in self.wires.items():
            wire.account.sort_by(orders[name in sources])
            wire.weather.page_entries = chance.choice((1, 2, 3))

    def weather(self) -> Weather:
        weather = Weather.of(self.random, late_seconds=self.credential_seconds * 0.95)
        return replace(weather, bad_until=min(weather.bad_until, self.busy_seconds))

    def _route_weather(self) -> Weather:
        """In some stories the route document is the one that seldom answers."""
        weather = self.weather()
        if self.random.random() < ROUTE_STORM_CHANCE:
            weather = replace(weather, unanswered_chance=self.random.uniform(0.1, 0.3))
        return weather

    def _wire(self, name: str) -> Wire:
        account, random = self.accounts[name], self.random
        wire = Wire(self.loop, account, themes.of_account(self, name, self.weather()), f"{name} {self.seed}")
        account.wrote = self._wrote
        if random.random() < 0.25:
            wire.copies_from = set()
        wire.async_copies = random.random() < 0.7
        wire.fail_copies()
        wire.starts.kind = themes.starts(self, Random(f"{self.seed}/lanes/{name}").choice(LISTS_FROM))
        wire.weather.tells_texts = Random(f"{self.seed}/texts").random() < TELLS_TEXTS_CHANCE
        if any(wave.cutover.fence == "access-policy" for wave in self.schedule.waves):
            wire.policies = Policies(f"policies {name} {self.seed}")
            wire.set_policies = self._set_policies
            wire.read_policies = lambda node: self.troubles.stand_still(node)
        wire.staged = partial(self._staged, name)
        wire.listed = lambda node, container, first, sent_at, names: self._listed(
            name, node, container, first, sent_at, names
        )
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
        self.notes.append((self.loop.virtual_now, facts))

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
        themes.wrote(self, sender, account.name, container, name)
        if sender.is_tool and kind == "commit" and after is not None and not after.content:
            self.troubles.swept(sender.name)

    def _staged(self, account: str, sender: str, container: str, name: str) -> None:
        self.oracle.staged(account, sender, container, name)
        self.troubles.staged(account, container, name)

    def _listed(
        self, account: str, node: Node, container: str, is_first: bool, sent_at: float, names: NameStretch
    ) -> None:
        if is_first:
            self.note("listed", node.name, account, container)
            self.crowd.ambush(account)
        self.oracle.listed(account, node, container, is_first, sent_at, names)

    def _set_policies(
        self,
        sender: Sender,
        account: str,
        container: str,
        before: tuple[StoredPolicy, ...],
        after: tuple[StoredPolicy, ...],
        sent_at: float,
    ) -> None:
        self.note("set policies", sender.name, account, container, sum(map(can_write, after)))
        self.oracle.set_policies(sender, account, container, before, after, sent_at)
        self.oracle.excuses.set_policies(sender.name, account, container, is_open=any(map(can_write, after)))

    def _swapped(self, sender: Sender, before: RouteDocument | None, after: RouteDocument, sent_at: float) -> None:
        routes = {key: f"{r.account} {r.mode} {r.epoch} {r.run}" for key, r in sorted(after.routes.items())}
        self.note("swapped", sender.name, routes)
        self.rolls.swapped(after)
        self.oracle.swapped(sender, before, after, sent_at)

    def _committed(self, node: Node, changes: Any) -> None:
        self.note("committed", node.name, *changes)
        for change in changes:
            if type(change) is SaveMove:
                self.outages.judge_record(node, change.move, changes)
                self.oddities.judge_record(change.move)
                self.troubles.judge_halt(change.move, [one.entry.run for one in changes if isinstance(one, AddJournal)])
                self.troubles.damage.saved(change.move)
                self.troubles.saved(change.move)
                self.rolls.saved(change.move)
                themes.saved(self, self.metrics, change.move)
                self.steps.saved(change.move)
                self.interrupts.saved(node, change.move)
        self.oracle.committed(node, changes)

    def _fill(self) -> None:
        for account, container in self.terrain.containers:
            self.accounts[account].make_container(ContainerInfo(container))
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
        shape = with_type(shape_of(self.random, number), type_, number)
        content = initial(type_, b"seed %d" % number) if self.random.random() < 0.9 else b""
        if type_ is BlobType.PAGE:
            content = content.ljust(512, b"\0")
        self.accounts[account].put(
            SEED, container, name, content, shape, condition=None, sent_at=0.0, modified=WORLD_BEGINS
        )

    # Customers.

    def node(self, name: str, machine: str = "") -> Node:
        node = Node(name, self.loop, machine=machine)
        self.nodes.append(node)
        return node

    def clock(self, name: str, boot: str = "") -> SimClock:
        """The clock of a node; those of one ``boot`` of a machine read the same one."""
        skew = self.random.choice((0.0, self.random.uniform(-120.0, 120.0)))
        zero = self.random.uniform(0.0, 1e5)
        skew, zero = self.clock_hands.setdefault(boot or name, (themes.skew(self, boot, skew), zero))
        steps = self.outages.steps(boot) if boot else ()
        return SimClock(self.loop, f"{name} {self.seed}", skew_seconds=skew, monotonic_zero=zero, steps=steps)

    # Engines.

    def start_engine(self, command: str, *, state: MemoryStateStore | None = None) -> Process:
        self._starts += 1
        random, name = self.random, f"engine-{self._starts}"
        node = self.node(name, machine=random.choice(("host-1", "host-1", "host-2")))
        clock = self.clock(name, self._boot_of(node.machine))
        sender = Sender(name, True)
        of = state or self.state
        hook = self._committed if state is None else self._committed_elsewhere
        guardian = self._guardian(node)
        stores = {account: wire.as_seen_by(node, sender) for account, wire in self.wires.items()}
        chances = [Random(f"{what} {self.seed} {self._starts}") for what in ("hands", "looks")]
        hands = FrailHands(stores, clock, *chances)
        doors = Doors(
            stores=stores,
            router=self.board.as_seen_by(node, sender),
            state=NodeState(of, node, hook, self.outages.refuse, self.outages.committing, self.outages.loses),
            metrics={"sim": self.metrics.as_seen_by(node)},
            clock=clock,
            reporter=Silent(self.note, partial(self.outages.told, node)),
            write_bounds=dict.fromkeys(self.accounts, self.credential_seconds),
            is_dead=self._is_proven_dead(node),
            guardian=guardian,
            executor=hands if self._starts % 3 else None,  # every third engine copies one by one
            register=self.registers.as_seen_by(node),
            rhythm=self.rhythm,
        )
        run = Run(f"run-{self._starts}", "operator", node.machine, self._starts, self._boot_of(node.machine))
        calm = self.loop.time() >= self.busy_seconds
        if not calm and random.random() < 0.6:
            node.steps_left = int(random.choice((30, 150, 600, 1500)) * random.random()) + 1
        self.note("start", name, command)
        self.oracle.directed(node, of.moves())
        self.outages.begins(node)
        if command in ("rollback-source", "rollback-target"):
            self.oracle.excuses.may_decide(name)
        if state is not None:
            self.oracle.excuses.has_store(name, 1 + self.copies.index(state))
        ended: asyncio.Future[None] = self.loop.create_future()
        task = node.start(self.engine(self.schedule, doors, run, command))
        process = Process(node, task, ended)
        node.on_death.append(lambda: self._died(process))
        task.add_done_callback(lambda _: self._ended(process), context=self.loop.world)
        self.processes.append(process)
        return process

    def _guardian(self, engine: Node) -> SimGuardian:
        name = engine.name.replace("engine", "guardian")
        post = self.node(name, engine.machine)
        sender = Sender(name, True)
        clock = self.clock(name, self._boot_of(engine.machine))
        stores = {name: wire.as_seen_by(post, sender) for name, wire in self.wires.items() if wire.policies is not None}
        return SimGuardian(engine, post, self.board.as_seen_by(post, sender), clock, stores)

    def _committed_elsewhere(self, node: Node, changes: Any) -> None:
        self.note("committed to a copy", node.name, *changes)
        self.oracle.committed_elsewhere(node, changes)

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
        if not process.task.done():
            self.oracle.excuses.ended(process.node.name, in_order=False)
        _resolve(process.ended)

    def _ended(self, process: Process) -> None:
        self.oracle.excuses.ended(process.node.name, in_order=True)
        _resolve(process.ended)

    def living(self) -> list[Process]:
        return [one for one in self.processes if one.node.alive and not one.task.done()]

    def plan_durations(self, durations: tuple[float, float]) -> None:
        """ttl and max_write."""
        routing = replace(self.schedule.routing, ttl_seconds=durations[0], max_write_seconds=durations[1])
        if routing == self.schedule.routing:
            return
        self.note("plan", *durations)
        self.longest = (max(self.longest[0], durations[0]), max(self.longest[1], durations[1]))
        self.schedule = replace(self.schedule, routing=routing, fingerprint=f"print-{len(self.notes)}")
        self.oracle.planned(routing)

    def _judge_policies(self, moves: Sequence[MoveRecord]) -> None:
        """Where everything is at rest, the account that the route names takes writes again under the policies it had.
        Not where a backup was put back that is older than the fence: it has neither the policies nor what they were."""
        routes = self.board.document.routes if self.board.document else {}
        for move in moves:
            route = routes.get(str(move.id))
            at_rest = move.state in (MoveState.SOAKED, MoveState.REVERSED)
            policies = self.wires[route.account].policies if route is not None else None
            if route is None or policies is None or not at_rest:
                continue
            area = self.schedule.move(move.id).area
            for container in self.accounts[route.account].containers:
                if not area.takes(container, "x") or policies.lets_write(container):
                    continue
                if self.oracle.excuses.is_forgotten(route.account, container):
                    self.oracle.excuses.used["policies that a store cannot know"] += 1
                else:
                    self.oracle.break_("policies-left-revoked", f"{move.id} is {move.state}: {container} is closed")

    def play(self) -> Report:
        """Run the story to its end."""
        is_unfinished = False
        try:
            self._fill()
            self.loop.run_until_complete(Operator(self).work())
        except OutOfTimeError:
            is_unfinished = True
        except (DeadlockError, BusyLoopError) as fault:
            self.oracle.break_("stuck", str(fault))
        moves = tuple(self.state.moves())
        is_settled = not is_unfinished
        if is_settled:
            self.outages.judge_calm()
        self.oracle.finish(moves, is_settled=is_settled)
        if is_settled:
            self._judge_policies(moves)
        for text in self.loop.faults:
            self.oracle.break_("engine-crash", text)
        figures = {
            "virtual_seconds": round(self.loop.time(), 1),
            "requests": sum(wire.sent for wire in self.wires.values()),
            "acts": len(self.writers.acts),
            "acknowledged": sum(act.acknowledged_at is not None for act in self.writers.acts),
            "switches": self.oracle.switches.switches,
            "judged by all laws": self.oracle.switches.judged,
            "fences": self.oracle.fences,
            "starts": self._starts,
        }
        for node in self.nodes:
            node.on_death.clear()
            node.kill()
        self.loop.discard()
        self.reached.update(read_off(self.notes))
        excused = self.oracle.switches.excused + self.oracle.excuses.used
        return Report(
            self.seed, tuple(self.oracle.violations), self.notes, moves, is_unfinished, figures, self.reached, excused
        )


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _number(node: Node) -> int:
    return int(node.name.rpartition("-")[2])


def run(
    seed: int, *, engine: Engine = real_engine, breakage: Callable[[], Any] | None = None, theme: str = ""
) -> Report:
    """The story of ``seed``. ``breakage`` makes a context in which something is broken on purpose; ``theme``: one of ``themes``,
    whose trouble comes often."""
    reached: Counter[str] = Counter()
    with (
        warnings.catch_warnings(),
        without_collector(),
        sorted_in_memory(),
        without_register(),
        counting(reached),
        breakage() if breakage else contextlib.nullcontext(),
    ):
        # A process that dies on its first step leaves coroutines behind that never began.
        warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
        report = Scenario(seed, engine, reached, theme).play()
    return report
