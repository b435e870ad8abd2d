"""One figure against a gate's bounds, and against the source before the switch.

Decides passed, failed or inconclusive and words the reason. Rules: a bound itself passes; between a bound and its
``fail_above`` / ``fail_below`` lies the inconclusive band; a gate without any bound is inconclusive, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from migrator.gates.units import UNITS, figure, with_unit
from migrator.model.samples import Verdict
from migrator.model.schedule import Gate
from migrator.model.values import value

_BADNESS: Final = {Verdict.PASSED: 0, Verdict.INCONCLUSIVE: 1, Verdict.ERRORED: 2, Verdict.FAILED: 3}


@value(frozen=True, slots=True)
class Ruling:
    verdict: Verdict
    reason: str


def worst(rulings: Iterable[Ruling]) -> Ruling:
    """The worst of at least one; of equals the last, which knows most."""
    return max(enumerate(rulings), key=lambda pair: (_BADNESS[pair[1].verdict], pair[0]))[1]


def against_bounds(gate: Gate, value: float) -> Ruling:
    """``min``, ``max``, ``near`` with ``within``, and the band up to ``fail_below`` and ``fail_above``."""
    low, high = limits_of(gate)
    said = with_unit(value, gate.metric)
    if low is None and high is None:
        if gate.relative_to is not None:
            return Ruling(Verdict.PASSED, said)
        return Ruling(Verdict.INCONCLUSIVE, f"{said}, but the gate has no bound to hold it against")
    wanted = _wanted(low, high)
    if low is not None and value < low:
        return _outside(said, wanted, fails=gate.fail_below is None or value < gate.fail_below)
    if high is not None and value > high:
        return _outside(said, wanted, fails=gate.fail_above is None or value > gate.fail_above)
    return Ruling(Verdict.PASSED, f"{said}, wanted {wanted}")


def against_baseline(gate: Gate, value: float, base: float | str) -> Ruling:
    """At most ``max_ratio`` times (1 if not given) what the source showed before the switch; ``base`` in words says why
    that is not known."""
    said = with_unit(value, gate.metric)
    if isinstance(base, str):
        return Ruling(Verdict.INCONCLUSIVE, f"{said}, but {base}")
    ratio = 1.0 if gate.max_ratio is None else gate.max_ratio
    wanted = f"at most {figure(ratio * base)} ({figure(ratio)} times the source's {figure(base)} before the switch)"
    if value > ratio * base:
        return Ruling(Verdict.FAILED, f"{said}, wanted {wanted}")
    return Ruling(Verdict.PASSED, f"{said}, wanted {wanted}")


def limits_of(gate: Gate) -> tuple[float | None, float | None]:
    """What passes. ``fail_*`` alone is a bound without a band."""
    low = gate.min if gate.min is not None else gate.fail_below
    high = gate.max if gate.max is not None else gate.fail_above
    if gate.near is None:
        return low, high
    slack = abs(gate.near) * (gate.within_ratio or 0.0)
    below, above = gate.near - slack, gate.near + slack
    return (below if gate.min is None else max(gate.min, below)), (above if gate.max is None else min(gate.max, above))


def wanted_of(gate: Gate) -> str:
    """What a figure of the gate must be, as a clause: ``at most 0.001 of requests throttled``; empty without any bound."""
    low, high = limits_of(gate)
    unit = UNITS.get(gate.metric or "", "")
    parts = [f"{_wanted(low, high)} {unit}".rstrip()] if low is not None or high is not None else []
    if gate.relative_to is not None:
        times = figure(1.0 if gate.max_ratio is None else gate.max_ratio)
        parts.append(f"at most {times} times what the source showed before the switch")
    return " and ".join(parts)


def _wanted(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {figure(high or 0.0)}"
    if high is None:
        return f"at least {figure(low)}"
    return f"{figure(low)} to {figure(high)}"


def _outside(said: str, wanted: str, *, fails: bool) -> Ruling:
    if fails:
        return Ruling(Verdict.FAILED, f"{said}, wanted {wanted}")
    return Ruling(Verdict.INCONCLUSIVE, f"{said}, wanted {wanted}, but not yet beyond the limit that fails")
