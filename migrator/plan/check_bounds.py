"""Bounds of a gate that leave nothing to judge: figures that no account can have, or all that it can.

Decides by the range of the metric alone; a query's unit only its author knows. Leaves bounds that contradict each other to
``check_gates``. Rule: a warning, never a fault, for somebody may want a gate that only watches.
"""

from __future__ import annotations

from math import inf
from typing import Final

from migrator.plan.schema import GatePart

_AVAILABILITY: Final = "availability_percent"
_RANGES: Final = {"throttled_ratio": (0.0, 1.0), "error_ratio": (0.0, 1.0), _AVAILABILITY: (0.0, 100.0)}
_COUNTED: Final = (0.0, inf)
"""Whatever else an account shows is a number or a time."""


def pointless(gate: GatePart) -> str | None:
    """Why the gate says nothing whatever its metric shows, as one clause; None if it can pass and can fail."""
    if gate.metric is None or gate.max_ratio is not None:
        return None
    low, high = _RANGES.get(gate.metric, _COUNTED)
    span = (gate.near or 0.0) * (gate.within or 0.0)
    lower = _or(gate.min if gate.near is None else gate.near - span, -inf)
    upper = _or(gate.max if gate.near is None else gate.near + span, inf)
    what = f"{gate.metric} is {low:g} to {high:g}" if high < inf else f"{gate.metric} is {low:g} or more"
    if upper < low or lower > high:
        return f"can never pass: {what}"
    if _or(gate.fail_below, lower) <= low and _or(gate.fail_above, upper) >= high:
        only_lives = gate.on_no_data == "fail" and gate.min is not None and gate.max is None
        return None if only_lives else f"can never fail: {what}"
    if gate.metric == _AVAILABILITY and low < lower <= 1:
        return f"hardly ever fails: {what}, and {lower:g} is less than one percent"
    return None


def _or(bound: float | None, otherwise: float) -> float:
    return otherwise if bound is None else bound
