"""From where to where may an outcome lie? A likely figure, and how far it may be off.

Decides how much a measurement, an assumption, an estimate of the inventory and earlier outcomes leave open. Pure.
"""

from __future__ import annotations

import math
from typing import Final

from migrator.model.values import value

MEASURED: Final = 0.2
"""Off by so much, as a share, where all was measured."""
ASSUMED: Final = 0.5
"""Where something was assumed."""


@value(frozen=True, slots=True)
class Range:
    """``low <= likely <= high``, in the unit of what it is of."""

    low: float
    likely: float
    high: float

    @classmethod
    def around(cls, likely: float, *shares: float, least: float = 0.0, most: float = 0.0) -> Range:
        """Off by ``shares``, independent of each other: a fifth is from 1/1.2 to 1.2 of it. ``least`` is taken anyway and is
        exact; ``most`` is thinkable too."""
        share = math.hypot(*shares)
        beyond = max(0.0, likely - least)
        return cls(least + beyond / (1.0 + share), likely, max(likely, least + beyond * (1.0 + share), most))

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor)
