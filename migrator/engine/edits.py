"""A plan that was edited in mid-rollout: what of the edit a run refuses.

Decides by the plan and the recorded state alone, so that ``plan`` finds what ``apply`` refuses, and before an account is opened.
Leaves what a begun move stands on to ``basis`` and the durations to ``durations``. Rule: everything that is refused is found, not
the first of it only.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.engine.basis import basis_of, require_same
from migrator.engine.durations import require_grown
from migrator.errors import PlanError
from migrator.model import notes
from migrator.model.findings import Finding
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.schedule import PlannedMove, Schedule
from migrator.ports.state_store import StateStore


def refusals(schedule: Schedule, state: StateStore) -> Iterator[tuple[str, PlanError]]:
    """Why ``schedule`` cannot take the place of what was applied before: what it is about, and the error of a run."""
    try:
        require_grown(schedule.routing, state.note(notes.DURATIONS))
    except PlanError as fault:
        yield "durations", fault
    records = {record.id: record for record in state.moves()}
    for move in schedule.moves:
        known = records.get(move.id)
        if known is None:
            continue
        if known.state is MoveState.PENDING:
            refused = _of_route(schedule, move, known, state) if known.ever_routed else None
            if refused is not None:
                yield str(move.id), refused
            continue
        refused = _of_accounts(move, known) or _of_basis(schedule, move, known, state)
        if refused is not None:
            yield str(move.id), refused
    planned = {move.id for move in schedule.moves}
    for id, record in records.items():
        if record.state is not MoveState.PENDING and id not in planned:
            yield (
                str(id),
                PlanError(
                    f"cannot apply this edit: {id} has begun and is not in the plan any more",
                    hint="put it back: what has begun stays in the plan, also after a rollback",
                ),
            )


def may_have_another_target(move: PlannedMove, known: MoveRecord) -> bool:
    """A move that is back at its source begins afresh, also towards another account."""
    return known.state is MoveState.REVERSED and known.source == move.source and known.target != move.target


def _of_accounts(move: PlannedMove, known: MoveRecord) -> PlanError | None:
    if (known.source, known.target) == (move.source, move.target) or may_have_another_target(move, known):
        return None
    return PlanError(
        f"cannot apply this edit: {move.id} has begun from {known.source} to {known.target}, not from {move.source} to"
        f" {move.target}",
        hint="put its accounts back; after a rollback it may have another target",
    )


def _of_route(schedule: Schedule, move: PlannedMove, known: MoveRecord, state: StateStore) -> PlanError | None:
    """Applications follow a record that was published: it stays at its source, in its document, until the move begins."""
    if known.source != move.source:
        return PlanError(
            f"cannot apply this edit: the route of {move.id} was published at {known.source}, and customers follow it there",
            hint=f"put its source back to {known.source}",
        )
    published = {
        part: was for part, was in (state.note(notes.basis(move.id)) or {}).items() if part in ("source", "routes")
    }
    try:
        require_same(move, published, basis_of(schedule, move), has=f"the route of {move.id} is published")
    except PlanError as fault:
        return fault
    return None


def _of_basis(schedule: Schedule, move: PlannedMove, known: MoveRecord, state: StateStore) -> PlanError | None:
    noted = state.note(notes.basis(move.id))
    if noted is None:
        return None
    is_retargeted = known.target != move.target
    stands = {part: was for part, was in noted.items() if not (is_retargeted and part == "target")}
    try:
        require_same(move, stands, basis_of(schedule, move))
    except PlanError as fault:
        return fault
    return None


def edit_findings(schedule: Schedule, state: StateStore) -> list[Finding]:
    """The same as findings."""
    return [
        Finding("error", "edit-refused", subject, fault.message, fault.hint)
        for subject, fault in refusals(schedule, state)
    ]
