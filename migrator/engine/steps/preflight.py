"""pending, preflight: is the way open, and is the route record ours? A second run finds the record there and claims it."""

from __future__ import annotations

from migrator.engine import before, stays
from migrator.engine.ahead import Ahead
from migrator.engine.context import Halt
from migrator.engine.disagreement import hint_for
from migrator.engine.mover import Mover
from migrator.engine.steps import provision
from migrator.errors import OutcomeUnknown, RouteChanged, Unreachable
from migrator.machine.agreement import Agreement, in_words, judge_route
from migrator.machine.events import Event
from migrator.machine.waiting import words
from migrator.model.happenings.fences import StaleFenceReleased


async def begin(mover: Mover) -> Event:
    return Event.BEGUN


def tells_begin(ahead: Ahead) -> str:
    waits = f"wait for {', and for '.join(words(one) for one in ahead.begin)}" if ahead.begin else "begin at once"
    most = ahead.wave.max_moves
    return f"{waits}, at most {most} at a time" if most is not None and most < len(ahead.wave.moves) else waits


async def preflight(mover: Mover) -> Event:
    """Look for whatever stands in the way, both ways proved with a canary, and own the record: one that was published before is
    claimed first, because from then on nothing is written without a claim. A target that a run creates, and that is not there,
    comes before everything else."""
    if await provision.is_missing(mover):
        return Event.FOUND_NO_ACCOUNT
    if mover.record.ever_routed:
        await claim(mover)
    await before.first_copy(mover)
    await claim(mover, create=True)
    return Event.CHECKED


def instead(ahead: Ahead) -> Event | None:
    return Event.FOUND_NO_ACCOUNT if ahead.is_absent else None


def tells(ahead: Ahead) -> str:
    if ahead.is_absent:
        return f"look for {provision.called(ahead)}, which is not there yet"
    gates = [gate.name for gate in ahead.wave.gates]
    asked = f"ask gate{'s' if len(gates) > 1 else ''} {', '.join(gates)}; " if gates else ""
    return f"{asked}{ahead.canary}, and claim the route"


async def claim(mover: Mover, *, create: bool = False) -> None:
    """Make the route record this run's own: same authority, our run. Creates it only if the move never had one.

    Raises Halt where route and state disagree; nothing is compensated then.
    """
    desk, most = mover.desk, mover.world.rhythm.claim_attempts
    for attempt in range(most):
        record, found = mover.record, await desk.record(mover.id)
        lineage, endpoint = mover.world.state.lineage, mover.live_endpoint
        agreement = judge_route(record, found, lineage=lineage, endpoint=endpoint)
        if agreement.is_disagreement or (found is None and not create):
            why = in_words(record, found, agreement, endpoint=endpoint)
            raise Halt(f"cannot go on with {mover.id}: {why}; {hint_for(agreement, record)}")
        if found is None:
            claimed = desk.first(mover.plan.source, mover.store(mover.plan.source).endpoint)
        elif agreement is Agreement.STALE_FENCE:
            mover.tell(StaleFenceReleased())
            claimed = desk.released(mover.id, found, above=record.epoch)
        else:
            claimed = found if found.run == mover.shared.run.id else desk.stamped(found)
            if desk.is_broken(mover.id):  # followers may have seen this epoch, or the next one, say something else
                claimed = desk.released(mover.id, found)
        if claimed != found:
            try:
                await desk.change(mover.id, found, claimed)
            except (RouteChanged, OutcomeUnknown, Unreachable):
                if attempt == most - 1:
                    raise
                continue  # read again: it may be ours already
        if not record.ever_routed or record.epoch != claimed.epoch:
            stays.learn(mover, claimed.epoch)
        return
