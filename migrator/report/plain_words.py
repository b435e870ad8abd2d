"""The words of the page: states, stages and terms, for a reader who never saw the program.

Decides what each state is called and where on its way a move is. Rule: a term of the program is said once in brackets or has an
entry in ``TERMS``; everything else is everyday English.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from migrator.machine.states import is_going_back
from migrator.machine.waiting import Wait
from migrator.model.moves import Direction, MoveRecord, MoveState, WaveState
from migrator.standing.next_step import Advice

Tone = Literal["good", "busy", "quiet", "bad", "back"]

S = MoveState
W = WaveState

_STATE: Final[Mapping[MoveState, tuple[str, Tone]]] = {
    S.PENDING: ("not begun", "quiet"),
    S.PREFLIGHT: ("being checked", "busy"),
    S.PROVISIONING: ("making its new account", "busy"),
    S.COPYING: ("copying", "busy"),
    S.CATCHING_UP: ("copying what changed meanwhile", "busy"),
    S.READY: ("ready to switch", "busy"),
    S.FENCING: ("switching, writers wait", "busy"),
    S.DRAINING: ("switching, writers wait", "busy"),
    S.VERIFYING: ("switching, writers wait", "busy"),
    S.SWITCHING: ("switching, writers wait", "busy"),
    S.SOAKING: ("switched, being watched", "busy"),
    S.SOAKED: ("complete", "good"),
    S.REVERSED: ("back at the old account", "back"),
    S.HALTED: ("stopped, needs a person", "bad"),
    S.RETIRING: ("complete, deleting the old data", "good"),
    S.RETIRED: ("complete, old data deleted", "good"),
}
_WAVE: Final[Mapping[WaveState, tuple[str, Tone]]] = {
    W.PENDING: ("not begun", "quiet"),
    W.WAITING: ("waiting", "quiet"),
    W.RUNNING: ("at work", "busy"),
    W.SOAKING: ("switched, being watched", "busy"),
    W.SOAKED: ("complete", "good"),
    W.REVERSED: ("back at the old accounts", "back"),
    W.HALTED: ("stopped, needs a person", "bad"),
    W.RETIRED: ("complete, old data deleted", "good"),
}
STAGES: Final[tuple[str, ...]] = ("Check", "Copy", "Catch up", "Switch", "Watch", "Complete")
WAY_BACK_STAGES: Final[tuple[str, ...]] = ("Asked", "Catch up", "Switch back", "Back")
_STAGE: Final[Mapping[MoveState, int]] = {
    S.PENDING: -1,
    S.PREFLIGHT: 0,
    S.PROVISIONING: 0,
    S.COPYING: 1,
    S.CATCHING_UP: 2,
    S.READY: 3,
    S.FENCING: 3,
    S.DRAINING: 3,
    S.VERIFYING: 3,
    S.SWITCHING: 3,
    S.SOAKING: 4,
    S.SOAKED: 6,
    S.REVERSED: -1,
    S.HALTED: -1,
    S.RETIRING: 6,
    S.RETIRED: 6,
}
"""The stage that a move is in on its way forward; beyond the last one where nothing is left to do."""
_BACK: Final[Mapping[MoveState, int]] = {
    S.CATCHING_UP: 1,
    S.READY: 2,
    S.FENCING: 2,
    S.DRAINING: 2,
    S.VERIFYING: 2,
    S.SWITCHING: 2,
    S.REVERSED: 4,
}
"""The same on its way back."""
VERDICTS: Final[Mapping[str, str]] = {
    "passed": "healthy",
    "failed": "not healthy",
    "inconclusive": "undecided",
    "errored": "no answer",
}
PERSON: Final[Mapping[Advice, tuple[str, str]]] = {
    Advice.WAIT: ("Nobody", "The rollout is at work and goes on by itself."),
    Advice.NOTHING: ("Nobody", "Every move is complete."),
    Advice.MEND: ("An operator", "A move has stopped, and goes on only when a person has put the cause right."),
    Advice.RELEASE: ("An operator", "An operator put the switches on hold; they stay so until the hold is released."),
    Advice.LEAVE_PLAN: ("The plan's author", "The plan itself holds the switches back."),
    Advice.UNPAUSE: ("An operator", "An operator paused the rollout; nothing is sent until it is unpaused."),
    Advice.UNSTICK: ("An operator", "A move has switched, but its health checks do not let it be called complete."),
    Advice.ASK_GATE: ("An operator", "A health check gets no answer, and no switch begins without one."),
    Advice.APPROVE: ("Whoever may approve", "A wave is ready and waits for approval before it switches."),
    Advice.FREE: ("An operator, at once", "Writers may be blocked, and no run is at work to free them."),
    Advice.WRITE_DOWN: ("An operator", "A switch is over, and the records do not say so yet. No writer waits."),
    Advice.AGREE: ("An operator", "What customers' applications are told and what the records say do not agree."),
    Advice.RETRY_OR_ROLL_BACK: ("An operator", "A move has stopped, and a person must decide how it goes on."),
    Advice.FINISH_WAY_BACK: ("An operator", "A way back was begun and is not complete."),
    Advice.BRING_OVER: ("An operator", "Objects were written to an account after customers had left it."),
    Advice.BEGIN_AGAIN: ("An operator", "Moves went back to their old accounts. Nothing tries again by itself."),
    Advice.BEGIN: ("An operator", "Nothing has begun yet."),
    Advice.APPLY: ("An operator", "No run is at work, and there is work left."),
}
"""Who must act, and why, for each step that ``standing.next_step`` knows."""

_WAITS: Final[Mapping[str, str]] = {
    "wave": "wave {who} to be complete",
    "failed": "wave {who}, which stopped, to be put in order",
    "approval": "approval by a person",
    "not-before": "its earliest start",
    "window": "a change window, a time in which the plan allows a switch, that is long enough",
    "freeze": "the end of a freeze, a time in which the plan allows no switch",
    "hold": "the hold of {who} to be released",
    "pause": "the pause of {who} to end",
    "retry": "a person, since it has stopped",
    "soak": "the end of its watch, if all health checks stay good",
    "gate": "{who}",
    "fence": "its switch to end",
    "away": "{who}",
    "unanswered-writes": "its own writes that were not answered, and may still arrive",
}
"""What is waited for, by the kind of ``machine.waiting.Wait``."""


def wait_words(wait: Wait) -> str:
    """``its earliest start, 5 Dec 2026, 01:00 UTC``."""
    text = _WAITS.get(wait.kind, wait.kind).format(who=wait.who or "somebody")
    if wait.kind == "hold" and wait.who == "plan":
        text = "the plan's own hold to be taken out"
    if wait.until is None:
        return f"{text} (none comes)" if wait.kind in ("window", "freeze") else text
    return f"{text}, {wait.until.day} {wait.until:%b %Y, %H:%M} UTC"


TERMS: Final[tuple[tuple[str, str], ...]] = (
    ("area", "A part of the data that switches as one, such as all e-mail events of a region."),
    ("region", "A part of the world whose data is kept together, with one old storage account and its new ones."),
    ("move", "One area of one region going from its old storage account (the source) to its new one (the target)."),
    ("wave", "Moves that are released together. A wave begins when those before it are complete."),
    ("storage account", "Where the data is kept. Each takes only so many requests a minute before it refuses some."),
    ("object", "One stored file. Proved equal means that both accounts hold it with the same size, type and settings;"
     " proved by content means that every byte was compared."),
    ("switch (cut-over)", "The moment when customers' applications are told to use the new account. Reading goes on all the"
     " time; writing waits for seconds or minutes, while the last changes are carried over and both accounts are compared."),
    ("writers' pause (fence)", "How long writing had to wait for the switch. Nothing written before, in or after it is lost."),
    ("watch (soak)", "The time after the switch in which health checks must stay good, without a break, before the move is"
     " called complete. A bad sample begins it anew."),
    ("health check (gate)", "A question asked again and again, of real figures. Each answer is a sample: healthy, not"
     " healthy, undecided, or no answer."),
    ("way back (rollback)", "Customers return to the old account, with everything that was written since the switch."),
    ("change window, freeze", "Times in which the plan allows, or forbids, a switch."),
    ("run", "One call of the program that is at work. If it ends, the next one goes on where it stopped."),
    ("journal", "What happened, in order. Rows are added and never changed."),
)  # fmt: skip


def state_words(record: MoveRecord) -> str:
    if is_going_back(record) and record.state is not S.HALTED:
        return f"going back: {_STATE[record.state][0]}"
    return _STATE[record.state][0]


def tone_of(record: MoveRecord) -> Tone:
    return "back" if is_going_back(record) and record.state is not S.HALTED else _STATE[record.state][1]


def wave_words(state: WaveState) -> str:
    return _WAVE[state][0]


def wave_tone(state: WaveState) -> Tone:
    return _WAVE[state][1]


def stages_of(record: MoveRecord) -> tuple[tuple[str, str], ...]:
    """Each stage of the move's way with where it is: ``done``, ``now``, ``stopped`` or ``ahead``."""
    state = record.resume_from if record.state is S.HALTED and record.resume_from else record.state
    if record.direction is Direction.REVERSE or record.state is S.REVERSED:
        names, at = WAY_BACK_STAGES, _BACK.get(state, 0)
    else:
        names, at = STAGES, _STAGE[state]
    here = "stopped" if record.state is S.HALTED else "now"
    return tuple((name, "done" if place < at else here if place == at else "ahead") for place, name in enumerate(names))
