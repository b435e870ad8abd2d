"""Runs made side by side, their medians, and the claims that are held against them.

A *sample* is one run; it counts only if it has no fault. Contestants take turns, so that a machine that grows slower or
faster does so for all of them. A figure is the median of a contestant's samples; a claim compares two figures, or one with
a number, and is *open* where a run did not count.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from tests.benchmarks.timed import Timing

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One run over ``objects`` objects. ``fault``: why it does not count, or empty."""

    objects: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    largest_bytes: int
    processes: int
    fault: str = ""

    @classmethod
    def of(cls, timing: Timing, objects: int, fault: str = "") -> Sample:
        return cls(
            objects,
            timing.seconds,
            timing.cpu_seconds,
            timing.peak_bytes,
            timing.largest_bytes,
            timing.processes,
            fault,
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """A contestant's medians. ``counted`` of ``runs`` runs had no fault; without any the numbers are NaN."""

    name: str
    objects_per_second: float
    cpu_us_per_object: float
    peak_mib: float
    largest_mib: float
    runs: int
    counted: int
    faults: tuple[str, ...]
    samples: tuple[Sample, ...] = field(repr=False, default=())

    @classmethod
    def of(cls, name: str, samples: Sequence[Sample]) -> Figures:
        good = [one for one in samples if not one.fault]

        def median(value: Callable[[Sample], float]) -> float:
            return statistics.median(value(one) for one in good) if good else float("nan")

        return cls(
            name,
            median(lambda one: one.objects / one.seconds),
            median(lambda one: one.cpu_seconds / one.objects * 1e6),
            median(lambda one: one.peak_bytes / MIB),
            median(lambda one: one.largest_bytes / MIB),
            len(samples),
            len(good),
            tuple(dict.fromkeys(one.fault for one in samples if one.fault)),
            tuple(samples),
        )

    @property
    def is_whole(self) -> bool:
        return self.counted == self.runs > 0


@dataclass(frozen=True, slots=True)
class Claim:
    """``what`` must be ``at least`` or ``at most`` ``wanted``; ``unit`` follows the numbers (``x`` for a ratio)."""

    what: str
    bound: Literal["at least", "at most"]
    wanted: float
    measured: float
    unit: str = "x"
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.measured != self.measured:  # NaN: a run did not count
            return "open"
        is_met = self.measured >= self.wanted if self.bound == "at least" else self.measured <= self.wanted
        return "met" if is_met else "MISSED"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table of promises, with the figures it was computed from."""

    number: str
    title: str
    objects: int
    figures: tuple[Figures, ...]
    claims: tuple[Claim, ...]

    @property
    def has_faults(self) -> bool:
        return any(not one.is_whole for one in self.figures)

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "title": self.title,
            "objects": self.objects,
            "claims": [asdict(one) | {"verdict": one.verdict} for one in self.claims],
            "contestants": [asdict(one) for one in self.figures],
        }


def take_turns(contestants: Mapping[str, Callable[[], Sample]], runs: int, *, row: str) -> dict[str, Figures]:
    """Run everyone once, then everyone again, ``runs`` times; says on standard error what came out."""
    samples: dict[str, list[Sample]] = {name: [] for name in contestants}
    for turn in range(1, runs + 1):
        for name, contest in contestants.items():
            sample = contest()
            samples[name].append(sample)
            _tell(row, turn, runs, name, sample)
    return {name: Figures.of(name, found) for name, found in samples.items()}


def best(figures: Mapping[str, Figures], prefix: str, value: Callable[[Figures], float], *, least: bool) -> Figures:
    """The best of the contestants whose names begin so, among those that counted."""
    of_it = [one for name, one in figures.items() if name.startswith(prefix)]
    whole = [one for one in of_it if one.counted] or of_it
    return min(whole, key=value) if least else max(whole, key=value)


def rate(figures: Figures) -> float:
    return figures.objects_per_second


def cpu(figures: Figures) -> float:
    return figures.cpu_us_per_object


def _tell(row: str, turn: int, runs: int, name: str, sample: Sample) -> None:
    each = f"{sample.objects / sample.seconds:>9,.0f} objects/s {sample.cpu_seconds / sample.objects * 1e6:>7,.0f} us"
    text = f"{time.strftime('%H:%M:%S')} {row} {turn}/{runs} {name:<16}{each} {sample.peak_bytes / MIB:>6,.0f} MiB"
    print(text + (f"  DOES NOT COUNT: {sample.fault}" if sample.fault else ""), file=sys.stderr, flush=True)
