"""What a begun move stands on: where its accounts and the route document are, and what belongs to its area.

A plan may be edited in mid-rollout, but not under a move that has begun: another address behind an account's name, other
containers in an area or another route document would make the evidence speak of something else. Names are the record's
own (``MoveRecord``); this file keeps what the names meant. Addresses and selectors only, never a credential.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from migrator.errors import PlanError
from migrator.kinds import ACCOUNTS, ROUTING
from migrator.model.schedule import Account, PlannedMove, Routing, Schedule


def basis_of(schedule: Schedule, move: PlannedMove) -> dict[str, Any]:
    """The basis as the plan has it now: JSON values, equal for equal meaning."""
    return {
        "source": _place(schedule.accounts[move.source]),
        "target": _place(schedule.accounts[move.target]),
        "area": sorted(f"{one.container}/{one.prefix}" for one in move.area.selectors),
        "routes": _routes(schedule.routing, schedule.accounts),
    }


def require_same(move: PlannedMove, known: Mapping[str, Any], planned: Mapping[str, Any], *, has: str = "") -> None:
    """PlanError if the plan moved what ``move`` stands on."""
    for part, was in known.items():
        now = planned.get(part)
        if now != was:
            what = {"area": f"area {move.area.name}", "routes": "the route document"}.get(part, f"its {part} account")
            why = has or f"{move.id} has begun"
            raise PlanError(
                f"cannot apply this edit: {why}, and {what} was {_shown(was)} then, not {_shown(now)}",
                hint="put it back; what has begun keeps its accounts, its area and its route document",
            )


def _place(account: Account) -> str:
    return ACCOUNTS[account.kind].address(account)


def _routes(routing: Routing, accounts: Mapping[str, Account]) -> str:
    return ROUTING[routing.kind].place(routing, lambda name: _place(accounts[name]) if name in accounts else name)


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
