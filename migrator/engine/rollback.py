"""Going back: the same pipeline the other way round, newest wave first; and ``retry``, the way out of halted and reversed.

Rules: a move that has not switched only stops; a fence that is still on record is never turned round in place; the moves of a
wave go back side by side, whatever ``max_moves`` says of the way forward, and each is its own failure domain: budgets bound what
they ask of the accounts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from migrator.engine import adopting, enforcing, left_target, live_containers, stays, steps
from migrator.engine.context import Halt
from migrator.engine.disagreement import ADOPT_HINT
from migrator.engine.fleet import Fleet, end
from migrator.engine.mover import Mover
from migrator.engine.runner import drive
from migrator.engine.steps import preflight
from migrator.engine.world import Outcome
from migrator.errors import StateError, UsageError
from migrator.machine.events import Event
from migrator.machine.retiring import no_way_back
from migrator.machine.states import has_lost_source, has_stopped, is_to_be_taken_back
from migrator.model import notes
from migrator.model.happenings.moves import Retried, TargetAbandoned
from migrator.model.moves import Control, Direction, MoveState
from migrator.model.names import MoveId
from migrator.model.schedule import PlannedMove, PlannedWave
from migrator.model.values import replace, value
from migrator.ports.state_store import SetControl
from migrator.standing.way_back import as_of

GATE: Final = "gate"
"""In a recorded way back: the reason of the gate that asked for it."""
MOVES: Final = "moves"
"""In a recorded way back: those it is about, by name, whatever an edit calls their wave and whoever joins it."""
STAYS_ANEW: Final = " with a soak of 0: its route was, or may have been, elsewhere"


@value(frozen=True, slots=True)
class Abandon:
    """A person's word that the targets are given up."""

    reason: str
    who: str


async def wished(fleet: Fleet, may_begin: Callable[[Control], bool]) -> None:
    """Wait until a way back is on record that may begin."""
    while True:
        with suppress(StateError):  # a busy store is asked again
            if any(may_begin(one) for one in recorded(fleet)):
                return
        await fleet.world.clock.sleep(fleet.world.rhythm.way_back_wish_seconds)


def recorded(fleet: Fleet) -> list[Control]:
    """The ways back that are wanted and not done: operators' wishes first, then failed gates' that wait for another, or whose
    run died in them."""
    return sorted(_wishes(fleet), key=lambda one: GATE in one.value)


def _wishes(fleet: Fleet) -> list[Control]:
    return [one for one in fleet.world.state.controls() if one.kind == "rollback"]


def decided(wave: PlannedWave, move: MoveId | None, why: str, *, at: datetime) -> Control:
    """What a failed gate decides: to be committed with its reason, and to be carried out by ``steered``."""
    region, area = (move.region, move.area) if move else (None, None)
    moves = [move] if move else [one.id for one in wave.moves]
    value = {"wave": wave.name, "region": region, "area": area, "on_conflict": None, GATE: why, MOVES: _names(moves)}
    return Control("rollback", f"{GATE} {_scope_name(value)}", value, "engine", at)


def asked(value: Mapping[str, Any], moves: Sequence[PlannedMove], who: str, *, at: datetime) -> Control:
    """What an operator asks of the running apply. Whoever asks again for the same scope has the last word."""
    named = {**value, MOVES: _names([one.id for one in moves])}
    return Control("rollback", _scope_name(value), named, who, at)


def _scope_name(value: Mapping[str, Any]) -> str:
    """A name of its own for each scope: a way back that waits for another to be done must not be written over."""
    return " ".join(f"{part}:{value[part]}" for part in ("wave", "region", "area") if value[part] is not None)


def _names(moves: Sequence[MoveId]) -> list[str]:
    return [str(one) for one in moves]


def scope_of(fleet: Fleet, control: Control) -> list[PlannedMove]:
    """The moves that a recorded way back is about, in its order; the plan may have been edited since. None of an older version's
    whose wave is not in the plan any more: what still fails is found again."""
    value = control.value
    if (named := value.get(MOVES)) is not None:
        return [move for move in fleet.in_scope(None, None, None) if str(move.id) in named]
    try:
        return fleet.in_scope(value.get("wave"), value.get("region"), value.get("area"))
    except UsageError:
        return []


async def steered(fleet: Fleet, control: Control) -> Outcome:
    """Carry out a recorded way back; it stays on record until it is done, or until a person is needed for it. What was left is
    still to be seen to."""
    value, scope = control.value, scope_of(fleet, control)
    why = value.get(GATE)
    if why is not None:
        outcome = await take_back(fleet, scope, None, why, carry_on=True, wish=control)
        return Outcome("halted", (why, *outcome.reasons))
    reason = value.get("abandon")
    abandon = Abandon(reason, control.who) if reason else None
    who = f"asked for by {control.who}"
    outcome = await take_back(fleet, scope, value.get("on_conflict"), who, abandon=abandon, wish=control)
    if outcome.code != "done":
        return outcome
    return Outcome("halted", (f"{control.who} asked for a way back, and it is done", *outcome.reasons))


