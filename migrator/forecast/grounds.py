"""What a forecast rests on beside plan and inventory: the means, what earlier waves showed, and how much customers change.

Decides which rate of change counts: two listings of the move's own source before what other moves showed. Pure.
"""

from __future__ import annotations

from typing import Final

from migrator.forecast.inventory import Inventory
from migrator.forecast.learned import NOTHING_LEARNED, Corrections
from migrator.forecast.means import UNMEASURED, Means
from migrator.model.values import value


@value(frozen=True, slots=True)
class Grounds:
    """``change_share``: part of all objects that customers change in a second, by earlier waves; None: none showed it."""

    means: Means = UNMEASURED
    learned: Corrections = NOTHING_LEARNED
    change_share: float | None = None

    def changes_per_second(self, inventory: Inventory) -> float | None:
        """None: nobody knows."""
        if inventory.changes_per_second is not None:
            return inventory.changes_per_second
        return None if self.change_share is None else self.change_share * inventory.objects


NO_GROUNDS: Final = Grounds()
