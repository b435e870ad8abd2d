"""How figures are written for people: the metrics of a storage account by name, their units, short numbers.

Decides wording only; ``judge`` decides what a figure means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

RATE: Final = "requests_per_minute"
"""The one metric that is itself a number of requests: migration's own are subtracted from it."""

RATIOS: Final = frozenset({"throttled_ratio", "error_ratio"})
AVAILABILITY: Final = "availability_percent"

UNITS: Final[Mapping[str, str]] = {
    RATE: "requests a minute",
    "throttled_ratio": "of requests throttled",
    "error_ratio": "of requests failed",
    "e2e_latency_ms": "ms end to end",
    "server_latency_ms": "ms in the service",
    "availability_percent": "% available",
    "ingress": "bytes a minute in",
    "egress": "bytes a minute out",
}
"""Metric -> how its values are read. One point is one minute (less for local accounts in a short window)."""

WEIGHTED: Final = frozenset(
    {"throttled_ratio", "error_ratio", "e2e_latency_ms", "server_latency_ms", "availability_percent"}
)
"""Metrics that are an average over requests: their mean over a window counts each request once, not each minute."""


def figure(value: float) -> str:
    """Four significant digits, with the plan's decimal ``k`` and ``M``: ``2.1M``, ``1.6k``, ``0.0012``."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit * 0.99995:
            return f"{value / unit:.4g}{name}"
    return f"{value:.4g}"


def with_unit(value: float, metric: str | None) -> str:
    """``2.1M requests a minute``; the bare figure for a query, whose unit only its author knows. No share is said in words."""
    if metric is not None and metric in RATIOS and value == 0:
        return f"no {UNITS[metric].removeprefix('of ')}"
    unit = UNITS.get(metric or "")
    return f"{figure(value)} {unit}" if unit else figure(value)
