"""Numbers for people: counts, sizes, durations, instants. Pure; the units are in the parameter names."""

from __future__ import annotations

from datetime import UTC, datetime

_STEPS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def count(number: float) -> str:
    """``12,034``."""
    return f"{number:,.0f}"


def many(number: float, thing: str) -> str:
    """``1 wave``, ``2 waves``."""
    return f"{count(number)} {thing}{'' if number == 1 else 's'}"


def size(number_bytes: float) -> str:
    """``0 B``, ``1.2 GiB``: binary steps, one decimal from KiB on."""
    value = float(number_bytes)
    for step in _STEPS[:-1]:
        if abs(value) < 1024:
            return f"{value:.0f} B" if step == "B" else f"{value:.1f} {step}"
        value /= 1024
    return f"{value:.1f} {_STEPS[-1]}"


def duration(seconds: float) -> str:
    """``0.4 s``, ``3 s``, ``42 s``, ``5 min 10 s``, ``3 h 20 min``, ``4 d 2 h``: two units at most, rounded down."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = int(seconds)
    for unit, name, below, below_name in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // below
            return f"{whole // unit} {name} {rest} {below_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def instant(at: datetime | None) -> str:
    """``2026-12-01 02:00:05 UTC``; an em dash for None."""
    return "—" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with seconds (and the fraction if there is one), for JSON."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
