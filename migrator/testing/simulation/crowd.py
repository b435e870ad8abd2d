"""Who writes and reads in a story: customers on leases, writers that only an enforced fence binds, strangers, and a reader.

Decides who there is and how they live. Leaves what each of them does to ``clients``, and nodes, clocks and the network to the
world (``scenario``). Rule: chance is drawn from the world's own, in the same order for the same seed.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from migrator.model.values import replace
from migrator.testing.simulation import themes
from migrator.testing.simulation.attending import Attendee
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.clients import DELETING, HOSTS, VERBS, Bound, Habits, Reader, Rogue, Territory, Writer
from migrator.testing.simulation.loop import Node, SimClock
from migrator.testing.simulation.stage import Stage
from migrator.testing.simulation.weather import Weather

W = TypeVar("W", bound=Writer)
OLD_CLIENT_CHANCE = 0.1
"""How often a customer knows version 1 alone, where the document is of version 2."""
EAGER_SECONDS, HURRIED_SECONDS, READS_SECONDS = 0.2, 0.01, 0.5
SLOW_TO_ENTER = ((0.0, 0.0), (0.7, 8.0))
"""How often a newcomer's entry is slow, and how slow: what it has read of the document is older by then."""
PREPARING = (0.0, 0.1, 0.3)
"""How often a writer takes its lease well before it is ready to write."""


