"""Who must do what now, and what only time is waited for.

Decides the order: writers that wait first, then what needs a person, then who may approve. Leaves what is safe to
``standing.next_step``. Rule: a page that asks for nobody says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from migrator.machine.waiting import Wait, of_now
from migrator.model.moves import MoveState
from migrator.model.units import show_duration
from migrator.model.values import value
from migrator.report.facts import ReportFacts
from migrator.report.plain_words import PERSON, wait_words
from migrator.report.story import listed
from migrator.standing.next_step import NEEDS_NOBODY, Advice, next_step
from migrator.standing.values import MoveStanding, WaveStanding

MOST_STOPPED: Final = 3
"""Moves that stopped, by name and reason; the others are counted."""
_OF_PEOPLE: Final = ("approval", "hold", "pause", "retry", "failed")
"""Waits that end when a person has done something; they are among the actions."""


@value(frozen=True, slots=True)
class Duty:
    """``who`` must act, ``why``, and ``what`` to do. ``is_urgent``: customers or data wait for it; ``is_early``: nothing
    waits for it yet."""

    who: str
    why: str
    what: str
    is_urgent: bool = False
    is_early: bool = False


@value(frozen=True, slots=True)
class Delay:
    """``what`` is waited for; nobody needs to do anything."""

    who: str
    what: str


def actions(facts: ReportFacts) -> tuple[Duty, ...]:
    """What people must do now; nothing where nobody is needed."""
    return tuple(_actions(facts))


def _actions(facts: ReportFacts) -> Iterator[Duty]:
    step = next_step(facts.standing)
    if step.advice not in NEEDS_NOBODY and step.advice is not Advice.APPROVE:  # that comes below, and who may
        who, why = PERSON[step.advice]
        yield Duty(
            who, " ".join([why, *_stopped(facts, step.advice)]), facts.next_action, is_urgent=step.advice is Advice.FREE
        )
    for wave in facts.standing.waves:
        for wait in wave.waits:
            if wait.kind == "approval":
                yield _approval(facts, wave, wait)
    for move in facts.standing.moves:
        if move.way_back is not None and move.way_back.needs_person:
            yield Duty("An operator", f"The way back of {move.record.id} is not ready.", move.way_back.why)


def _stopped(facts: ReportFacts, advice: Advice) -> Iterator[str]:
    """Which moves stopped and why, where that is what a person has to read first."""
    if advice not in (Advice.RETRY_OR_ROLL_BACK, Advice.MEND):
        return
    halted = [move.record for move in facts.standing.moves if move.record.state is MoveState.HALTED]
    for record in halted[:MOST_STOPPED]:
        yield f"{record.id}: {record.reason.rstrip('.')}."
    if len(halted) > MOST_STOPPED:
        yield f"{len(halted) - MOST_STOPPED} more moves have stopped, too."


def _approval(facts: ReportFacts, wave: WaveStanding, wait: Wait) -> Duty:
    planned = facts.planned(wave.name)
    by = listed(list(planned.approval_by)) if planned is not None and planned.approval_by else "Whoever may approve"
    is_ready = any(move.record.state is MoveState.READY for move in wave.moves)
    why = f"Wave {wave.name} {'is ready and waits' if is_ready else 'will wait'} for approval before it switches."
    return Duty(by, why, is_early=not is_ready, what=f"`migrate approve PLAN {wait.who or wave.name} --reason TEXT`")


def waiting(facts: ReportFacts) -> tuple[Delay, ...]:
    """What goes on by itself when its time has come."""
    found = []
    for wave in facts.standing.waves:
        has_stopped = any(move.record.state is MoveState.HALTED for move in wave.moves)
        # A wave is not complete by time alone while one of its moves waits for a person.
        of_people = (*_OF_PEOPLE, "soak") if has_stopped else _OF_PEOPLE
        clauses = [wait_words(wait) for wait in of_now(wave.waits) if wait.kind not in of_people]
        found += [Delay(f"Wave {wave.name}", f"waits for {clause}") for clause in clauses]
    for move in facts.standing.moves:
        found += [
            Delay(str(move.record.id), f"waits: {wait.who}") for wait in move.waits if wait.kind == "away" and wait.who
        ]
        if move.is_fenced:
            found.append(Delay(str(move.record.id), _fenced(move)))
    return tuple(found)


def _fenced(move: MoveStanding) -> str:
    age = "" if move.fence_seconds is None else f" for {show_duration(move.fence_seconds)}"
    return f"its writers have waited{age}, while both accounts are compared; reading goes on"
