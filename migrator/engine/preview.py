"""The preview: what the plan would do, found out by reading only.

Decides what is worth a finding. Leaves load and time to ``forecast``, wording on the screen to the views. Findings of severity
"error" are what ``apply`` refuses. A missing container, a target that is not empty and everything a move cannot keep are
found here, not in the middle of a rollout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from migrator.engine.world import World
from migrator.errors import NotFound
from migrator.forecast import (
    Inventory,
    MoveForecast,
    capacity_findings,
    forecast_wave,
    timing_findings,
)
from migrator.gates.reach import gate_findings
from migrator.model.findings import Finding
from migrator.model.moves import MoveState
from migrator.model.names import RESERVED_PREFIX, Area, MoveId
from migrator.model.objects import SYNC_COPY_LIMIT_BYTES, Features
from migrator.model.schedule import PlannedMove, PlannedWave, Schedule
from migrator.ports.object_store import ObjectStore


@dataclass(frozen=True, slots=True)
class Preview:
    """``inventories``: what each move has to copy; ``containers``: by source account, those the plan moves; ``features``:
    by ``account/container``, what a move cannot keep (kinds, no counts); ``steps``: one line each, in the run's order."""

    findings: tuple[Finding, ...]
    inventories: Mapping[MoveId, Inventory]
    forecasts: Mapping[MoveId, MoveForecast]
    containers: Mapping[str, tuple[str, ...]]
    features: Mapping[str, tuple[str, ...]]
    steps: tuple[str, ...]

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


@dataclass(slots=True)
class _Found:
    findings: list[Finding]
    inventories: dict[MoveId, Inventory]
    containers: dict[str, set[str]]
    features: dict[str, tuple[str, ...]]


async def preview(schedule: Schedule, world: World, *, only: str | None = None) -> Preview:
    """Read both sides of every move (of wave ``only``) and forecast.

    Raises CloudError if an account cannot be read; nothing was written.
    """
    found = _Found([*capacity_findings(schedule), *gate_findings(schedule)], {}, {}, {})
    for key in schedule.not_built:
        text = f"{key} is valid, but this version cannot apply it"
        found.findings.append(Finding("error", "not-built", key, text, "take it out of the plan for now"))
    waves = [wave for wave in schedule.waves if only in (None, wave.name)]
    for wave in waves:
        for move in wave.moves:
            await _look(move, world, found)
    await _nobodys(schedule, waves, world, found)
    forecasts: dict[MoveId, MoveForecast] = {}
    for wave in waves:
        for forecast in forecast_wave(schedule, wave, found.inventories):
            forecasts[forecast.id] = forecast
    found.findings.extend(timing_findings(forecasts.values()))
    steps = tuple(line for wave in waves for line in _steps(wave, found.inventories))
    containers = {account: tuple(sorted(names)) for account, names in found.containers.items()}
    return Preview(tuple(found.findings), found.inventories, forecasts, containers, found.features, steps)


async def _look(move: PlannedMove, world: World, found: _Found) -> None:
    source, target = world.stores[move.source], world.stores[move.target]
    there = [info for info in await source.containers() if move.area.prefixes_in(info.name)]
    present = {info.name for info in there}
    for selector in move.area.selectors:
        if not selector.is_glob and selector.container not in present:
            text = f"the container {selector.container} is not at {move.source}"
            remedy = "create it, or take it out of the area"
            found.findings.append(Finding("error", "missing-container", str(move.id), text, remedy))
    total = Inventory(0, 0, prefixes=0)
    for info in there:
        found.containers.setdefault(move.source, set()).add(info.name)
        for prefix in move.area.prefixes_in(info.name):
            total = await _count(source, info.name, prefix, total)
            await _unkept(move, source, info.name, prefix, found)
    found.inventories[move.id] = total
    record = world.state.move(move.id)
    if record is None or record.state in (MoveState.PENDING, MoveState.PREFLIGHT):
        await _must_be_empty(move, target, sorted(present), found)


