"""What a service makes of the name from which a listing is to begin. Chance is drawn from a stream of its own."""

from __future__ import annotations

import sys
from random import Random
from typing import Final, Literal

from migrator.errors import Unsupported
from migrator.model.objects import ListingPage
from migrator.testing.simulation.blobs import Account

Starts = Literal["at", "late", "ignored", "refused", "fickle"]
"""It begins there, or a name too late; it knows no such wish and passes it over; it says so, or it says so now and then."""
LISTS_FROM: Final[tuple[Starts, ...]] = ("at", "at", "at", "at", "at", "late", "ignored", "refused", "fickle")
"""How common each kind of service is."""
FICKLE_CHANCE = 0.2


class Beginnings:
    """Of one account's service."""

    def __init__(self, seed: str) -> None:
        self.kind: Starts = "at"
        self._moods = Random(f"moods {seed}")

    def page(
        self, contents: Account, container: str, prefix: str, marker: str | None, limit: int, start: str | None
    ) -> ListingPage:
        if start is None or self.kind == "ignored":
            return contents.page(container, prefix, marker, limit)
        if self.kind == "refused" or (self.kind == "fickle" and self._moods.random() < FICKLE_CHANCE):
            raise Unsupported(f"cannot list {container} from a name on: {contents.name} cannot do that")
        if self.kind != "late" or marker is not None:
            return contents.page(container, prefix, marker, limit, start)
        every = [one.name for one in contents.page(container, prefix, None, sys.maxsize, start).entries]
        rest = every[2 if every[:1] == [start] else 1 :]
        return contents.page(container, prefix, rest[0], limit) if rest else ListingPage((), None)
