"""What slows a run down, in lines for ``status``: the present rate of each account, its brake, and operators' wishes."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.cli.commands.throttle.operation import throttles, told
from migrator.cli.views.figures import count, instant
from migrator.model.moves import Control
from migrator.model.pace import AccountPace, Pace


def pace_lines(pace: Pace | None) -> list[str]:
    """One line for each account that is asked for something, or held back."""
    if pace is None:
        return []
    return [
        f"{name}: {count(one.rate_per_second)} requests/s{_brake(name, one)}"
        for name, one in sorted(pace.accounts.items())
        if one.rate_per_second >= 0.5 or one.brake
    ]


def wish_lines(controls: Iterable[Control]) -> list[str]:
    """One line for each throttle an operator wants."""
    return [
        f"Throttle of {control.who} since {instant(control.at)}: {told(control)}" for control in throttles(controls)
    ]


def _brake(name: str, pace: AccountPace) -> str:
    if pace.brake == "budget":
        return f", throttled by: budget of {name}"
    if pace.brake == "service":
        return f", throttled by: the service (503), now {count(pace.pace_per_second or 0.0)} requests/s at most"
    return ""
