"""When a forecast came true: each of copy time, pause and requests within a fifth of what was said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from migrator.forecast.outcome import Comparison, Figure

WITHIN: Final = 0.2
WANTED: Final = 0.9


@dataclass(frozen=True, slots=True)
class Run:
    shape: str
    outcome: Comparison

    @property
    def figures(self) -> dict[str, Figure]:
        return {"copy": self.outcome.copy, "pause": self.outcome.fence, "requests": self.outcome.requests}

    @property
    def is_within(self) -> bool:
        return all(map(is_within, self.figures.values()))


def off(figure: Figure) -> float | None:
    """How far the outcome is from what was said, as a share of it; None where one of them is not known."""
    if figure.actual is None or not figure.forecast:
        return None
    return figure.actual / figure.forecast - 1.0


def is_within(figure: Figure) -> bool:
    found = off(figure)
    return found is not None and abs(found) <= WITHIN


def enough(runs: Sequence[Run]) -> bool:
    """Nine of ten."""
    return sum(one.is_within for one in runs) >= WANTED * len(runs) > 0


def table(runs: Sequence[Run]) -> str:
    """A line for each run and one for all."""
    lines = [f"{'shape':<20}" + "".join(f"{name:>28}" for name in ("copy", "pause", "requests")) + "  within 20 %"]
    for run in runs:
        told = "".join(f"{_told(name, figure):>28}" for name, figure in run.figures.items())
        lines.append(f"{run.shape:<20}{told}  {'yes' if run.is_within else 'no'}")
    for name in ("copy", "pause", "requests"):
        good = sum(is_within(run.figures[name]) for run in runs)
        lines.append(f"{name}: {good} of {len(runs)} within 20 %")
    good = sum(run.is_within for run in runs)
    lines.append(f"all three: {good} of {len(runs)} runs within 20 % ({good / max(1, len(runs)):.0%})")
    return "\n".join(lines)


def _told(name: str, figure: Figure) -> str:
    unit, digits = ("", 0) if name == "requests" else (" s", 2)
    said, came = ("-" if one is None else f"{one:,.{digits}f}{unit}" for one in (figure.forecast, figure.actual))
    found = off(figure)
    return f"{said} -> {came} ({'-' if found is None else f'{found:+.0%}'})"
