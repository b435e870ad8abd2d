"""The list of all happenings, read from the modules that have them, so that none can be left out."""

from __future__ import annotations

from typing import Final

from migrator.model.happenings import fences, moves, retiring, rollouts, soaks, waits, wishes
from migrator.model.happenings.happening import Happening

HAPPENINGS: Final[tuple[type[Happening], ...]] = tuple(
    one
    for module in (moves, fences, soaks, retiring, waits, rollouts, wishes)
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, Happening) and one.__module__ == module.__name__
)
"""In the order in which a reader wants them."""
