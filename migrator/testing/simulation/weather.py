"""How bad the world is: the chances and lengths of everything a service may do to a request.

Decides figures only; store.py and router.py act on them. All times are virtual seconds, all chances in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(slots=True)
class Weather:
    """``late_seconds``: an unanswered write is applied at most so long after it was sent (its credential's bound)."""

    fast_seconds: float = 0.004
    slow_chance: float = 0.02
    slow_seconds: float = 3.0
    very_slow_seconds: float = 0.0
    """Longest of the rare writes that take longer than any drain; 0: there are none."""
    throttled_chance: float = 0.0
    unanswered_chance: float = 0.0
    unanswered_after_seconds: float = 10.0
    late_seconds: float = 300.0
    refused_chance: float = 0.0
    """403 for a reason that passes."""
    marker_refused_chance: float = 0.0
    page_entries: int = 5000
    empty_page_chance: float = 0.0
    tells_texts: bool = False
    """Pages come as texts, which need not be read."""
    copy_gap_chance: float = 0.1
    """A server-side copy reads its source some time before it commits."""
    copy_gap_seconds: float = 2.0
    async_seconds: float = 5.0
    async_pending_chance: float = 0.5
    bad_from: float = 0.0
    bad_until: float = float("inf")
    """Faults happen only within these virtual seconds."""

    @classmethod
    def calm(cls) -> Weather:
        return cls(slow_chance=0.0)

    @classmethod
    def of(cls, random: Random, *, late_seconds: float) -> Weather:
        """Weather of a seed: most seeds have some kinds of trouble, few have all."""

        def maybe(chance: float, most: float) -> float:
            return random.uniform(0.0, most) if random.random() < chance else 0.0

        return cls(
            slow_chance=maybe(0.7, 0.1),
            slow_seconds=random.choice([0.5, 3.0, 20.0]),
            very_slow_seconds=random.choice([0.0, 0.0, late_seconds]),
            throttled_chance=maybe(0.5, 0.1),
            unanswered_chance=maybe(0.6, random.choice((0.03, 0.06, 0.3))),
            unanswered_after_seconds=random.choice([1.0, 10.0, 30.0]),
            late_seconds=late_seconds,
            refused_chance=maybe(0.1, 0.01),
            marker_refused_chance=maybe(0.2, 0.1),
            page_entries=random.choice([2, 5, 11, 5000]),
            empty_page_chance=maybe(0.3, 0.2),
            copy_gap_chance=maybe(0.6, 0.5),
            async_pending_chance=random.random(),
            bad_until=random.choice([float("inf"), 600.0, 3000.0]),
        )
