"""What the state store says against the next ``apply``: edits that it refuses or that begin a soak again, standing stops, and
moves whose size nobody knows.

Decides what is said. Leaves refusing to the engine: a stop is no error of the plan, and ``apply`` goes on with what it does not
concern. Rule: a command that is named can be pasted as it stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from migrator.engine.checks.case import Case
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.moments import Asks, When
from migrator.engine.edited import edited_findings
from migrator.engine.edits import edit_findings
from migrator.machine.waves import wave_state
from migrator.model.findings import Finding
from migrator.model.moves import MoveRecord, MoveState, WaveState
from migrator.model.schedule import Schedule
from migrator.ports.state_store import StateStore
from migrator.standing.inventory_notes import known_inventories

STOPS: Final = frozenset({"paused", "held", "wave-stopped", "route-disagrees"})
"""Codes of findings that are a standing stop."""


def refused(case: Case) -> Sequence[Finding]:
    return case.facts.edits if case.when is When.DOCTOR else edit_findings(case.schedule, case.state)


def edited(case: Case) -> Iterator[Finding]:
    if case.edited is not None:
        records = {one.id: one for one in case.state.moves()}
        yield from edited_findings(case.edited, records, case.edited_since)


def wishes(case: Case) -> Iterator[Finding]:
    """What operators paused or hold."""
    for control in case.state.controls():
        if not control.value:
            continue
        if control.kind == "pause":
            text = f"{control.who} paused the rollout: apply sends nothing to any account"
            yield Finding("warning", "paused", "rollout", text)
        elif control.kind == "hold":
            held = control.scope.removeprefix("wave:")
            whose, option = (f"wave {held}", f" --wave {held}") if held else ("every wave", "")
            text = f"{control.who} holds {whose}: apply copies, and cuts nothing over"
            yield Finding("warning", "held", held or "rollout", text, f"`migrate release PLAN{option}` lets it go on")


def stopped(case: Case) -> Iterator[Finding]:
    """Waves that wait for a person."""
    reasons = {record.name: record.reason for record in case.state.waves()}
    for name, moves in _waves(case.schedule, case.state).items():
        halted = next((one for one in moves if one.state is MoveState.HALTED), None)
        if halted is not None:
            text = f"wave {name} is halted: {halted.id}: {halted.reason}; apply leaves it as it is, and exits 4"
            remedy = "mend the cause, then `migrate retry PLAN --reason TEXT`, or `migrate rollback PLAN`"
            yield Finding("warning", "wave-stopped", name, text, f"{remedy}; see `migrate doctor PLAN`")
        elif moves and wave_state(moves, is_waiting=False) is WaveState.REVERSED:
            why = f" ({reasons[name]})" if reasons.get(name) else ""
            text = f"wave {name} went back to its source{why}; apply leaves it and the waves below it, and exits 4"
            yield Finding("warning", "wave-stopped", name, text, "`migrate retry PLAN --reason TEXT` starts it afresh")


def _waves(schedule: Schedule, state: StateStore) -> dict[str, list[MoveRecord]]:
    """The records of each wave that is known, in the plan's order; then of waves that only the store still knows."""
    known = {record.id: record for record in state.moves()}
    rest = [wave.name for wave in sorted(state.waves(), key=lambda wave: wave.position)]
    places = {move.id: place for place, move in enumerate(schedule.moves)}
    waves: dict[str, list[MoveRecord]] = {name: [] for name in (*(one.name for one in schedule.waves), *rest)}
    for record in sorted(known.values(), key=lambda one: places.get(one.id, len(places))):
        waves.setdefault(record.wave, []).append(record)
    return waves


def sizes(case: Case) -> Iterator[Finding]:
    """Moves of which nothing was read just now, and what their forecast rests on instead."""
    known = known_inventories(case.schedule, case.state)
    by_origin: dict[str, list[str]] = {}
    for move in case.moves:
        if move.id not in case.answers.inventories:
            one = known.get(move.id)
            by_origin.setdefault(one.origin if one else "", []).append(str(move.id))
    if names := by_origin.get("declared"):
        text = f"the forecast of {_some(names)} rests on the plan's own `inventory`, which nobody has counted"
        yield Finding("info", "inventory-declared", "inventory", text)
    if names := by_origin.get(""):
        text = f"the size of {_some(names)} is unknown: its dates are lower bounds"
        yield Finding("warning", "inventory-unknown", "inventory", text)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


_LOOK: Final = frozenset({When.PLAN})
_ASKS: Final = frozenset({Asks.STATE})
CHECKS: Final = (
    Check(
        (
            Says("plan-edited", ("info",), "plan", "the plan was edited since it was applied last, and what of it"),
            Says(
                "soak-loosened",
                ("warning",),
                "move",
                "an edit loosens a soak that is under way, which starts again",
                "`migrate apply PLAN --reason TEXT` keeps what has soaked, with your word in the journal",
            ),
        ),
        _LOOK,
        edited,
        _ASKS,
    ),
    Check(
        (
            Says(
                "paused",
                ("warning",),
                "rollout",
                "an operator paused the rollout",
                "`migrate unpause PLAN` lets it go on",
            ),
            Says("held", ("warning",), "wave, rollout", "an operator holds cut-overs"),
        ),
        _LOOK,
        wishes,
        _ASKS,
    ),
    Check(
        (Says("wave-stopped", ("warning",), "wave", "a wave is halted, or went back to its source"),),
        _LOOK,
        stopped,
        _ASKS,
    ),
    Check(
        (
            Says(
                "edit-refused",
                ("error",),
                "move, routing",
                "the plan was edited where it may not be: under a move that has begun, or a duration made shorter",
            ),
        ),
        _LOOK | {When.DOCTOR},
        refused,
        _ASKS,
    ),
)
SIZES: Final = Check(
    (
        Says(
            "inventory-declared",
            ("info",),
            "inventory",
            "a forecast rests on the plan's own `inventory`, which nobody has counted",
            "count with --inventory full or sample",
        ),
        Says(
            "inventory-unknown",
            ("warning",),
            "inventory",
            "the size of a move is unknown, so its dates are lower bounds",
            "`migrate plan PLAN` counts what it can read; where it cannot yet, write the region's `inventory`",
        ),
    ),
    _LOOK,
    sizes,
    _ASKS,
)
"""Said last: of what nothing could be read."""
