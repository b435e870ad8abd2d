"""The operator of a rehearsal: begins, approves, starts again what was killed, and goes back at the end.

Decides when the rehearsal is over and what stood in its way. Leaves every step to the engine, which is the real one. Rules:

- approvals are given at once and holds of the plan are released, and both are said to be the rehearsal's own;
- whoever is not done when the forecast says so, and a fortnight later is still not, is said to be waiting for ever, and for what;
- the way back is rehearsed for every move that customers have gone over with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from migrator.adapters.workers import InlineExecutor
from migrator.engine.preview import findings_of_document
from migrator.engine.rollout import Rollout
from migrator.engine.world import Outcome, Run, World
from migrator.errors import FaultLine, MigrateError
from migrator.forecast import Inventory, MoveForecast, Outlook, StartingPoint, look_ahead
from migrator.forecast.deadlines import MISSED
from migrator.machine.states import has_soaked
from migrator.machine.waiting import words
from migrator.model.happenings.fences import Switched
from migrator.model.happenings.happening import Shown
from migrator.model.happenings.rollouts import DeadlineMissed
from migrator.model.happenings.soaks import GateFailed
from migrator.model.moves import Approval, Direction, MoveRecord, MoveState
from migrator.model.names import MoveId
from migrator.model.rhythm import Rhythm, Sizes
from migrator.model.schedule import PlannedWave, Schedule
from migrator.model.values import replace, value
from migrator.ports.state_store import AddApproval, Change, SaveMove
from migrator.standing.assess import assess
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.rehearsal.customers import DELETES, Customer
from migrator.testing.rehearsal.estate import UNKNOWN_OBJECTS, Estate, build, scale_for
from migrator.testing.rehearsal.modelled import ModelledMetrics, unmodelled
from migrator.testing.rehearsal.rights import missing_rights
from migrator.testing.rehearsal.told import Obstacle, Rehearsal, RehearsedMove, RehearsedWave
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.guardian import SimGuardian
from migrator.testing.simulation.loop import WORLD_BEGINS, Node, OutOfTimeError, SimClock, SimLoop
from migrator.testing.simulation.router import RouteBoard
from migrator.testing.simulation.state import NodeState
from migrator.testing.simulation.weather import Weather
from migrator.words.happenings import sentence

OPERATOR: Final = "rehearsal"
PATIENCE: Final = timedelta(days=5)
"""Beyond the forecast's end: what is not done then is not only late."""
UNKNOWN_END: Final = timedelta(days=1)
"""Beyond the last end that the forecast knows, where it knows none of some wave: no window opens for it."""
LONGEST: Final = timedelta(days=120)
"""A rollout is rehearsed no further."""
LOOK_SECONDS: Final = 60.0
WRITE_BOUND_SECONDS: Final = 60.0
"""How long an unanswered write may still be applied here."""
BEATS: Final = Rhythm(
    wishes_seconds=30.0,
    way_back_wish_seconds=30.0,
    throttle_wish_seconds=300.0,
    pace_note_seconds=3600.0,
    counter_seconds=60.0,
    mark_seconds=3600.0,
    ready_pass_seconds=1800.0,
    kept_back_seconds=300.0,
    longest_look_seconds=300.0,
)
"""Weeks pass in a minute, and nobody looks."""
FAULTY: Final = Weather(
    slow_chance=0.02,
    slow_seconds=3.0,
    throttled_chance=0.02,
    unanswered_chance=0.005,
    late_seconds=WRITE_BOUND_SECONDS * 0.95,
)
KILLED_IN: Final = (MoveState.CATCHING_UP, MoveState.DRAINING, MoveState.SOAKING)
"""The engine dies once in each of these, where faults are asked for."""


@value(frozen=True, slots=True)
class Manner:
    """``scale``: rehearsed objects in the place of one real one; None: as many as are quick. ``changes_per_minute``: objects that
    customers change in each area, for whether passes can catch up; ``deleted_ratio``: of each area's objects, that they delete
    while it is copied. None: nobody knows."""

    begins: datetime
    scale: float | None = None
    with_faults: bool = False
    changes_per_minute: float | None = None
    deleted_ratio: float | None = None


