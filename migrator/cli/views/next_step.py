"""The next safe step as one sentence, with commands that can be pasted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from migrator.model.moves import LockRecord
from migrator.standing.next_step import Advice, NextStep

_WORDS: Final[Mapping[Advice, str]] = {
    Advice.AGREE: "`migrate doctor {plan}` shows where route and state disagree, and the way out",
    Advice.RETRY_OR_ROLL_BACK: (
        "read the reason and mend its cause, then `migrate retry {plan} --reason TEXT`; or `migrate rollback {plan}`"
    ),
    Advice.FINISH_WAY_BACK: "`migrate rollback {plan}` goes on with the way back",
    Advice.BRING_OVER: "copy back what was written at the targets that were left, then `migrate retry {plan} --reason TEXT`",
    Advice.BEGIN_AGAIN: "`migrate retry {plan} --reason TEXT` starts the reversed moves afresh",
    Advice.NOTHING: "nothing: every move has soaked",
    Advice.BEGIN: "`migrate plan {plan}`, then `migrate apply {plan}`",
    Advice.APPLY: "`migrate apply {plan}` continues from here",
    Advice.UNPAUSE: "`migrate unpause {plan}` lets requests flow again",
    Advice.LEAVE_PLAN: "`hold: false` in the plan lets cut-overs start again",
}
"""Of steps that are about nobody in particular."""
_BEFORE_APPLY: Final = (
    *(Advice.RELEASE, Advice.LEAVE_PLAN, Advice.UNPAUSE, Advice.UNSTICK, Advice.ASK_GATE),
    Advice.APPROVE,
)


def next_action(next: NextStep, plan: str) -> str:
    """The safe thing to do now. ``plan`` is how the plan is called on the command line."""
    if next.lock is not None:
        return _beside(next, next.lock, plan)
    text = _words(next, plan)
    if next.advice in _BEFORE_APPLY:
        return f"{text}; then `migrate apply {plan}` continues from here"
    return text


def _beside(next: NextStep, lock: LockRecord, plan: str) -> str:
    where = f"{lock.owner}@{lock.host}, pid {lock.pid}"
    if next.advice is Advice.MEND:
        return (
            f"read why {next.moves[0]} is halted and mend it; then end the run ({where}) with Ctrl-C, which loses nothing,"
            f" and `migrate retry {plan} --reason TEXT` and `migrate apply {plan}`"
        )
    if next.advice is Advice.WAIT:
        return f"nothing: a run is at work ({where})"
    return f"{_words(next, plan)}{beside(next)}"


def beside(next: NextStep) -> str:
    """Who is at work, as a step that is done beside a run ends with it; empty without a run."""
    lock = next.lock
    return f" (a run is at work: {lock.owner}@{lock.host}, pid {lock.pid})" if lock is not None else ""


def _words(next: NextStep, plan: str) -> str:
    moves = [str(move) for move in next.moves]
    if next.advice is Advice.FREE:
        return f"`migrate apply {plan}` now: writers of {', '.join(moves)} may be blocked, and it frees them first"
    if next.advice is Advice.WRITE_DOWN:
        return f"`migrate apply {plan}` goes on: the cut-over of {moves[0]} was {next.fate}, and no writer waits"
    if next.advice is Advice.RELEASE:
        option = f" --wave {wave}" if (wave := next.scope.removeprefix("wave:")) else ""
        return f"`migrate release {plan}{option}` lets cut-overs start again"
    if next.advice is Advice.APPROVE:
        return f"`migrate approve {plan} {next.scope} --reason TEXT`: wave {next.scope} is ready and waits for that"
    if next.advice is Advice.UNSTICK:
        of = ", ".join(moves[:2]) + (f" and {len(moves) - 2} more" if len(moves) > 2 else "")
        return f"the soak of {of} stands still: {next.remedy}"
    if next.advice is Advice.ASK_GATE and next.silent is not None:
        return f"see why {next.silent}" + (f"; {next.silent.hint}" if next.silent.hint else "")
    return _WORDS[next.advice].format(plan=plan)
