"""How fast a run goes at present and what holds it back: written by the engine now and then, read by ``status``.

Decides the written form (JSON values under the note PACE of the state store) and what a ``throttle`` wish means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from migrator.model.moves import Control
from migrator.model.schedule import Budget
from migrator.model.values import replace, value

THROTTLE: Final = "throttle"
"""The kind of a control that retunes a budget; its scope is "" (every account) or ``account:NAME``."""
FRESH_SECONDS: Final = 20.0
"""An older note says nothing about now."""

Brake = Literal["", "budget", "service"]


@value(frozen=True, slots=True)
class AccountPace:
    """``rate_per_second``: requests that were granted; ``pace_per_second``: most that are granted now, None is unlimited.
    ``brake``: what holds requests back, the budget or the service's refusals; ``since``: when the service began to."""

    rate_per_second: float = 0.0
    pace_per_second: float | None = None
    brake: Brake = ""
    since: datetime | None = None


@value(frozen=True, slots=True)
class Pace:
    """``moves``: objects a second by ``region/area``. ``window``: copies that may be under way at once, as many as the service
    takes now; 0: none are handed out."""

    at: datetime
    accounts: Mapping[str, AccountPace]
    moves: Mapping[str, float]
    window: int = 0

    @property
    def is_idle(self) -> bool:
        return not any(self.moves.values()) and all(
            one == AccountPace(pace_per_second=one.pace_per_second) for one in self.accounts.values()
        )


def to_note(pace: Pace) -> dict[str, Any]:
    accounts = {
        name: [
            round(one.rate_per_second, 1),
            one.pace_per_second and round(one.pace_per_second, 2),
            one.brake,
            one.since and one.since.isoformat(),
        ]
        for name, one in pace.accounts.items()
    }
    moves = {id: round(rate, 1) for id, rate in pace.moves.items()}
    return {"at": pace.at.isoformat(), "accounts": accounts, "moves": moves, "window": pace.window}


def from_note(note: Any) -> Pace | None:
    """What ``to_note`` wrote; None if there is nothing (or nothing this version can read)."""
    try:
        accounts = {name: _account(*fields) for name, fields in note["accounts"].items()}
        return Pace(datetime.fromisoformat(note["at"]), accounts, dict(note["moves"]), int(note.get("window", 0)))
    except (TypeError, KeyError, ValueError, AttributeError):
        return None


def _account(rate: float, pace: float | None, brake: Brake, since: str | None = None) -> AccountPace:
    return AccountPace(rate, pace, brake, datetime.fromisoformat(since) if since else None)


def retuned(budget: Budget, account: str, controls: Iterable[Control]) -> Budget:
    """The plan's ``budget`` of ``account`` as operators want it now: a wish for the account comes before one for all."""
    wishes = {control.scope: control.value for control in controls if control.kind == THROTTLE}
    for scope in ("", f"account:{account}"):
        value = wishes.get(scope, {})
        if value.get("requests_per_minute") is not None:
            budget = replace(budget, requests_per_minute=float(value["requests_per_minute"]))
        if value.get("bytes_per_second") is not None:
            budget = replace(budget, bytes_per_second=float(value["bytes_per_second"]))
    return budget
