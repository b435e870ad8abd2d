"""A laboratory for passes: two simulated accounts in virtual time, a state store in memory, and hands that interfere."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from migrator.model.moves import Direction, LockRecord
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.rhythm import USUAL
from migrator.ports.state_store import EXCEPTION_CAP, AddJournal
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation.blobs import Account, Container, Sender
from migrator.testing.simulation.loop import Node, SimClock, SimLoop
from migrator.testing.simulation.store import Wire
from migrator.testing.simulation.weather import Weather
from migrator.transfer import passes
from migrator.transfer.evidence import Evidence
from migrator.transfer.limits import Limits
from migrator.transfer.paced import PacedStore, unclaimed
from migrator.transfer.subject import Transfer
from migrator.words.journal import entry

MOVE = MoveId("eu", "web")
AREA = Area("web", (Selector("web*"),))
CUSTOMER = Sender("customer", False)


class VirtualPolicy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return SimLoop()


class Uncounted:
    def count(self, account, operation, *, minute, requests=1):
        pass


class Lab:
    """``source`` and ``target`` are accounts whose contents may be changed at any time, as customers do."""

    def __init__(self, *, source_order="utf-16", target_order="utf-16", rhythm=USUAL, cap=EXCEPTION_CAP) -> None:
        self.rhythm = rhythm
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        self.loop = loop
        self.clock = SimClock(loop, "lab")
        self.source, self.target = Account("src", order=source_order), Account("dst", order=target_order)
        for account in (self.source, self.target):
            for name in ("web", "web2"):
                account.containers[name] = Container(ContainerInfo(name))
        self.wires = {a.name: Wire(loop, a, Weather.calm(), a.name) for a in (self.source, self.target)}
        self.move = MOVE
        node, tool = Node("tool", loop), Sender("tool", True)
        self.tool = tool
        limits = Limits(self.clock)
        self.doors = {
            name: PacedStore(wire.as_seen_by(node, tool), limits.account(name), Uncounted(), self.clock, unclaimed)
            for name, wire in self.wires.items()
        }
        self.state = MemoryStateStore("lab", exception_cap=cap)
        now = self.clock.now()
        lock = LockRecord("n", 0, "run", "me", "here", 1, "boot", now, now, 0.0)
        self.token = self.state.acquire(lock).token

    def transfer(self, direction=Direction.FORWARD, **options) -> Transfer:
        return Transfer(
            MOVE,
            AREA,
            direction,
            self.doors["src"],
            self.doors["dst"],
            self.state,
            self.clock,
            lambda changes, tally: self.state.commit(list(changes), token=self.token),
            _admit,
            note=lambda happening: AddJournal(entry(happening, self.clock.now(), actor="engine", move=MOVE)),
            **{"bound_seconds": 0.0, "inherited_seconds": lambda: 0.0, "rhythm": self.rhythm, **options},
        )

    async def run(self, direction=Direction.FORWARD, *, in_fence=False, **options):
        return await passes.run(self.transfer(direction, **options), in_fence=in_fence)

    def put(
        self, account, name, content=b"", type_=BlobType.BLOCK, *, container="web", tier=None, modified=None, **tags
    ) -> str:
        """A customer's write, applied at once; the new ETag."""
        when = modified or datetime.fromtimestamp(int(self.clock.now().timestamp()), UTC)
        shape = Shape(type_, ContentHeaders(), {}, tags, tier)
        blob = account.put(
            CUSTOMER, container, name, content, shape, condition=None, sent_at=self.loop.time(), modified=when
        )
        return blob.listed.etag

    def erase(self, account, name, *, container="web") -> None:
        account.delete(CUSTOMER, container, name, if_match=None, sent_at=self.loop.time())

    def retag(self, account, name, **tags) -> None:
        account.set_tags(CUSTOMER, "web", name, tags, sent_at=self.loop.time())

    def contents(self, account, *, with_kept=False) -> dict[str, bytes]:
        held = account.containers["web"].blobs
        return {n: blob.content for n, blob in sorted(held.items()) if with_kept or not n.startswith(".migrate/")}

    def records(self) -> Evidence:
        found = Evidence()
        for one in self.state.ranges(MOVE, "web", ""):
            found.absorb(Evidence.unpack(one.records))
        return found

    def outstanding(self):
        return list(self.state.outstanding(MOVE))

    def journal(self) -> list[str]:
        return [entry.text for entry in self.state.journal()]


async def _admit() -> None:
    pass
