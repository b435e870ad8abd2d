"""What the gates of a move have seen, thinned to what a chart can show.

Decides which samples count (all that are on record of the move, in the order of their times) and what is kept of them: figures by
bucket, the moments that were not healthy, how many there were of each verdict, the first and the last. Leaves what a verdict
means to the gates.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from migrator.gates.bounds import limits_of, wanted_of
from migrator.model.samples import Sample, Verdict
from migrator.model.schedule import WAY_BACK_READY, Gate, PlannedWave
from migrator.model.values import value
from migrator.report.thinning import Bucket, thin
from migrator.standing.soak_waits import LIVE_CONTAINERS, NO_STRAGGLERS

COLUMNS: Final = 320
"""A chart of a gate is 640 pixels wide: a column for two of them."""
MOST_UNHEALTHY: Final = 120
"""Moments that were not healthy, as marks of a chart; the others are in its table."""
_OWN: Final[Mapping[str, str]] = {
    NO_STRAGGLERS: "nothing is written at the storage account that customers have left",
    LIVE_CONTAINERS: "the storage account that customers use still has all its containers",
    WAY_BACK_READY: "the way back is ready",
}
"""What the built-in gates want."""


@value(frozen=True, slots=True)
class GateHistory:
    """``buckets``: of samples with a figure. ``counts``: samples by verdict. From ``low`` to ``high`` a figure is healthy."""

    name: str
    wanted: str
    metric: str
    counts: Mapping[str, int]
    buckets: tuple[Bucket, ...]
    unhealthy: tuple[tuple[datetime, str], ...]
    first: Sample
    last: Sample
    low: float | None = None
    high: float | None = None

    @property
    def number(self) -> int:
        return sum(self.counts.values())


def histories(samples: Iterable[Sample], wave: PlannedWave | None) -> tuple[GateHistory, ...]:
    """One for each gate that has a sample: the plan's in its order, then the built-in ones, then what the plan knows no more."""
    by_gate: dict[str, list[Sample]] = {}
    for sample in samples:
        by_gate.setdefault(sample.gate, []).append(sample)
    planned = {gate.name: gate for gate in wave.gates} if wave is not None else {}
    order = [name for name in (*planned, *_OWN) if name in by_gate]
    names = [*order, *sorted(set(by_gate) - set(order))]
    return tuple(_history(name, by_gate[name], planned.get(name)) for name in names)


def _history(name: str, samples: Sequence[Sample], gate: Gate | None) -> GateHistory:
    in_order = sorted(samples, key=lambda one: one.at)
    counts = {str(verdict): 0 for verdict in Verdict}
    for sample in in_order:
        counts[str(sample.verdict)] += 1
    bad = [(one.at, str(one.verdict)) for one in in_order if one.verdict is not Verdict.PASSED]
    low, high = limits_of(gate) if gate is not None else (None, None)
    return GateHistory(
        name=name,
        wanted=_OWN.get(name, "") if gate is None else wanted_of(gate),
        metric=(gate.metric or "its query") if gate is not None else "",
        counts={verdict: number for verdict, number in counts.items() if number},
        buckets=thin(((one.at, one.value) for one in in_order if one.value is not None), COLUMNS),
        unhealthy=tuple(bad[:: max(1, -(-len(bad) // MOST_UNHEALTHY))]),
        first=in_order[0],
        last=in_order[-1],
        low=low,
        high=high,
    )
