"""What an operator can safely do next, decided by how the rollout stands.

Decides which advice it is, and about whom. Leaves its words and the commands it names to the views. Rule: writers that may be
blocked come first, then what a person alone can decide; a run at work is never disturbed for what it does by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from migrator.machine.agreement import halted_by_route
from migrator.machine.release import Fate
from migrator.machine.states import has_soaked, is_going_back
from migrator.model.moves import LockRecord, MoveState
from migrator.model.names import MoveId
from migrator.model.values import replace, value
from migrator.standing.silence import Silent
from migrator.standing.values import MoveStanding, Standing, WaveStanding


class Advice(StrEnum):
    MEND = "mend"
    """A move is halted while a run is at work with the others."""
    RELEASE = "release"
    """A hold of an operator keeps cut-overs back."""
    LEAVE_PLAN = "leave-plan"
    """``hold: true`` of the plan does."""
    UNPAUSE = "unpause"
    UNSTICK = "unstick"
    """Soaks stand still until something is mended."""
    ASK_GATE = "ask-gate"
    """A gate's silence keeps a cut-over back."""
    APPROVE = "approve"
    """A wave is ready, and its cut-overs wait for whoever may approve it."""
    WAIT = "wait"
    """A run is at work and needs nobody."""
    FREE = "free"
    """Writers may be blocked and no run is at work."""
    WRITE_DOWN = "write-down"
    """A cut-over is on record that the route says is over."""
    AGREE = "agree"
    """Route and state disagree."""
    RETRY_OR_ROLL_BACK = "retry-or-roll-back"
    FINISH_WAY_BACK = "finish-way-back"
    BRING_OVER = "bring-over"
    """Objects were changed at a target after customers had left it."""
    BEGIN_AGAIN = "begin-again"
    """Moves went back to their source."""
    NOTHING = "nothing"
    """Every move has soaked."""
    BEGIN = "begin"
    APPLY = "apply"


NEEDS_NOBODY: Final = (Advice.WAIT, Advice.NOTHING)


@value(frozen=True, slots=True)
class NextStep:
    """``moves``: whom it is about; ``lock``: of the run at work, if there is one."""

    advice: Advice
    moves: tuple[MoveId, ...] = ()
    lock: LockRecord | None = None
    scope: str = ""
    """Of RELEASE: the hold's; of APPROVE: the wave's name."""
    remedy: str = ""
    """Of UNSTICK: what lets the soaks go on."""
    silent: Silent | None = None
    """Of ASK_GATE."""
    fate: Fate | None = None
    """Of WRITE_DOWN: what became of the cut-over."""


def next_step(standing: Standing) -> NextStep:
    """The safe thing to do now."""
    if standing.is_at_work and standing.lock is not None:
        return replace(_beside_a_run(standing), lock=standing.lock)
    return _urgent(standing) or _to_go_on(standing) or _wanted(standing) or NextStep(Advice.APPLY)


def _beside_a_run(standing: Standing) -> NextStep:
    if halted := _ids(move for move in standing.moves if move.record.state is MoveState.HALTED):
        return NextStep(Advice.MEND, halted)
    return _wanted(standing) or NextStep(Advice.WAIT)


def _urgent(standing: Standing) -> NextStep | None:
    """Writers first, then what is on record and cannot stay so."""
    if fenced := _ids(move for move in standing.moves if move.is_fenced):
        return NextStep(Advice.FREE, fenced)
    if settled := next((move for move in standing.moves if move.settled), None):
        return NextStep(Advice.WRITE_DOWN, (settled.record.id,), fate=settled.settled)
    if any(move.disagreement or halted_by_route(move.record.reason) for move in standing.moves):
        return NextStep(Advice.AGREE)
    if any(move.record.state is MoveState.HALTED for move in standing.moves):
        return NextStep(Advice.RETRY_OR_ROLL_BACK)
    return None


def _to_go_on(standing: Standing) -> NextStep | None:
    """By where the moves are."""
    states = [move.record.state for move in standing.moves]
    if any(is_going_back(move.record) for move in standing.moves):
        return NextStep(Advice.FINISH_WAY_BACK)
    if any(move.looked is not None and move.looked.found for move in standing.moves):
        return NextStep(Advice.BRING_OVER)
    if MoveState.REVERSED in states:
        return NextStep(Advice.BEGIN_AGAIN)
    if states and all(map(has_soaked, states)):
        return NextStep(Advice.NOTHING)
    if all(state is MoveState.PENDING for state in states):
        return NextStep(Advice.BEGIN)
    return None


def _wanted(standing: Standing) -> NextStep | None:
    """A wish to take back, a soak to set going, or a gate to look at; None if nothing waits for any of them."""
    kinds = {wait.kind for wave in standing.waves for wait in wave.waits}
    if "hold" in kinds:
        held = next((control for control in standing.controls if control.kind == "hold"), None)
        return NextStep(Advice.LEAVE_PLAN) if held is None else NextStep(Advice.RELEASE, scope=held.scope)
    if "pause" in kinds:
        return NextStep(Advice.UNPAUSE)
    if stuck := [move for move in standing.moves if move.remedy]:
        alike = _ids(move for move in stuck if move.remedy == stuck[0].remedy)
        return NextStep(Advice.UNSTICK, alike, remedy=stuck[0].remedy)
    silent = next((one for move in standing.moves for one in move.silent), None)
    if silent is not None:
        return NextStep(Advice.ASK_GATE, silent=silent)
    return next((_approve(wave) for wave in standing.waves if _waits_for_approval(wave)), None)


def _waits_for_approval(wave: WaveStanding) -> bool:
    """And for that alone of all that a person can do: before a move of it is ready nobody is kept by it."""
    is_ready = any(move.record.state is MoveState.READY and not is_going_back(move.record) for move in wave.moves)
    return is_ready and any(wait.kind == "approval" for wait in wave.waits)


def _approve(wave: WaveStanding) -> NextStep:
    ready = _ids(move for move in wave.moves if move.record.state is MoveState.READY)
    return NextStep(Advice.APPROVE, ready, scope=wave.name)


def _ids(moves: Iterable[MoveStanding]) -> tuple[MoveId, ...]:
    return tuple(move.record.id for move in moves)
