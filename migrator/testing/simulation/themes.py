"""Stories of their own: a trouble that is rare in the world of an ordinary seed, in each of them and often.

Decides what a theme changes of a world that was made already, and the hands that only it has. Leaves the trouble itself to where
it lives. Rule: a theme draws from a stream of its own, and without one nothing here is drawn, so that the story of an ordinary
seed is what it was.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from random import Random
from typing import Final

from migrator.errors import CloudError
from migrator.model.moves import Direction, MoveRecord, MoveState
from migrator.model.routes import READ_WRITE
from migrator.model.values import replace
from migrator.testing.simulation.blobs import Account, NameOrder, Sender
from migrator.testing.simulation.clients import Habits, Territory
from migrator.testing.simulation.loop import WORLD_BEGINS
from migrator.testing.simulation.metrics import MetricWorld, Stretch
from migrator.testing.simulation.stage import Stage
from migrator.testing.simulation.starts import Starts
from migrator.testing.simulation.terrain import ORDERED_APART, Terrain
from migrator.testing.simulation.weather import Weather

OWNER: Final = Sender("owner", False)
HANDS: Final = "hands in fences"
DAMAGE: Final = "damaged documents"
UPLOADS: Final = "half uploads"
LEASES: Final = "leases of objects"
CLOCKS: Final = "clocks apart"
LATE_ANSWERS: Final = "late answers of routes"
SOAKED: Final = "hands after soaks"
ORDERS: Final = "orders of names apart"
WAYS_BACK: Final = "ways back side by side"
UNANSWERED: Final = "unanswered writes"
ACCIDENTS: Final = "lost containers"
LANES: Final = "lanes that break"
ROLLS: Final = "roll-calls"
OVERLOADED: Final = "overloaded targets of ways back"
THEMES: Final = (
    HANDS,
    DAMAGE,
    UPLOADS,
    LEASES,
    CLOCKS,
    LATE_ANSWERS,
    SOAKED,
    ORDERS,
    WAYS_BACK,
    UNANSWERED,
    ACCIDENTS,
    LANES,
    OVERLOADED,
    ROLLS,
)
LONG: Final = frozenset({SOAKED, WAYS_BACK, UNANSWERED, OVERLOADED, ROLLS})
"""Themes whose trouble comes late in a story."""
PATIENT: Final = frozenset({SOAKED, WAYS_BACK})
"""Themes that leave much to a person in the end. Elsewhere he goes after a refused plan, and starts nothing again that is back,
as he always did."""
LONG_SECONDS = 1_200.0
BESIDE_SECONDS: Final = (30.0, 150.0)
"""Until somebody starts one more apply, on whichever machine."""
APART_SECONDS: Final = (60.0, 1_500.0)
"""How far one machine's clock is from the true time."""
DIES_CHANCE: Final = 0.5
"""How often the run at work dies just before that, so that its lock is in the way."""
SELDOM_SLOW_CHANCE = 0.02
LATE_CHANCE, LATE_SECONDS = 0.5, 120.0
"""How often an answer of the route document reaches a customer late, and how late."""
EAGER_SECONDS = 0.2
"""So soon customers ask for a lease again: what is open for a moment is seen by some."""
SHORT_SOAK_SECONDS = 60.0
SOAK_SECONDS, SAMPLE_SECONDS = 240.0, 20.0
SIDE_BY_SIDE, BAD_SECONDS = 3, 120.0
"""How many moves soak when gates begin to fail, and for how long they do."""
OVERLOADED_SECONDS: Final = 600.0
"""Longer than a way back waits for a target that does not answer."""
DELETED_CHANCE: Final = 0.3
"""How often a copy makes a customer delete a name that sorts before it at one side and after it at the other."""
DELETED_SECONDS: Final = (0.0, 0.05)
UNANSWERED_CHANCE: Final = (0.05, 0.2)
MARKING: Final = ("put", "tags", "tags", "tags", "tier", "tier")
"""What customers do where writes that come late must do harm: nothing but tags and tiers is without a condition."""


def skew(world: Stage, boot: str, drawn: float) -> float:
    """A clock of a machine; ``drawn``: what an ordinary story has."""
    if world.theme != CLOCKS or not boot:
        return drawn
    chance = Random(f"{world.seed}/{boot}/apart")
    return chance.choice((-1.0, 1.0)) * chance.uniform(*APART_SECONDS)


def busy_seconds(world: Stage, drawn: float) -> float:
    return LONG_SECONDS if world.theme in LONG else drawn


def made(world: Stage, drawn: Terrain) -> Terrain:
    """Plan and names. Ways back side by side: one wave, whose moves fail each by itself. Unanswered writes: fences so short that
    a write can come after the switch. Hands after soaks: soaks that end within the story. Orders: many names in one container,
    so that there are several ranges of them."""
    schedule = drawn.schedule
    if world.theme == UNANSWERED:
        routing = replace(schedule.routing, ttl_seconds=5.0, max_write_seconds=10.0)
        return replace(drawn, schedule=replace(schedule, routing=routing))
    if world.theme == WAYS_BACK:
        first = schedule.waves[0]
        gates = tuple(replace(gate, failure_limit=1) for wave in schedule.waves for gate in wave.gates)[:1]
        moves = tuple(schedule.moves)
        wave = replace(first, moves=moves, gates=gates, on_failure="rollback", rollback_scope="move")
        wave = replace(wave, soak_seconds=SOAK_SECONDS, interval_seconds=SAMPLE_SECONDS)
        return replace(drawn, schedule=replace(schedule, waves=(wave,)))
    if world.theme == SOAKED:
        waves = tuple(replace(wave, soak_seconds=SHORT_SOAK_SECONDS) for wave in schedule.waves)
        return replace(drawn, schedule=replace(schedule, waves=waves))
    if world.theme == ORDERS:
        return replace(drawn, territories=tuple(map(_in_one_container, drawn.territories)))
    return drawn


