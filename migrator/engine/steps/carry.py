"""copying, catching-up, ready: passes until the lag is small, then leave to fence. Passes are safe to repeat."""

from __future__ import annotations

import math
from datetime import timedelta

from migrator.engine import enforcing, stays
from migrator.engine.ahead import Ahead
from migrator.engine.before import keeps_back
from migrator.engine.context import Halt, Waiting
from migrator.engine.durations import to_wait, too_long, waited
from migrator.engine.mover import Mover
from migrator.engine.nearing import seconds_to_fence
from migrator.engine.patience import NAMES
from migrator.machine.events import Event
from migrator.machine.waiting import Wait, waits_to_cut_over, what, words
from migrator.model import notes
from migrator.model.happenings.fences import FenceForecast
from migrator.model.happenings.moves import PassMade, TargetUnread
from migrator.model.happenings.waits import ApprovalWanted, CutOverKept, LeasesMet
from migrator.model.moves import Direction, MoveState, RouteIntent
from migrator.model.routes import READ_WRITE, RouteRecord
from migrator.model.units import show_duration, show_ratio
from migrator.model.values import replace
from migrator.ports.state_store import EXCEPTION_CAP, AddJournal, SetNote
from migrator.standing.inventory_notes import known_inventory
from migrator.transfer import passes
from migrator.transfer.halfway import list_halfway
from migrator.transfer.result import Acted, PassResult
from migrator.words.happenings import streamed

TOLD_FROM_SECONDS = 0.1
"""What a fence streams in less is not worth a clause."""
NO_DIGITS = dict.fromkeys(map(ord, "0123456789"))


HELD_BY_PLAN = "the plan says hold"
HELD = "held by an operator: migrate release"


async def copy(mover: Mover) -> Event:
    """The first pass, over everything there is: whoever copies is told how much that is."""
    known = known_inventory(mover.plan, mover.world.state)
    if known is not None and mover.shared.hands is not None:
        mover.shared.hands.expect(known.objects)
    await one_pass(mover)
    return Event.COPIED


def tells_copy(ahead: Ahead) -> str:
    share = ahead.wave.verify.content_share
    proofs = {0.0: "", 1.0: "; prove all of them by their contents"}
    proof = proofs.get(share, f"; prove {show_ratio(share)} of them by their contents")
    limits = f"; at most {ahead.limits}" if ahead.limits else ""
    shut = "; containers are made without their public access" if ahead.schedule.public_access == "drop" else ""
    on = "go on where it stopped: " if ahead.is_here else ""
    return f"{on}copy {ahead.amount} from {ahead.origin} to {ahead.destination}{proof}{limits}{shut}"


