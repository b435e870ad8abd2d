"""What a wave waits for, and until when: before it begins, and before a move of it may cut over.

Decides by the plan, the states of the waves, the approvals and a moment that the caller gives. Leaves holds, pauses and the
waiting itself to the engine. Rules:

1. A wave *begins* - and sends its first request - when the waves it comes after are soaked, no earlier wave has failed, and
   ``not_before`` has come.
2. A move *cuts over* when its wave is approved as it is written now, and inside a change window, outside every freeze, with
   room for its whole fence. Copying needs none of these: it is undone by one release and customers do not notice it, while a
   copy that began with the window would have missed it.
3. The way back waits for nobody: neither approval nor window nor freeze keeps a rollback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from migrator.machine.calendar import is_open, next_open, room
from migrator.machine.states import has_failed, is_complete, is_to_begin
from migrator.machine.waves import blocked_by
from migrator.model.moves import Approval, WaveState
from migrator.model.people import Person
from migrator.model.schedule import Freeze, PlannedWave, Schedule
from migrator.model.units import show_duration
from migrator.model.values import value


@value(frozen=True, slots=True)
class Wait:
    """``kind``: wave, failed, approval, not-before, window, freeze, hold, pause, retry, soak, gate; of one move also fence, away
    and unanswered-writes. ``who`` names the wave or the person, or says what is away; ``until`` is the earliest end, None where
    nobody knows one."""

    kind: str
    until: datetime | None = None
    who: str | None = None


_WORDS: Final = {
    "wave": "wave {who} to be soaked",
    "failed": "wave {who}, which stopped, to be put in order (migrate retry or rollback)",
    "approval": "approval: `migrate approve PLAN {who} --reason TEXT`",
    "not-before": "its earliest start",
    "window": "a change window with room for its fence",
    "freeze": "the end of a freeze",
    "hold": "the hold of {who} to be released (`migrate release PLAN`)",
    "pause": "the pause of {who} to end (`migrate unpause PLAN`)",
    "retry": "a person: it is halted",
    "soak": "the end of the soak, if all samples are good",
    "gate": "{who}",
    "fence": "its fence to end",
    "away": "{who}",
    "unanswered-writes": "unanswered writes of its own, which may still be applied",
}


def what(wait: Wait) -> str:
    """What is waited for, without until when."""
    return _WORDS.get(wait.kind, wait.kind).format(who=wait.who or "somebody")


def words(wait: Wait) -> str:
    """One clause for people: ``a change window with room for its fence, 2026-12-05 01:00 UTC``."""
    text = what(wait)
    if wait.kind == "hold" and wait.who == "plan":
        text = "`hold: true` to leave the plan"
    if wait.until is not None:
        return f"{text}, {wait.until:%Y-%m-%d %H:%M} UTC"
    return f"{text} (none comes)" if wait.kind in ("window", "freeze") else text


def of_now(waits: Iterable[Wait]) -> list[Wait]:
    """Without windows and freezes of a wave that waits for another one: that ends later, and which window is open then is not
    that of today."""
    given = list(waits)
    is_behind = any(wait.kind in ("wave", "failed") for wait in given)
    return [wait for wait in given if not (is_behind and wait.kind in ("window", "freeze"))]


def waits_to_begin(
    schedule: Schedule, wave: PlannedWave, states: Mapping[str, WaveState], now: datetime
) -> tuple[Wait, ...]:
    """Rule 1, also of a wave that has begun: it goes on under the same rule, but for its date. ``states``: of every wave of the
    plan."""
    waits = [Wait("wave", who=name) for name in blocked_by(wave.after, states)]
    waits += [Wait("failed", who=name) for name in failed_before(schedule, wave, states) if name not in wave.after]
    if wave.not_before is not None and wave.not_before > now and is_to_begin(states[wave.name]):
        waits.append(Wait("not-before", until=wave.not_before))
    return tuple(waits)


def failed_before(schedule: Schedule, wave: PlannedWave, states: Mapping[str, WaveState]) -> tuple[str, ...]:
    """The waves above ``wave`` that stopped: a failure stops every later wave, whatever it comes after."""
    names = [one.name for one in schedule.waves]
    above = names[: names.index(wave.name)]
    return tuple(name for name in above if has_failed(states[name]))


def waits_to_cut_over(
    wave: PlannedWave,
    freezes: Sequence[Freeze],
    approvals: Sequence[Approval],
    now: datetime,
    *,
    needed: timedelta = timedelta(),
) -> tuple[Wait, ...]:
    """Rule 2. ``needed``: how long the fence is forecast to last."""
    waits = []
    if wave.approval_required and not is_approved(wave, approvals):
        waits.append(Wait("approval", who=wave.name))
    left = room(wave.change_windows, freezes, now)
    if left is not None and left < max(needed, timedelta(microseconds=1)):
        is_frozen = not is_open((), freezes, now)
        until = next_open(wave.change_windows, freezes, now, needed=needed)
        waits.append(Wait("freeze" if is_frozen else "window", until=until))
    return tuple(waits)


def is_approved(wave: PlannedWave, approvals: Sequence[Approval]) -> bool:
    """By somebody who may, and who saw the wave as it is written now: an edited wave needs a new approval."""
    return any(
        given.wave == wave.name and given.fingerprint == wave.fingerprint and may_approve(wave, Person.read(given.who))
        for given in approvals
    )


def may_approve(wave: PlannedWave, person: Person, author: str | None = None) -> bool:
    """Is the person one whom the wave's approval asks for? ``author``: who applied or edited the plan, where that is known."""
    if wave.approval_by and not person.admitted & set(wave.approval_by):
        return False
    return not (wave.approval_not_by_author and author and person.barred & Person.read(author).barred)


def counted(waves: Sequence[PlannedWave], approvals: Sequence[Approval], author: str | None) -> tuple[Approval, ...]:
    """The approvals without those that an author gave to a wave whose author may not."""
    known = {wave.name: wave for wave in waves}
    return tuple(
        one for one in approvals if one.wave not in known or may_approve(known[one.wave], Person.read(one.who), author)
    )


def lateness(wave: PlannedWave, state: WaveState, now: datetime) -> str | None:
    """What to say of a wave that is not complete at its promised date; it stops nothing."""
    if wave.complete_by is None or now < wave.complete_by or is_complete(state):
        return None
    by = show_duration((now - wave.complete_by).total_seconds())
    return f"wave {wave.name} is {by} late: it was to be complete by {wave.complete_by:%Y-%m-%d %H:%M} UTC"
