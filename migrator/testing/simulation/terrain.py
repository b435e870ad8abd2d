"""What a seed's world consists of: accounts, areas, containers, names, durations - and the compiled schedule over them.

Decides nothing about what happens there. Small on purpose: a few dozen names, soaks of minutes, so that a seed costs
milliseconds and a hot name is hit by several hands.
"""

from __future__ import annotations

from random import Random
from typing import Literal

from migrator.model.names import Area, MoveId, Selector
from migrator.model.schedule import (
    Account as PlannedAccount,
)
from migrator.model.schedule import (
    Budget,
    Cutover,
    Gate,
    Metric,
    PlannedMove,
    PlannedWave,
    Routing,
    Schedule,
    Verify,
)
from migrator.model.values import replace, value
from migrator.testing.simulation.clients import Territory

NAMES = (
    "a",
    "a/b",
    "a//b",
    "b c#?%.txt",
    "emoji \U0001f389",
    "\uffee after every emoji in UTF-8 only by code point",
    "dots...",
    "é",
    "new\nline",
    "z",
    "z0",
    "m/1",
    "m/2",
    "m/3",
)
CLOCK_MARGIN_SECONDS = 5.0
WINDOW_SECONDS = 60.0
ENFORCED_CHANCE = 0.3


@value(frozen=True, slots=True)
class Terrain:
    """``neighbours``: (account, container, name) that lie beside the areas and must never be touched."""

    schedule: Schedule
    territories: tuple[Territory, ...]
    containers: tuple[tuple[str, str], ...]
    """(account, container) that exist in the beginning."""
    neighbours: tuple[tuple[str, str, str], ...]


def make_terrain(random: Random) -> Terrain:
    """The terrain of a seed: one or two regions, one or two areas in each."""
    areas = {
        "web": Area("web", (Selector("web-*"),)),
        "mail": Area("mail", (Selector("events", "email/"),)),
    }
    used = ["web"] if random.random() < 0.5 else ["web", "mail"]
    regions = ["na"] if random.random() < 0.75 else ["na", "eu"]
    moves, territories, containers, neighbours = [], [], [], []
    for region in regions:
        source = f"{region}-core"
        containers += [(source, "web-1"), (source, "events"), (source, "unrelated")]
        neighbours += [(source, "events", "emai"), (source, "events", "other/x"), (source, "unrelated", "a")]
        neighbours += [(source, "events", "email"), (source, "events", "email0")]
        for area in used:
            id = MoveId(region, area)
            moves.append(PlannedMove(id, areas[area], source, f"{region}-{area}"))
            territories.append(Territory(id, _names(random, area)))
            if random.random() < 0.3:
                containers.append((f"{region}-{area}", "web-1" if area == "web" else "events"))
        if "web" in used:
            containers.append((source, "web-2"))
    return Terrain(_schedule(random, areas, moves), tuple(territories), tuple(containers), tuple(neighbours))


def _fence(random: Random, moves: list[PlannedMove]) -> Literal["route", "access-policy"]:
    """Only areas with containers of their own can have an enforced one."""
    is_alone = all(move.id.area == "web" for move in moves)
    return "access-policy" if random.random() < ENFORCED_CHANCE and is_alone else "route"


def _names(random: Random, area: str) -> tuple[tuple[str, str], ...]:
    chosen = random.sample(NAMES, random.choice((2, 3, 4, 5, 6, 7, 8, 9)))
    if area == "mail":
        return tuple(("events", f"email/{name}") for name in chosen)
    return tuple((random.choice(("web-1", "web-2")), name) for name in chosen)


def _schedule(random: Random, areas: dict[str, Area], moves: list[PlannedMove]) -> Schedule:
    cutover = Cutover(
        max_lag_objects=random.choice([2, 10, 1000]),
        max_passes=50,
        fence_timeout_seconds=random.choice([60.0, 300.0]),
        max_delete_ratio=0.5,
        straggler_interval_seconds=random.choice([20.0, 60.0]),
    )
    gate = Gate(
        name="errors",
        source="sim",
        on_no_data=random.choice(("inconclusive", "fail", "pass")),
        metric="errors",
        max=50.0,
        window_seconds=WINDOW_SECONDS,
        settle_seconds=0.0,
        failure_limit=random.choice([1, 3, 10]),
    )
    interval = random.choice([20.0, 60.0])
    together = random.random() < 0.5
    groups = [moves] if together else [[move] for move in moves]
    waves = tuple(
        PlannedWave(
            name=f"wave-{number}",
            moves=tuple(group),
            after=(f"wave-{number - 1}",) if number else (),
            soak_seconds=random.choice([60.0, 120.0, 240.0]),
            interval_seconds=interval,
            gates=(gate,) if random.random() < 0.6 else (),
            on_failure=random.choice(("rollback", "halt")),
            rollback_scope=random.choice(("wave", "move")),
            cutover=replace(cutover, fence=_fence(random, group)),
            verify=Verify(random.choice(("attributes", "attributes", "content"))),
            fingerprint=f"print-{number}",
        )
        for number, group in enumerate(groups)
    )
    names = sorted({account for move in moves for account in (move.source, move.target)})
    return Schedule(
        name="simulated",
        fingerprint="print",
        accounts={name: PlannedAccount(name, "azure", endpoint=f"https://{name}.blob.example") for name in names},
        areas=areas,
        waves=waves,
        routing=Routing(
            "file",
            path="routes.json",
            ttl_seconds=random.choice([5.0, 30.0]),
            max_write_seconds=random.choice([10.0, 60.0]),
            clock_margin_seconds=CLOCK_MARGIN_SECONDS,
        ),
        default_budget=Budget(),
        budgets={},
        metrics={"sim": Metric("sim", "local")},
    )
