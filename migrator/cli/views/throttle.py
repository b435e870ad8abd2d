"""What slows a run down, in lines for ``status``: the present rate of each account, its brake, and operators' wishes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from migrator.cli.views.figures import count, instant
from migrator.model.moves import Control
from migrator.model.pace import THROTTLE, AccountPace, Pace
from migrator.model.units import show_bytes, show_count


def pace_lines(pace: Pace | None) -> list[str]:
    """One line for each account that is asked for something, or held back, and one for how much is under way."""
    if pace is None:
        return []
    window = [f"Up to {pace.window:,} copies are under way at once: as many as pay"] if pace.window else []
    return [
        f"{name}: {count(one.rate_per_second)} requests/s{_brake(name, one)}"
        for name, one in sorted(pace.accounts.items())
        if one.rate_per_second >= 0.5 or one.brake
    ] + window


def wish_lines(controls: Iterable[Control]) -> list[str]:
    """One line for each throttle an operator wants."""
    return [
        f"Throttle of {control.who} since {instant(control.at)}: {told(control)}" for control in throttles(controls)
    ]


def told(control: Control) -> str:
    """``na-core: at most 60 k requests a minute and 10 MiB a second``."""
    return f"{whom(control.scope)}: at most {' and '.join(_parts(control.value))}"


def throttles(controls: Iterable[Control]) -> list[Control]:
    """The wishes among ``controls``, those for all first."""
    return sorted((one for one in controls if one.kind == THROTTLE), key=lambda one: one.scope)


def _parts(value: Mapping[str, Any]) -> list[str]:
    parts = []
    if (requests := value.get("requests_per_minute")) is not None:
        parts.append(f"{show_count(requests)} requests a minute")
    if (size := value.get("bytes_per_second")) is not None:
        parts.append(f"{show_bytes(size)} a second")
    return parts


def whom(scope: str) -> str:
    """Whose budget a throttle of this scope is about."""
    return scope.removeprefix("account:") or "every account"


def _brake(name: str, pace: AccountPace) -> str:
    if pace.brake == "budget":
        return f", throttled by: budget of {name}"
    if pace.brake == "service":
        since = f" since {instant(pace.since)}" if pace.since is not None else ""
        return f", throttled by: the service (503){since}, now {count(pace.pace_per_second or 0.0)} requests/s at most"
    return ""
