"""Metrics as the plan's ``traffic`` makes them: each account is asked for by the areas whose route names it.

Decides figures by the metric's name. Rule: what cannot be modelled is healthy, and ``unmodelled`` says which gates that is of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from migrator.model.samples import Point, Question, Reading
from migrator.model.schedule import Gate, Schedule
from migrator.model.values import replace

LATENCY_MS: Final = 10.0
"""Of an account that has no more to do than it is able to."""
USUAL_LIMIT: Final = 1_200_000.0
"""Requests a minute, of an account whose limit the plan does not say. Source: Azure "Scalability targets", 20,000 a second."""
MODELLED: Final = frozenset({"requests_per_minute", "throttled_ratio", "e2e_latency_ms", "server_latency_ms"})


class ModelledMetrics:
    """Implements MetricSource. ``live_account``: which account the route of a move names now, None before there is one."""

    def __init__(self, schedule: Schedule, live_account: Callable[[str], str | None]) -> None:
        """``schedule``: with the gates of ``by_name``."""
        self._schedule = schedule
        self._live_account = live_account
        self._healthy = {
            gate.name: healthy(gate) for wave in schedule.waves for gate in wave.gates if gate.query is not None
        }

    async def ask(self, question: Question, *, begin: datetime, end: datetime) -> Reading:
        load = sum(
            move.traffic_per_minute or 0.0
            for move in self._schedule.moves
            if self._live_account(str(move.id)) == question.account
        )
        shown = self._value(question, load)
        points, minute = [], begin.replace(second=0, microsecond=0)
        while minute < end:
            if minute >= begin:
                points.append(Point(minute, shown, load or None))
            minute += timedelta(minutes=1)
        return Reading(tuple(points))

    def _value(self, question: Question, load: float) -> float:
        if question.query is not None:
            return self._healthy[question.query]
        limit = self._schedule.accounts[question.account].requests_per_minute or USUAL_LIMIT
        figures: Mapping[str, float] = {
            "requests_per_minute": load,
            "throttled_ratio": max(0.0, 1.0 - limit / load) if load else 0.0,
            "e2e_latency_ms": LATENCY_MS * max(1.0, load / limit),
            "server_latency_ms": LATENCY_MS * max(1.0, load / limit),
        }
        return figures[question.metric or ""]

    async def close(self) -> None:
        """Nothing is held open."""


def by_name(gate: Gate) -> Gate:
    """A gate that cannot be modelled asks by its own name, so that its answer can be told from the others'."""
    return gate if not gate.source or gate.metric in MODELLED else replace(gate, metric=None, query=gate.name)


def healthy(gate: Gate) -> float:
    """A value that passes ``gate``."""
    if gate.near is not None:
        return gate.near
    if gate.min is not None and gate.max is not None:
        return (gate.min + gate.max) / 2.0
    if gate.max is not None:
        return min(0.0, gate.max)
    return gate.min or 0.0


def unmodelled(schedule: Schedule) -> tuple[str, ...]:
    """Names of gates whose answers are made up."""
    gates = [gate for wave in schedule.waves for gate in wave.gates if gate.source]
    return tuple(dict.fromkeys(gate.name for gate in gates if gate.metric not in MODELLED))
