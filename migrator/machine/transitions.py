"""The law of a move.

Rules of this file: nothing here does anything. It holds one table, ``(direction, state, event) -> (direction, state)``, and
the function that reads it. An event that has no row raises and changes nothing. Every diagram and every exhaustive
test is made from the table.

Theory. A move is (direction, state, resume_from when halted). The next step of the engine is a function of it, so a
resume is the ordinary loop run again. Four facts give the table its form:

1. Before the switch the origin is live, and every failure is undone by one *release*; that is why the four states of
   the fence (fencing, draining, verifying, switching) all fall back to catching-up and never to each other.
2. The switch is the only step that moves the truth (an adoption finds out that it had moved already). After it nothing
   falls back: the way back is a new cut-over in the other direction, from catching-up on, with the same rows.
3. A halt remembers where to go on. Out of the fence that is always catching-up: a fence is never resumed. Out of soaked it is
   soaking: nothing halts a move at rest but a route that was elsewhere, and nobody watched the source since. A halt that kept
   its fence on record, because the route could not be explained, may learn later what became of it: released, and it stays
   halted; switched, and nothing is left that a person would have to decide.

4. Where data of the source goes, nothing leads back: a rollback and an adoption have no row there, and no halt could be left.
   What fails leaves the move where it is, at rest, and a person asks again.

Which account is live is not stored; ``live_side`` reads it off (direction, state).
"""

from __future__ import annotations

from typing import Final, Literal

from migrator.errors import InternalError
from migrator.machine.events import Event as E
from migrator.model.moves import Direction as D
from migrator.model.moves import MoveRecord
from migrator.model.moves import MoveState as S
from migrator.model.values import replace, value


@value(frozen=True, slots=True)
class Row:
    """One law: in ``direction`` and ``state``, ``event`` leads to ``to`` (in direction ``turn``). ``why`` where it could
    surprise."""

    direction: D
    state: S
    event: E
    to: S
    turn: D
    why: str = ""


FENCE_STATES: Final = (S.FENCING, S.DRAINING, S.VERIFYING, S.SWITCHING)
"""The route says, or may say, read-only; an intent is on record."""
AT_REST: Final = frozenset({S.SOAKED, S.REVERSED, S.HALTED, S.RETIRING, S.RETIRED})
"""Nothing to do until somebody asks: no apply deletes data of a source, so one that is being retired waits for a person too."""
_BEFORE_FENCE: Final = (S.PENDING, S.PREFLIGHT, S.PROVISIONING, S.COPYING, S.CATCHING_UP, S.READY)


