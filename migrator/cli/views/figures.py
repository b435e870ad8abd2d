"""Numbers for people: counts, sizes, durations, instants. Sizes and durations are written as in plans (``model.units``)."""

from __future__ import annotations

from datetime import UTC, datetime

from migrator.model.units import show_bytes as size
from migrator.model.units import show_duration as duration

__all__ = ["brief", "count", "duration", "instant", "many", "size", "stamp"]


def brief(seconds: float) -> str:
    """A duration for a narrow column: ``1h40m``, ``9m36s``, ``4d``, ``0.4s``."""
    return duration(seconds).replace("min", "m").replace(" ", "")


def count(number: float) -> str:
    """``12,034``."""
    return f"{number:,.0f}"


def many(number: float, thing: str) -> str:
    """``1 wave``, ``2 waves``."""
    return f"{count(number)} {thing}{'' if number == 1 else 's'}"


def instant(at: datetime | None) -> str:
    """``2026-12-01 02:00:05 UTC``; an em dash for None."""
    return "—" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with seconds (and the fraction if there is one), for JSON."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
