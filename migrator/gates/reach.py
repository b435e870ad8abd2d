"""Can a plan's gates be asked at all? Found before anything is copied, not in the first hour of a soak.

Decides from the plan alone; whether a source answers only asking shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from migrator.kinds import METRICS
from migrator.model.findings import Finding
from migrator.model.schedule import Gate, PlannedMove, PlannedWave, Schedule


def gate_findings(schedule: Schedule) -> tuple[Finding, ...]:
    """An error for each account that a gate would ask about without the plan saying what its source finds it by."""
    found = (one for wave in schedule.waves for move in wave.moves for one in _of_move(schedule, wave, move))
    return tuple(dict.fromkeys(found))


def _of_move(schedule: Schedule, wave: PlannedWave, move: PlannedMove) -> Iterator[Finding]:
    for gate in wave.gates:
        kind = METRICS[schedule.metrics[gate.source].kind]
        for name in asked_accounts(gate, move):
            account = schedule.accounts[name]
            missing = [key for key in kind.account_keys if not account.said(key)]
            if missing:
                words = " and ".join(missing)
                text = f"gate {gate.name} cannot ask {kind.title} about {name}: the plan does not say its {words}"
                remedy = f"give account {name} {in_words(kind.account_keys)}"
                yield Finding("error", "gate-cannot-be-asked", name, text, remedy)


def in_words(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def asked_accounts(gate: Gate, move: PlannedMove) -> tuple[str, ...]:
    """The accounts a gate asks about for one move, the one it is compared with last."""
    asked = move.target if gate.account == "target" else move.source
    return (asked, move.source) if gate.relative_to == "source" and asked != move.source else (asked,)