async def one_pass(
    mover: Mover, *, in_fence: bool = False, after: Acted | None = None, waits_for_leases: bool = True
) -> PassResult:
    """One pass, with its figures committed; Halt if it met what a person must decide. Leases that stand in its way get the time
    in which most of them end."""
    begun = mover.world.clock.monotonic()
    mover.passed_at = -1e9
    result = await passes.run(mover.transfer(), in_fence=in_fence, after=after)
    if not in_fence:
        lifted = 0 if mover.record.state is MoveState.COPYING else result.lifted_bytes
        mover.convergence.take(
            begun=begun,
            seconds=result.seconds,
            changes=_lag(result),
            carried=result.carried,
            lifted_bytes=lifted,
            max_lag_objects=mover.wave.cutover.max_lag_objects,
        )
    mover.passes_here += 1
    mover.last_pass = result
    f = mover.record.figures
    record = mover.figures(
        passes=f.passes + (0 if in_fence else 1),
        passes_behind=f.passes_behind if in_fence else _passes_behind(mover, result),
        lag_objects=result.changes,
        lag_bytes=result.copied_bytes,
        lag_seconds=result.seconds,
    )
    mover.save(replace(record, is_adopted=record.is_adopted and result.foreign > 0))
    mover.tell(
        PassMade(
            result.scanned,
            result.copied,
            result.marked,
            result.deleted,
            result.superseded,
            result.waiting,
            round(result.seconds, 3),
        )
    )
    if result.foreign:
        raise Halt(
            f"cannot move {mover.id}: {mover.plan.target} holds {result.foreign:,} objects that were not copied from"
            f" {mover.plan.source} ({some(result)}); migrate rollback, name another target, and migrate retry; or find"
            " out whose they are, move them away if nobody uses them, and migrate retry"
        )
    if result.conflicts:
        raise Halt(
            f"cannot roll back {mover.id}: {result.conflicts:,} objects changed on both sides ({some(result)});"
            " decide with migrate rollback --on-conflict source or target"
        )
    if result.held > EXCEPTION_CAP:
        source, named = mover.plan.source, f" ({some(result)})" if result.named else ""
        raise Halt(
            f"cannot roll back {mover.id}: {result.held:,} objects of {source} were written there by strangers or kept by"
            f" --on-conflict, more than the {EXCEPTION_CAP:,} that a barrier can compare one by one{named}; find out"
            f" who writes to {source}, take those objects out of it, then migrate rollback again"
        )
    if result.failed and result.failed == result.leased and waits_for_leases and not in_fence:
        mover.tell(LeasesMet(result.leased, some(result), mover.world.rhythm.lease_seconds))
        await mover.world.clock.sleep(mover.world.rhythm.lease_seconds)
        return await one_pass(mover, waits_for_leases=False)
    if result.failed:
        raise Halt(
            f"cannot move {mover.id}: {result.failed:,} objects cannot be carried over, all others were ({some(result)});"
            " help them, then migrate retry"
        )
    mover.passed_at = mover.world.clock.monotonic()
    return result


def _lag(result: PassResult) -> int:
    """What passes can make smaller: an object that waits for the service is no sign of a lag."""
    return result.changes - result.waiting


def _passes_behind(mover: Mover, result: PassResult) -> int:
    """Passes in a row that ended above the lag, or with a fence that would not fit. The first copy is none: all is new."""
    f, cutover = mover.record.figures, mover.wave.cutover
    if mover.record.state is MoveState.COPYING:
        return f.passes_behind
    fits = _fence_seconds(mover, mover.desk.drain_seconds) < cutover.fence_timeout_seconds
    return 0 if fits and _lag(result) <= cutover.max_lag_objects else f.passes_behind + 1


def some(result: PassResult) -> str:
    """The first names, for one line."""
    return ", ".join(result.named[:3]) + (", ..." if len(result.named) > 3 else "")


async def catch_up(mover: Mover) -> Event:
    """Passes until the lag is under the limit and the forecast fence fits its time."""
    if mover.record.is_abandoning:
        await _list_halfway(mover)
        return Event.CAUGHT_UP
    if mover.passes_here:
        await _leave_warm(mover)
    cutover, found = mover.wave.cutover, mover.convergence
    while True:
        _require_short(mover)
        result = await one_pass(mover)
        lag, fence_seconds = _lag(result), _fence_seconds(mover, mover.desk.drain_seconds)
        pause = _pause_seconds(mover)
        fits = fence_seconds < cutover.fence_timeout_seconds and pause <= cutover.max_pause_seconds
        if lag <= cutover.max_lag_objects and fits:
            return Event.CAUGHT_UP
        if found.is_hopeless(cutover.max_lag_objects):
            raise Halt(
                f"cannot catch up with {mover.id}: it will not converge; {found.in_words()};"
                " raise the budget or wait for a quieter time"
            )
        if mover.record.figures.passes_behind >= cutover.max_passes:
            why = f"the lag is {lag:,} objects, more than {cutover.max_lag_objects:,}"
            if fits is False and lag <= cutover.max_lag_objects:
                why = f"a fence would need {fence_seconds:,.0f} s, not less than {cutover.fence_timeout_seconds:,.0f} s"
                if fence_seconds < cutover.fence_timeout_seconds:
                    why = f"writers would wait {pause:,.0f} s in all, more than max_pause ({cutover.max_pause_seconds:,.0f} s)"
                why += streamed(_streaming_seconds(mover), mover.convergence.lifted_bytes)
            raise Halt(
                f"cannot catch up with {mover.id}: after {cutover.max_passes} passes {why};"
                " raise the budget, max_lag_objects, fence_timeout or max_pause"
            )


