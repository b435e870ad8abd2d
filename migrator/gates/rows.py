"""Samples of one gate in a row, and when a row is too long.

Decides that a gate has failed or that a person is needed; the healthy time is ``soak``'s. Rules: a row of failures ends with
a passing sample, a row of inconclusive ones with a passing or failed one, a row of errors with any answer. ``failure_limit``
in a row are too many; of the other two kinds one *more* than the limit. The first limit that was passed stays the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from migrator.model.samples import Sample, Verdict
from migrator.model.schedule import Gate
from migrator.model.values import value

SoakVerdict = Literal["soaking", "soaked", "failed", "halt"]

_ENDS: Final[Mapping[Verdict, tuple[Verdict, ...]]] = {
    Verdict.PASSED: (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.ERRORED),
    Verdict.FAILED: (Verdict.INCONCLUSIVE, Verdict.ERRORED),
    Verdict.INCONCLUSIVE: (Verdict.ERRORED,),
    Verdict.ERRORED: (),
}
"""Verdict -> the rows it ends."""


@value(frozen=True, slots=True)
class GateLimits:
    """How much of a gate's doubt or failure is too much. ``min_samples`` counts passing samples with a value since the
    clock last began. ``on_failure`` "halt" for a gate whose failure needs a person whatever the wave says
    (``no-stragglers``)."""

    min_samples: int = 0
    failure_limit: int = 3
    inconclusive_limit: int | None = None
    error_limit: int | None = None
    on_failure: Literal["wave", "halt"] = "wave"

    @classmethod
    def of(cls, gate: Gate) -> GateLimits:
        return cls(gate.min_samples, gate.failure_limit, gate.inconclusive_limit, gate.error_limit)


_DEFAULTS = GateLimits()


@value(frozen=True, slots=True)
class Broken:
    """The limit that was reached first."""

    verdict: Literal["failed", "halt"]
    gate: str
    reason: str


class Rows:
    """Counts rows as samples come, oldest first. ``since``: earlier samples are in no row."""

    def __init__(self, limits: Mapping[str, GateLimits], *, since: datetime | None) -> None:
        self._limits = limits
        self._since = since
        self._rows: dict[str, Counter[Verdict]] = {}
        self.broken: Broken | None = None
        self.real: Counter[str] = Counter()

    @property
    def failures(self) -> dict[str, int]:
        """Failed samples in a row by gate, those with none left out."""
        return {gate: row[Verdict.FAILED] for gate, row in self._rows.items() if row[Verdict.FAILED]}

    def limit(self, gate: str) -> GateLimits:
        return self._limits.get(gate, _DEFAULTS)

    def take(self, samples: Iterable[Sample]) -> None:
        """One round."""
        taken = list(samples)
        if any(one.verdict is Verdict.FAILED for one in taken):
            self.real.clear()
        else:
            self.real.update(one.gate for one in taken if one.verdict is Verdict.PASSED and one.value is not None)
        for one in taken:
            if self._since is None or one.at >= self._since:
                self._count(one)

    def _count(self, sample: Sample) -> None:
        row = self._rows.setdefault(sample.gate, Counter())
        for ended in _ENDS[sample.verdict]:
            row[ended] = 0
        row[sample.verdict] += 1
        self.broken = self.broken or self._break(sample, row[sample.verdict])

    def _break(self, sample: Sample, number: int) -> Broken | None:
        limit = self.limit(sample.gate)
        if sample.verdict is Verdict.FAILED and number >= limit.failure_limit:
            verdict: Literal["failed", "halt"] = "halt" if limit.on_failure == "halt" else "failed"
            return Broken(verdict, sample.gate, _words(sample, number))
        allowed = {Verdict.INCONCLUSIVE: limit.inconclusive_limit, Verdict.ERRORED: limit.error_limit}
        beyond = allowed.get(sample.verdict)
        return Broken("halt", sample.gate, _words(sample, number)) if beyond is not None and number > beyond else None


def _words(sample: Sample, number: int) -> str:
    times = f"{number} times in a row" if number > 1 else "once"
    return f"gate {sample.gate} {sample.verdict.value} {times}: {sample.reason}"
