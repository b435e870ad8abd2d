"""Roll-calls in the world: which stories have a register, and what goes wrong with it and with those who enter it.

Decides whether a plan is of protocol 2 and what happens then: a register that is emptied, followers that stop, die, lose the way
to the document or to the register or enter in the middle of a fence, or end one after the other as an application is deployed
anew, a document that a hand makes one of version 1 again. Leaves
followers to ``attending``, entries to ``register``. Rule: chance is drawn from streams of its own, and a story without a register
is what it was.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from random import Random
from typing import Final

from migrator.model.moves import MoveRecord, MoveState
from migrator.model.routes import RouteDocument
from migrator.model.schedule import Schedule
from migrator.model.values import replace
from migrator.testing.simulation import themes
from migrator.testing.simulation.attending import Attendee
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.crowd import Crowd
from migrator.testing.simulation.stage import Seeded, Stage
from migrator.testing.simulation.weather import Weather

REGISTER_CHANCE: Final = 0.35
"""In so many stories the plan is of protocol 2."""
TROUBLE_SECONDS: Final = (100.0, 300.0, 900.0)
"""On the average between two troubles of a register."""
JOINS_CHANCE: Final = 0.5
"""How often somebody enters the register while a fence is being drained, or just before."""
JOIN_SECONDS: Final = 1.0
EAGER_CHANCE: Final = 0.5
"""How often somebody enters when a fence is as good as there, after the engine's last look outside it, and gets a lease yet."""
DEPLOYS_CHANCE: Final = 0.5
"""In so many stories with a register its followers end and others take their places, one by one."""
GOES_CHANCE: Final = 0.5
"""How often a follower ends while a fence is being drained."""
DEPLOY_SECONDS: Final = (60.0, 200.0, 600.0)
PARTED_SECONDS: Final = (20.0, 80.0, 300.0)
STOPPED_SECONDS: Final = (5.0, 40.0, 200.0)
MOST_JOINERS: Final = 12
MOST_HURRIED: Final = 3
MOST_DEPLOYED: Final = 12
"""Each of them and who takes its place are looked after for the rest of the story."""
HAND: Final = Sender("hand", False)


def has_register(world: Seeded) -> bool:
    return world.theme == themes.ROLLS or Random(f"{world.seed}/register").random() < REGISTER_CHANCE


def attended(world: Seeded, schedule: Schedule) -> Schedule:
    """The plan, of protocol 2 in some stories."""
    return replace(schedule, routing=replace(schedule.routing, protocol=2)) if has_register(world) else schedule


def weather_of(world: Seeded, late_seconds: float) -> Weather:
    """Of the way to the register."""
    weather = Weather.of(Random(f"{world.seed}/way to the register"), late_seconds=late_seconds)
    return replace(weather, bad_until=min(weather.bad_until, world.busy_seconds))


