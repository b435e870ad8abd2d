"""How long a move has been healthy, as somebody sees it who has only the true time and the samples as they are recorded.

Decides what an engine may claim at most. Rules: the time between two passing samples counts if it is not too long; a failed
sample takes everything away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from migrator.model.samples import Sample, Verdict

OCCASIONAL = ("no-stragglers", "live-containers")
"""Gates that are asked more rarely than once an interval: they reset the soak, they do not count it."""
COMMIT_SECONDS = 5.0
"""A sample may be recorded so much later than it was taken."""


@dataclass(slots=True)
class _Gate:
    """Healthy time of one gate."""

    total: float = 0.0
    last_pass: float | None = None
    last_sample: Sample | None = None
    by: str = ""


class WatchedSoak:
    """One move's soak.

    Args:
        last_passes: of a store that was put back: when each gate passed last.
        seconds_before: healthy time that such a store knew of: it was observed, before what the store has forgotten.
    """

    def __init__(self, last_passes: Mapping[str, float] | None = None, seconds_before: float = 0.0) -> None:
        self._before = seconds_before
        self._gates = {gate: _Gate(last_pass=at) for gate, at in (last_passes or {}).items()}

    @property
    def seconds(self) -> float:
        """What was observed; infinite before the first sample."""
        totals = [gate.total for name, gate in self._gates.items() if name not in OCCASIONAL]
        return min(totals, default=float("inf")) + self._before

    def begin_again(self) -> None:
        """Nothing that was sampled counts any more."""
        self._gates.clear()

    def take(self, sample: Sample, *, by: str, now: float, interval_seconds: float) -> None:
        """``by`` recorded it at ``now`` (virtual seconds)."""
        gate = self._gates.setdefault(sample.gate, _Gate())
        if sample.verdict is Verdict.FAILED:
            self._before = 0.0
            for one in self._gates.values():
                one.total, one.last_pass, one.last_sample = 0.0, None, None
        elif sample.verdict is Verdict.PASSED:
            gap = now - gate.last_pass if gate.last_pass is not None else 0.0
            if gate.last_sample is not None and gate.by == by:
                # One steady clock made both: it says better than the commit when the round began, and nobody sets it.
                gap = sample.tick - gate.last_sample.tick
            if gap <= 2 * interval_seconds + COMMIT_SECONDS:
                gate.total += gap
            gate.last_pass, gate.last_sample, gate.by = now, sample, by
