"""Before a run begins: the plan, its waves and moves are written down, unless ``edits`` refuses what was edited."""

from __future__ import annotations

from migrator.engine.basis import basis_of, key_of
from migrator.engine.edits import may_have_another_target, refusals
from migrator.engine.fleet import Fleet
from migrator.model.moves import EvidenceRange, Figures, MoveRecord, PlanRecord, WaveRecord
from migrator.model.schedule import PlannedMove, PlannedWave
from migrator.model.values import replace
from migrator.ports.state_store import Change, DropException, ReplaceRanges, SaveMove, SavePlan, SaveWave, SetNote

MOST_EXCEPTIONS = 1_000_000
"""More than a store keeps of one move."""


def prepare(fleet: Fleet, text: str) -> None:
    """Bring the state store up to the plan, in one commit; nothing is written if nothing changed.

    Args:
        text: the plan document as it is kept.
    Raises:
        PlanError: the edit is refused (``edits``).
    """
    schedule, state, now = fleet.schedule, fleet.world.state, fleet.world.clock.now()
    for _, fault in refusals(schedule, state):
        raise fault
    changes: list[Change] = []
    before = state.plan()
    is_edited = before is None or before.fingerprint != schedule.fingerprint
    if is_edited or (before is not None and before.document != text):  # an older version kept comments too
        changes.append(SavePlan(PlanRecord(schedule.name, schedule.fingerprint, text, now)))
    if is_edited:
        changes.append(fleet.journal("plan", f"plan {schedule.name}: {'edited' if before else 'first apply'}"))
    waves = {record.name: record for record in state.waves()}
    moves = {record.id: record for record in state.moves()}
    for position, wave in enumerate(schedule.waves):
        known = waves.get(wave.name, WaveRecord(wave.name, position))
        new = replace(known, position=position, fingerprint=wave.fingerprint)
        if wave.name not in waves or new != known:
            changes.append(SaveWave(new))
        for move in wave.moves:
            changes.extend(_planned(fleet, move, wave, moves.get(move.id)))
            changes.extend(_based(fleet, move))
    if changes:
        fleet.commit(*changes)


def _planned(fleet: Fleet, move: PlannedMove, wave: PlannedWave, known: MoveRecord | None) -> list[Change]:
    if known is None:
        return [SaveMove(MoveRecord(move.id, wave.name, move.source, move.target))]
    if may_have_another_target(move, known):
        return _retargeted(fleet, move, wave, known)
    new = replace(known, wave=wave.name, source=move.source, target=move.target)
    return [SaveMove(new)] if new != known else []


def _based(fleet: Fleet, move: PlannedMove) -> list[Change]:
    """What the move stands on, written down until it begins; from then on ``edits`` holds it against the plan."""
    planned, noted = basis_of(fleet.schedule, move), fleet.world.state.note(key_of(move))
    return [SetNote(key_of(move), planned)] if noted != planned else []


def _retargeted(fleet: Fleet, move: PlannedMove, wave: PlannedWave, known: MoveRecord) -> list[Change]:
    """A move that is back at its source gets another target. What was known of the old one says nothing of the new one:
    evidence and listed objects go; nothing is deleted anywhere, and the journal keeps what was."""
    state = fleet.world.state
    changes: list[Change] = [
        ReplaceRanges(move.id, container, prefix, None, None, (EvidenceRange(container, prefix, None),))
        for container, prefix in state.containers_with_ranges(move.id)
    ]
    changes += [
        DropException(move.id, row.container, row.name) for row in state.exceptions(move.id, limit=MOST_EXCEPTIONS)
    ]
    revoked = tuple(one for one in known.revoked if one.account == move.source)
    new = replace(
        known, wave=wave.name, target=move.target, figures=Figures(), revoked=revoked, dirty="", is_adopted=False
    )
    text = f"{move.id}: its target is {move.target} from now on, {known.target} before" + (
        f"; {known.dirty}" if known.dirty else ""
    )
    return [*changes, SaveMove(new), fleet.journal("retargeted", text, wave=wave.name)]