def tells_catch_up(ahead: Ahead) -> str:
    if ahead.record.is_abandoning:
        return f"read nothing from {ahead.target}; list what was written there as unproved"
    cutover, adopts = ahead.wave.cutover, ""
    if ahead.record.is_adopted:
        adopts = f"adopt what is equal at {ahead.destination}; "
    return (
        f"{adopts}carry over what changed meanwhile, pass after pass, until the lag is at most"
        f" {cutover.max_lag_objects:,} objects and a fence needs less than {show_duration(cutover.fence_timeout_seconds)}"
    )


async def ready(mover: Mover) -> Event:
    """Wait until nothing forbids the cut-over, keeping up meanwhile; the last pass before the fence is never an old one."""
    await _leave_warm(mover)
    clock, rhythm = mover.world.clock, mover.world.rhythm
    turns = mover.fences if mover.record.direction is Direction.FORWARD else None  # the way back waits for nobody
    again = rhythm.waiting_pass_seconds
    mover.near = None
    while True:
        await enforcing.restore(mover)
        _require_short(mover)
        why = _forbids(mover)
        age = clock.monotonic() - mover.passed_at
        # A pass that is due shows whether what waited for the service is there by now.
        due = rhythm.fresh_seconds if why is None else rhythm.ready_pass_seconds
        due = again if mover.last_pass.waiting and why is None else due
        if age > due and not mover.record.is_abandoning:
            result = await one_pass(mover)
            again = min(2 * again, rhythm.ready_pass_seconds) if result.waiting else rhythm.waiting_pass_seconds
            if _lag(result) > mover.wave.cutover.max_lag_objects:
                return Event.FELL_BEHIND
            continue
        if why is None and mover.last_pass.waiting and not mover.record.is_abandoning:
            why = _not_there_yet(mover)
        if why is None and turns is not None and not turns.take(mover.id):
            why = "other moves of its wave cut over first (max_moves)"
        if why is None and mover.record.direction is Direction.FORWARD:
            why = await keeps_back(mover)
        if why is None and (near := await seconds_to_fence(mover)) > 0:
            await clock.sleep(min(near, rhythm.wishes_seconds))
            continue
        if why is None:
            break
        if turns is not None:
            turns.give_back(mover.id)
        if _without_figures(mover.waiting_for) != _without_figures(why):  # a wait that only gets shorter is said once
            mover.tell(CutOverKept(why))
            _ask_for_approval(mover)
        mover.waiting_for = why
        if not mover.is_patient:
            raise Waiting(f"{mover.id}: {why}")
        await clock.sleep(rhythm.wishes_seconds)
    mover.waiting_for = ""
    if mover.record.is_abandoning:
        await _list_halfway(mover)  # nothing can be applied any more, and the fence need not wait for it
    found = await _raised(mover, await mover.check_claim())
    _require_short(mover)
    if not mover.record.is_abandoning and _pause_seconds(mover) > mover.wave.cutover.max_pause_seconds:
        return Event.FELL_BEHIND
    intent = RouteIntent(found, mover.desk.fenced(mover.id, found))
    note = waited(mover.world.state.note(notes.DURATIONS))
    mover.with_event(*([note] if note else []), _forecast(mover), intent=intent)
    return Event.ADMITTED


