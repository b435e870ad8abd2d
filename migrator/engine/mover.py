"""One move at work: what its steps share, and the runner that loops load, step, event, checkpoint.

Leaves what a step does to ``steps/`` and what follows it to the law. Rule: an event is committed together with the figures,
the intent and the journal entry that belong to it, before the next step begins.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from migrator.engine import enforcing, releasing, stays
from migrator.engine.own_traffic import OwnTraffic
from migrator.engine.patience import MovePatience
from migrator.engine.releasing import ADOPT_HINT, said
from migrator.engine.routes import RouteDesk
from migrator.engine.session import Session
from migrator.engine.showing import expected_objects, progress_of
from migrator.engine.world import Run, World
from migrator.errors import (
    AccessRefused,
    CloudError,
    JudgementError,
    LockedError,
    MigrateError,
    NotFound,
    RouteDisagreement,
    StateError,
    StateUnusable,
    Unreachable,
)
from migrator.forecast.converging import Convergence
from migrator.machine.agreement import is_own_old_fence, may_write
from migrator.machine.events import Event
from migrator.machine.states import is_at_rest, is_copying, is_hurried, is_in_fence
from migrator.machine.transitions import follow, live_side
from migrator.machine.waiting import Wait
from migrator.model.moves import Approval, Control, Direction, JournalEntry, MoveRecord, MoveState
from migrator.model.names import MoveId
from migrator.model.routes import RouteRecord
from migrator.model.schedule import PlannedMove, PlannedWave, Routing, Schedule
from migrator.model.values import replace
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import AddJournal, Change, SaveMove
from migrator.standing.authors import approvals_that_count
from migrator.transfer.hands import Hands
from migrator.transfer.paced import PacedStore
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer
from migrator.transfer.waits import Waits

CLAIM_SECONDS = 5.0
"""The route record was read at most so long ago whenever something is written."""
MAX_CANCELLED_FENCES = 3
OF_A_DIRECTION: Final = {"deletes_counted": 0, "deletes_accepted": 0, "passes": 0, "passes_behind": 0}
"""Figures that begin anew with another direction."""
IMPATIENT_COMMIT_SECONDS: Final = 20.0
"""How long a run that may not wait, or that ends, tries to write something down."""
GUARDIAN_MARGIN_SECONDS = 10.0
"""After drain and fence_timeout, until the guardian stops believing in the engine."""
CONTROL_SECONDS = 0.2
PAUSED = "paused by an operator: migrate unpause"


@dataclass(slots=True)
class Shared:
    """What all moves of a run share."""

    schedule: Schedule
    world: World
    run: Run
    session: Session
    desk: RouteDesk
    stores: Mapping[str, ObjectStore]
    """Paced."""
    own_traffic: OwnTraffic
    hands: Hands | None = None
    """Copy small blobs in batches; None: one by one."""

    fence_from: float = -1e9
    """On the monotonic clock: longer durations were published, and before it no fence begins."""
    _controls: Sequence[Control] = ()
    _approvals: Sequence[Approval] = ()
    _controls_at: float = -1e9

    def is_wished(self, kind: str, wave: str) -> bool:
        """What operators wish, read at most every CONTROL_SECONDS: this is asked before every object."""
        self._look()
        return bool(self._controls) and any(c.kind == kind and c.scope in ("", f"wave:{wave}") for c in self._controls)

    def approvals(self) -> Sequence[Approval]:
        """As old as the wishes at most."""
        self._look()
        return self._approvals

    def _look(self) -> None:
        now = self.world.clock.monotonic()
        if now - self._controls_at >= CONTROL_SECONDS:
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


Do = Callable[["Mover"], Awaitable[Event]]


@dataclass(slots=True)
class Mover:
    """A move under way. ``record`` is always what the state store holds."""

    shared: Shared
    wave: PlannedWave
    plan: PlannedMove
    record: MoveRecord
    on_conflict: str | None = None
    world: World = field(init=False)
    _transfer: Transfer | None = None
    _stores: dict[str, ObjectStore] = field(default_factory=dict)
    _claim_at: float = -1e9
    _claim_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _pending: list[Change] = field(default_factory=list)
    waits: Waits = field(default_factory=Waits)
    convergence: Convergence = field(default_factory=Convergence)
    waiting_for: str = ""
    passes_here: int = 0
    """Passes that this run has made."""
    last_pass: PassResult = field(default_factory=PassResult)
    """What the last one found."""
    calendar: tuple[Wait, ...] = ()
    """What its cut-over waited for (approval, window, freeze) at ``calendar_at``, on the monotonic clock."""
    calendar_at: float = -1e9
    fences: CutOverTurns | None = None
    """Whose turn it is to cut over; None: anybody's."""
    is_patient: bool = True
    """False: do not wait for soaks and operators (``--no-wait``); raise Waiting instead."""
    restored_at: float = -1e9
    """When access policies that an enforced fence had revoked were last put back, on the monotonic clock."""
    _expected: int | None = None
    looked_at: float = -1e9
    """When it was last looked for what stands in the way, on the monotonic clock; ``kept_back`` is what did."""
    kept_back: str = ""
    have_gates_answered: bool = False
    fence_begun: float = 0.0
    """When the fence was sent, on the monotonic clock of this process."""
    patience: MovePatience = field(init=False)
    _is_leaving: bool = False
    """The run ends: nothing is waited for any more but a release."""

    def __post_init__(self) -> None:
        self.world = self.shared.world
        self.patience = MovePatience(self)

    # What steps ask for.

    @property
    def id(self) -> MoveId:
        return self.plan.id

    @property
    def routing(self) -> Routing:
        return self.shared.schedule.routing

    @property
    def destination_name(self) -> str:
        return self.plan.target if self.record.direction is Direction.FORWARD else self.plan.source

    def store(self, account: str) -> ObjectStore:
        """The account, written to on this move's claim alone."""
        if account not in self._stores:
            found = self.shared.stores[account]
            if isinstance(found, PacedStore):
                found = found.claimed(self.may_write, self.patience)
            self._stores[account] = found
        return self._stores[account]

    @property
    def live_name(self) -> str:
        """The account that the route should name."""
        return self.plan.source if live_side(self.record) == "source" else self.plan.target

    @property
    def live_endpoint(self) -> str | None:
        """The address of the account that the route should name: by the plan, whatever any record says."""
        store = self.shared.stores.get(self.live_name)
        return store.endpoint if store is not None else None

    def transfer(self) -> Transfer:
        """The data plane in the move's present direction."""
        if self._transfer is None or self._transfer.direction is not self.record.direction:
            figures = self.record.figures
            self._transfer = Transfer(
                self.id,
                self.plan.area,
                self.record.direction,
                self.store(self.plan.source),
                self.store(self.plan.target),
                self.world.state,
                self.world.clock,
                self._checkpoint,
                self.admit,
                bound_seconds=self.world.write_bounds[self.destination_name],
                inherited_seconds=lambda: self.shared.session.wait_until - self.world.clock.monotonic(),
                max_delete_ratio=self.wave.cutover.max_delete_ratio,
                deletes_counted=figures.deletes_counted,
                deletes_accepted=figures.deletes_accepted,
                on_conflict=self.on_conflict,
                prove_share=self.wave.verify.content_share,
                keeps_public_access=self.shared.schedule.public_access == "keep",
                hands=self.shared.hands,
                admit_until=self.admit_until,
                note=self.note,
                waits=self.waits,
                linger=self.shared.session.linger,
            )
        self._transfer.is_adopting = self.record.is_adopted
        return self._transfer

    async def unpaused(self) -> None:
        """Wait while an operator wants no request sent; a move inside its fence is finished first. Waiting, if impatient."""
        while not is_in_fence(self.record.state) and self.shared.is_wished("pause", self.wave.name):
            if self.waiting_for != PAUSED:
                self.tell("waiting", f"{self.id}: {PAUSED}")
            self.waiting_for = PAUSED
            if not self.is_patient:
                raise Waiting(f"{self.id}: {PAUSED}")
            await self.world.clock.sleep(CONTROL_SECONDS)
        self.waiting_for = ""

    async def admit(self) -> None:
        """Before every action: wait while paused, and stop if the lock or the claim is lost."""
        await self._look_at_claim(CLAIM_SECONDS)

    async def admit_until(self) -> float:
        """Before a write is sent, or a batch goes to other hands: as ``admit``, and until when (monotonic) it may be sent. The
        claim is read again when half its time is over, so that nothing starts with less."""
        await self._look_at_claim(CLAIM_SECONDS / 2)
        return self.claimed_until(self._claim_at)

    def claimed_until(self, asked: float) -> float:
        """Until when (monotonic) something may be sent on a route that was asked for at ``asked``."""
        return min(asked + CLAIM_SECONDS, self.shared.session.good_until)

    async def _look_at_claim(self, oldest_seconds: float) -> None:
        await self.unpaused()
        self.shared.session.check()
        if self.world.clock.monotonic() - self._claim_at <= oldest_seconds:
            return
        async with self._claim_turn:  # one look is enough for all that wait for it
            if self.world.clock.monotonic() - self._claim_at > oldest_seconds:
                await self.check_claim()

    async def may_write(self) -> float:
        """``admit_until``, once there is a record to claim: the container and the canary of a first preflight come before."""
        if self.record.ever_routed:
            return await self.admit_until()
        await self.unpaused()
        self.shared.session.check()
        return self.shared.session.good_until

    async def watch_fence(self, before: RouteRecord, fence: RouteRecord) -> None:
        """Tell the guardian of a fence before it is sent. CloudError: nobody would free the writers, so do not fence."""
        if self.world.guardian is not None:
            seconds = self.shared.desk.drain_seconds + self.wave.cutover.fence_timeout_seconds + GUARDIAN_MARGIN_SECONDS
            seconds += enforcing.extra_seconds(self)
            await self.world.guardian.watch(str(self.id), before, fence, seconds)

    async def unwatch(self) -> None:
        if self.world.guardian is not None:
            await self.world.guardian.done(str(self.id))

    async def check_claim(self) -> RouteRecord:
        """Read the route record; RouteDisagreement unless it is ours and names the account we do not write to. RouteChanged if
        somebody else wrote the document since our fence: a release is due then, whatever the record says now."""
        asked = self.world.clock.monotonic()
        found = await self.shared.desk.record(self.id)
        record, run = self.record, self.shared.run.id
        if record.intent is not None:
            self.shared.desk.require_closed(self.id)
        elif found is not None and is_own_old_fence(record, found, run=run, endpoint=self.live_endpoint):
            return await self._free_again(found, asked)
        lineage, live, endpoint = self.world.state.lineage, self.live_name, self.live_endpoint
        if found is None or not may_write(record, found, live=live, lineage=lineage, run=run, endpoint=endpoint):
            expected = f"{live} at {endpoint}, epoch {record.epoch}"
            raise RouteDisagreement(
                f"cannot go on with {self.id}: route and state disagree (the route says {said(found)}; expected {expected})",
                hint=ADOPT_HINT,
            )
        self._claim_at = asked
        return found

    async def _free_again(self, found: RouteRecord, asked: float) -> RouteRecord:
        """Somebody put a fence of this run back that had been released: nobody else would ever open it."""
        released = self.shared.desk.released(self.id, found, above=self.record.epoch)
        await self.shared.desk.change(self.id, found, released)
        text = f"{self.id}: an old fence (epoch {found.epoch}) was put back by hand; writes go on at {found.account}"
        stays.learn(self, released.epoch, self.note("fence-released", text, epoch=released.epoch))
        self.tell("warning", text)
        self._claim_at = asked
        return released

    def note(self, kind: str, text: str, **evidence: Any) -> AddJournal:
        entry = JournalEntry(
            self.world.clock.now(),
            "engine",
            kind,
            text,
            wave=self.wave.name,
            move=self.id,
            run=self.shared.run.id,
            evidence=evidence,
        )
        return AddJournal(entry)

    def tell(self, kind: str, text: str, **facts: Any) -> None:
        self.world.reporter.event(kind, str(self.id), text, **facts)

    def commit(self, *changes: Change) -> None:
        self.world.state.commit(list(changes), token=self.shared.session.token)

    def figures(self, **changed: Any) -> MoveRecord:
        """The record with these figures changed; not committed yet."""
        return replace(self.record, figures=replace(self.record.figures, **changed))

    def save(self, record: MoveRecord, *changes: Change) -> None:
        self.commit(SaveMove(record), *changes)
        self.record = record
        self.show()

    def show(self, **more: Any) -> None:
        """The move's figures for whoever watches, with what a step knows beyond them."""
        if self._expected is None:
            self._expected = expected_objects(self.plan, self.world.state)
        self.world.reporter.progress(str(self.id), **progress_of(self.record, self._expected), **more)

    def happen(self, event: Event, *changes: Change, reason: str = "", **fields: Any) -> None:
        """Follow the law and commit the new state with what belongs to it."""
        before = self.record
        after = replace(follow(before, event, reason=reason), since=self.world.clock.now(), **fields)
        if after.direction is not before.direction:
            self.convergence = Convergence()
            after = replace(after, figures=replace(after.figures, **OF_A_DIRECTION))
        after = _timed(before, after)
        text = f"{self.id}: {before.state} -> {after.state}" + (f" ({reason})" if reason else "")
        self.save(
            after,
            self.note("state-changed", text, event=event.value, state=after.state.value, epoch=after.epoch),
            *changes,
        )
        self.tell("state-changed", text, state=after.state.value, direction=after.direction.value, event=event.value)

    def _checkpoint(self, changes: Sequence[Change], tally: PassResult) -> None:
        """What the data plane commits, with the figures that go with it."""
        f = self.record.figures
        record = self.figures(
            objects_copied=f.objects_copied + tally.copied,
            bytes_copied=f.bytes_copied + tally.copied_bytes,
            objects_deleted=f.objects_deleted + tally.deleted,
            deletes_counted=f.deletes_counted + tally.deletes_reserved,
        )
        if record.figures != f:
            self.save(record, *changes)
        else:
            self.commit(*changes)

    # The runner.

    async def drive(self, steps: Mapping[MoveState, Do], *, until: Callable[[MoveState], bool] = is_at_rest) -> None:
        """Step until the move rests, or ``until`` is true of its state."""
        while not is_at_rest(self.record.state) and not until(self.record.state):
            await self._step(steps[self.record.state])

    async def _step(self, step: Do) -> None:
        try:
            await self.unpaused()
            self.shared.session.check()
            event = await step(self)
            changes, self._pending = self._pending, []
            fields = self._fields
            self._fields = {}
            # Inside a fence writers wait for it, so no longer than the session is good; a switch that was made stays made.
            hurries = is_hurried(self.record.state)
            within = self._session_seconds() if hurries else self.no_longer_than()
            full_within = 0.0 if hurries else within
            await self.surely(lambda: self.happen(event, *changes, **fields), within=within, full_within=full_within)
            self.patience.over()
            if self.record.revoked:
                await enforcing.restore(self)
            if event is Event.SWITCHED:
                await self.unwatch()  # last: should this process die before, its guardian puts back the policies
        except asyncio.CancelledError:
            if self.record.intent is not None:
                await self._release_on_the_way_out()
            raise
        except LockedError:
            # Another run's business from now on: this one writes nothing down, and sends no more than a release.
            if self.record.intent is not None:
                with suppress(MigrateError):
                    await releasing.release(self, "this run's lock is lost")
            raise
        except Halt as halt:
            await self._stop(halt.reason)
        except RouteDisagreement as fault:
            await self._halt(str(fault), **stays.ended(self.record))
        except JudgementError as fault:
            await self._stop(str(fault))
        except MigrateError as fault:
            await self._fail(fault)

    _fields: dict[str, Any] = field(default_factory=dict)

    def with_event(self, *changes: Change, **fields: Any) -> None:
        """Let these go into the commit of the event that the step is about to report."""
        self._pending.extend(changes)
        self._fields.update(fields)

    async def _stop(self, reason: str) -> None:
        if self.record.intent is not None and not await self._released_or_halted(reason):
            return
        await self._halt(reason)

    async def _halt(self, reason: str, **fields: Any) -> None:
        await self.surely(lambda: self.happen(Event.HALTED, reason=reason, **fields), within=self.no_longer_than())

    async def surely(self, act: Callable[[], None], *, within: float = math.inf, full_within: float = math.inf) -> None:
        """``act`` commits; again while the state store is busy. StateError if it is so for longer than ``within`` seconds, or
        full for longer than ``full_within``."""
        await self.patience.surely(act, within=within, full_within=full_within)

    def _session_seconds(self) -> float:
        return max(0.0, self.shared.session.good_until - self.world.clock.monotonic())

    def leave(self) -> None:
        """The run ends: what cannot be written down soon is left to the next one."""
        self._is_leaving = True

    def no_longer_than(self) -> float:
        """How long this run tries to write something down outside a fence."""
        return math.inf if self.is_patient and not self._is_leaving else IMPATIENT_COMMIT_SECONDS

    async def _fail(self, fault: MigrateError) -> None:
        """An error is undone by a release while a fence is open. Elsewhere what passes by itself is waited out, and what needs
        a person halts the move and says why."""
        self._pending, self._fields = [], {}
        if isinstance(fault, StateError):
            self._transfer = None  # what it knows may not be on record
        if self.record.intent is None:
            if self.patience.ends_in_halt(fault):
                if isinstance(fault, StateUnusable):
                    raise fault  # no halt could be written down
                await self._halt(str(fault) + self._way_without_target(fault))
            elif not self.is_patient:
                raise Stalled(f"{self.id}: {fault}") from fault
            else:
                await self.patience.wait_out(fault)
            return
        if not await self._released_or_halted(fault.message):
            return
        if self.record.figures.cancelled_fences >= MAX_CANCELLED_FENCES:
            await self._halt(f"{MAX_CANCELLED_FENCES} fences in a row were cancelled; the last: {fault.message}")

    def _way_without_target(self, fault: MigrateError) -> str:
        is_out_of_reach = isinstance(fault, (Unreachable, AccessRefused, NotFound))
        if self.record.direction is Direction.FORWARD or not is_out_of_reach:
            return ""
        return (
            f"; if {self.plan.target} is lost for good: migrate rollback --abandon-target-writes --reason TEXT"
            " goes back without it"
        )

    async def _released_or_halted(self, why: str) -> bool:
        """True once the fence is undone. A route that cannot be explained halts the move with its intent on record."""
        try:
            await releasing.release(self, why)
        except RouteDisagreement as fault:
            await self._halt(str(fault))
            return False
        return True

    async def _release_on_the_way_out(self) -> None:
        """An interrupted run ends in any case; what it could not release, the guardian and the next run find on record."""
        self.leave()
        try:
            await self._released_or_halted("interrupted")
        except (CloudError, StateError) as fault:
            self.tell("warning", str(fault))


def _timed(before: MoveRecord, after: MoveRecord) -> MoveRecord:
    """The time spent in a state of copying goes into the figures when that state ends."""
    if (
        not is_copying(before.state)
        or before.direction is Direction.REVERSE
        or before.since is None
        or after.since is None
    ):
        return after
    spent = after.figures.copy_seconds + (after.since - before.since).total_seconds()
    return replace(after, figures=replace(after.figures, copy_seconds=round(spent, 3)))
