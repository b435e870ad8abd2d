"""The plan's accounts as a rehearsal has them: in memory, and filled to a scaled inventory.

Decides how many objects stand for how many, which containers a glob stands for, and what of the plan is another thing here.
Leaves everything that happens to the engine. Rule: the plan's law (waves, gates, dates, cut-over) stays as it is written;
kinds of accounts, routing and metrics alone are replaced, and nothing is opened.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from migrator.forecast import Inventory
from migrator.model.names import MoveId, Selector
from migrator.model.objects import BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import PlannedMove, Schedule
from migrator.model.values import replace, value
from migrator.testing.rehearsal.modelled import by_name
from migrator.testing.simulation.blobs import Account, Sender
from migrator.testing.simulation.loop import SimLoop
from migrator.testing.simulation.store import Wire
from migrator.testing.simulation.weather import Weather

UNKNOWN_OBJECTS: Final = 1_000_000
"""Taken for an area whose size nobody knows."""
LEAST_OBJECTS: Final = 12
"""Of each move, however small the scale is."""
USUAL_OBJECTS: Final = 1_200
"""Of all moves together, where no scale is given."""
PLAIN: Final = Shape(BlobType.BLOCK, ContentHeaders("application/octet-stream"), {}, {}, None)
_FILLER: Final = Sender("rehearsal", False)


@value(frozen=True, slots=True)
class Territory:
    """The (container, name) of one move's objects, and of how many real ones they stand for (None: nobody knows)."""

    move: PlannedMove
    names: tuple[tuple[str, str], ...]
    real_objects: int | None


@value(frozen=True, slots=True)
class Estate:
    schedule: Schedule
    wires: Mapping[str, Wire]
    territories: tuple[Territory, ...]
    scale: float


def stand_in(schedule: Schedule) -> Schedule:
    """The plan with accounts, routes and metrics that are made here, and nobody to notify."""
    accounts = {
        name: replace(one, kind="local", path=f"{name}.db", endpoint=None, credential="default", options={})
        for name, one in schedule.accounts.items()
    }
    waves = tuple(replace(wave, gates=tuple(map(by_name, wave.gates))) for wave in schedule.waves)
    routing = replace(schedule.routing, kind="file", path="routes.json", account=None, options={}, argv=(), protocol=1)
    metrics = {name: replace(one, kind="local", options={}) for name, one in schedule.metrics.items()}
    return replace(
        schedule, accounts=accounts, waves=waves, routing=routing, metrics=metrics, channels=(), cloud={}, proved=None
    )


def scale_for(schedule: Schedule, inventories: Mapping[MoveId, Inventory]) -> float:
    """At which all moves together have about ``USUAL_OBJECTS``."""
    total = sum(_real(move, inventories) or UNKNOWN_OBJECTS for move in schedule.moves)
    return min(1.0, USUAL_OBJECTS / max(total, 1))


def build(
    schedule: Schedule, inventories: Mapping[MoveId, Inventory], loop: SimLoop, begins: datetime, *, scale: float
) -> Estate:
    """Make every account, and fill the sources."""
    here = stand_in(schedule)
    accounts = {name: Account(name) for name in here.accounts}
    territories = []
    for move in here.moves:
        real = _real(move, inventories)
        names = _names(move, max(LEAST_OBJECTS, round((real or UNKNOWN_OBJECTS) * scale)))
        source = accounts[move.source]
        for number, (container, name) in enumerate(names):
            if container not in source.containers:
                source.make_container(ContainerInfo(container))
            body = f"{move.id} {number}".encode()
            source.put(_FILLER, container, name, body, PLAIN, condition=None, sent_at=0.0, modified=begins)
        territories.append(Territory(move, names, real))
    wires = {name: Wire(loop, account, Weather.calm(), f"rehearsal {name}") for name, account in accounts.items()}
    return Estate(here, wires, tuple(territories), scale)


def _real(move: PlannedMove, inventories: Mapping[MoveId, Inventory]) -> int | None:
    inventory = inventories.get(move.id)
    return inventory.objects if inventory is not None else None


def _names(move: PlannedMove, number: int) -> tuple[tuple[str, str], ...]:
    """Dealt out to the area's selectors in turn."""
    selectors = move.area.selectors
    places = [(_container(selector), selector.prefix) for selector in selectors]
    return tuple(
        (container, f"{prefix}{index:09d}")
        for index in range(number)
        for container, prefix in [places[index % len(places)]]
    )


def _container(selector: Selector) -> str:
    """One that a glob takes."""
    if not selector.is_glob:
        return selector.container
    name = re.sub(r"\[!.*?\]|[*?]", "a", selector.container)
    return re.sub(r"\[(.).*?\]", r"\1", name)
