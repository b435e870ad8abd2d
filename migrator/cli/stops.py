"""What stands in the way of the next ``apply`` by the recorded state, and what it will do: findings, and one last line.

Decides what is said, by the same reading of the state as ``status``. Leaves refusing to the engine: a stop is no error of the
plan, and ``apply`` goes on with what it does not concern. Rule: a command that is named can be pasted as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator

from migrator.engine.silence import Silent
from migrator.machine.states import has_soaked, is_going_back
from migrator.model.findings import Finding
from migrator.model.moves import MoveState, WaveState
from migrator.model.schedule import Schedule
from migrator.standing.situation import Situation

STOPS = frozenset({"paused", "held", "wave-stopped", "route-disagrees"})
"""Codes of findings that are a standing stop."""


def stop_findings(situation: Situation) -> Iterator[Finding]:
    """One finding for each standing stop."""
    for control in situation.controls:
        if control.kind == "pause":
            text = f"{control.who} paused the rollout: apply sends nothing to any account"
            yield Finding("warning", "paused", "rollout", text, "`migrate unpause PLAN` lets it go on")
        elif control.kind == "hold":
            held = control.scope.removeprefix("wave:")
            whose, option = (f"wave {held}", f" --wave {held}") if held else ("every wave", "")
            text = f"{control.who} holds {whose}: apply copies, and cuts nothing over"
            yield Finding("warning", "held", held or "rollout", text, f"`migrate release PLAN{option}` lets it go on")
    for wave in situation.waves:
        states = [move.record.state for move in wave.moves]
        if MoveState.HALTED in states:
            first = next(move.record for move in wave.moves if move.record.state is MoveState.HALTED)
            text = f"wave {wave.name} is halted: {first.id}: {first.reason}; apply leaves it as it is, and exits 4"
            remedy = "mend the cause, then `migrate retry PLAN --reason TEXT`, or `migrate rollback PLAN`"
            yield Finding("warning", "wave-stopped", wave.name, text, f"{remedy}; see `migrate doctor PLAN`")
        elif wave.state is WaveState.REVERSED:
            why = f" ({wave.reason})" if wave.reason else ""
            text = f"wave {wave.name} went back to its source{why}; apply leaves it and the waves below it, and exits 4"
            yield Finding(
                "warning", "wave-stopped", wave.name, text, "`migrate retry PLAN --reason TEXT` starts it afresh"
            )


def silence_findings(situation: Situation) -> Iterator[Finding]:
    """Gates that did not answer the last run, one finding for each cause: where nobody asks them now, nobody else says it."""
    causes: dict[tuple[str, str], list[str]] = {}
    first: dict[tuple[str, str], Silent] = {}
    for move in situation.moves:
        for one in move.silent:
            causes.setdefault((one.gate, one.why), []).append(str(move.record.id))
            first.setdefault((one.gate, one.why), one)
    for cause, moves in causes.items():
        of = ", ".join(moves[:2]) + (f" and {len(moves) - 2} more" if len(moves) > 2 else "")
        hint = f"; {first[cause].hint}" if first[cause].hint else ""
        remedy = f"`migrate plan PLAN --probe` asks it again{hint}"
        text = f"{first[cause]}; no cut-over of {of} begins before it does"
        yield Finding("warning", "gate-no-answer", f"gate {cause[0]}", text, remedy)


def what_apply_does(
    schedule: Schedule, situation: Situation, *, has_errors: bool = False, disagreement: str = ""
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


def _work(schedule: Schedule, situation: Situation) -> str:
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
