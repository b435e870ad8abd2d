"""Retiring a wave: the data that its moves have left at their sources goes, and with it the way back.

Decides when it may begin: the law of it (``machine.retiring``), gates that show that nobody reads there, and a look at the source
that finds no change. Leaves what may go of the names to ``transfer.retiring``. Rules: nothing of a wave begins before all of it
may; a move whose data may be gone is ``retiring`` until its source was gone through, and whatever fails leaves it so, for the
same command to go on with; no other command deletes anything there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from migrator.engine.context import Halt
from migrator.engine.fleet import Fleet
from migrator.engine.mover import Mover
from migrator.engine.sampling import sample
from migrator.engine.world import Outcome
from migrator.errors import FindingsError, JudgementError, UsageError
from migrator.machine.events import Event
from migrator.machine.states import has_lost_source
from migrator.model import notes
from migrator.model.happenings.retiring import RetireBegun, RetireEnded, RetireKept, SourceDeleted, WatchRestarted
from migrator.model.moves import MoveState
from migrator.model.names import MoveId
from migrator.model.samples import Verdict
from migrator.model.schedule import PlannedWave
from migrator.standing import retiring as standing
from migrator.standing.retiring import Retired, may_retire, refusal
from migrator.transfer import passes, retiring
from migrator.transfer.retiring import Deleting, Leaving, Tally
from migrator.words.happenings import in_words

ROUNDS: Final = 3
"""So often a source is gone through where deletes were not answered."""


async def retire(
    fleet: Fleet, wave: PlannedWave, *, most: Mapping[MoveId, int], reads_unproved: bool, who: str
) -> Outcome:
    """Delete what the moves of ``wave`` have left at their sources.

    Args:
        most: objects of each move that may go, and no more.
        reads_unproved: an operator's word that nothing need show that reads have ended; only where the plan has no gate for it.
        who: the operator.
    Raises:
        FindingsError: it may not begin.
        JudgementError: there is more than was said, or the service does not answer for all of it.
        CloudError, StateError: it stays where it is, and can be gone on with.
    """
    movers = [fleet.mover(move) for move in wave.moves]
    _require_law(fleet, wave, movers)
    shown = {mover.id: await _reads_ended(mover, reads_unproved=reads_unproved) for mover in movers}
    for mover in movers:
        await _outlive_writes(mover)
    for mover in movers:
        await mover.check_claim()
    changed = [await _look(mover) for mover in movers]
    if any(changed):
        return Outcome("waiting", tuple(one for one in changed if one))
    said: list[str] = []
    for mover in movers:
        _require_law(fleet, wave, [fleet.mover(move) for move in wave.moves])  # an operator may want it back by now
        said.append(
            await _one(mover, most.get(mover.id, 0), gates=shown[mover.id], reads_unproved=reads_unproved, who=who)
        )
        fleet.save_wave(wave)
    return Outcome("done", tuple(said))


def _require_law(fleet: Fleet, wave: PlannedWave, movers: Sequence[Mover]) -> None:
    found = may_retire(fleet.schedule, wave, fleet.world.state, [mover.record for mover in movers])
    if why := refusal(wave, found, fleet.world.clock.now()):
        raise FindingsError(why)


async def _reads_ended(mover: Mover, *, reads_unproved: bool) -> tuple[str, ...]:
    """What shows that nobody reads at the source: each gate with its reason."""
    retire, account = mover.shared.schedule.retire, mover.plan.source
    if not retire.gates:
        if not reads_unproved:
            raise UsageError(
                f"cannot retire {mover.id}: nothing shows that reads of {account} have ended",
                hint="name a gate of the source under retire.gates, or say --reads-unproved",
            )
        return ()
    shown = []
    for gate in retire.gates:
        now = mover.world.clock.now()
        since = mover.record.switched_at or mover.record.since or now
        try:
            found = await sample(mover, gate, now, since=since)
        except Halt as halt:
            raise FindingsError(f"cannot retire {mover.id}: {halt.reason}") from halt
        if found is None or found.verdict is not Verdict.PASSED:
            why = "its window is not over" if found is None else f"{found.verdict}: {found.reason}"
            raise FindingsError(
                f"cannot retire {mover.id}: gate {gate.name} does not show that reads of {account} have ended ({why})"
            )
        shown.append(f"{gate.name}: {found.reason}")
    return tuple(shown)


async def _outlive_writes(mover: Mover) -> None:
    """Unanswered writes of ours (the last ones of a source that was kept warm) end before anything is deleted: a create that is
    applied later would bring back what went."""
    clock = mover.world.clock
    writes = mover.world.state.outstanding(mover.id)
    left = max((mover.waits.left(write, clock.monotonic()) for write in writes), default=0.0)
    if left <= 0:
        return
    mover.tell(RetireKept(left))
    await clock.sleep(left)


async def _look(mover: Mover) -> str:
    """Has the source changed since somebody looked last? Its watch begins again then; what keeps it, as a sentence. Where data of
    it may be gone, each name is looked at by itself."""
    if has_lost_source(mover.record.state):
        return ""
    transfer = mover.transfer()
    transfer.is_kept_warm = mover.world.state.note(notes.warm(mover.id)) is not None
    result = await passes.watch(transfer)
    if not result.stragglers_new:
        return ""
    mover.commit(standing.changed(mover.id, mover.world.clock.now()))
    until = may_retire(mover.shared.schedule, mover.wave, mover.world.state, [mover.record]).since
    restarted = WatchRestarted(
        mover.plan.source, result.stragglers_new, tuple(result.named[:3]), until.isoformat() if until else ""
    )
    mover.commit(restarted)
    return f"{mover.id}: {in_words(restarted)}"


async def _one(mover: Mover, most: int, *, gates: tuple[str, ...], reads_unproved: bool, who: str) -> str:
    state, source = mover.world.state, mover.plan.source
    begun = RetireBegun(source, most, gates, reads_unproved and not gates)
    if mover.record.state is MoveState.SOAKED:
        mover.happen(Event.LET_GO, mover.note(begun, actor=who))
        mover.tell(begun)
    else:
        mover.commit(mover.note(begun, actor=who))
        mover.tell(begun)
    left = Deleting(most, mover.admit, lambda container, tally: _note(mover, container, tally))
    total = Tally()
    for _ in range(ROUNDS):
        leaving = Leaving(
            mover.id,
            mover.plan.area,
            mover.store(source),
            mover.store(mover.plan.target),
            state,
            is_over=lambda write: mover.waits.left(write, mover.world.clock.monotonic()) <= 0,
        )
        found = await retiring.delete(leaving, left)
        total.kept, total.named = found.kept, found.named
        total.objects, total.bytes = total.objects + found.objects, total.bytes + found.bytes
        total.unanswered, total.later = found.unanswered, found.later
        if found.is_whole:
            break
    else:
        raise JudgementError(
            f"cannot go on with {mover.id}: {total.unanswered + total.later:,} deletes at {source} were not answered",
            hint="the same command goes on",
        )
    ended = RetireEnded(
        source,
        total.objects,
        total.bytes,
        {str(why): number for why, number in sorted(total.kept.items())},
        tuple(f"{name}: {why}" for why, names in sorted(total.named.items()) for name in names),
    )
    before = standing.retired_of(state, mover.record) or Retired()
    note = standing.kept(mover.id, Retired(before.objects, before.bytes, ended.kept, ended.named))
    if mover.record.state is MoveState.RETIRING:
        mover.happen(Event.RETIRED, note, mover.note(ended))
        mover.tell(ended)
    else:
        mover.commit(note, ended)
    return f"{mover.id}: {in_words(ended)}"


def _note(mover: Mover, container: str, tally: Tally) -> None:
    before = standing.retired_of(mover.world.state, mover.record) or Retired()
    after = Retired(before.objects + tally.objects, before.bytes + tally.bytes, before.kept, before.named)
    mover.commit(
        standing.kept(mover.id, after), SourceDeleted(mover.plan.source, container, tally.objects, tally.bytes)
    )
