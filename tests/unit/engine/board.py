"""A route document in memory that may not answer for a while, and a clock that jumps: for tests of one mover."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from migrator.engine.context import Shared
from migrator.engine.desks import RouteDesks
from migrator.engine.mover import Mover
from migrator.engine.own_traffic import OwnTraffic
from migrator.engine.rollcall import RollCall
from migrator.engine.routes import RouteDesk
from migrator.engine.session import Session
from migrator.engine.world import Run, World
from migrator.errors import RouteChanged, Throttled, Unreachable
from migrator.model.happenings.happening import event_of
from migrator.model.moves import LockRecord, MoveRecord
from migrator.model.names import Area, MoveId, Selector
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.model.schedule import Account, Budget, Cutover, PlannedMove, PlannedWave, Routing, Schedule, Verify
from migrator.ports.register import Register
from migrator.ports.router import RouteSnapshot
from migrator.ports.state_store import SaveMove
from migrator.testing.memory_state import MemoryStateStore
from migrator.words.happenings import sentence

ID = MoveId("europe", "web")
LINEAGE = "0" * 16
AT = "2026-03-01T12:00:00Z"
ADDRESS = {"src": "https://src", "dst": "https://dst"}


class Jumping:
    """Time passes only in sleeps, and for all who sleep at once."""

    def __init__(self) -> None:
        self.at = 0.0
        self._due: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=self.at)

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        due = self.at + seconds
        self._due.append(due)
        try:
            while self.at < due:
                for _ in range(5):  # whoever is awake goes first
                    await asyncio.sleep(0)
                if due == min(self._due):
                    self.at = max(self.at, due)
        finally:
            self._due.remove(due)

    def random(self) -> float:
        return 0.5

    def nonce(self) -> str:
        return "a" * 16


class Board:
    """A router; silent until ``silent_until`` on ``clock``."""

    def __init__(self, clock: Jumping) -> None:
        self.document: RouteDocument | None = None
        self.clock = clock
        self.silent_until = -1.0
        self.refusals = 0
        """So many requests more are refused as one too many."""
        self.refused = 0
        self.version = 0

    def _answer(self) -> None:
        if self.refusals > 0:
            self.refusals -= 1
            self.refused += 1
            raise Throttled("cannot ask for the routes: their account asks for fewer requests", code="ServerBusy")
        if self.clock.monotonic() < self.silent_until:
            raise Unreachable("cannot reach the routes: no answer")

    def document_of(self, region: str) -> str:
        return "the board"

    async def read(self, region: str = "") -> RouteSnapshot:
        self._answer()
        return RouteSnapshot(self.document, str(self.version) if self.document else None)

    async def swap(self, region: str, document: RouteDocument, *, expected_etag: str | None) -> str:
        self._answer()
        if expected_etag != (str(self.version) if self.document else None):
            raise RouteChanged("cannot swap: changed")
        self.document, self.version = document, self.version + 1
        return str(self.version)

    async def close(self) -> None: ...


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, happening, move=None):
        self.events.append((event_of(happening), sentence(happening, move)))

    def progress(self, move, **figures): ...


class Bare:
    """As much of an account as a mover asks for without a step."""

    def __init__(self, name: str) -> None:
        self.account = name
        self.endpoint = ADDRESS[name]


def before(account: str = "src") -> RouteRecord:
    return RouteRecord(account, ADDRESS[account], READ_WRITE, 6, LINEAGE, AT, "run-1")


def fence(account: str = "src") -> RouteRecord:
    return replace(before(account), mode=READ_ONLY, epoch=7)


def switched(account: str = "dst") -> RouteRecord:
    return replace(before(account), epoch=8)


def _lock(clock: Jumping) -> LockRecord:
    return LockRecord("n", 0, "run-2", "me", "here", 1, "boot", clock.now(), clock.now(), 0.0)


def mover_of(
    record: MoveRecord, route: RouteRecord | None, *, register: Register | None = None, generation: str | None = None
) -> tuple[Mover, Board, Jumping]:
    """A mover with this record and this route, the lock taken. ``generation``: the document is of version 2 and names it."""
    clock = Jumping()
    board = Board(clock)
    routing = Routing("file")
    version = 2 if generation else 1
    board.document = RouteDocument(30, 60, {str(ID): route} if route else {}, version=version, register=generation)
    move = PlannedMove(ID, Area("web", (Selector("web"),)), "src", "dst")
    wave = PlannedWave("first", (move,), (), 1.0, 1.0, (), "halt", "wave", Cutover(), Verify())
    accounts = {name: Account(name, "local", path=name) for name in ADDRESS}
    schedule = Schedule("s", "f", accounts, {"web": move.area}, (wave,), routing, Budget(), {}, {})
    state = MemoryStateStore("s", lineage=LINEAGE)
    run = Run("run-2", "me", "here", 1, "boot")
    world = World({name: Bare(name) for name in ADDRESS}, board, state, {}, clock, Told(), dict.fromkeys(ADDRESS, 0.0))
    session = Session(state, clock, run, {})
    desk = RouteDesk(board, clock, routing, lineage=LINEAGE, run=run.id, may_send=lambda: session.check())
    desks = RouteDesks(board, [ID.region], lambda region: desk)
    session.token = state.acquire(_lock(clock)).token  # no heart: time stands still between sleeps
    state.commit([SaveMove(record)], token=session.token)
    own = OwnTraffic(state, clock, run.id, lambda *changes: None)
    rolls = RollCall(register, desk, clock, session, world.rhythm)
    return (
        Mover(Shared(schedule, world, run, session, desks, world.stores, own, rolls), wave, move, record),
        board,
        clock,
    )