class Crowd:
    """Everybody but the tool and its operator."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._entering = Random(f"{world.seed}/entering")
        self._joined = 0
        self.attending: list[Attendee] = []
        """Customers who enter the register."""
        self._ambush_chance = world.random.choice((0.0, 0.0, 0.0, 0.0, 0.1))

    def start(self) -> None:
        """Everybody who is there from the beginning."""
        random = self._world.random
        self._start_writers()
        if random.random() < 0.35:
            self._start_rogue()
        self._start_bound()
        self._start_reader()

    def _start_writers(self) -> None:
        world, random, routing = self._world, self._world.random, self._world.schedule.routing
        pause = random.choice((0.0, routing.max_write_seconds, routing.drain_seconds * 2))
        verbs = random.choice((VERBS, VERBS, DELETING))
        far = self._far_weather()
        for number in range(random.randint(1, 4)):
            think = random.choice((0.5, 2.0, 8.0))
            pause_chance = random.choice((0.0, 0.05))
            habits = Habits(think, pause_chance, pause, world.busy_seconds, verbs, random.choice(PREPARING))
            habits = themes.habits(world, habits)
            place = self._place(f"writer-{number}")
            writer = self._writer(Writer, place, habits, far)
            self._enter(writer, far)
            place[0].start(writer.work(world.terrain.territories))

    def _enter(self, writer: Writer, weather: Weather) -> None:
        """Where the plan wants a register, most customers know of it; a few know version 1 alone."""
        world = self._world
        if world.schedule.routing.protocol < 2 or self._entering.random() < OLD_CLIENT_CHANCE:
            return
        # Weathers of its own, that somebody may turn into a partition.
        router = world.board.as_seen_by(writer.node, Sender(writer.name, False), replace(weather))
        pen = world.registers.as_seen_by(writer.node, replace(world.registers.weather))
        seed = f"{writer.name} {world.seed}"
        writer.attendee = Attendee(writer.name, writer.node, writer.clock, router, pen, HOSTS, seed)
        self.attending.append(writer.attendee)

    def join(self, chance: Random, key: str = "", is_time: Callable[[], bool] = lambda: True) -> None:
        """One more customer, who enters the register. ``is_time``: until it says so, he only reads the route now and then; then
        he writes at once, under ``key`` alone if one is given."""
        world = self._world
        self._joined += 1
        place = self._place(f"joiner-{self._joined}")
        world.note("joined", place[0].name)
        preparing = chance.choice((0.0, 1.0))
        habits = Habits(EAGER_SECONDS, 0.0, 0.0, world.busy_seconds, preparing_chance=preparing)
        writer = self._writer(Writer, place, habits)
        self._enter(writer, replace(world.board.weather))
        if writer.attendee is not None:
            to_register = writer.attendee.ways[1]
            to_register.slow_chance, to_register.slow_seconds = chance.choice(SLOW_TO_ENTER)
        territories = tuple(one for one in world.terrain.territories if key in ("", str(one.move)))
        place[0].start(_come(writer, territories, is_time))

    def hurry(self, chance: Random, key: str) -> None:
        """One more customer, who enters the register without delay, and takes all the time that his lease of ``key`` gives."""
        world = self._world
        self._joined += 1
        place = self._place(f"joiner-{self._joined}")
        world.note("joined", place[0].name)
        habits = Habits(HURRIED_SECONDS, 0.0, 0.0, world.loop.time() + chance.uniform(0.5, 5.0), preparing_chance=1.0)
        writer = self._writer(Writer, place, habits)
        self._enter(writer, replace(world.board.weather))
        territories = tuple(one for one in world.terrain.territories if str(one.move) == key)
        place[0].start(writer.work(territories))

    def _far_weather(self) -> Weather:
        """Customers' own way to the route document: in some stories a slow one."""
        world = self._world
        weather = world.weather()
        if world.random.random() < 0.5:
            weather = replace(weather, slow_chance=0.5, slow_seconds=20.0)
        return themes.way_to_routes(world, weather)

    def _start_rogue(self) -> None:
        """Somebody who asks no route, and writes to one account now and then."""
        world, random = self._world, self._world.random
        territory = random.choice(world.terrain.territories)
        source, target = self._accounts_of(territory)
        account = random.choice((source, source, source, target))
        place = self._place("rogue")
        habits = Habits(random.choice((5.0, 30.0, 200.0)), 0.0, 0.0, world.busy_seconds)
        place[0].start(self._writer(Rogue, place, habits).raid((territory,), account))

    def _start_bound(self) -> None:
        """Writers that an enforced fence binds, one for each move that has one."""
        world = self._world
        for territory in world.terrain.territories:
            move = world.schedule.move(territory.move)
            if world.schedule.wave_of(move.id).cutover.fence != "access-policy":
                continue
            place = self._place(f"bound-{move.id.region}")
            habits = Habits(world.random.choice((2.0, 8.0, 30.0)), 0.0, 0.0, world.busy_seconds)
            bound = self._writer(Bound, place, habits)
            bound.longest_seconds = lambda: world.schedule.routing.max_write_seconds
            place[0].start(bound.raid((territory,), move.source))

    def _start_reader(self) -> None:
        world = self._world
        node, clock = self._place("reader")
        router = world.board.as_seen_by(node, Sender(node.name, False))
        reader = Reader(node.name, node, clock, router, f"reader {world.seed}", world.oracle.break_)
        node.start(reader.work(tuple(move.id for move in world.schedule.moves), world.busy_seconds, 10.0))

    def ambush(self, account: str) -> None:
        """In some stories somebody without a lease writes exactly when the tool has just looked."""
        world = self._world
        if world.random.random() >= self._ambush_chance or world.loop.time() >= world.busy_seconds:
            return
        near = [one for one in world.terrain.territories if account in self._accounts_of(one)]
        place = self._place("ambusher")
        habits = Habits(1.0, 0.0, 0.0, world.busy_seconds)
        rogue = self._writer(Rogue, place, habits, seed=f"ambusher {world.seed} {world.loop.time()}")
        place[0].start(rogue.strike(world.random.choice(near), account))

    def _accounts_of(self, territory: Territory) -> tuple[str, str]:
        move = self._world.schedule.move(territory.move)
        return (move.source, move.target)

    def _place(self, name: str) -> tuple[Node, SimClock]:
        """A process of its own, with a clock of its own."""
        return self._world.node(name), self._world.clock(name)

    def _writer(
        self,
        kind: type[W],
        place: tuple[Node, SimClock],
        habits: Habits,
        weather: Weather | None = None,
        *,
        seed: str = "",
    ) -> W:
        world, (node, clock) = self._world, place
        router = world.board.as_seen_by(node, Sender(node.name, False), weather)
        seed = seed or f"{node.name} {world.seed}"
        return kind(node.name, node, clock, router, world.wires, world.writers, habits, world.numbers, seed)


async def _come(writer: Writer, territories: tuple[Territory, ...], is_time: Callable[[], bool]) -> None:
    while writer.attendee is not None and not is_time():
        await writer.attendee.look()
        await writer.clock.sleep(READS_SECONDS)
    await writer.work(territories)
