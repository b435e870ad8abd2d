"""What passes by itself: an account, or the route document's, that is away for a minute or overloaded for half an hour, a state
store that is busy for some seconds or whose answers get lost, a clock that is set.

Decides which of them a story has and when, and judges what may not come of them: a halt, a lock that nobody gives back, a live
move that nobody watches. Leaves everything else to the oracle. Rule: chance is drawn from streams of its own, so that the stories
without them stay as they are; in calm weather nothing is away or busy, and a clock that was set back is put right (one that was
set forward stays so: what it wrote down looks young for hours).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from migrator.engine.rollback import MOVES
from migrator.engine.world import Outcome
from migrator.errors import InternalError, StateError, StateFull
from migrator.machine.events import Event
from migrator.machine.states import is_to_be_taken_back
from migrator.machine.transitions import follow
from migrator.model.moves import Control, Direction, MoveRecord, MoveState
from migrator.model.routes import RouteRecord
from migrator.ports.state_store import AddJournal, Change, SetControl, StateStore
from migrator.testing.simulation.loop import Node
from migrator.testing.simulation.processes import Process
from migrator.testing.simulation.stage import Stage

AWAY_CHANCE, BUSY_CHANCE, CLOCK_CHANCE = 0.3, 0.25, 0.2
"""Of stories."""
AWAY_SECONDS = (30.0, 60.0, 200.0)
OVERLOAD_CHANCE = 0.15
"""Of stories: one account refuses a share of the tool's requests, or all of them, for a long while."""
OVERLOAD_SECONDS = (120.0, 600.0, 1800.0)
REFUSED_SHARES = (0.3, 0.6, 1.0)
ROUTES_CHANCE = 0.2
"""Of stories: the account of the route document refuses a share of all requests for a long while, and never all of them."""
ROUTES_SHARES = (0.02, 0.1, 0.3, 0.6)
ROUTES_BUSY = " the routes: it is busy"
"""In the reason why a fence was given up: only where its account had refused so often, and not once only."""
LEAST_REFUSALS, REFUSALS_SECONDS, LONG_REFUSED_SECONDS = 3, 30.0, 12.0
"""One after the other, none longer after the one before; so long, and twice, where each answer takes seconds."""
BUSY_SECONDS = (0.5, 5.0, 20.0)
SET_CLOCKS = 2
"""So often a clock is set, in a story that has such clocks."""
CLOCK_SECONDS = (-7200.0, -600.0, -40.0, 40.0, 600.0, 1800.0)
LOST_CHANCE, LOST_SHARE = 0.2, 0.02
"""Of stories, whose state store is on another machine; and of its answers to commits there, which get lost."""
FULL_CHANCE = 0.1
FULL_SECONDS = (60.0, 200.0)
"""Until somebody makes room: longer than a run waits for a store, so that its lock stays."""
APART_SECONDS = 25.0
"""Between two stretches: a run that ends tries for longer than one to give its lock back."""
BLIPS = (": no answer", ": it is busy", "cannot write the state store", "it vanished")
"""In reasons: what no move may be halted for on its way forward, but after three fences in a row."""
OVERLOADED = ": it is busy"
"""Of an account that throttles: never the reason for a halt, on the way back either."""
NOT_THERE = "not there yet"
"""In reasons: what no fence is begun for, so that not even three in a row are cancelled for it. One may be: a customer can begin
what takes a service hours while the fence waits for leases to end, and others were cancelled for something else before."""
ONE_OF_SEVERAL = "a fence that was cancelled for what began in it, after others for something else"
FULL_AT_THE_END = "a store that was full when a run ended"

Stretch = tuple[float, float]


