"""What the tiers of blobs add to a copy's price: reading them, and deleting them before their time.

Decides how many GiB of which tier are read and deleted. Reading a blob of the tiers Cool and Cold is billed by the GiB, each
time; one in the archive is paid for when it is rehydrated, without which it cannot be moved. What is deleted, or leaves its
tier, before it was there for so many days is billed for the days that are left: of a source that is retired that is said as if
all of it had been written today, so it is the most. Rule: a price that the plan does not say is said to be missing, and counts
nothing.

Source: Azure "Access tiers for blob data" (data retrieval, early deletion), "Estimate the cost of using AzCopy".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from migrator.forecast.inventory import Inventory
from migrator.model.schedule import Prices
from migrator.model.values import value

GIB: Final = 2**30
LEAST_DAYS: Final = {"cool": 30, "cold": 90, "archive": 180}
DAYS_OF_A_MONTH: Final = 30


@value(frozen=True, slots=True)
class Tiered:
    """One move. ``proved_share``: of its bytes, those that are read once more on both sides; ``days_kept``: from now on until its
    source may be retired, None where the plan speaks of no such thing."""

    inventory: Inventory
    proved_share: float
    days_kept: float | None


@value(frozen=True, slots=True)
class TierCost:
    """``early_deletion`` is the most that it can be. ``unpriced``: by the key of ``prices`` that is not there, the GiB (GiB and
    months, for those of months) that count nothing therefore."""

    retrieval: float
    early_deletion: float
    unpriced: Mapping[str, float]


def tier_cost(prices: Prices, moves: Iterable[Tiered]) -> TierCost:
    """Of all moves together."""
    read, months = dict.fromkeys(LEAST_DAYS, 0.0), dict.fromkeys(LEAST_DAYS, 0.0)
    for move in moves:
        for tier, least in LEAST_DAYS.items():
            gib = getattr(move.inventory, f"{tier}_bytes") / GIB
            is_archived = tier == "archive"
            read[tier] += gib * (1.0 if is_archived else 1.0 + 2.0 * move.proved_share)
            kept = 0.0 if is_archived else move.days_kept  # what is rehydrated leaves its tier before the copy
            if kept is not None:
                months[tier] += gib * max(0.0, least - kept) / DAYS_OF_A_MONTH
    unpriced: dict[str, float] = {}

    def priced(what: str, gib: Mapping[str, float]) -> float:
        total = 0.0
        for tier, amount in gib.items():
            key = f"{tier}_{what}_per_gib"
            price = getattr(prices, key)
            if price is None and amount:
                unpriced[key] = amount
            total += amount * (price or 0.0)
        return total

    return TierCost(priced("read", read), priced("month", months), unpriced)


__all__ = ["LEAST_DAYS", "TierCost", "Tiered", "tier_cost"]
