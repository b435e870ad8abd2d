"""Requests by class of operation, and what they cost.

The classes are those by which own requests are counted and a provider bills: list, read, write, delete, other. Rule: without
``prices`` in the plan there is no cost, not a cost of 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Final

from migrator.forecast.tiers import TierCost, Tiered, tier_cost
from migrator.model.schedule import Prices
from migrator.model.values import value

_GIB: Final = 2**30
_PRICED_TOGETHER: Final = 10_000


@value(frozen=True, slots=True)
class RequestCounts:
    """How many of each class."""

    list: float = 0
    read: float = 0
    write: float = 0
    delete: float = 0
    other: float = 0

    @property
    def total(self) -> float:
        return self.list + self.read + self.write + self.delete + self.other

    def __add__(self, more: RequestCounts) -> RequestCounts:
        return RequestCounts(*(getattr(self, part.name) + getattr(more, part.name) for part in fields(self)))

    def times(self, number: float) -> RequestCounts:
        return RequestCounts(*(getattr(self, part.name) * number for part in fields(self)))


@value(frozen=True, slots=True)
class Cost:
    """In ``currency``, as the plan's ``prices`` have it. ``requests`` is by class, ``gib`` for the bytes copied, ``tiers`` what
    their tiers add."""

    currency: str
    requests: RequestCounts
    gib: float
    tiers: TierCost = TierCost(0.0, 0.0, {})

    @property
    def total(self) -> float:
        """Early deletion is in it, though it is the most that it can be."""
        return self.requests.total + self.gib + self.tiers.retrieval + self.tiers.early_deletion


def cost_of(prices: Prices, requests: RequestCounts, copied_bytes: float, tiered: Iterable[Tiered] = ()) -> Cost:
    """What these requests and bytes cost."""
    spent = {
        part.name: getattr(requests, part.name) / _PRICED_TOGETHER * getattr(prices, f"{part.name}_per_10k")
        for part in fields(RequestCounts)
    }
    gib = copied_bytes / _GIB * prices.data_per_gib
    return Cost(prices.currency, RequestCounts(**spent), gib, tier_cost(prices, tiered))
