"""A simulated metric source: one point a minute, good but for the bad stretches of the seed, sometimes silent.

The truth is kept beside the answers, so that the oracle can say how much healthy time there was at most.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from migrator.errors import Unreachable
from migrator.model.samples import Point, Question, Reading
from migrator.model.values import value
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.loop import Node

GOOD = 0.0
BAD = 100.0
"""A gate with ``max`` between the two tells them apart."""


@value(frozen=True, slots=True)
class Stretch:
    begin: datetime
    end: datetime


class MetricWorld:
    """``bad``: stretches of time whose minutes are bad; ``silent_chance``: a question that gets no points."""

    def __init__(
        self,
        seed: str,
        bad: tuple[Stretch, ...],
        *,
        silent_chance: float,
        error_chance: float,
        calm_from: float = float("inf"),
    ) -> None:
        """``calm_from``: virtual second from which on every question is answered."""
        self.calm_from = calm_from
        self.random = Chance(seed)
        self.bad = bad
        self.silent_chance = silent_chance
        self.error_chance = error_chance

    def is_bad(self, at: datetime) -> bool:
        return any(one.begin <= at < one.end for one in self.bad)

    def as_seen_by(self, node: Node) -> SimMetrics:
        return SimMetrics(self, node)


class SimMetrics:
    """One node's door to the metrics; implements MetricSource."""

    def __init__(self, world: MetricWorld, node: Node) -> None:
        self._world = world
        self._node = node

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        self._node.step()
        draw = self._world.random.random() if self._node.loop.time() < self._world.calm_from else 1.0
        if draw < self._world.error_chance:
            raise Unreachable("cannot read the metrics: no answer")
        if draw < self._world.error_chance + self._world.silent_chance:
            return Reading((), "silence")
        points = []
        minute = begin.replace(second=0, microsecond=0)
        while minute < end:
            if minute >= begin:
                points.append(Point(minute, BAD if self._world.is_bad(minute) else GOOD, 1_000_000.0))
            minute += timedelta(minutes=1)
        return Reading(tuple(points))

    async def close(self) -> None:
        """Nothing is held open."""
