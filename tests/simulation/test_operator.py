"""Any order of operator commands, edits of the plan and deaths of engines, against a small model of what must be true.

The world is simulated and calm: what is tried here is not the network but the operator. The model knows what customers wrote,
which commands were given, and from that where each move must be; after a death it only knows what may not have happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from migrator.engine.rollout import Rollout
from migrator.engine.world import Outcome, Run
from migrator.engine.world import World as Doors
from migrator.errors import PlanError, UsageError
from migrator.machine.agreement import live_account
from migrator.machine.transitions import FENCE_STATES
from migrator.model.happenings.happening import Shown
from migrator.model.moves import Control, Direction, MoveRecord, MoveState
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.routes import READ_WRITE, RouteRecord
from migrator.model.schedule import Account as PlannedAccount
from migrator.model.schedule import Budget, Cutover, PlannedMove, PlannedWave, Routing, Schedule, Verify
from migrator.ports.state_store import SetControl
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation.blobs import Account, Container, Sender
from migrator.testing.simulation.loop import WORLD_BEGINS, Node, SimClock, SimLoop
from migrator.testing.simulation.router import RouteBoard
from migrator.testing.simulation.state import NodeState
from migrator.testing.simulation.store import Wire
from migrator.testing.simulation.weather import Weather

T = TypeVar("T")
S = MoveState
CUSTOMER = Sender("customer", False)
WEB, MAIL = MoveId("na", "web"), MoveId("na", "mail")
BOX = {WEB: "web-1", MAIL: "mail-1"}
SHAPE = Shape(BlobType.BLOCK, ContentHeaders("text/plain"), {}, {}, None)
NAMES = st.sampled_from(["a", "b", "a/c", "line\nbreak", "z"])
MOVES = st.sampled_from([WEB, MAIL])


def schedule() -> Schedule:
    """Two waves of one move each, the second after the first."""
    areas = {"web": Area("web", (Selector("web-*"),)), "mail": Area("mail", (Selector("mail-1"),))}
    moves = {id: PlannedMove(id, areas[id.area], "core", id.area) for id in (WEB, MAIL)}

    def wave(id: MoveId, after: tuple[str, ...]) -> PlannedWave:
        cutover = Cutover(straggler_interval_seconds=20.0)
        return PlannedWave(
            f"wave-{id.area}", (moves[id],), after, 60.0, 20.0, (), "halt", "wave", cutover, Verify(), fingerprint="1"
        )

    names = ("core", "web", "mail")
    accounts = {name: PlannedAccount(name, "azure", endpoint=f"https://{name}.blob.example") for name in names}
    routing = Routing("file", path="r.json", ttl_seconds=5.0, max_write_seconds=10.0, clock_margin_seconds=1.0)
    waves = (wave(WEB, ()), wave(MAIL, ("wave-web",)))
    return Schedule("operated", "print", accounts, areas, waves, routing, Budget(), {}, {})


class Silent:
    def event(self, happening: Shown, move: str | None = None) -> None: ...
    def progress(self, move: str, **figures: Any) -> None: ...


@dataclass
class World:
    """The simulated world, driven one command at a time."""

    schedule: Schedule = field(default_factory=schedule)
    loop: SimLoop = field(default_factory=SimLoop)
    state: MemoryStateStore = field(default_factory=lambda: MemoryStateStore("operated", lineage="one"))
    nodes: list[Node] = field(default_factory=list)
    runs: int = 0

    def __post_init__(self) -> None:
        self.accounts = {name: Account(name) for name in self.schedule.accounts}
        self.wires = {name: Wire(self.loop, one, Weather.calm(), name) for name, one in self.accounts.items()}
        self.board = RouteBoard(self.loop, Weather.calm(), "routes")
        for box in BOX.values():
            self.accounts["core"].containers[box] = Container(ContainerInfo(box))

    def command(self, words: str, *, dies_after: int | None = None, **options: Any) -> Outcome | Exception | None:
        """How it ended; None if its process died. A run that would wait for ever is killed after a virtual hour."""
        self.runs += 1
        node, sender = Node(f"engine-{self.runs}", self.loop, machine="here"), Sender(f"engine-{self.runs}", True)
        node.steps_left = dies_after
        self.nodes.append(node)
        doors = Doors(
            stores={name: wire.as_seen_by(node, sender) for name, wire in self.wires.items()},
            router=self.board.as_seen_by(node, sender),
            state=NodeState(self.state, node, lambda *facts: None),
            metrics={},
            clock=SimClock(self.loop, node.name),
            reporter=Silent(),
            write_bounds=dict.fromkeys(self.wires, 0.0),
            is_dead=lambda lock: True,
        )
        rollout = Rollout(self.schedule, world=doors, run=Run(f"run-{self.runs}", "ann", "here", self.runs, "boot"))
        ended: asyncio.Future[None] = self.loop.create_future()
        task = node.start(getattr(rollout, words)(**options))
        for end in (
            node.on_death.append,
            lambda call: task.add_done_callback(lambda _: call(), context=self.loop.world),
        ):
            end(lambda: None if ended.done() else ended.set_result(None))
        self.loop.call_later(3600.0, node.kill, context=self.loop.world)
        self.go(ended)
        if not node.alive or not task.done():
            return None
        fault = task.exception()
        if fault is not None and not isinstance(fault, Exception):
            raise fault
        return task.result() if fault is None else fault

    def go(self, work: Coroutine[Any, Any, T] | asyncio.Future[T]) -> T:
        return self.loop.run_until_complete(work)

    def route(self, move: MoveId) -> RouteRecord | None:
        return None if self.board.document is None else self.board.document.routes.get(str(move))

    def record(self, move: MoveId) -> MoveRecord:
        planned = self.schedule.move(move)
        return self.state.move(move) or MoveRecord(move, "", planned.source, planned.target)

    def wish(self, kind: str, on: bool) -> None:
        control = Control(kind, "", {"on": True} if on else {}, "ann", datetime.now(UTC))
        self.state.commit([SetControl(control)], token=None)


class Operator(RuleBasedStateMachine):
    """``wrote``: by move, what customers left behind. ``held``: no cut-over may start. ``paused``: nothing may be sent.
    ``unsure``: an engine died, so a fence may be open until the next run."""

    @initialize()
    def begin(self) -> None:
        self.world = World()
        self.wrote: dict[MoveId, dict[str, bytes]] = {WEB: {}, MAIL: {}}
        self.held = False
        self.paused = False
        self.unsure = False
        self.epochs: dict[MoveId, int] = {WEB: 0, MAIL: 0}
        self.turn = 0

    def teardown(self) -> None:
        if hasattr(self, "world"):
            for node in self.world.nodes:
                node.kill()
            self.world.loop.discard()

    # Customers.

    @rule(move=MOVES, name=NAMES)
    def write(self, move: MoveId, name: str) -> None:
        account = self._writable(move)
        if account is not None:
            self.turn += 1
            body = b"turn %d" % self.turn
            at = self.world.loop.time()
            self.world.accounts[account].put(
                CUSTOMER, BOX[move], name, body, SHAPE, condition=None, sent_at=at, modified=WORLD_BEGINS
            )
            self.wrote[move][name] = body

    @rule(move=MOVES, name=NAMES)
    def erase(self, move: MoveId, name: str) -> None:
        account = self._writable(move)
        if account is not None and name in self.wrote[move]:
            at = self.world.loop.time()
            self.world.accounts[account].delete(CUSTOMER, BOX[move], name, if_match=None, sent_at=at)
            del self.wrote[move][name]

    def _writable(self, move: MoveId) -> str | None:
        route = self.world.route(move)
        if route is None:
            return "core"
        return route.account if route.mode == READ_WRITE else None

    # The operator.

    @rule()
    def hold(self) -> None:
        self.world.wish("hold", True)
        self.held = True

    @rule()
    def release(self) -> None:
        self.world.wish("hold", False)
        self.held = False

    @rule()
    def pause(self) -> None:
        self.world.wish("pause", True)
        self.paused = True

    @rule()
    def unpause(self) -> None:
        self.world.wish("pause", False)
        self.paused = False

    @precondition(lambda self: self.paused)
    @rule()
    def apply_while_paused(self) -> None:
        """What an engine that died had begun is put in order; apart from that nothing moves."""
        before, held = self._states(), self._contents()
        outcome = self._run("apply", wait=False)
        assert outcome.code in ("waiting", "halted", "done"), outcome
        if not self.unsure_before:
            assert self._states() == before
            assert self._contents() == held

    @precondition(lambda self: not self.paused)
    @rule()
    def apply_without_waiting(self) -> None:
        before = self._states()
        outcome = self._run("apply", wait=False)
        first = self._first_unfinished(before)
        if first is None:
            assert outcome.code == "done", outcome
        elif self._is_stuck(first, before):
            assert outcome.code == "halted", outcome
            assert self._states() == before or self.unsure_before
        else:
            assert outcome.code == "waiting", outcome
            state = self.world.record(first).state
            is_switched = before[first][1] in (S.SOAKING, S.SOAKED)
            wanted = (S.READY, S.CATCHING_UP) if self.held and not is_switched else (S.SOAKING,)
            assert state in wanted, (state, self.held)

    @precondition(lambda self: not self.held and not self.paused)
    @rule()
    def apply(self) -> None:
        before = self._states()
        outcome = self._run("apply")
        first = self._first_unfinished(before)
        if first is not None and self._is_stuck(first, before):
            assert outcome.code == "halted", outcome
            return
        stuck = [move for move in (WEB, MAIL) if self._is_stuck(move, before)]
        if not stuck:
            assert outcome.code == "done", outcome
            assert all(state == (Direction.FORWARD, S.SOAKED) for state in self._states().values())
            self._has_arrived(WEB)
            self._has_arrived(MAIL)

    @precondition(lambda self: not self.held and not self.paused)
    @rule(area=st.sampled_from([None, "web", "mail"]))
    def roll_back(self, area: str | None) -> None:
        before = self._states()
        outcome = self._run("rollback", area=area)
        assert outcome.code == "done", outcome
        for move in (WEB, MAIL):
            if area not in (None, move.area):
                continue
            state = self.world.record(move).state
            assert state is (S.PENDING if before[move][1] is S.PENDING else S.REVERSED)
            route = self.world.route(move)
            assert route is None or (route.account, route.mode) == ("core", READ_WRITE)

    @rule()
    def retry(self) -> None:
        before = self._states()
        wanted = [move for move in (WEB, MAIL) if before[move][1] in (S.HALTED, S.REVERSED)]
        found = self._run("retry", may_refuse=True, reason="mended", who="ann")
        if not wanted:
            assert isinstance(found, UsageError), found
        for move in wanted:
            assert self._states()[move] == (Direction.FORWARD, S.PREFLIGHT)

    @rule(steps=st.integers(1, 400), words=st.sampled_from(["apply", "apply", "rollback"]))
    def die(self, steps: int, words: str) -> None:
        """An engine is killed; no guardian is there, as when the whole machine is gone."""
        if words == "rollback" and (self.held or self.paused):
            return
        options = {"wait": False} if words == "apply" else {}
        self.world.command(words, dies_after=steps, **options)
        self.unsure = True

    @rule()
    def edit_the_target_of_a_move_that_has_begun(self) -> None:
        """Refused, and nothing happens."""
        world, target = self.world, "elsewhere"
        if self.unsure or world.record(MAIL).state in (S.PENDING, S.REVERSED):  # one that is back may go elsewhere
            return
        good = world.schedule
        world.schedule = _with_target(good, target)
        world.accounts.setdefault(target, Account(target))
        world.wires.setdefault(target, Wire(world.loop, world.accounts[target], Weather.calm(), target))
        before = self._states()
        refused = world.command("apply", wait=False)
        world.schedule = good
        assert isinstance(refused, UsageError | PlanError), refused
        assert "has begun" in refused.message
        assert self._states() == before
        assert not world.accounts[target].containers

    @rule(seconds=st.sampled_from([10.0, 60.0, 600.0]))
    def edit_the_soak_of_a_wave(self, seconds: float) -> None:
        first, second = self.world.schedule.waves
        second = replace(second, soak_seconds=seconds, fingerprint=f"soak {seconds}")
        self.world.schedule = replace(self.world.schedule, waves=(first, second), fingerprint=f"print {seconds}")

    # What a run leaves behind.

    def _run(self, words: str, *, may_refuse: bool = False, **options: Any) -> Any:
        self.unsure_before, self.unsure = self.unsure, False
        found = self.world.command(words, **options)
        assert found is not None, f"{words} waits for ever"
        if isinstance(found, Exception) and not may_refuse:
            raise found
        return found

    def _states(self) -> dict[MoveId, tuple[Direction, MoveState]]:
        return {move: (self.world.record(move).direction, self.world.record(move).state) for move in (WEB, MAIL)}

    def _contents(self) -> dict[str, dict[str, list[str]]]:
        return {
            name: {box: sorted(held.blobs) for box, held in account.containers.items()}
            for name, account in self.world.accounts.items()
        }

    def _first_unfinished(self, states: dict[MoveId, tuple[Direction, MoveState]]) -> MoveId | None:
        return next((move for move in (WEB, MAIL) if states[move][1] is not S.SOAKED), None)

    def _is_stuck(self, move: MoveId, states: dict[MoveId, tuple[Direction, MoveState]]) -> bool:
        direction, state = states[move]
        return direction is Direction.REVERSE or state in (S.HALTED, S.REVERSED)

    def _has_arrived(self, move: MoveId) -> None:
        route = self.world.route(move)
        assert route is not None
        assert (route.account, route.mode) == (move.area, READ_WRITE)

    # Always.

    @invariant()
    def nothing_is_lost_or_doubled_where_customers_are(self) -> None:
        if not hasattr(self, "world"):
            return
        for move in (WEB, MAIL):
            route = self.world.route(move)
            account = self.world.accounts["core" if route is None else route.account]
            box = account.containers.get(BOX[move])
            found = {name: blob.content for name, blob in box.blobs.items()} if box else {}
            assert {k: v for k, v in found.items() if not k.startswith(".migrate/")} == self.wrote[move]

    @invariant()
    def epochs_grow_and_routes_agree_with_the_state(self) -> None:
        if not hasattr(self, "world"):
            return
        for move in (WEB, MAIL):
            route, record = self.world.route(move), self.world.record(move)
            if route is None:
                continue
            assert route.epoch >= self.epochs[move]
            self.epochs[move] = route.epoch
            if not self.unsure:
                assert route.mode == READ_WRITE
                assert route.account == live_account(record)
                assert record.intent is None
                assert record.state not in FENCE_STATES

    @invariant()
    def the_second_wave_never_begins_before_the_first_has_soaked(self) -> None:
        if not hasattr(self, "world"):
            return
        if self.world.record(MAIL).state is not S.PENDING:
            kinds = [entry.evidence.get("event") for entry in self.world.state.journal() if entry.move == WEB]
            assert "soaked" in kinds


def _with_target(schedule: Schedule, target: str) -> Schedule:
    first, second = schedule.waves
    moved = replace(second, moves=tuple(replace(move, target=target) for move in second.moves))
    accounts = {**schedule.accounts, target: PlannedAccount(target, "azure", endpoint=f"https://{target}.blob.example")}
    return replace(schedule, waves=(first, moved), accounts=accounts)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited")  # a process that dies leaves some behind
def test_any_order_of_commands_edits_and_deaths_keeps_the_promises() -> None:
    run_state_machine_as_test(
        Operator,
        settings=settings(
            max_examples=150,
            stateful_step_count=20,
            phases=(Phase.explicit, Phase.generate),  # a failing story is short enough to be read as it is
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