async def roll_back(
    fleet: Fleet, scope: Sequence[PlannedMove], on_conflict: str | None, why: str, *, abandon: Abandon | None = None
) -> Outcome:
    """Take the moves of ``scope`` back, and see to what they left. ``abandon``: as in ``take_back``."""
    outcome = await take_back(fleet, scope, on_conflict, why, abandon=abandon)
    await see_to(fleet, scope)
    said = left_target.changed(fleet, scope)
    return Outcome("halted", (*outcome.reasons, *said)) if said else outcome


async def take_back(
    fleet: Fleet,
    scope: Sequence[PlannedMove],
    on_conflict: str | None,
    why: str,
    *,
    abandon: Abandon | None = None,
    carry_on: bool = False,
    wish: Control | None = None,
) -> Outcome:
    """Take the moves of ``scope`` back, those of a wave side by side; a wave with one that needs a person ends it.

    Args:
        abandon: leave behind what was written at the targets since their switch; nothing is read from them.
        carry_on: go on with the other waves when a move needs a person.
        wish: the recorded way back that this carries out, which is done with it; None: all are that have no other moves.
    """
    reasons: list[str] = []
    halted: list[str] = []
    for _, moves in groupby(scope, key=lambda one: fleet.schedule.wave_of(one.id).name):
        for outcome in await _side_by_side(fleet, list(moves), on_conflict, why, abandon):
            (halted if outcome.code == "halted" else reasons).extend(outcome.reasons)
        if halted and not carry_on:
            break
    await fleet.surely(lambda: _done_with(fleet, wish, scope))
    await fleet.surely(lambda: fleet.save_waves_of(scope))
    return Outcome("halted", (*reasons, *halted)) if halted else Outcome("done", tuple(reasons))


async def see_to(fleet: Fleet, scope: Sequence[PlannedMove]) -> None:
    """Look at the targets that were left, and keep open what writers need. Not before all customers are back who can be: a look
    lists whole accounts."""
    for move in scope:
        await left_target.look(fleet.mover(move))
        await enforcing.keep_open(fleet.mover(move))


def _done_with(fleet: Fleet, wish: Control | None, scope: Sequence[PlannedMove]) -> None:
    done = [one for one in _wishes(fleet) if one == wish or (wish is None and _is_covered(fleet, one, scope))]
    if done:
        fleet.commit(*(SetControl(replace(one, value={})) for one in done))


def _is_covered(fleet: Fleet, wish: Control, scope: Sequence[PlannedMove]) -> bool:
    return all(move in scope or not _is_to_go_back(fleet, move) for move in scope_of(fleet, wish))


def _is_to_go_back(fleet: Fleet, move: PlannedMove) -> bool:
    return is_to_be_taken_back(fleet.mover(move).record.state)


def _not_of(fleet: Fleet, move: PlannedMove) -> list[SetControl]:
    """Recorded ways back without ``move``, which a person sends forward: that is the last word about it, and about it alone."""
    changed = []
    for wish in _wishes(fleet):
        scope = scope_of(fleet, wish)
        if move not in scope:
            continue
        left = [one for one in scope if one != move]
        is_left = any(_is_to_go_back(fleet, one) for one in left)
        value = {**wish.value, MOVES: _names([one.id for one in left])} if is_left else {}
        changed.append(SetControl(replace(wish, value=value)))
    return changed


async def _side_by_side(
    fleet: Fleet, moves: Sequence[PlannedMove], on_conflict: str | None, why: str, abandon: Abandon | None
) -> list[Outcome]:
    """What became of each, in order. An error of one goes up once the others have come to their end: customers of theirs do
    not stay where they are because of it."""
    work = [asyncio.create_task(_one_back(fleet, move, on_conflict, why, abandon)) for move in moves]
    try:
        await asyncio.wait(work)
    finally:
        await end(work)
    return [one.result() for one in work]