class Outages:
    """Of one story."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        away, busy = Random(f"{world.seed}/away"), Random(f"{world.seed}/busy store")
        self._waiting: dict[tuple[str, str], int] = {}
        """By engine and move: objects that its last pass found, and the service is not done with."""
        self._cancelled: dict[str, list[bool]] = {}
        """By move: was it for such objects that a fence was cancelled? Of all fences."""
        self._routes: dict[str, Mapping[str, RouteRecord]] = {}
        """By engine: the routes as they stood when it began."""
        self._away: dict[str, list[Stretch]] = {}
        if away.random() < AWAY_CHANCE:
            for name, wire in world.wires.items():
                self._away[name] = self._stretches(away, 1 / 150.0, AWAY_SECONDS)
                wire.is_away = self._is_away(name)
            world.reached["world an account away"] += 1
        self._overload(Random(f"{world.seed}/overloaded"))
        self._overload_routes(Random(f"{world.seed}/overloaded routes"))
        self._busy = self._stretches(busy, 1 / 60.0, BUSY_SECONDS) if busy.random() < BUSY_CHANCE else []
        world.reached["world a busy store"] += len(self._busy)
        full = Random(f"{world.seed}/full store")
        self._full = self._stretches(full, 1 / 300.0, FULL_SECONDS) if full.random() < FULL_CHANCE else []
        world.reached["world a full store"] += len(self._full)
        self._lost_answers = Random(f"{world.seed}/lost answers")
        self._is_far = self._lost_answers.random() < LOST_CHANCE
        self._has_set_clocks = Random(f"{world.seed}/clocks").random() < CLOCK_CHANCE
        if self._has_set_clocks:  # a soak does not begin before its switch, by the clock of whoever watches it
            world.loop.until += SET_CLOCKS * max(CLOCK_SECONDS)

    def _stretches(self, chance: Random, rate: float, lengths: tuple[float, ...]) -> list[Stretch]:
        found: list[Stretch] = []
        at = chance.expovariate(rate)
        while at < self._world.busy_seconds:
            end = min(at + chance.choice(lengths), self._world.busy_seconds)
            found.append((at, end))
            at = end + APART_SECONDS + chance.expovariate(rate)
        return found

    def _is_away(self, account: str) -> Callable[[], bool]:
        return lambda: _within(self._away[account], self._world.loop.virtual_now)

    def _overload(self, chance: Random) -> None:
        world = self._world
        if chance.random() >= OVERLOAD_CHANCE:
            return
        name = chance.choice(sorted(world.wires))
        stretches, share = self._stretches(chance, 1 / 100.0, OVERLOAD_SECONDS), chance.choice(REFUSED_SHARES)

        def is_overloaded() -> bool:
            return _within(stretches, world.loop.virtual_now) and chance.random() < share

        world.wires[name].is_overloaded = is_overloaded
        world.reached["world an overloaded account"] += 1

    def _overload_routes(self, chance: Random) -> None:
        world = self._world
        if chance.random() >= ROUTES_CHANCE:
            return
        stretches, share = self._stretches(chance, 1 / 100.0, OVERLOAD_SECONDS), chance.choice(ROUTES_SHARES)

        def is_overloaded() -> bool:
            return _within(stretches, world.loop.virtual_now) and chance.random() < share

        world.board.is_overloaded = is_overloaded
        world.reached["world overloaded routes"] += 1

    def committing(self, state: StateStore, changes: Sequence[Change]) -> None:
        """These are about to be committed: what the journal says of a move follows the law from what is on record of it."""
        self._world.oracle.excuses.settling(self._world.accounts, state, changes)
        for entry in (one.entry for one in changes if isinstance(one, AddJournal)):
            if entry.kind == "state-changed" and entry.move is not None:
                before = state.move(entry.move)
                try:
                    follow(before or MoveRecord(entry.move, "", "", ""), Event(entry.evidence["event"]))
                except InternalError as fault:
                    self._world.oracle.break_("told-twice", f"{entry.text}: {fault.message}")
        for wish in (one.control for one in changes if isinstance(one, SetControl) and one.control.kind == "rollback"):
            self._judge_wish(state, wish)

    def _judge_wish(self, state: StateStore, wish: Control) -> None:
        """A way back that is on record, and still to be made, is not written over by one of other moves."""
        before = next((one for one in state.controls() if (one.kind, one.scope) == (wish.kind, wish.scope)), None)
        wanted, now = (set(one.value.get(MOVES) or ()) if one is not None else set() for one in (before, wish))
        if not wanted or not now or wanted & now:
            return
        left = [str(move.id) for move in state.moves() if str(move.id) in wanted and is_to_be_taken_back(move.state)]
        if left:
            text = f"the way back of {', '.join(left)} is still to be made, and that of {', '.join(sorted(now))} takes its place"
            self._world.oracle.break_("way-back-forgotten", text)

    def _judge_release(self, node: Node, text: str) -> None:
        """A fence that was given up, or never came about, because the route document's account asks for less."""
        if ROUTES_BUSY not in text:
            return
        names = (node.name, node.name.replace("engine", "guardian"))
        if not any(self._was_refused_for_long(name, node.stood_still) for name in names):
            self._world.oracle.break_("fence-for-a-refusal", f"{node.name}: {text}")

    def _was_refused_for_long(self, name: str, still: tuple[float, float]) -> bool:
        """In a row up to now: often enough, or, where answers are slow or do not come, for as long as that. ``still``: from
        when to when nobody asked, since the process stood still."""
        silences = self._world.oracle.unanswered_by(name)
        if any(
            ended - begun >= LONG_REFUSED_SECONDS and self._world.loop.time() - ended <= REFUSALS_SECONDS
            for begun, ended in silences
        ):
            return True  # refused at last, and silent for long before
        begun, ended = still
        now, asked, seconds = self._world.loop.time(), 0, 0.0
        for at in reversed(self._world.board.refused.get(name, ())):
            since = now - at - (ended - begun if at <= begun and ended <= now else 0.0)
            if since > REFUSALS_SECONDS:
                break
            now, asked, seconds = at, asked + 1, seconds + since
        return asked >= LEAST_REFUSALS or (asked > 1 and seconds >= LONG_REFUSED_SECONDS)

    def refuse(self) -> None:
        """Before each write of an engine to the state store."""
        if self._busy and _within(self._busy, self._world.loop.virtual_now):
            raise StateError("cannot write the state store simulated: another program keeps it locked")
        if self._is_full():
            raise StateFull("cannot write the state store simulated: the disk is full")

    def loses(self) -> bool | None:
        """Does the answer to this commit get lost, and was it written? None: it arrives."""
        world, chance = self._world, self._lost_answers
        if not self._is_far or world.loop.virtual_now >= world.busy_seconds or chance.random() >= LOST_SHARE:
            return None
        world.reached["world a commit whose answer is lost"] += 1
        return chance.random() < 0.5

    def _is_full(self) -> bool:
        return bool(self._full) and _within(self._full, self._world.loop.virtual_now)

    def steps(self, boot: str) -> tuple[tuple[float, float], ...]:
        """When the clock of a machine is set, and by how much."""
        world = self._world
        if not self._has_set_clocks:
            return ()
        world.reached["world a clock that is set"] += 1
        chance = Random(f"{world.seed}/clocks/{boot}")
        found = [(chance.uniform(0.0, world.busy_seconds), chance.choice(CLOCK_SECONDS)) for _ in range(SET_CLOCKS)]
        back = [(world.busy_seconds, -by) for _, by in found if by < 0]
        return (*found, *back)

    # What may not come of them.

    def judge_record(self, node: Node, record: MoveRecord, changes: Sequence[Change]) -> None:
        """A state that is written down with ``changes``."""
        cancelled = self._cancelled.setdefault(str(record.id), [])
        released = [
            one.entry.text
            for one in changes
            if isinstance(one, AddJournal) and (one.entry.kind, one.entry.move) == ("fence-released", record.id)
        ]
        cancelled += [NOT_THERE in text for text in released]
        for text in released:
            self._judge_release(node, text)
        if record.state is MoveState.HALTED and record.direction is Direction.FORWARD:
            is_last_of_fences = "fences in a row" in record.reason
            is_blip = any(words in record.reason for words in BLIPS) and not is_last_of_fences
            if (
                NOT_THERE in record.reason
                and is_last_of_fences
                and not all(cancelled[-self._world.rhythm.most_cancelled_fences :])
            ):
                self._world.oracle.excuses.used[ONE_OF_SEVERAL] += 1
            elif is_blip or NOT_THERE in record.reason:
                self._world.oracle.break_("halted-for-a-blip", f"{record.id} is halted: {record.reason}")

        if record.state is MoveState.HALTED and record.direction is Direction.REVERSE:
            self._judge_way_back(record)
        if record.state is MoveState.FENCING and self._waiting.get((node.name, str(record.id))):
            text = f"{record.id} begins a fence, and its last pass found what no pass can carry over yet"
            self._world.oracle.break_("fence-for-nothing", text)

    def _judge_way_back(self, record: MoveRecord) -> None:
        """It may give up a target that does not answer; one that asks for less is there."""
        if OVERLOADED in record.reason and "fences in a row" not in record.reason:
            self._world.oracle.break_("back-gave-up", f"{record.id} is halted on its way back: {record.reason}")

    def told(self, node: Node, kind: str, move: str | None, waiting: int) -> None:
        """What an engine says: of a pass; nothing once its run is over, for the next one goes on with its moves."""
        if any(one.node is node and one.task.done() for one in self._world.processes):
            self._world.oracle.break_("after-its-end", f"{node.name} has ended, and says {kind} of {move}")
        if kind == "pass" and move is not None:
            self._waiting[node.name, move] = waiting

    def begins(self, node: Node) -> None:
        """An engine."""
        document = self._world.board.document
        self._routes[node.name] = document.routes if document is not None else {}

    def judge_end(self, process: Process, command: str, outcome: Outcome | None) -> None:
        """A run ended by itself."""
        world = self._world
        lock, run = world.state.lock(), f"run-{process.node.name.rpartition('-')[2]}"
        if lock is not None and lock.run == run:
            if self._is_full():
                world.oracle.excuses.used[FULL_AT_THE_END] += 1
            else:
                world.oracle.break_("lock-kept", f"{process.node.name} ended and keeps its lock")
        if command.startswith("rollback") and outcome is not None and outcome.code == "done":
            self._judge_back(process.node)
        if command != "apply" or outcome is None or outcome.code not in ("halted", "done"):
            return
        for move in world.state.moves():
            if move.state is MoveState.SOAKING and move.direction is Direction.FORWARD:
                world.oracle.break_(
                    "unwatched", f"{process.node.name} left {move.id} soaking, and ended {outcome.code}"
                )

    def _judge_back(self, node: Node) -> None:
        """A way back said that it is done: no customer is at a target whose route nobody touched since it began."""
        document = self._world.board.document
        for move in self._world.state.moves():
            key = str(move.id)
            route = document.routes.get(key) if document is not None else None
            if route is not None and route.account != move.source and route == self._routes[node.name].get(key):
                text = f"{node.name} said that all are back, and {key} ({move.state}) is at {route.account}"
                self._world.oracle.break_("not-back", text)

    def judge_calm(self) -> None:
        """Everything came to rest."""
        lock = self._world.state.lock()
        if lock is not None and not self._world.living():
            self._world.oracle.break_("lock-of-the-dead", f"lock {lock.nonce} of {lock.run} is in the way of every run")


def _within(stretches: list[Stretch], now: float) -> bool:
    for begin, end in stretches:  # noqa: SIM110 - asked before each request and commit
        if begin <= now < end:
            return True
    return False
