"""What is known of a move before anything is done: from this a step says what it will do.

Decides what a step may rest its words on - the plan, the records, what operators and the calendar want - and how accounts and
amounts are called. Leaves the words to the steps, and which step comes when to ``teller``. Rule: nothing here asks an account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from migrator.forecast import Inventory
from migrator.machine.states import keeps_wave
from migrator.machine.transitions import live_side
from migrator.machine.waiting import Wait, is_approved, waits_to_begin
from migrator.machine.waves import wave_state
from migrator.model.moves import Approval, Control, Direction, MoveRecord, WaveState
from migrator.model.names import MoveId
from migrator.model.pace import retuned
from migrator.model.schedule import Budget, PlannedMove, PlannedWave, Schedule
from migrator.model.units import show_bytes, show_count
from migrator.model.values import value
from migrator.ports.state_store import StateStore
from migrator.standing.authors import approvals_that_count


@value(frozen=True, slots=True)
class Ahead:
    """A move as it will be when a step begins.

    ``record``: by then. ``is_here``: it stands there now, so that part of the step may be done. ``is_named`` False: accounts are
    called by their part and amounts are left out, so that moves which differ in these alone are told in the same words.
    """

    schedule: Schedule
    wave: PlannedWave
    plan: PlannedMove
    record: MoveRecord
    now: datetime
    inventory: Inventory | None = None
    begin: tuple[Wait, ...] = ()
    """What its wave waits for before it begins, or goes on."""
    approvals: Sequence[Approval] = ()
    controls: Sequence[Control] = ()
    is_here: bool = False
    is_named: bool = True
    is_absent: bool = False
    """Its target is not there, and will be created."""

    @property
    def is_forward(self) -> bool:
        return self.record.direction is Direction.FORWARD

    @property
    def source(self) -> str:
        return self.plan.source if self.is_named else "the source"

    @property
    def target(self) -> str:
        return self.plan.target if self.is_named else "the target"

    @property
    def origin(self) -> str:
        """The account that this direction copies from."""
        return self.source if self.is_forward else self.target

    @property
    def destination(self) -> str:
        return self.target if self.is_forward else self.source

    @property
    def live(self) -> str:
        """The account that customers use by then."""
        return self.source if live_side(self.record) == "source" else self.target

    @property
    def amount(self) -> str:
        """What a first copy carries, as a phrase."""
        if not self.is_named:
            return "everything"
        if self.inventory is None:
            return "an unknown number of objects"
        objects = self.inventory.objects
        return f"{objects:,} object{'' if objects == 1 else 's'} ({show_bytes(self.inventory.bytes)})"

    @property
    def canary(self) -> str:
        if self.wave.cutover.canary == "target-only":
            return f"send a canary from {self.source} to {self.target}; the way back is not proved"
        return f"send a canary from {self.source} to {self.target} and back"

    @property
    def is_approved(self) -> bool:
        return is_approved(self.wave, self.approvals)

    def is_wished(self, kind: str) -> bool:
        """Do operators wish it of this wave?"""
        scopes = ("", f"wave:{self.wave.name}")
        return any(one.kind == kind and one.value and one.scope in scopes for one in self.controls)

    @property
    def limits(self) -> str:
        """What its own requests and bytes are held to, as a clause; "" if to nothing."""
        said: dict[str, str] = {}
        for name, called in ((self.plan.source, self.source), (self.plan.target, self.target)):
            budget = self.schedule.budget(name)
            now = retuned(budget, name, self.controls)
            if most := _most(now):
                said[called] = most + (" (an operator's throttle)" if now != budget else "")
        if len(said) == 2 and len(set(said.values())) == 1:
            return f"{next(iter(said.values()))} at each account"
        return ", ".join(f"{most} at {called}" for called, most in said.items())


def _most(budget: Budget) -> str:
    parts = []
    if budget.requests_per_minute is not None:
        parts.append(f"{show_count(budget.requests_per_minute)} requests/min")
    if budget.bytes_per_second is not None:
        parts.append(f"{show_bytes(budget.bytes_per_second)}/s")
    return " and ".join(parts)


def ahead_of(
    schedule: Schedule,
    state: StateStore | None,
    inventories: Mapping[MoveId, Inventory],
    now: datetime,
    *,
    absent: Collection[str] = (),
) -> dict[MoveId, Ahead]:
    """Every move of the plan as it stands now; nothing has begun without a store. ``absent``: targets that are created."""
    known = {record.id: record for record in state.moves()} if state is not None else {}
    records = {one.id: known.get(one.id) or MoveRecord(one.id, "", one.source, one.target) for one in schedule.moves}
    waves: dict[str, WaveState] = {
        wave.name: wave_state([records[move.id] for move in wave.moves], is_waiting=False) for wave in schedule.waves
    }
    approvals = approvals_that_count(schedule, state) if state is not None else ()
    controls = tuple(state.controls()) if state is not None else ()
    begin = {
        wave.name: (*waits_to_begin(schedule, wave, waves, now), *_stopped(wave, records)) for wave in schedule.waves
    }
    return {
        move.id: Ahead(
            schedule,
            wave,
            move,
            records[move.id],
            now,
            inventories.get(move.id),
            begin[wave.name],
            approvals,
            controls,
            is_here=True,
            is_absent=move.target in absent,
        )
        for wave in schedule.waves
        for move in wave.moves
    }


def _stopped(wave: PlannedWave, records: Mapping[MoveId, MoveRecord]) -> tuple[Wait, ...]:
    """A move that stopped, or goes back, keeps the others of its wave."""
    return (Wait("failed", who=wave.name),) if any(keeps_wave(records[move.id]) for move in wave.moves) else ()