def rehearse(
    schedule: Schedule,
    inventories: Mapping[MoveId, Inventory],
    manner: Manner,
    lines: Sequence[FaultLine] = (),
    environ: Mapping[str, str] | None = None,
) -> Rehearsal:
    """Carry the plan out in memory.

    Args:
        inventories: what is known of the sources' sizes.
        lines: warnings of the document's reader.
        environ: where signatures that the plan names may stand: what they let do is written in them, so nobody need ask.
    """
    outlook = look_ahead(schedule, inventories, StartingPoint(manner.begins))
    found = findings_of_document(schedule, lines, outlook)
    obstacles = [Obstacle(one.code, one.subject, one.text, one.remedy) for one in found if one.severity == "error"]
    known = {(one.code, one.subject) for one in obstacles}
    obstacles += [
        Obstacle(one.code, one.subject, one.text, one.remedy)
        for one in outlook.findings
        if one.code == MISSED and (one.code, one.subject) not in known
    ]
    obstacles += [*_churn(outlook, manner.changes_per_minute), *missing_rights(schedule, environ or {})]
    play = _Play(schedule, inventories, manner, outlook)
    play.run()
    told = play.told(tuple(obstacles))
    while rest := [wave for wave in told.waves if wave.begun is None]:
        went_on = _gone_on(schedule, inventories, manner, [wave.name for wave in rest])
        if all(wave.begun is None for wave in went_on.waves):
            break
        told = _with(told, went_on)
    return told


def _gone_on(
    schedule: Schedule, inventories: Mapping[MoveId, Inventory], manner: Manner, rest: Sequence[str]
) -> Rehearsal:
    """The waves that never began because one before them did not arrive, as if that had: whoever mends the first obstacle should
    not meet the second one next week."""
    waves = tuple(
        replace(wave, after=tuple(name for name in wave.after if name in rest))
        for wave in schedule.waves
        if wave.name in rest
    )
    alone = replace(schedule, waves=waves)
    play = _Play(alone, inventories, manner, look_ahead(alone, inventories, StartingPoint(manner.begins)))
    play.run()
    return play.told(())


def _with(told: Rehearsal, went_on: Rehearsal) -> Rehearsal:
    later = {wave.name: wave for wave in went_on.waves if wave.begun is not None}
    stopped = [wave.name for wave in told.waves if wave.begun is not None and wave.done is None]
    forecasts = {wave.name: wave.forecast for wave in told.waves}
    return replace(
        told,
        waves=tuple(
            replace(later[wave.name], forecast=forecasts[wave.name]) if wave.name in later else wave
            for wave in told.waves
        ),
        obstacles=tuple(dict.fromkeys((*told.obstacles, *went_on.obstacles))),
        assumed=(
            *told.assumed,
            f"{', '.join(later)}: rehearsed from the beginning, as if {', '.join(stopped)} had arrived at once",
        ),
        ends=max(told.ends, went_on.ends),
        requests=told.requests + went_on.requests,
    )


def _churn(outlook: Outlook, changes_per_minute: float | None) -> list[Obstacle]:
    if changes_per_minute is None:
        return []
    return [
        Obstacle(
            "cannot-catch-up",
            str(one.id),
            f"customers change {changes_per_minute:,.0f} objects a minute, and {_pace(one):,.0f} a minute can be copied"
            f" ({one.bound_by})",
            "raise the budget, or move the area in parts",
        )
        for one in outlook.moves.values()
        if one.copy_seconds > 0 and changes_per_minute >= _pace(one)
    ]


def _pace(one: MoveForecast) -> float:
    """Objects a minute."""
    return one.inventory.objects / one.copy_seconds * 60.0


class _Reporter:
    """Keeps of all that happens what a rehearsal tells."""

    def __init__(self) -> None:
        self.pauses: dict[tuple[str, bool], float] = {}
        """Of a move, there and back: the longest pause of its writers."""
        self.stops: list[tuple[str, str, str]] = []
        """(code, subject, sentence)"""

    def event(self, happening: Shown, move: str | None = None) -> None:
        if isinstance(happening, Switched) and move is not None and happening.fence_seconds is not None:
            way = (move, happening.is_back)
            self.pauses[way] = max(self.pauses.get(way, 0.0), happening.fence_seconds)
        if isinstance(happening, GateFailed) and move is not None:
            self.stops.append(("gate-failed", move, happening.reason))
        if isinstance(happening, DeadlineMissed):
            self.stops.append(("late", f"wave {happening.wave}", sentence(happening, move)))

    def progress(self, move: str, **figures: Any) -> None: ...


