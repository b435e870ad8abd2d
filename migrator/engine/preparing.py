"""Before a run begins: the plan, its waves and moves are written down, unless ``edits`` refuses what was edited."""

from __future__ import annotations

from migrator.engine import stays
from migrator.engine.basis import basis_of
from migrator.engine.edited import Edited
from migrator.engine.edits import may_have_another_target, refusals
from migrator.engine.fleet import Fleet
from migrator.machine.states import is_in_soak
from migrator.model import notes
from migrator.model.happenings.moves import Retargeted
from migrator.model.happenings.rollouts import PlanEdited, PlanWritten
from migrator.model.happenings.soaks import SoakKept, SoakLoosened
from migrator.model.moves import EvidenceRange, Figures, MoveRecord, PlanRecord, WaveRecord
from migrator.model.schedule import PlannedMove, PlannedWave
from migrator.model.values import replace, value
from migrator.ports.state_store import Change, DropException, ReplaceRanges, SaveMove, SavePlan, SaveWave, SetNote
from migrator.standing.authors import now_by

MOST_EXCEPTIONS = 1_000_000
"""More than a store keeps of one move."""


@value(frozen=True, slots=True)
class Editing:
    """``found``: None where nothing is known of the plan before; ``reason``: a person's word that a soak keeps what it has."""

    found: Edited | None
    who: str
    is_apply: bool
    reason: str = ""


def prepare(fleet: Fleet, text: str, change: Editing | None = None) -> None:
    """Bring the state store up to the plan, in one commit; nothing is written if nothing changed.

    Args:
        text: the plan document as it is kept.
        change: what of the plan before was edited, who runs, and why a loosened soak may keep what it has.
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
        changes.append(now_by(fleet.shared.run.owner))
        changes.append(_plan_entry(fleet, change, is_first=before is None))
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
            changes.extend(_loosened(fleet, move, wave, moves.get(move.id), change))
    if changes:
        fleet.commit(*changes)


def _plan_entry(fleet: Fleet, change: Editing | None, *, is_first: bool) -> Change:
    found = change.found if change is not None else None
    actor, name = change.who if change is not None else "engine", fleet.schedule.name
    edits = found.edits if found is not None and not is_first else ()
    if edits:
        edited = PlanEdited(name, tuple((one.where, one.what, one.old, one.new) for one in edits))
        fleet.tell(edited)
        return fleet.journal(edited, actor=actor)
    first = "first apply" if change is None or change.is_apply else "written down"
    return fleet.journal(PlanWritten(name, first if is_first else "edited", ()), actor=actor)


def _loosened(
    fleet: Fleet, move: PlannedMove, wave: PlannedWave, known: MoveRecord | None, change: Editing | None
) -> list[Change]:
    """A soak that an edit loosens starts again, unless somebody says why it may keep what it has."""
    edits = change.found.loosened.get(move.id, ()) if change is not None and change.found is not None else ()
    if not edits or change is None or known is None or not is_in_soak(known):
        return []
    said, healthy = tuple(str(one) for one in edits), known.figures.soak_seconds
    loosened = SoakKept(healthy, said, change.reason) if change.reason else SoakLoosened(healthy, said)
    fleet.tell(loosened, move.id)
    row = fleet.journal(loosened, wave=wave.name, move=move.id, actor=change.who)
    if change.reason:
        return [row]
    return [SaveMove(replace(known, wave=wave.name, **stays.begun(known, fleet.world.clock.now()))), row]


def _planned(fleet: Fleet, move: PlannedMove, wave: PlannedWave, known: MoveRecord | None) -> list[Change]:
    if known is None:
        return [SaveMove(MoveRecord(move.id, wave.name, move.source, move.target))]
    if may_have_another_target(move, known):
        return _retargeted(fleet, move, wave, known)
    new = replace(known, wave=wave.name, source=move.source, target=move.target)
    return [SaveMove(new)] if new != known else []


def _based(fleet: Fleet, move: PlannedMove) -> list[Change]:
    """What the move stands on, written down until it begins; from then on ``edits`` holds it against the plan."""
    planned, noted = basis_of(fleet.schedule, move), fleet.world.state.note(notes.basis(move.id))
    return [SetNote(notes.basis(move.id), planned)] if noted != planned else []


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
    happened = Retargeted(move.target, known.target, known.dirty)
    return [*changes, SaveMove(new), fleet.journal(happened, wave=wave.name, move=move.id)]