def tells_ready(ahead: Ahead) -> str:
    """The way back waits for nobody."""
    if not ahead.is_forward:
        return "keep up until the fence" if not ahead.record.is_abandoning else "go on to the fence"
    wave, waits = ahead.wave, []
    if wave.cutover.hold:
        waits.append(HELD_BY_PLAN)
    if ahead.is_wished("hold"):
        waits.append(HELD)
    if wave.approval_required and not ahead.is_approved:
        waits.append(f"waits for {what(Wait('approval', who=wave.name))}")
    if wave.change_windows:
        waits.append(f"waits for {what(Wait('window'))}")
    if any(freeze.end > ahead.now for freeze in ahead.schedule.freeze):
        waits.append("no cut-over in a freeze")
    asked = "ask its gates again, and " if wave.gates else ""
    proves = ", which proves the way back" if wave.cutover.canary == "both" else ""
    then = f"{asked}{ahead.canary}{proves}"
    return f"{'; '.join(waits)}; keep up meanwhile; {then}" if waits else then


async def _list_halfway(mover: Mover) -> None:
    if (listed := await list_halfway(mover.transfer())) or mover.record.state is MoveState.CATCHING_UP:
        mover.tell(TargetUnread(mover.plan.target, listed))


def _not_there_yet(mover: Mover) -> str:
    """Objects that no pass can carry over before the service is done with them: a fence begun now could not be proved."""
    result = mover.last_pass
    are = "objects are" if result.waiting > 1 else "object is"
    clause = f"the service: {result.waiting:,} {are} not there yet ({some(result)})"
    mover.patience.waits_for(NAMES, clause)
    return f"waits for {clause}"


def _require_short(mover: Mover) -> None:
    """Halt while the route document promises clients more than the plan does: a fence would have to wait for all of it."""
    desk = mover.desk
    if (why := too_long(desk, mover.routing)) is not None:
        if (note := to_wait(desk, mover.world.state.note(notes.DURATIONS))) is not None:
            mover.commit(note)
        raise Halt(f"cannot cut over {mover.id}: {why}")


async def _raised(mover: Mover, found: RouteRecord) -> RouteRecord:
    """The record under an epoch that no follower has seen a later one of: whoever did (a hand raised it and put it back) would
    refuse the fence, and go on."""
    desk = mover.desk
    if found.mode != READ_WRITE or desk.next_epoch(mover.id, found) == found.epoch + 1:
        return found
    raised = desk.released(mover.id, found)
    await desk.change(mover.id, found, raised)
    stays.learn(mover, raised.epoch)
    return raised


def _without_figures(text: str) -> str:
    return text.translate(NO_DIGITS)


def _forecast(mover: Mover) -> AddJournal:
    """How long the writers will wait, said before they do; the journal has the outcome beside it."""
    drain = _drain_seconds(mover)
    is_enforced = mover.wave.cutover.fence == "access-policy" and not mover.record.is_abandoning
    if not is_enforced and mover.shared.rolls.roll(mover.id).is_expected:
        drain = min(drain, mover.routing.expected_drain_of(mover.wave.cutover))
    seconds, streaming = round(drain + _fence_seconds(mover, drain), 3), _streaming_seconds(mover)
    forecast = FenceForecast(seconds, drain, is_enforced, mover.convergence.lifted_bytes, streaming)
    mover.tell(forecast)
    return mover.note(forecast)


def _drain_seconds(mover: Mover) -> float:
    drain, is_enforced = mover.desk.drain_seconds, mover.wave.cutover.fence == "access-policy"
    if is_enforced and not mover.record.is_abandoning:
        return max(drain, mover.routing.enforced_drain_seconds)
    return drain


def _pause_seconds(mover: Mover) -> float:
    """How long the writers would wait in all, drain included."""
    drain = _drain_seconds(mover)
    return drain + _fence_seconds(mover, drain)


def _fence_seconds(mover: Mover, drain_seconds: float) -> float:
    return mover.convergence.fence_seconds(drain_seconds, bytes_per_second=_stream_rate(mover))