def _in_one_container(territory: Territory) -> Territory:
    container, name = territory.names[0]
    folder = name[: name.index("/") + 1] if name.startswith("email/") else ""
    return replace(territory, names=tuple((container, folder + name) for name in ORDERED_APART))


def orders(world: Stage, drawn: list[NameOrder]) -> list[NameOrder]:
    """The order of names of targets, and that of sources: a first copy, read in the first order that is tried, is whole."""
    return ["utf-8", "utf-16"] if world.theme == ORDERS else drawn


def starts(world: Stage, drawn: Starts) -> Starts:
    """What services make of the name from which a listing is to begin: of both sides the same, as both are of one provider."""
    if world.theme != LANES:
        return drawn
    return Random(f"starts {world.seed}").choice(("late", "fickle"))


def way_to_routes(world: Stage, drawn: Weather) -> Weather:
    """Customers' own way to the route document."""
    if world.theme == ROLLS:  # a fence is seen soon, so that drains are short
        return replace(drawn, slow_chance=min(drawn.slow_chance, SELDOM_SLOW_CHANCE))
    if world.theme != LATE_ANSWERS:
        return drawn
    return replace(drawn, slow_chance=LATE_CHANCE, slow_seconds=LATE_SECONDS)


def habits(world: Stage, drawn: Habits) -> Habits:
    if world.theme == LATE_ANSWERS:
        return replace(drawn, preparing_chance=1.0)
    if world.theme == HANDS:
        return replace(drawn, think_seconds=EAGER_SECONDS)
    if world.theme == UNANSWERED:
        return replace(drawn, verbs=MARKING)
    return drawn


def of_account(world: Stage, name: str, drawn: Weather) -> Weather:
    """The tool's and customers' way to an account."""
    if world.theme != UNANSWERED or all(name != move.target for move in world.schedule.moves):
        return drawn
    chance = Random(f"{world.seed}/unanswered").uniform(*UNANSWERED_CHANCE)
    return replace(drawn, unanswered_chance=chance, unanswered_after_seconds=1.0, throttled_chance=0.0)


def saved(world: Stage, metrics: MetricWorld, record: MoveRecord) -> None:
    """A state that is written down: gates fail for a while once enough moves soak side by side; a target refuses every request
    of the tool for a while once its customers are to go back."""
    if world.theme == OVERLOADED and record.direction is Direction.REVERSE and record.state is MoveState.CATCHING_UP:
        end = min(world.loop.time() + OVERLOADED_SECONDS, world.busy_seconds)
        world.wires[record.target].is_overloaded = lambda: world.loop.time() < end
    if world.theme != WAYS_BACK or record.state is not MoveState.SOAKING:
        return
    soaking = [move for move in world.state.moves() if move.state is MoveState.SOAKING]
    seconds = min(BAD_SECONDS, world.busy_seconds - world.loop.time())
    now = WORLD_BEGINS + timedelta(seconds=world.loop.time())
    if len(soaking) >= SIDE_BY_SIDE and seconds > 0 and not metrics.is_bad(now):
        metrics.bad += (Stretch(now, now + timedelta(seconds=seconds)),)


def wrote(world: Stage, sender: Sender, account: str, container: str, name: str) -> None:
    """A customer deletes what the target shows after ``name``, just copied there, although the source shows it before: the
    next listings end one range of names before they come to it."""
    if world.theme != ORDERS or not sender.is_tool or world.loop.time() >= world.busy_seconds:
        return
    chance = Random(f"{world.seed}/{account}/{container}/{name}/{world.loop.time()}")
    for move in world.schedule.moves:
        route = world.board.document.routes.get(str(move.id)) if world.board.document else None
        is_there = route is None or (route.account, route.mode) == (move.source, READ_WRITE)
        if account != move.target or not move.area.takes(container, name) or not is_there:
            continue
        source, target = world.accounts[move.source], world.accounts[move.target]
        late = [
            other
            for other in target.open(container).blobs
            if move.area.takes(container, other)
            and source.peek(container, other) is not None
            and source.key(other) < source.key(name)
            and target.key(other) > target.key(name)
        ]
        if late and chance.random() < DELETED_CHANCE:
            gone, when = chance.choice(sorted(late)), world.loop.time() + chance.uniform(*DELETED_SECONDS)
            world.loop.happen(when, _delete, world, source, container, gone)


def _delete(world: Stage, account: Account, container: str, name: str) -> None:
    with suppress(CloudError):
        account.delete(OWNER, container, name, if_match=None, sent_at=world.loop.time())


def begin(world: Stage) -> None:
    """The hands that only a theme has."""
    if world.theme == CLOCKS:
        world.loop.create_task(start_beside(world), name=world.theme, context=world.loop.world)


async def start_beside(world: Stage) -> None:
    """One more run, again and again, beside one that is at work on another machine."""
    chance = Random(f"{world.seed}/beside")
    while True:
        await asyncio.sleep(chance.uniform(*BESIDE_SECONDS))
        if world.loop.time() >= world.busy_seconds:
            return
        if chance.random() < DIES_CHANCE:
            for process in world.living()[:1]:
                process.node.kill()
        world.start_engine("apply")
