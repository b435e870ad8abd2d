"""What a seed's world consists of: accounts, areas, containers, names, durations - and the compiled schedule over them.

Decides nothing about what happens there. Small on purpose: a few dozen names, soaks of minutes, so that a seed costs
milliseconds and a hot name is hit by several hands.
"""

from __future__ import annotations

from collections.abc import Sequence
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

# UTF-8 and UTF-16 sort two emoji and two names of U+E000 to U+FFFF, all of them at the end, in different orders.
NAMES = (
    "a",
    "a/b",
    "a//b",
    "b c#?%.txt",
    "\U0001f389 emoji",
    "\uffee after every emoji in UTF-8 only by code point",
    "\U0001f389",
    "é",
    "new\nline",
    "z",
    "\uff83\uff7d\uff84",
    "m/1",
    "m/2",
    "m/3",
)
ORDERED_APART = (
    "\U0001f389",
    "\uff83\uff7d\uff84",
    "\U0001f389 emoji",
    "\uffee",
    "m/\U0001f600",
    "m/\uff21",
    "m/1",
    "\ue000 private",
    "\U00020000 an ideograph",
    "\uff21\U0001f389",
    "\uff21\uffee",
    "a",
    "\U0001f600",
    "\ufb01",
)
"""Two orders disagree about nearly every pair of these."""
APART_CHANCE = 0.15
"""In so many stories names are of this kind, the two sides of a move sort them differently, and pages are short."""
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


def sorts_apart(seed: int) -> bool:
    """Is it a story in which orders of names break?"""
    return Random(f"{seed}/orders").random() < APART_CHANCE


def make_terrain(random: Random, *, is_apart: bool = False, is_wide: bool = False) -> Terrain:
    """The terrain of a seed: one or two regions, one or two areas in each; ``is_wide``: two of each."""
    names = ORDERED_APART if is_apart else NAMES
    areas = {
        "web": Area("web", (Selector("web-*"),)),
        "mail": Area("mail", (Selector("events", "email/"),)),
    }
    used = ["web"] if random.random() < 0.5 and not is_wide else ["web", "mail"]
    regions = ["na"] if random.random() < 0.75 and not is_wide else ["na", "eu"]
    moves, territories, containers, neighbours = [], [], [], []
    for region in regions:
        source = f"{region}-core"
        containers += [(source, "web-1"), (source, "events"), (source, "unrelated")]
        neighbours += [(source, "events", "emai"), (source, "events", "other/x"), (source, "unrelated", "a")]
        neighbours += [(source, "events", "email"), (source, "events", "email0")]
        for area in used:
            id = MoveId(region, area)
            moves.append(PlannedMove(id, areas[area], source, f"{region}-{area}"))
            territories.append(Territory(id, _names(random, area, names)))
            if random.random() < 0.3:
                containers.append((f"{region}-{area}", "web-1" if area == "web" else "events"))
        if "web" in used:
            containers.append((source, "web-2"))
    return Terrain(_schedule(random, areas, moves), tuple(territories), tuple(containers), tuple(neighbours))


def _fence(random: Random, moves: list[PlannedMove]) -> Literal["route", "access-policy"]:
    """Only areas with containers of their own can have an enforced one."""
    is_alone = all(move.id.area == "web" for move in moves)
    return "access-policy" if random.random() < ENFORCED_CHANCE and is_alone else "route"


def _names(random: Random, area: str, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    chosen = random.sample(names, random.choice((2, 3, 4, 5, 6, 7, 8, 9)))
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
