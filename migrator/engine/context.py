"""What the steps of a move share: its place in the plan and the run, and what they have learned of it in this process.

Leaves writing it down to the ledger, whose the route is to the claim, and what a fault leads to to the runner.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from migrator.engine.desks import RouteDesks
from migrator.engine.own_traffic import OwnTraffic
from migrator.engine.rollcall import RollCall
from migrator.engine.routes import RouteDesk
from migrator.engine.session import Session
from migrator.engine.world import Run, World
from migrator.forecast.converging import Convergence
from migrator.machine.transitions import live_side
from migrator.machine.waiting import Wait
from migrator.model.moves import Approval, Control, Direction, MoveRecord
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, PlannedWave, Routing, Schedule
from migrator.ports.object_store import ObjectStore
from migrator.standing.authors import approvals_that_count
from migrator.transfer.hands import Hands
from migrator.transfer.result import PassResult
from migrator.transfer.waits import Waits


@dataclass(slots=True)
class Shared:
    """What all moves of a run share."""

    schedule: Schedule
    world: World
    run: Run
    session: Session
    desks: RouteDesks
    stores: Mapping[str, ObjectStore]
    """Paced."""
    own_traffic: OwnTraffic
    rolls: RollCall
    hands: Hands | None = None
    """Copy small blobs in batches; None: one by one."""

    fence_from: float = -1e9
    """On the monotonic clock: longer durations were published, and before it no fence begins."""
    _controls: Sequence[Control] = ()
    _approvals: Sequence[Approval] = ()
    _controls_at: float = -1e9
    claim_seconds: float = field(init=False)
    _wishes_seconds: float = field(init=False)

    def __post_init__(self) -> None:  # of the rhythm, what is asked for before every object
        self.claim_seconds = self.world.rhythm.claim_seconds
        self._wishes_seconds = self.world.rhythm.wishes_seconds

    def is_wished(self, kind: str, wave: str) -> bool:
        """What operators wish, read at most every ``wishes_seconds``: this is asked before every object."""
        self._look()
        return bool(self._controls) and any(c.kind == kind and c.scope in ("", f"wave:{wave}") for c in self._controls)

    def approvals(self) -> Sequence[Approval]:
        """As old as the wishes at most."""
        self._look()
        return self._approvals

    def _look(self) -> None:
        now = self.world.clock.monotonic()
        if now - self._controls_at >= self._wishes_seconds:
            self._controls, self._controls_at = self.world.state.controls(), now
            self._approvals = approvals_that_count(self.schedule, self.world.state)


@dataclass(slots=True)
class Halt(Exception):
    """A step says that a person is needed."""

    reason: str


class Waiting(Exception):
    """An impatient move met something that takes time; the text says what."""


class Stalled(Waiting):
    """An impatient move met what passes by itself: it stays as it is, and another run goes on with it."""


class CutOverTurns:
    """How many moves of a wave may cut over at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: set[MoveId] = set()

    def take(self, move: MoveId) -> bool:
        """False while others have all of them; a turn that was taken stays so until it is given back."""
        if move not in self._taken and len(self._taken) >= self._most:
            return False
        self._taken.add(move)
        return True

    def give_back(self, move: MoveId) -> None:
        self._taken.discard(move)


@dataclass(slots=True)
class Near:
    """A fence that is near; monotonic. ``until``: it waits so long; ``told_at``: followers were told of it."""

    until: float
    told_at: float = -math.inf


@dataclass(slots=True)
class Context:
    """A move under way. ``record`` is always what the state store holds."""

    shared: Shared
    wave: PlannedWave
    plan: PlannedMove
    record: MoveRecord
    on_conflict: str | None = None
    waits: Waits = field(default_factory=Waits)
    convergence: Convergence = field(default_factory=Convergence)
    waiting_for: str = ""
    passes_here: int = 0
    """Passes that this run has made."""
    last_pass: PassResult = field(default_factory=PassResult)
    """What the last one found."""
    passed_at: float = -1e9
    """When it ended, on the monotonic clock, if its result was written down and no person need decide on it; else long ago."""
    calendar: tuple[Wait, ...] = ()
    """What its cut-over waited for (approval, window, freeze) at ``calendar_at``, on the monotonic clock."""
    calendar_at: float = -1e9
    fences: CutOverTurns | None = None
    """Whose turn it is to cut over; None: anybody's."""
    is_patient: bool = True
    """False: do not wait for soaks and operators (``--no-wait``); raise Waiting instead."""
    restored_at: float = -1e9
    """When access policies that an enforced fence had revoked were last put back, on the monotonic clock."""
    looked_at: float = -1e9
    """When it was last looked for what stands in the way, on the monotonic clock; ``kept_back`` is what did."""
    kept_back: str = ""
    have_gates_answered: bool = False
    near: Near | None = None
    """Set while it is ready, and its fence is near."""
    fence_begun: float = 0.0
    """When the fence was sent, on the monotonic clock of this process."""
    fence_until: float = 0.0
    """So long (monotonic) its switch is tried; its guardian waits a little longer."""

    @property
    def world(self) -> World:
        return self.shared.world

    @property
    def desk(self) -> RouteDesk:
        """Of the document that its route is in."""
        return self.shared.desks.of(self.plan.id)

    @property
    def id(self) -> MoveId:
        return self.plan.id

    @property
    def routing(self) -> Routing:
        return self.shared.schedule.routing

    @property
    def destination_name(self) -> str:
        return self.plan.target if self.record.direction is Direction.FORWARD else self.plan.source

    @property
    def live_name(self) -> str:
        """The account that the route should name."""
        return self.plan.source if live_side(self.record) == "source" else self.plan.target

    @property
    def live_endpoint(self) -> str | None:
        """The address of the account that the route should name: by the plan, whatever any record says."""
        store = self.shared.stores.get(self.live_name)
        return store.endpoint if store is not None else None
