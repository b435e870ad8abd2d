"""The preview: what the plan would do, found out by reading only.

Decides which inventory a forecast rests on: what was just read, else what the state store keeps, else the plan's own word - and
says which. Leaves reading to ``looking``, load and time to ``forecast``, wording on the screen to the views. Findings of severity
"error" are what ``apply`` refuses: everything that would stop a rollout is found here, not in the middle of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from migrator.engine.ahead import ahead_of
from migrator.engine.authors import approvals_that_count
from migrator.engine.checks.accounts import InventoryMode, Seen, look
from migrator.engine.checks.gates import Asked, ask_gates, gate_answers
from migrator.engine.checks.probes import probe
from migrator.engine.enforcing import fence_findings
from migrator.engine.inventory_notes import known_inventories
from migrator.engine.teller import Steps, steps_of
from migrator.engine.world import World
from migrator.forecast import Inventory, Outlook, StartingPoint, look_ahead
from migrator.gates.reach import gate_findings
from migrator.machine.liveness import beat_just_now
from migrator.machine.waiting import is_approved
from migrator.model.findings import Finding
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, Schedule
from migrator.model.values import value
from migrator.ports.state_store import StateStore


@value(frozen=True, slots=True)
class Preview:
    """``inventories``: what each move has to copy, where anybody knows; ``containers``: by source account, those the plan
    moves; ``features``: by ``account/container``, what a move cannot keep (kinds, no counts); ``steps``: what is left
    to do of each move, in the plan's order."""

    findings: tuple[Finding, ...]
    inventories: Mapping[MoveId, Inventory]
    outlook: Outlook
    containers: Mapping[str, tuple[str, ...]]
    features: Mapping[str, tuple[str, ...]]
    steps: tuple[Steps, ...]

    @property
    def has_errors(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


async def preview(
    schedule: Schedule,
    world: World,
    *,
    waves: Collection[str] | None = None,
    mode: InventoryMode = "full",
    with_probe: bool = False,
    with_gates: bool = False,
) -> Preview:
    """Read both sides of every move of ``waves`` (None: all), and forecast the whole rollout. Nothing is written, unless a
    probe is asked for. ``with_gates``: also ask each gate once."""
    chosen = [wave for wave in schedule.waves if waves is None or wave.name in waves]
    moves = [move for wave in chosen for move in wave.moves]
    seen = await look(schedule, world, moves, mode)
    probed = await probe(world, moves, keeps_public_access=schedule.public_access == "keep") if with_probe else []
    inventories = {**known_inventories(schedule, world.state), **seen.inventories}
    outlook = look_ahead(schedule, inventories, starting_point(schedule, world.state, world.clock.now()))
    fences = await fence_findings(schedule, moves, world.stores)
    asked = await ask_gates(world, [(wave, move) for wave in chosen for move in wave.moves]) if with_gates else []
    findings = (
        *outlook.findings,
        *seen.findings,
        *probed,
        *fences,
        *gates_findings(schedule, asked),
        *not_built_findings(schedule),
        *_unread(moves, seen, inventories),
    )
    return Preview(
        findings=findings,
        inventories=inventories,
        outlook=outlook,
        containers={account: tuple(sorted(names)) for account, names in seen.containers.items()},
        features=seen.features,
        steps=_steps(moves, schedule, world, inventories),
    )


def starting_point(schedule: Schedule, state: StateStore | None, now: datetime) -> StartingPoint:
    """Where the recorded rollout stands; nothing has begun without a store."""
    if state is None:
        return StartingPoint(now)
    approvals = approvals_that_count(schedule, state)
    wishes = {one.scope for one in state.controls() if one.kind in ("hold", "pause") and one.value}
    return StartingPoint(
        now=now,
        moves={record.id: record for record in state.moves()},
        waves={record.name: record for record in state.waves()},
        held=frozenset(wave.name for wave in schedule.waves if wishes & {"", f"wave:{wave.name}"}),
        approved=frozenset(wave.name for wave in schedule.waves if is_approved(wave, approvals)),
    )


def gates_findings(schedule: Schedule, asked: Sequence[Asked]) -> Iterator[Finding]:
    """What the plan alone shows of its gates, and what asking showed beyond that."""
    found = gate_findings(schedule)
    yield from found
    known = {one.subject for one in found}
    yield from gate_answers([one for one in asked if one.account not in known])


def not_built_findings(schedule: Schedule) -> tuple[Finding, ...]:
    """Valid keys that this version cannot apply."""
    return tuple(
        Finding("error", "not-built", key, f"{key} is valid, but this version cannot apply it", "take it out for now")
        for key in schedule.not_built
    )


def _unread(moves: list[PlannedMove], seen: Seen, inventories: Mapping[MoveId, Inventory]) -> list[Finding]:
    """Moves of which nothing was read just now, and what their forecast rests on instead."""
    by_origin: dict[str, list[str]] = {}
    for move in moves:
        if move.id not in seen.inventories:
            known = inventories.get(move.id)
            by_origin.setdefault(known.origin if known else "", []).append(str(move.id))
    found = []
    if names := by_origin.get("declared"):
        text = f"the forecast of {_some(names)} rests on the plan's own `inventory`, which nobody has counted"
        found.append(Finding("info", "inventory-declared", "inventory", text, "count with --inventory full or sample"))
    if names := by_origin.get(""):
        text = f"the size of {_some(names)} is unknown: its dates are lower bounds"
        remedy = "`migrate plan PLAN` counts what it can read; where it cannot yet, write the region's `inventory`"
        found.append(Finding("warning", "inventory-unknown", "inventory", text, remedy))
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _steps(
    moves: list[PlannedMove], schedule: Schedule, world: World, inventories: Mapping[MoveId, Inventory]
) -> tuple[Steps, ...]:
    now = world.clock.now()
    known = ahead_of(schedule, world.state, inventories, now)
    lock = world.state.lock()
    is_at_work = lock is not None and beat_just_now(lock, now)
    return tuple(steps_of(known[move.id], is_at_work=is_at_work) for move in moves)