def _rows() -> tuple[Row, ...]:
    rows: list[Row] = []

    def row(direction: D, state: S, event: E, to: S, why: str = "", *, turn: D | None = None) -> None:
        rows.append(Row(direction, state, event, to, turn or direction, why))

    row(D.FORWARD, S.PENDING, E.BEGUN, S.PREFLIGHT)
    row(D.FORWARD, S.PREFLIGHT, E.CHECKED, S.COPYING)
    row(D.FORWARD, S.PREFLIGHT, E.FOUND_NO_ACCOUNT, S.PROVISIONING)
    row(D.FORWARD, S.PROVISIONING, E.PROVISIONED, S.PREFLIGHT, "the new account must pass the same checks")
    row(D.FORWARD, S.COPYING, E.COPIED, S.CATCHING_UP)

    for way in D:
        row(way, S.CATCHING_UP, E.CAUGHT_UP, S.READY)
        row(way, S.READY, E.FELL_BEHIND, S.CATCHING_UP)
        row(way, S.READY, E.ADMITTED, S.FENCING)
        row(way, S.FENCING, E.FENCED, S.DRAINING)
        row(way, S.DRAINING, E.DRAINED, S.VERIFYING)
        row(way, S.VERIFYING, E.PROVED, S.SWITCHING)
        for state in FENCE_STATES:
            row(way, state, E.RELEASED, S.CATCHING_UP, "a fence is never resumed")
        after = S.SOAKING if way is D.FORWARD else S.REVERSED
        row(way, S.SWITCHING, E.SWITCHED, after)

    row(D.FORWARD, S.SOAKING, E.SOAKED, S.SOAKED)
    row(D.FORWARD, S.SOAKED, E.LOST_SIGHT, S.SOAKING, "a soak is of one stay at the target, and this is another")

    row(D.FORWARD, S.SOAKED, E.LET_GO, S.RETIRING, "the point of no return")
    row(D.FORWARD, S.RETIRING, E.RETIRED, S.RETIRED)

    for state in (S.PREFLIGHT, S.PROVISIONING, S.COPYING, S.CATCHING_UP, S.READY, *FENCE_STATES, S.SOAKING, S.SOAKED):
        row(D.FORWARD, state, E.HALTED, S.HALTED)
    for state in (S.CATCHING_UP, S.READY, *FENCE_STATES):
        row(D.REVERSE, state, E.HALTED, S.HALTED)

    for state in _BEFORE_FENCE:
        row(D.FORWARD, state, E.ROLLED_BACK, S.REVERSED, "nothing was switched, so there is nothing to copy back")
    for state in (S.SOAKING, S.SOAKED):
        row(D.FORWARD, state, E.ROLLED_BACK, S.CATCHING_UP, "the same pipeline the other way round", turn=D.REVERSE)
    row(D.REVERSE, S.REVERSED, E.RETRIED, S.PREFLIGHT, "the first fresh start after a way back", turn=D.FORWARD)
    row(D.FORWARD, S.REVERSED, E.RETRIED, S.PREFLIGHT, "it never switched; it starts again")
    row(D.FORWARD, S.PENDING, E.ADOPTED_SOURCE, S.CATCHING_UP, "another state store had begun it")
    row(D.FORWARD, S.PENDING, E.ADOPTED_TARGET, S.SOAKING, "another state store had switched it")
    for way in D:
        row(way, S.REVERSED, E.ADOPTED_SOURCE, S.CATCHING_UP, "whatever was known: forward again", turn=D.FORWARD)
        row(way, S.REVERSED, E.ADOPTED_TARGET, S.SOAKING, "the route is the truth, this record was not", turn=D.FORWARD)
    return tuple(rows)


ROWS: Final = _rows()
_TABLE: Final = {(row.direction, row.state, row.event): row for row in ROWS}


def resume_state(state: S) -> S:
    """Where a move halted in ``state`` goes on."""
    if state is S.SOAKED:
        return S.SOAKING
    return S.CATCHING_UP if state in FENCE_STATES else state


def live_side(move: MoveRecord) -> Literal["source", "target"]:
    """The account that the route names (or will name once an open fence is resolved by a release)."""
    state = move.resume_from if move.state is S.HALTED and move.resume_from else move.state
    if move.direction is D.REVERSE:
        return "source" if state is S.REVERSED else "target"
    return "target" if state in (S.SOAKING, S.SOAKED, S.RETIRING, S.RETIRED) else "source"


def is_allowed(move: MoveRecord, event: E) -> bool:
    try:
        follow(move, event)
    except InternalError:
        return False
    return True


def follow(move: MoveRecord, event: E, *, reason: str = "") -> MoveRecord:
    """The record after ``event``.

    Only state, direction, resume_from and reason change; figures and intent are the engine's to carry.

    Raises:
        InternalError: the law has no row for it; nothing changed.
    """
    if move.state is S.HALTED:
        return _leave_halted(move, event)
    found = _TABLE.get((move.direction, move.state, event))
    if found is None:
        raise InternalError(f"{move.id} is {move.state} ({move.direction}), where {event} cannot happen")
    return replace(
        move,
        state=found.to,
        direction=found.turn,
        resume_from=resume_state(move.state) if event is E.HALTED else None,
        reason=reason,
    )


def _leave_halted(move: MoveRecord, event: E) -> MoveRecord:
    resume = resume_state(move.resume_from or S.CATCHING_UP)
    if event is E.RETRIED:
        return replace(move, state=resume, resume_from=None, reason="")
    if event is E.ROLLED_BACK:
        if move.direction is D.REVERSE:
            return replace(move, state=resume, resume_from=None, reason="")
        return follow(replace(move, state=resume, resume_from=None), event)
    if event in (E.ADOPTED_SOURCE, E.ADOPTED_TARGET):
        to = S.CATCHING_UP if event is E.ADOPTED_SOURCE else S.SOAKING
        return replace(move, state=to, direction=D.FORWARD, resume_from=None, reason="")
    if event is E.RELEASED:
        return move
    if event is E.SWITCHED:
        return follow(replace(move, state=S.SWITCHING, resume_from=None), event)
    raise InternalError(f"{move.id} is halted, where {event} cannot happen")