class RollTroubles:
    """Of one story."""

    def __init__(self, world: Stage, crowd: Crowd) -> None:
        self._world = world
        self._crowd = crowd
        self._chance = Random(f"{world.seed}/troubles of a register")
        self._joins = Random(f"{world.seed}/joiners")
        self._deploys = Random(f"{world.seed}/deploys")
        self._gone = 0
        self._joined = self._hurried = 0
        self._eager = Random(f"{world.seed}/eager joiners")
        self._told: set[tuple[str, int]] = set()
        """Fences that were announced, by key and epoch."""
        self._coming: set[str] = set()
        """Keys of moves whose fence somebody waits for to write."""

    async def work(self) -> None:
        """What happens to the register and to followers, until it is calm."""
        if self._world.schedule.routing.protocol >= 2:
            await asyncio.gather(self._trouble(), self._deploy())

    async def _deploy(self) -> None:
        """Followers end as they should, and others take their places."""
        chance = self._deploys
        if chance.random() >= DEPLOYS_CHANCE:
            return
        pause = chance.choice(DEPLOY_SECONDS)
        for _ in range(MOST_DEPLOYED):
            await asyncio.sleep(chance.expovariate(1.0 / pause))
            self._leave()

    def _leave(self) -> None:
        staying = [one for one in self._crowd.attending if one.node.alive and not one.has_left]
        if staying:
            leaves = self._deploys.choice(staying)
            self._world.note("follower left", leaves.node.name)
            leaves.node.start(leaves.leave())
            self._crowd.join(self._deploys)

    async def _trouble(self) -> None:
        chance = self._chance
        acts = (self._stop, self._die, self._part, self._part, self._empty, self._lower)
        pause = chance.choice(TROUBLE_SECONDS)
        while True:
            await asyncio.sleep(chance.expovariate(1.0 / pause))
            chance.choice(acts)()

    def saved(self, record: MoveRecord) -> None:
        """A state that is written down: in a fence somebody enters the register, or who came before it writes now."""
        key, world = str(record.id), self._world
        if record.state is MoveState.FENCING:
            self._coming.discard(key)
            if world.schedule.routing.protocol > 1 and self._hurries():
                self._crowd.hurry(self._eager, key)
        if record.state is not MoveState.DRAINING or world.schedule.routing.protocol < 2:
            return
        now = world.loop.time()
        if self._comes():
            world.loop.happen(now + self._joins.uniform(0.0, JOIN_SECONDS), self._crowd.join, self._joins)
        if self._goes():
            world.loop.happen(now + self._deploys.uniform(0.0, JOIN_SECONDS), self._leave)

    def swapped(self, document: RouteDocument) -> None:
        """Somebody who comes before a fence reads the document, and enters the register just when the fence is there."""
        for key, record in sorted(document.routes.items()):
            said = key, record.epoch
            if record.look_seconds is None or said in self._told:
                continue
            self._told.add(said)
            if self._comes():
                self._coming.add(key)
                self._crowd.join(self._joins, key, lambda key=key: key not in self._coming)  # type: ignore[misc]

    def _hurries(self) -> bool:
        """In calm weather too, where most cut-overs are, but only some times in a story."""
        hurries = self._hurried < MOST_HURRIED and self._eager.random() < EAGER_CHANCE
        self._hurried += hurries
        return hurries

    def _comes(self) -> bool:
        if self._joined >= MOST_JOINERS or self._world.loop.time() >= self._world.busy_seconds:
            return False
        comes = self._joins.random() < JOINS_CHANCE
        self._joined += comes
        return comes

    def _goes(self) -> bool:
        """Does a follower end in this fence?"""
        if self._gone >= MOST_DEPLOYED or self._world.loop.time() >= self._world.busy_seconds:
            return False
        goes = self._deploys.random() < GOES_CHANCE
        self._gone += goes
        return goes

    def _stop(self) -> None:
        """A follower stands still: SIGSTOP, or its machine."""
        for one in self._one():
            self._world.note("paused", one.node.name)
            one.node.pause(self._chance.choice(STOPPED_SECONDS))

    def _die(self) -> None:
        """Another one takes its place."""
        for one in self._one():
            self._world.note("follower died", one.node.name)
            one.node.kill()
            self._crowd.join(self._joins)

    def _part(self) -> None:
        """A follower has no way to the document, to the register, or to both, for a while."""
        for one in self._one():
            now, seconds = self._world.loop.time(), self._chance.choice(PARTED_SECONDS)
            ways = self._chance.choice((one.ways, one.ways[:1], one.ways[1:]))
            self._world.note("parted", one.node.name, len(ways))
            for way in ways:
                way.bad_from, way.bad_until, way.unanswered_chance = now, now + seconds, 1.0

    def _empty(self) -> None:
        """A script empties the register, its head too."""
        document = self._world.board.document
        if document is not None and document.register is not None:
            self._world.note("register emptied", document.register)
            with suppress(LookupError):
                self._world.registers.held.lose(document.register)

    def _lower(self) -> None:
        """A hand puts back a document of version 1, and takes that back a moment later, or leaves it so."""
        document = self._world.board.document
        if document is None or document.version < 2:
            return
        was = document.register
        self._world.note("edited", "all", "version 1")
        self._world.board.edit(lambda document: replace(document, version=1, register=None), HAND)
        if self._chance.random() < 0.7:
            world, when = self._world, self._world.loop.time() + self._chance.choice((0.5, 5.0, 30.0))
            world.loop.happen(when, self._raise, was)

    def _raise(self, register: str | None) -> None:
        def change(document: RouteDocument) -> RouteDocument:
            return document if document.version == 2 else replace(document, version=2, register=register)

        if self._world.loop.time() < self._world.busy_seconds:
            self._world.note("edited", "all", "version 2")
            self._world.board.edit(change, HAND)

    def _one(self) -> list[Attendee]:
        """A follower that lives, if there is one."""
        living = [one for one in self._crowd.attending if one.node.alive]
        return [self._chance.choice(living)] if living else []
