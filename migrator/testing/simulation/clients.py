"""The customers of the simulated world: writers that follow the route, writers that do not, and readers.

A writer takes a lease, may lose its machine for a while between the check and the sending, and then sends one request that
the service ends after what is left of ``max_write``. What it is allowed to do is decided by the real follower
(``migrator.client.follower``). Rule: a customer never looks at the world but through its own node's doors.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from migrator.client.errors import LeaseError, RouteFenced
from migrator.client.follower import Follower, Grant, Refresh
from migrator.client.work import Counted
from migrator.errors import AccessRefused, CloudError, MigrateError, OutcomeUnknown
from migrator.model.hosts import Hosts
from migrator.model.names import MoveId
from migrator.model.objects import BlobType, ContentHeaders, Shape
from migrator.model.values import value
from migrator.testing.simulation.acts import Act, Writers
from migrator.testing.simulation.attending import Attendee
from migrator.testing.simulation.blobs import Account, Sender
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.loop import Node, SimClock
from migrator.testing.simulation.policies import WRITERS
from migrator.testing.simulation.router import SimRouter
from migrator.testing.simulation.store import Wire

TIERS = ("Hot", "Cool", "Cold")
HOSTS = Hosts.of(["*.blob.example"])
"""What customers were told that they may send their credentials to: where all accounts of the world are."""
ARCHIVING = 2
"""Where customers archive at all, every such act that sets a tier does."""
VERBS = ("put", "put", "put", "delete", "tags", "tags", "tier", "append", "pages", "metadata", "replace", "recreate")

AMBUSH_SECONDS = 0.02
"""An ambush comes at most so long after a listing: between what the tool saw and what it does about it."""
DELETING = ("put", "delete", "delete", "delete", "tags")
"""What customers do in some stories: names come and go."""


@value(frozen=True, slots=True)
class Territory:
    """The names of one move that its customers touch."""

    move: MoveId
    names: tuple[tuple[str, str], ...]
    """(container, name)"""


@dataclass(slots=True)
class Habits:
    """How a writer behaves; seconds."""

    think_seconds: float
    pause_chance: float
    pause_seconds: float
    stop_at: float
    verbs: tuple[str, ...] = VERBS
    preparing_chance: float = 0.0


class Customer:
    """What writers and readers share: a node, a clock, and followers of the route."""

    def __init__(self, name: str, node: Node, clock: SimClock, router: SimRouter, seed: str) -> None:
        self.name = name
        self.node = node
        self.clock = clock
        self.random = Chance(seed)
        self._router = router
        self._followers: dict[MoveId, Follower] = {}

    def follower(self, move: MoveId) -> Follower:
        found = self._followers.get(move)
        if found is None:
            found = self._followers[move] = Follower(str(move), HOSTS)
        return found

    async def refresh(self, follower: Follower) -> None:
        """Read the route; a failed read takes nothing away and gives nothing."""
        sent_at = self.clock.monotonic()
        try:
            seen = await self._router.read()
        except CloudError:
            return
        follower.observe(seen.document, sent_at)


class Writer(Customer):
    """Writes under leases, for ever until ``habits.stop_at``."""

    def __init__(
        self,
        name: str,
        node: Node,
        clock: SimClock,
        router: SimRouter,
        wires: Mapping[str, Wire],
        writers: Writers,
        habits: Habits,
        numbers: Iterator[int],
        seed: str,
    ) -> None:
        super().__init__(name, node, clock, router, seed)
        self._wires = wires
        self._writers = writers
        self._habits = habits
        self._numbers = numbers
        self.attendee: Attendee | None = None
        """Where the document may be of version 2: enters the register and answers fences for it."""
        self._counted: Counted | None = None
        """What of its present lease is under way."""

    async def work(self, territories: tuple[Territory, ...]) -> None:
        while self.node.loop.time() < self._habits.stop_at and not self._has_left:
            await self.clock.sleep(self.random.expovariate(1.0 / self._habits.think_seconds))
            territory = self.random.choice(territories)
            try:
                grant = await self._leased(territory.move)
            except LeaseError:
                await self.clock.sleep(1.0)
                continue
            if self.random.random() < self._habits.preparing_chance:
                # what is to be written is still being made: the lease may be used up to its last moment
                left = grant.expires - self.clock.monotonic()
                await self.clock.sleep(left * self.random.uniform(0.5, 1.0))
            await self._write(territory, grant)
            if self._counted is not None:
                self._counted.over()

    @property
    def _has_left(self) -> bool:
        return self.attendee is not None and self.attendee.has_left

    async def _leased(self, move: MoveId) -> Grant:
        if self.attendee is None:
            return await self._lease(self.follower(move))
        grant, self._counted = await self.attendee.lease(move)
        return grant

    async def _lease(self, follower: Follower) -> Grant:
        if follower.write_refresh(self.clock.monotonic()) is not Refresh.NO:
            await self.refresh(follower)
        return follower.lease(self.clock.monotonic())

    async def _write(self, territory: Territory, grant: Grant) -> None:
        """One request under ``grant``: checked, perhaps after a pause of the whole machine sent, and answered or not."""
        checked_at = self.clock.monotonic()
        if checked_at >= grant.expires:
            return
        now = self.node.loop.time()
        left = grant.max_write_seconds
        if self.random.random() < self._habits.pause_chance:
            pause = self.random.uniform(0.0, self._habits.pause_seconds)
            self.node.pause(pause)
            await self.clock.sleep(pause)
        elif self.random.random() < 0.2:
            # the first tries were refused: the last one begins late, but within the lease and max_write
            await self.clock.sleep(self.random.uniform(0.0, min(left * 0.9, grant.expires - checked_at)))
            left -= self.clock.monotonic() - checked_at
            if left < 1.0 or self.clock.monotonic() >= grant.expires:
                return
        if grant.endpoint != self._wires[grant.account].account.endpoint:
            self._writers.given_away.append(
                (self.name, grant.endpoint)
            )  # whoever listens there has it, and says thanks
            return
        container, name = self.random.choice(territory.names)
        act = self._act(
            territory, grant.account, container, name, checked_at=now, must_end=now + grant.max_write_seconds
        )
        self._writers.holds(self.name, grant, now + grant.max_write_seconds)
        under_way = self._counted.also(checked_at + grant.max_write_seconds) if self._counted is not None else None
        # The service counts its timeout from the arrival, so a machine that paused sends something that ends too late.
        await self._send(act, left)
        if under_way is not None and (act.acknowledged_at is not None or act.failed):
            under_way.over()
            self._writers.ended(self.name, grant, self.node.loop.time())

    def _act(
        self, territory: Territory, account: str, container: str, name: str, *, checked_at: float, must_end: float
    ) -> Act:
        verb = self.random.choice(self._habits.verbs)
        act = Act(
            next(self._numbers),
            self.name,
            verb,
            str(territory.move),
            account,
            container,
            name,
            has_lease=must_end > checked_at,
            checked_at=checked_at,
            must_end=must_end,
        )
        self._writers.acts.append(act)
        return act

    async def _send(self, act: Act, limit_seconds: float) -> None:
        wire = self._wires[act.account]
        store = wire.as_seen_by(self.node, Sender(self.name, False, act))
        effect = effect_of(act, wire, self.random, store.sender)
        if act.is_bound:
            effect = signed(act, wire, effect)
        try:
            await store.send(effect, is_write=True, limit_seconds=limit_seconds)
        except OutcomeUnknown:
            return
        except MigrateError as refusal:
            act.failed = type(refusal).__name__
            return
        act.acknowledged_at = self.node.loop.time()


class Rogue(Writer):
    """Writes without asking the route: to one account, now and then."""

    async def raid(self, territories: tuple[Territory, ...], account: str) -> None:
        while self.node.loop.time() < self._habits.stop_at:
            await self.clock.sleep(self.random.expovariate(1.0 / self._habits.think_seconds))
            territory = self.random.choice(territories)
            container, name = self.random.choice(territory.names)
            now = self.node.loop.time()
            act = self._act(territory, account, container, name, checked_at=now, must_end=now)
            await self._send(act, 60.0)

    async def strike(self, territory: Territory, account: str) -> None:
        """One write, just when somebody else is busy there."""
        await self.clock.sleep(self.random.uniform(0.0, AMBUSH_SECONDS))
        container, name = self.random.choice(territory.names)
        now = self.node.loop.time()
        await self._send(self._act(territory, account, container, name, checked_at=now, must_end=now), 60.0)


class Bound(Rogue):
    """Writes without asking the route, but with a signature of a stored access policy, which an enforced fence revokes."""

    longest_seconds: Callable[[], float]
    """``max_write``: what is promised of every writer."""

    async def raid(self, territories: tuple[Territory, ...], account: str) -> None:
        while self.node.loop.time() < self._habits.stop_at:
            await self.clock.sleep(self.random.expovariate(1.0 / self._habits.think_seconds))
            container, name = self.random.choice(self.random.choice(territories).names)
            now = self.node.loop.time()
            act = self._act(territories[0], account, container, name, checked_at=now, must_end=now)
            act.is_bound = True
            await self._send(act, self.longest_seconds())


class Reader(Customer):
    """Reads through the route all the time; counts answers it could not get because of the route."""

    def __init__(
        self, name: str, node: Node, clock: SimClock, router: SimRouter, seed: str, complain: Callable[[str, str], None]
    ) -> None:
        super().__init__(name, node, clock, router, seed)
        self._complain = complain

    async def work(self, moves: tuple[MoveId, ...], stop_at: float, every_seconds: float) -> None:
        known: set[MoveId] = set()
        while self.node.loop.time() < stop_at:
            await self.clock.sleep(every_seconds * (0.5 + self.random.random()))
            move = self.random.choice(moves)
            follower = self.follower(move)
            if follower.read_refresh(self.clock.monotonic()) is not Refresh.NO:
                await self.refresh(follower)
            try:
                follower.resolve(self.clock.monotonic())
            except LeaseError as fault:
                if move in known:
                    self._complain("reads-interrupted", f"{self.name} cannot read {move}: {fault}")
            else:
                known.add(move)


def effect_of(act: Act, wire: Wire, random: Random, sender: Sender) -> Callable[[float], Any]:
    """What ``act`` does to its account when it is applied. Customers write without conditions."""
    account, container, name = wire.account, act.container, act.name
    text = f"act {act.number}".encode()
    if act.number % (2 if account.uploads else 5) == 0:
        text *= 5 + act.number % 37  # large enough for blocks

    def put(sent_at: float, shape: Shape, content: bytes, kind: str) -> Any:
        modified, before = wire.modified(sent_at), account.peek(container, name)
        if before is not None and (before.listed.blob_type is not shape.blob_type or before.listed.is_archived):
            account.delete(sender, container, name, if_match=None, sent_at=sent_at)  # else the service refuses it
        return account.put(
            sender, container, name, content, shape, condition=None, sent_at=sent_at, modified=modified, kind=kind
        )

    def change(sent_at: float, content: bytes, kind: str) -> Any:
        modified = wire.modified(sent_at)
        return account.change(sender, container, name, content, sent_at=sent_at, modified=modified, kind=kind)

    kind = act.kind
    if kind == "delete":
        return lambda sent_at: account.delete(sender, container, name, if_match=None, sent_at=sent_at)
    if kind == "tags":
        tags = {"by": str(act.number)} if random.random() < 0.8 else {}
        return lambda sent_at: account.set_tags(sender, container, name, tags, sent_at=sent_at)
    if kind == "tier":
        tier = random.choice(TIERS)
        if account.archives and act.number % ARCHIVING == 0:
            tier = "Archive"
        return lambda sent_at: account.set_tier(sender, container, name, tier, sent_at=sent_at)
    shape = shape_of(random, act.number)
    type_ = random.choice((BlobType.BLOCK, BlobType.BLOCK, BlobType.APPEND, BlobType.PAGE))

    def effect(sent_at: float) -> Any:
        if kind == "metadata":
            modified = wire.modified(sent_at)
            return account.set_metadata(
                sender, container, name, {"act": str(act.number)}, sent_at=sent_at, modified=modified
            )
        before = account.peek(container, name)
        is_append = before is not None and before.listed.blob_type is BlobType.APPEND and not before.listed.is_sealed
        if kind == "append" and before is not None and is_append:
            return change(sent_at, before.content + text, "append")
        if kind == "pages" and before is not None and before.listed.blob_type is BlobType.PAGE:
            return change(sent_at, text.ljust(512, b"\0") + before.content[512:], "pages")
        if kind in ("append", "pages", "recreate"):
            return put(sent_at, with_type(shape, type_, act.number), initial(type_, text), "put")
        return put(sent_at, shape, text, "put")

    return effect


def signed(act: Act, wire: Wire, effect: Callable[[float], Any]) -> Callable[[float], Any]:
    """``effect`` under a signature of the writers' policy: carried out only if the service still lets that write."""

    def checked(sent_at: float) -> Any:
        if wire.policies is None or not wire.policies.accepts(act.container, WRITERS, wire.loop.time()):
            raise AccessRefused(
                f"cannot write to {act.account}: the policy does not let it", code="AuthorizationFailure"
            )
        return effect(sent_at)

    return checked


