"""What became of a forecast: the figures kept with a wave when it began, beside those it has now.

Decides which figures are comparable: the longest copy, the longest pause of writers, all own requests of the wave's accounts
since it began. Rule: what is not known yet, or was not forecast, is None - a comparison with nothing says nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from migrator.machine.states import is_before_catching_up
from migrator.model.moves import Direction, MoveRecord
from migrator.model.units import show_duration
from migrator.model.values import value

_KEYS = ("copy_seconds", "fence_seconds", "requests")


@value(frozen=True, slots=True)
class Figure:
    """``actual`` and ``forecast`` of one thing, in its unit."""

    actual: float | None
    forecast: float | None


@value(frozen=True, slots=True)
class Comparison:
    """Seconds, seconds, requests. ``copy`` is time spent copying and catching up, by the move that took longest; ``fence`` the
    longest pause of writers."""

    copy: Figure
    fence: Figure
    requests: Figure


def compare(kept: Mapping[str, Any], moves: Iterable[MoveRecord], requests: int | None) -> Comparison:
    """Hold what is recorded of a wave against the forecast kept with it.

    Args:
        kept: ``outlook.to_record`` of when it began; empty if there was none.
        requests: own requests since it began, or None.
    """
    planned = kept.get("moves") or {}
    recorded = list(moves)
    copied = [
        move.figures.copy_seconds
        for move in recorded
        if not is_before_catching_up(move.state) and move.direction is Direction.FORWARD and move.figures.copy_seconds
    ]
    paused = [move.figures.fence_seconds for move in recorded if move.figures.fence_seconds is not None]
    return Comparison(
        copy=Figure(max(copied, default=None), _most(planned, "copy_seconds")),
        fence=Figure(max(paused, default=None), _most(planned, "fence_seconds")),
        requests=Figure(requests, kept.get("requests")),
    )


def _most(planned: Mapping[str, Any], key: str) -> float | None:
    return max((float(one[key]) for one in planned.values() if key in one), default=None)


def told(comparison: Comparison) -> str:
    """One clause for each figure that is known: ``copied in 1 h (forecast 2 h), writers paused 3 s (forecast about 5 s)``."""
    parts = []
    if comparison.copy.actual is not None:
        beside = _beside(comparison.copy.forecast, show_duration)
        parts.append(f"copied in {show_duration(comparison.copy.actual)}{beside}")
    if comparison.fence.actual is not None:
        beside = _beside(comparison.fence.forecast, show_duration, about=True)
        parts.append(f"writers paused {show_duration(comparison.fence.actual)}{beside}")
    if comparison.requests.actual is not None:
        parts.append(
            f"{comparison.requests.actual:,.0f} requests{_beside(comparison.requests.forecast, '{:,.0f}'.format)}"
        )
    return ", ".join(parts)


def _beside(forecast: float | None, show: Callable[[float], str], *, about: bool = False) -> str:
    return "" if forecast is None else f" (forecast {'about ' if about else ''}{show(forecast)})"


def to_evidence(comparison: Comparison) -> dict[str, Any]:
    """JSON values: ``{copy_seconds: {actual, forecast}, fence_seconds: ..., requests: ...}``."""
    figures = (comparison.copy, comparison.fence, comparison.requests)
    return {key: {"actual": one.actual, "forecast": one.forecast} for key, one in zip(_KEYS, figures, strict=True)}


def from_evidence(evidence: Mapping[str, Any]) -> Comparison | None:
    """What ``to_evidence`` wrote; None for anything else."""
    try:
        figures = [Figure(evidence[key]["actual"], evidence[key]["forecast"]) for key in _KEYS]
    except (KeyError, TypeError):
        return None
    return Comparison(*figures)
