"""A stretch of a walk: where it goes, and what was found there so far.

A value that the walk shares with what it sets to work (actions, batches, the watch), so that none of those holds the walk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from migrator.transfer.absences import Absences
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer


@dataclass(slots=True)
class Stretch:
    """One container and prefix, in one pass."""

    transfer: Transfer
    container: str
    prefix: str
    in_fence: bool
    result: PassResult = field(default_factory=PassResult)
    absences: Absences = field(init=False)
    """What is concluded from names that were not shown, once both listings have ended."""

    def __post_init__(self) -> None:
        self.absences = Absences(self.container, self.prefix, self.transfer.rhythm.sizes)