def _stream_rate(mover: Mover) -> float:
    """Bytes a second that the budgets of both accounts let through this machine."""
    budgets = [mover.shared.schedule.budget(name) for name in (mover.plan.source, mover.plan.target)]
    return min((one.bytes_per_second for one in budgets if one.bytes_per_second), default=math.inf)


def _streaming_seconds(mover: Mover) -> float:
    """How long what must go through this machine inside the fence takes; 0 if it is not worth a word."""
    seconds = mover.convergence.streaming_seconds(_stream_rate(mover))
    return seconds if seconds >= TOLD_FROM_SECONDS else 0.0


async def _leave_warm(mover: Mover) -> None:
    """A run that does not wait has nothing to get ready for while its wave is held: it copies, or makes one pass if that
    was done before, and leaves. So ``apply --no-wait`` now and then keeps a held wave warm."""
    why = _held(mover)
    if why is None or mover.is_patient or mover.record.direction is not Direction.FORWARD:
        return
    if mover.passes_here == 0:
        await one_pass(mover)
    mover.waiting_for = why
    _ask_for_approval(mover)
    raise Waiting(f"{mover.id}: {why}")


def _held(mover: Mover) -> str | None:
    """What a person or the calendar has against the cut-over; the way back waits for none of that."""
    if mover.record.direction is not Direction.FORWARD:
        return None
    if mover.wave.cutover.hold:
        return HELD_BY_PLAN
    if mover.shared.is_wished("hold", mover.wave.name):
        return HELD
    waits = cut_over_waits(mover)
    return f"waits for {', and for '.join(words(one) for one in waits)}" if waits else None


def _ask_for_approval(mover: Mover) -> None:
    """A wave that is ready and waits for a person is on record, once for each text of the wave: somebody may be told of it."""
    wave, key = mover.wave, notes.asked_approval(mover.wave.name)
    is_wanted = any(one.kind == "approval" for one in cut_over_waits(mover))
    if is_wanted and mover.world.state.note(key) != wave.fingerprint:
        mover.commit(ApprovalWanted(wave.name), SetNote(key, wave.fingerprint))


def cut_over_waits(mover: Mover, *, begun: bool = False) -> tuple[Wait, ...]:
    """Approval, change windows and freezes; ``begun``: the fence is there, and only its last moment must still be inside.
    The way back waits for none of them."""
    if mover.record.direction is not Direction.FORWARD:
        return ()
    clock = mover.world.clock
    if not begun and clock.monotonic() - mover.calendar_at < mover.world.rhythm.calendar_seconds:
        return mover.calendar
    drain = mover.desk.drain_seconds
    needed = 0.0 if begun else drain + _fence_seconds(mover, drain)
    shared = mover.shared
    waits = waits_to_cut_over(
        mover.wave, shared.schedule.freeze, shared.approvals(), clock.now(), needed=timedelta(seconds=needed)
    )
    mover.calendar, mover.calendar_at = waits, clock.monotonic()
    return waits


def _forbids(mover: Mover) -> str | None:
    shared = mover.shared
    if (held := _held(mover)) is not None:
        return held
    if shared.is_wished("pause", mover.wave.name):
        return "paused by an operator: migrate unpause"
    clock = mover.world.clock
    if (lingering := shared.session.lingering).seconds > 0:
        way = "" if math.isfinite(lingering.seconds) else "; migrate doctor says what ends that"
        return f"an earlier run's requests may still be under way {lingering.in_words()}{way}"
    left = shared.fence_from - clock.monotonic()
    if left > 0:
        return f"clients may still follow the shorter durations of before for {left:.0f} s"
    now = clock.monotonic()
    left = max((mover.waits.left(one, now) for one in mover.world.state.outstanding(mover.id)), default=0.0)
    return f"unanswered writes may still be applied for {left:.0f} s" if left > 0 else None
