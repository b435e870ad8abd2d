"""Seeded chance of the simulated world: the draws of ``random.Random``, the commonest one cheaper."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance(Random):
    """The same numbers as ``Random`` gives for the same seed."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]
        """As ``Random.choice``, drawn here: a story picks two thousand times."""
        size = len(seq)
        if not size:
            raise IndexError("cannot choose from nothing")
        bits = size.bit_length()
        pick = self.getrandbits(bits)
        while pick >= size:
            pick = self.getrandbits(bits)
        return seq[pick]


__all__ = ["Chance"]