async def _count(store: ObjectStore, container: str, prefix: str, total: Inventory) -> Inventory:
    marker: str | None = None
    total = replace(total, prefixes=total.prefixes + 1)
    while True:
        page = await store.page(container, prefix=prefix, marker=marker)
        for blob in page.entries:
            if blob.name.startswith(RESERVED_PREFIX):
                continue
            is_large = blob.size > SYNC_COPY_LIMIT_BYTES
            total = replace(
                total,
                objects=total.objects + 1,
                bytes=total.bytes + blob.size,
                large_objects=total.large_objects + is_large,
                large_bytes=total.large_bytes + (blob.size if is_large else 0),
            )
        if page.marker is None:
            return total
        marker = page.marker


async def _unkept(move: PlannedMove, store: ObjectStore, container: str, prefix: str, found: _Found) -> None:
    """What cannot be kept is said with counts, never lost in silence. Archived blobs cannot even be read."""
    features = await store.features(container, prefix=prefix)
    kinds = tuple(name for name in Features.__dataclass_fields__ if getattr(features, name))
    if not kinds:
        return
    place = f"{store.account}/{container}" + (f"/{prefix}" if prefix else "")
    found.features[place] = kinds
    for kind in kinds:
        count = getattr(features, kind)
        text = f"{place} has {count:,} {kind.replace('_', ' ')} that a move does not keep"
        if kind == "archived":
            text = f"{place} has {count:,} archived blobs, which cannot be copied"
            remedy = "rehydrate them, or leave them out of the area"
            found.findings.append(Finding("error", "archived", str(move.id), text, remedy))
        else:
            remedy = "keep the source until they are not needed"
            found.findings.append(Finding("warning", f"not-kept-{kind}", str(move.id), text, remedy))


async def _must_be_empty(move: PlannedMove, target: ObjectStore, containers: Sequence[str], found: _Found) -> None:
    for container in containers:
        for prefix in move.area.prefixes_in(container):
            try:
                page = await target.page(container, prefix=prefix, limit=10)
            except NotFound:
                continue
            names = [blob.name for blob in page.entries if not blob.name.startswith(RESERVED_PREFIX)]
            if names:
                text = f"{move.target} already holds objects in {container}" + (f" under {prefix}" if prefix else "")
                remedy = "empty it, or name another target; migrate overwrites nothing that it did not copy"
                found.findings.append(Finding("error", "target-not-empty", str(move.id), text, remedy))


async def _nobodys(schedule: Schedule, waves: Sequence[PlannedWave], world: World, found: _Found) -> None:
    """Objects of the sources that are in no area would stay behind: counted, by container."""
    by_source: dict[str, list[PlannedMove]] = {}
    for move in schedule.moves:
        by_source.setdefault(move.source, []).append(move)
    read = {move.source for wave in waves for move in wave.moves}
    own = {(schedule.routing.account, schedule.routing.container)}
    for source in sorted(read):
        areas = [move.area for move in by_source[source]]
        for info in await world.stores[source].containers():
            if (source, info.name) in own or info.name.startswith("$"):
                continue
            if any("" in area.prefixes_in(info.name) for area in areas):
                continue
            objects, size = await _left_behind(world.stores[source], info.name, areas)
            if objects:
                text = f"{source}/{info.name} has {objects:,} objects ({size:,} bytes) that are in no area; they stay"
                remedy = "add them to an area if they belong to one"
                found.findings.append(Finding("warning", "in-no-area", source, text, remedy))


async def _left_behind(store: ObjectStore, container: str, areas: Sequence[Area]) -> tuple[int, int]:
    objects = size = 0
    marker: str | None = None
    while True:
        page = await store.page(container, marker=marker)
        for blob in page.entries:
            mine = any(area.takes(container, blob.name) for area in areas)
            if not mine and not blob.name.startswith(RESERVED_PREFIX):
                objects, size = objects + 1, size + blob.size
        if page.marker is None:
            return objects, size
        marker = page.marker


def _steps(wave: PlannedWave, inventories: Mapping[MoveId, Inventory]) -> list[str]:
    lines = [f"wave {wave.name}" + (f", after {', '.join(wave.after)}" if wave.after else "")]
    for move in wave.moves:
        inventory = inventories.get(move.id, Inventory(0, 0))
        lines.append(
            f"  {move.id}: copy {inventory.objects:,} objects from {move.source} to {move.target}, catch up,"
            " fence, verify, switch, soak"
        )
    return lines