def shape_of(random: Random, number: int) -> Shape:
    """A block blob's shape: some with tags, metadata, a tier, and a Content-MD5 that may be a lie."""
    lie = random.choice((None, None, bytes(16), number.to_bytes(16, "big")))
    return Shape(
        BlobType.BLOCK,
        ContentHeaders(content_type=random.choice((None, "text/plain")), md5=lie),
        {"number": str(number)} if random.random() < 0.4 else {},
        {"number": str(number)} if random.random() < 0.4 else {},
        random.choice((None, None, "Cool")),
    )


def with_type(shape: Shape, type_: BlobType, number: int) -> Shape:
    """Some page blobs with a sequence number, some append blobs that take nothing more."""
    tier = shape.tier if type_ is BlobType.BLOCK else None
    counted, is_sealed = number % 3 if type_ is BlobType.PAGE else 0, type_ is BlobType.APPEND and number % 3 == 0
    return Shape(type_, shape.headers, shape.metadata, shape.tags, tier, counted, is_sealed)


def initial(type_: BlobType, text: bytes) -> bytes:
    return text.ljust(1024, b"\0") if type_ is BlobType.PAGE else text


def numbers() -> Iterator[int]:
    return itertools.count(1)


__all__ = ["DELETING", "VERBS", "Account", "Habits", "Reader", "Rogue", "RouteFenced", "Territory", "Writer", "numbers"]
