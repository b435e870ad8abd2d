"""What keeps a move or a wave, and whom: an operator's wish, a person's decision, or only time.

Decides which waits there are from what is recorded. What a wave waits for by the plan is the law's (``machine.waiting``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from migrator.forecast.moments import later
from migrator.machine.states import (
    can_be_paused,
    is_at_rest,
    is_getting_ready,
    is_in_fence,
    is_over,
)
from migrator.machine.waiting import Wait, waits_to_begin, waits_to_cut_over
from migrator.model import notes
from migrator.model.moves import (
    Direction,
    MoveRecord,
    MoveState,
    WaveState,
)
from migrator.model.schedule import PlannedWave, Schedule
from migrator.standing.recorded import Recorded
from migrator.standing.soak_waits import SoakWaits
from migrator.standing.values import MoveStanding


def waits_of_move(
    move: MoveRecord,
    planned: PlannedWave | None,
    recorded: Recorded,
    soak_left: float | None,
    soak: SoakWaits | None,
    now: datetime,
) -> tuple[Wait, ...]:
    """What keeps this move, and whom: an operator's wish, a person's decision, or only time."""
    waits: list[Wait] = []
    if move.state is MoveState.HALTED:
        waits.append(Wait("retry"))
    away = recorded.store.note(notes.waits_out(move.id)) if recorded.store is not None else None
    if away is not None and not is_at_rest(move.state):
        waits.append(Wait("away", who=away))
    if is_in_fence(move.state):
        waits.append(Wait("fence"))
    if is_getting_ready(move.state) and move.direction is Direction.FORWARD:
        waits += _holds(move.wave, planned, recorded)
    if move.state is MoveState.READY and recorded.store is not None and recorded.store.outstanding(move.id):
        waits.append(Wait("unanswered-writes"))
    if can_be_paused(move.state):
        waits += _pauses(recorded)
    if soak_left is not None:
        waits += _soak(soak_left, soak, now)
    return tuple(waits)


def _soak(left: float, soak: SoakWaits | None, now: datetime) -> list[Wait]:
    """Time, as far as only time is missing; a gate that keeps the soak makes every date a guess, so there is none."""
    kept_by = soak.gates if soak else ()
    gates = [Wait("gate", who=f"gate {one.gate} ({one.verdict}): {one.reason}") for one in kept_by]
    if gates and left <= 0:
        return gates
    return [Wait("soak", until=None if gates else later(now, left)), *gates]


def _holds(wave: str, planned: PlannedWave | None, recorded: Recorded) -> list[Wait]:
    scopes = ("", f"wave:{wave}")
    held = [one for one in recorded.controls if one.kind == "hold" and one.scope in scopes]
    plan = [Wait("hold", who="plan")] if planned is not None and planned.cutover.hold else []
    return [Wait("hold", who=control.who) for control in held] + plan


def _pauses(recorded: Recorded) -> list[Wait]:
    return [Wait("pause", who=control.who) for control in recorded.controls if control.kind == "pause"]


def waits_before_beginning(
    schedule: Schedule | None,
    planned: PlannedWave | None,
    states: Mapping[str, WaveState],
    recorded: Recorded,
    now: datetime,
) -> tuple[Wait, ...]:
    waits: list[Wait] = []
    if planned is not None and schedule is not None:
        waits += waits_to_begin(schedule, planned, states, now)
        waits += _holds(planned.name, planned, recorded)
        waits += waits_to_cut_over(planned, schedule.freeze, recorded.approvals, now)
    waits += _pauses(recorded)
    return tuple(waits)


def waits_at_work(
    schedule: Schedule | None,
    name: str,
    moves: Sequence[MoveStanding],
    planned: PlannedWave | None,
    recorded: Recorded,
    now: datetime,
) -> tuple[Wait, ...]:
    states = {move.record.state for move in moves}
    ahead = {move.record.state for move in moves if move.record.direction is Direction.FORWARD}
    waits: list[Wait] = []
    if MoveState.HALTED in states:
        waits.append(Wait("retry"))
    if any(map(is_getting_ready, ahead)):
        waits += _holds(name, planned, recorded)
        if planned is not None and schedule is not None:
            waits += waits_to_cut_over(planned, schedule.freeze, recorded.approvals, now)
    if not all(map(is_over, states)):
        waits += _pauses(recorded)
    soaks = [wait for move in moves for wait in move.waits if wait.kind in ("soak", "gate")]
    times = [wait.until for wait in soaks if wait.kind == "soak" and wait.until is not None]
    gates = list(dict.fromkeys(wait for wait in soaks if wait.kind == "gate"))
    if any(wait.kind == "soak" for wait in soaks):
        waits.append(Wait("soak", until=max(times) if times and not gates else None))
    return (*waits, *gates)