async def _one_back(
    fleet: Fleet, move: PlannedMove, on_conflict: str | None, why: str, abandon: Abandon | None
) -> Outcome:
    mover = fleet.mover(move)
    if has_lost_source(mover.record.state):
        return Outcome("halted", (no_way_back(mover.record),))
    if not is_to_be_taken_back(mover.record.state):
        # As far as this store knows: its customers may be at the target all the same, and "done" would be no truth.
        away = await _elsewhere(mover)
        return Outcome("done") if away is None else Outcome("halted", (away,))
    if abandon is None and (why_not := await live_containers.halted_before_going_back(mover)):
        return Outcome("halted", (why_not,))
    mover.on_conflict = on_conflict
    mover.is_patient = True
    mover.forget_transfer()
    if mover.record.direction is Direction.FORWARD or mover.record.state is MoveState.HALTED:
        try:
            if mover.record.ever_routed:
                await preflight.claim(mover)
            elif (elsewhere := await _elsewhere(mover)) is not None:
                return Outcome("halted", (elsewhere,))
        except Halt as halt:
            return Outcome("halted", (halt.reason,))
        if mover.record.intent is not None:
            text = f"cannot roll back {move.id}: route and state disagree about a fence that is still on record"
            return Outcome("halted", (f"{text}; {ADOPT_HINT}",))
        mover.happen(Event.ROLLED_BACK, reason=why)
    _leave_behind(mover, abandon)
    mover.forget_claim()
    await drive(mover, steps.STEPS)
    if mover.record.state is MoveState.HALTED:
        return Outcome("halted", (f"{move.id} is halted: {mover.record.reason}",))
    said = f"{move.id} is back at {move.source}" + (f"; {mover.record.dirty}" if mover.record.dirty else "")
    if kept := mover.transfer().kept:
        were = "objects were" if kept > 1 else "object was"
        said += f"; {kept:,} {were} saved under .migrate/saved before losing, migrate history says where"
    return Outcome("done", (said,))


async def _elsewhere(mover: Mover) -> str | None:
    """Why a move that this store knows no switch of, or the way back, is not at its source, as far as the document says: the
    store was put back from a backup, it is another rollout's, or a hand moved the route."""
    if mover.record.intent is not None:
        return None  # said of every move, below
    disagreement = adopting.disagreement(mover, await mover.desk.record(mover.id))
    return None if disagreement is None else f"cannot roll back {mover.id}: {disagreement}"


def _leave_behind(mover: Mover, abandon: Abandon | None) -> None:
    """Write down, before the first step, whether this way back goes without the target; the last word counts."""
    record = mover.record
    if record.direction is Direction.FORWARD or record.is_abandoning == (abandon is not None):
        return
    if abandon is None:
        mover.save(replace(record, is_abandoning=False, dirty=""))
        return
    at = as_of(record, mover.world.state.note(notes.warm(record.id))) or record.switched_at
    since = f"since {at:%Y-%m-%d %H:%M:%S} UTC" if at else "since the switch"
    dirty = f"what was written at {record.target} {since} was left behind ({abandon.reason})"
    abandoned = TargetAbandoned(record.target, abandon.reason, dirty)
    mover.save(replace(record, is_abandoning=True, dirty=dirty), mover.note(abandoned, actor=abandon.who))
    mover.tell(abandoned)


async def retry(
    fleet: Fleet,
    scope: Sequence[PlannedMove],
    *,
    reason: str,
    who: str,
    accept_deletes: int | None = None,
    accept_containers: Sequence[str] = (),
    adopt_route: bool = False,
) -> Outcome:
    """Let halted and reversed moves go on with the next ``apply``; the outcome is halted if a route forbids that.

    Args:
        accept_containers: customers dropped these whole; said of moves that go on as well.
    Raises:
        UsageError: the scope has nothing to retry, or none of these containers.
    """
    accepted = await live_containers.accept(fleet, scope, accept_containers, reason=reason, who=who)
    adopted = await adopting.adopt(fleet, scope, reason=reason, who=who) if adopt_route else []
    reasons, refused = list(adopting.told(fleet, adopted)), []
    routes = await fleet.shared.desks.routes()
    for move in scope:
        mover, found = fleet.mover(move), routes.get(str(move.id))
        stopped = has_stopped(mover.record.state)
        if (why := adopting.disagreement(mover, found)) is not None:
            refused.append(f"cannot {'retry' if stopped else 'go on with'} {move.id}: {why}")
            continue
        if not stopped:
            continue
        record = mover.record
        again = found is not None and stays.is_another(record, found.epoch)
        fields = stays.begun(record, fleet.world.clock.now()) if again else {"figures": record.figures}
        if found is not None and record.ever_routed:
            # What was agreed to now: a record that somebody puts back from before it is a disagreement.
            fields |= stays.first(found.epoch)
        fields["figures"] = replace(fields["figures"], passes=0, passes_behind=0, cancelled_fences=0)
        if accept_deletes is not None:
            fields["figures"] = replace(fields["figures"], deletes_accepted=accept_deletes)
        is_forward = record.state is MoveState.REVERSED or record.direction is Direction.FORWARD
        dropped = _not_of(fleet, move) if is_forward else []
        mover.happen(Event.RETRIED, mover.note(Retried(reason), actor=who), *dropped, **fields)
        reasons.append(
            f"{move.id} goes on from {mover.record.state}"
            + (STAYS_ANEW if again else "")
            + ("; a way back that was still on record is not for it any more" if dropped else "")
        )
    fleet.forget_reasons(scope)
    fleet.save_waves_of(scope)
    if refused:
        return Outcome("halted", (*reasons, *refused))
    reasons += accepted
    if not reasons:
        raise UsageError(
            "cannot retry: no move in that scope is halted or reversed"
            + (", and every route agrees with its state" if adopt_route else ""),
            hint="see migrate status",
        )
    return Outcome("done", tuple(reasons))