class _Play:
    def __init__(
        self, schedule: Schedule, inventories: Mapping[MoveId, Inventory], manner: Manner, outlook: Outlook
    ) -> None:
        self._real = schedule
        self._manner = manner
        self._outlook = outlook
        self._skew = (manner.begins - WORLD_BEGINS).total_seconds()
        ends = [wave.soaked for wave in outlook.waves if wave.soaked is not None]
        last = max(ends, default=manner.begins) + (PATIENCE if len(ends) == len(outlook.waves) else UNKNOWN_END)
        last = min(last, manner.begins + LONGEST)
        self.loop = SimLoop(until=(last - manner.begins).total_seconds())
        scale = manner.scale if manner.scale is not None else scale_for(schedule, inventories)
        self._estate: Estate = build(_released(schedule), inventories, self.loop, manner.begins, scale=scale)
        if manner.with_faults:
            for wire in self._estate.wires.values():
                wire.weather = FAULTY
        self.board = RouteBoard(self.loop, Weather.calm(), "rehearsal")
        self.state = MemoryStateStore("rehearsal", lineage="rehearsal")
        self._reporter = _Reporter()
        self._nodes: list[Node] = []
        self._ends = manner.begins
        self._starts = 0
        self._faults: list[str] = []
        self._customers: dict[MoveId, Customer] = {}
        self._copied: dict[MoveId, asyncio.Event] = {}
        """Set when the first copy of a move is over."""
        self._soaked: dict[str, datetime] = {}
        self._went_over: dict[MoveId, MoveRecord] = {}
        """As they were when the way there was over."""
        self._trouble: list[Obstacle] = []

    # The run.

    def run(self) -> None:
        try:
            self.loop.run_until_complete(self._operate())
        except OutOfTimeError:
            self._went_over = self._went_over or {one.id: one for one in self.state.moves()}
            self._trouble += self._waiting()
        self._trouble += [Obstacle("internal", "", text) for text in self.loop.faults]
        self._ends = self._now()
        for node in self._nodes:
            node.on_death.clear()
            node.kill()
        self.loop.discard()

    def _node(self, name: str) -> Node:
        node = Node(name, self.loop, machine="here")
        self._nodes.append(node)
        return node

    async def _operate(self) -> None:
        self._approve()
        for territory in self._estate.territories:
            node = self._node(f"customer of {territory.move.id}")
            customer = Customer(
                territory,
                node,
                self._clock(node.name),
                self.board.as_seen_by(node, Sender(node.name, False)),
                self._estate.wires,
                partial(self._record_of, territory.move.id),
                0.0 if self._manner.deleted_ratio is not None else DELETES,
            )
            self._customers[territory.move.id] = customer
            node.start(customer.work())
            if self._manner.deleted_ratio:
                is_copied = self._copied[territory.move.id] = asyncio.Event()
                node.start(customer.clear_out(self._manner.deleted_ratio, is_copied))
        await self._carried("apply", KILLED_IN if self._manner.with_faults else ())
        self._went_over = {one.id: one for one in self.state.moves()}
        if any(one.state is MoveState.HALTED for one in self._went_over.values()):
            return
        if any(has_soaked(one.state) for one in self._went_over.values()):
            outcome = await self._carried("rollback", ())
            if outcome is None or outcome.code not in ("done", "waiting"):
                reasons = "; ".join(outcome.reasons) if outcome is not None else "the run died"
                self._trouble.append(Obstacle("way-back", "", f"the way back did not end: {reasons}"))

    async def _carried(self, command: str, kill_in: Sequence[MoveState]) -> Outcome | None:
        """Run the command to its end; killed runs are started again."""
        left = list(kill_in)
        while True:
            node, task = self._start(command)
            while not task.done() and node.alive:
                await asyncio.sleep(self._pause())
                self._note_soaks()
                if left and any(one.state is left[0] for one in self.state.moves()):
                    state = left.pop(0)
                    self._faults.append(f"the engine was killed while a move was {state}, and started again")
                    node.kill()
            if node.alive:
                self._note_soaks()
                try:
                    return await task
                except MigrateError as fault:
                    self._trouble.append(Obstacle("refused", "", fault.message, fault.hint or ""))
                    return None

    def _start(self, command: str) -> tuple[Node, asyncio.Task[Outcome]]:
        self._starts += 1
        node, post = self._node(f"engine {self._starts}"), self._node(f"guardian {self._starts}")
        sender, clock = Sender(node.name, True), self._clock(node.name)
        stores = {name: wire.as_seen_by(node, sender) for name, wire in self._estate.wires.items()}
        guard = self.board.as_seen_by(post, Sender(post.name, True))
        world = World(
            stores=stores,
            router=self.board.as_seen_by(node, sender),
            state=NodeState(self.state, node, self._committed),
            metrics=dict.fromkeys(self._estate.schedule.metrics, ModelledMetrics(self._estate.schedule, self._live)),
            clock=clock,
            reporter=self._reporter,
            write_bounds=dict.fromkeys(self._estate.wires, WRITE_BOUND_SECONDS),
            is_dead=lambda lock: True,
            guardian=SimGuardian(node, post, guard, self._clock(post.name), {}),
            executor=InlineExecutor(stores, clock),
            rhythm=self._rhythm(),
        )
        run = Run(f"run-{self._starts}", OPERATOR, "here", self._starts, "rehearsal")
        rollout = Rollout(self._estate.schedule, world=world, run=run)
        return node, node.start(rollout.apply(wait=True) if command == "apply" else rollout.rollback())

    def _rhythm(self) -> Rhythm:
        """What a pass may delete without being told is scaled as the objects are, where what customers delete is."""
        if self._manner.deleted_ratio is None:
            return BEATS
        least = max(1, round(Sizes().min_delete_cap * self._estate.scale))
        return replace(BEATS, sizes=Sizes(min_delete_cap=least))

    def _clock(self, name: str) -> SimClock:
        return SimClock(self.loop, name, skew_seconds=self._skew)

    def _live(self, key: str) -> str | None:
        record = self.board.document.routes.get(key) if self.board.document is not None else None
        return record.account if record is not None else None

    def _record_of(self, id: MoveId) -> MoveRecord | None:
        return next((one for one in self.state.moves() if one.id == id), None)

    def _pause(self) -> float:
        """Until the operator looks again: often while something may be killed, else each minute."""
        return 1.0 if self._manner.with_faults and len(self._faults) < len(KILLED_IN) else LOOK_SECONDS

    def _approve(self) -> None:
        for wave in self._estate.schedule.waves:
            if wave.approval_required:
                who = wave.approval_by[0] if wave.approval_by else OPERATOR
                approval = Approval(wave.name, wave.fingerprint, who, "rehearsal", self._manner.begins)
                self.state.commit([AddApproval(approval)], token=None)

    def _committed(self, node: Node, changes: Sequence[Change]) -> None:
        for change in changes:
            if isinstance(change, SaveMove) and change.move.state is MoveState.CATCHING_UP:
                self._copied.setdefault(change.move.id, asyncio.Event()).set()

    def _note_soaks(self) -> None:
        by_wave: dict[str, list[MoveRecord]] = {}
        for record in self.state.moves():
            by_wave.setdefault(record.wave, []).append(record)
        for name, records in by_wave.items():
            if name not in self._soaked and all(
                has_soaked(one.state) and one.direction is Direction.FORWARD for one in records
            ):
                self._soaked[name] = max(one.since or self._now() for one in records)

    def _now(self) -> datetime:
        return self._manner.begins + timedelta(seconds=self.loop.virtual_now)

    def _waiting(self) -> list[Obstacle]:
        """What was never done, and what it waits for."""
        standing = assess(self._real.name, schedule=self._estate.schedule, store=self.state, now=self._now())
        found = []
        for wave in standing.waves:
            if wave.name in self._soaked:
                continue
            waits = [words(wait) for wait in wave.waits] or ["nothing that is known"]
            found.append(
                Obstacle(
                    "never-done",
                    f"wave {wave.name}",
                    f"it is not done at {self._now():%Y-%m-%d}: waits for {'; '.join(waits)}",
                )
            )
        return found

    # What came of it.

    def told(self, obstacles: tuple[Obstacle, ...]) -> Rehearsal:
        found = [*obstacles, *self._trouble]
        for record in self._went_over.values():
            if record.state is MoveState.HALTED:
                found.append(Obstacle("halted", str(record.id), record.reason.rstrip(".")))
            elif record.state is MoveState.REVERSED:
                found.append(Obstacle("rolled-back", str(record.id), record.reason or "its wave was rolled back"))
        found += [Obstacle(code, subject, text) for code, subject, text in dict.fromkeys(self._reporter.stops)]
        waves = tuple(self._wave(wave) for wave in self._real.waves)
        lost = [move for wave in waves for move in wave.moves if move.lost]
        found += [
            Obstacle("lost-writes", str(one.id), f"{one.lost} acknowledged writes are not at its account")
            for one in lost
        ]
        return Rehearsal(
            plan=self._real.name,
            scale=self._estate.scale,
            begins=self._manner.begins,
            ends=self._ends,
            waves=waves,
            obstacles=tuple(dict.fromkeys(found)),
            assumed=self._assumed(),
            faults=tuple(self._faults),
            requests=sum(wire.sent for wire in self._estate.wires.values()),
        )

    def _wave(self, wave: PlannedWave) -> RehearsedWave:
        recorded = next((one for one in self.state.waves() if one.name == wave.name), None)
        return RehearsedWave(
            name=wave.name,
            moves=tuple(self._move(move.id) for move in wave.moves),
            begun=recorded.begun_at if recorded is not None else None,
            done=self._soaked.get(wave.name),
            forecast=self._outlook.wave(wave.name).soaked,
            complete_by=wave.complete_by,
            is_approved_for_it=wave.approval_required,
        )

    def _move(self, id: MoveId) -> RehearsedMove:
        territory = next(one for one in self._estate.territories if one.move.id == id)
        forecast, record = self._outlook.moves.get(id), self._went_over.get(id)
        customer, live = self._customers.get(id), self._live(str(id))
        return RehearsedMove(
            id=id,
            objects=len(territory.names),
            real_objects=territory.real_objects,
            state=record.state if record is not None else MoveState.PENDING,
            pause_seconds=self._reporter.pauses.get((str(id), False)),
            back_pause_seconds=self._reporter.pauses.get((str(id), True)),
            forecast_copy_seconds=forecast.copy_seconds if forecast is not None else None,
            forecast_pause_seconds=forecast.fence_seconds if forecast is not None else None,
            writes=customer.writes if customer is not None else 0,
            lost=customer.lost(live) if customer is not None and live is not None else 0,
        )

    def _assumed(self) -> tuple[str, ...]:
        found = ["accounts answer at once: how long copying and comparing take is the forecast's, not the rehearsal's"]
        if made_up := unmodelled(self._real):
            found.append(
                f"these gates ask what cannot be modelled, and were told that all is well: {', '.join(made_up)}"
            )
        if silent := [str(move.id) for move in self._real.moves if move.traffic_per_minute is None]:
            found.append(f"no traffic is known of {', '.join(silent)}: nobody asks their accounts for anything")
        if unknown := [str(one.move.id) for one in self._estate.territories if one.real_objects is None]:
            found.append(f"no size is known of {', '.join(unknown)}: {UNKNOWN_OBJECTS:,} objects each")
        if held := [wave.name for wave in self._real.waves if wave.cutover.hold]:
            found.append(f"the plan's hold of {', '.join(held)} was released at once")
        if asked := [wave.name for wave in self._real.waves if wave.approval_required]:
            found.append(f"approved by the rehearsal itself: {', '.join(asked)}")
        return tuple(found)


def _released(schedule: Schedule) -> Schedule:
    waves = tuple(replace(wave, cutover=replace(wave.cutover, hold=False)) for wave in schedule.waves)
    return replace(schedule, waves=waves)
