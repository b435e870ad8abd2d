"""The same steps that a run takes, told instead of done: the dry run of a move.

Decides in which order they are told: the law's, with the event that each step leads to. Leaves the words to the steps. Rules:

1. The telling begins where the store has the move, and ends where it rests: what is done is not told again.
2. A fence is never resumed, so one that an earlier run left is told as its release.
3. What apply leaves to a person is told in one line, that says who goes on with it.
"""

from __future__ import annotations

from migrator.engine.ahead import Ahead
from migrator.engine.steps import STEPS
from migrator.machine.events import Event
from migrator.machine.states import can_be_paused, has_stopped, is_at_rest, is_copying, is_in_fence, is_on_its_way
from migrator.machine.transitions import follow, resume_state
from migrator.machine.waiting import words
from migrator.model.moves import Direction, Figures, MoveRecord, MoveState
from migrator.model.names import MoveId
from migrator.model.values import replace, value
from migrator.words.happenings import FENCE_LEFT, PAUSED


@value(frozen=True, slots=True)
class Told:
    """What happens in ``state``, as a clause."""

    state: MoveState
    direction: Direction
    text: str


@value(frozen=True, slots=True)
class Steps:
    """Of one move. ``alike``: the same without names and amounts, equal for moves that differ in nothing else."""

    wave: str
    move: MoveId
    told: tuple[Told, ...]
    alike: tuple[Told, ...]


def steps_of(ahead: Ahead, *, is_at_work: bool = False) -> Steps:
    """``is_at_work``: a run has the move in hand, also in its fence."""
    named, alike = (tell(replace(ahead, is_named=one), is_at_work=is_at_work) for one in (True, False))
    return Steps(ahead.wave.name, ahead.plan.id, named, alike)


def tell(ahead: Ahead, *, is_at_work: bool = False) -> tuple[Told, ...]:
    """What is left to do of a move; nothing, where all is done."""
    record = ahead.record
    if has_stopped(record.state):
        return (Told(record.state, record.direction, _needs_a_person(ahead)),)
    told: list[Told] = []
    if is_in_fence(record.state) and not is_at_work:
        told.append(Told(record.state, record.direction, f"{FENCE_LEFT}: writers go on, unless it had switched"))
        ahead = replace(ahead, record=follow(record, Event.RELEASED), is_here=False)
    resolved = len(told)
    while not is_at_rest(ahead.record.state) and (step := STEPS.get(ahead.record.state)) is not None:
        kept = "" if len(told) > resolved else _kept(ahead)
        told.append(Told(ahead.record.state, ahead.record.direction, kept + step.tells(ahead)))
        event = step.next(ahead)
        is_absent = ahead.is_absent and event is not Event.PROVISIONED
        ahead = replace(ahead, record=_after(ahead, event), is_here=False, is_absent=is_absent)
    return tuple(told)


def _kept(ahead: Ahead) -> str:
    """What keeps the next step, as the beginning of its line: the wave of a move that has begun may not go on either, except
    with what is live at its target, and with a way back."""
    kept = []
    if is_on_its_way(ahead.record.state) and ahead.is_forward and not is_in_fence(ahead.record.state) and ahead.begin:
        kept.append(f"wait for {', and for '.join(words(one) for one in ahead.begin)}")
    if ahead.is_wished("pause") and can_be_paused(ahead.record.state):
        kept.append(PAUSED)
    return f"{'; '.join(kept)}; then " if kept else ""


def _after(ahead: Ahead, event: Event) -> MoveRecord:
    record = follow(ahead.record, event)
    if is_copying(ahead.record.state):
        record = replace(record, is_adopted=False)
    return replace(record, figures=Figures()) if event is Event.SWITCHED else record


def _needs_a_person(ahead: Ahead) -> str:
    record = ahead.record
    if record.state is MoveState.REVERSED:
        return f"it is back at {ahead.source}: `migrate retry PLAN --reason TEXT` starts it afresh"
    on = resume_state(record.resume_from or MoveState.CATCHING_UP)
    if record.direction is Direction.REVERSE:
        return f"a person is needed: `migrate rollback PLAN` goes on with the way back from {on}"
    return (
        f"a person is needed: `migrate retry PLAN --reason TEXT` goes on from {on}, `migrate rollback PLAN` goes back"
    )
