"""What the next ``apply`` will do: the last line of a preview.

Decides what is said, by the same reading of the state as ``status``; what stands in the way is found by the checks. Rule: a
command that is named can be pasted as it stands.
"""

from __future__ import annotations

from migrator.machine.states import has_soaked, is_going_back
from migrator.model.moves import MoveState
from migrator.model.schedule import Schedule
from migrator.standing.values import Standing


def what_apply_does(
    schedule: Schedule, situation: Standing, *, has_errors: bool = False, disagreement: str = ""
) -> str:
    """One sentence on the next ``apply``, with the command to paste. ``disagreement``: a move whose route is not as this store
    left it, which its claim halts."""
    apply = "`migrate apply PLAN`"
    if situation.is_at_work and situation.lock is not None:
        lock = situation.lock
        return f"next: nothing: {lock.owner}@{lock.host}, pid {lock.pid}, is at work; see `migrate status PLAN`"
    if any(move.is_fenced for move in situation.moves):
        return f"next: {apply} frees the writers of a cut-over that was interrupted, and goes on"
    if has_errors:
        return "next: mend the errors, then `migrate plan PLAN`"
    if any(control.kind == "pause" for control in situation.controls):
        return "next: `migrate unpause PLAN`; until then apply sends nothing"
    moves = [move.record for move in situation.moves]
    going_back = [one for one in moves if is_going_back(one)]
    if any(one.state is MoveState.HALTED for one in moves):
        return (
            f"next: `migrate doctor PLAN`: a halted move waits for a person, and {apply} goes on with the others alone"
        )
    if disagreement:
        return f"next: `migrate doctor PLAN`: {apply} would halt {disagreement}, whose route and state disagree"
    if going_back:
        return f"next: `migrate rollback PLAN` goes on with the way back of {going_back[0].id}"
    if any(one.state is MoveState.REVERSED for one in moves):
        return "next: `migrate retry PLAN --reason TEXT`; until then apply begins nothing after the wave that went back"
    if schedule.moves and len(moves) >= len(schedule.moves) and all(has_soaked(one.state) for one in moves):
        return "next: nothing: every move has soaked"
    return f"next: {apply} {_work(schedule, situation)}"


def _work(schedule: Schedule, situation: Standing) -> str:
    waits = {wave.name: wave.waits for wave in situation.waves}
    for wave in schedule.waves:
        standing = next((one for one in situation.waves if one.name == wave.name), None)
        if standing is not None and standing.moves and all(has_soaked(one.record.state) for one in standing.moves):
            continue
        for wait in waits.get(wave.name, ()):
            if wait.kind == "approval":
                way = f"`migrate approve PLAN {wave.name} --reason TEXT`"
                return f"copies wave {wave.name} and waits for {way} before it cuts over"
            if wait.kind == "hold":
                way = "hold: false in the plan" if wait.who == "plan" else "`migrate release PLAN`"
                return f"copies wave {wave.name} and waits for {way} before it cuts over"
            if wait.kind in ("not-before", "window", "freeze") and wait.until is not None:
                what = "begins" if wait.kind == "not-before" else "copies, and cuts over"
                return f"{what} wave {wave.name}, not before {wait.until:%Y-%m-%d %H:%M} UTC"
        begun = standing is not None and any(one.record.state is not MoveState.PENDING for one in standing.moves)
        return f"goes on with wave {wave.name}" if begun else f"begins with wave {wave.name}"
    return "goes on"
