"""A hand that damages the route document, and puts it right some time later: as text it is wrong, as JSON it is none the less.

Decides which stories have one, what is wrong and when. Leaves the text to the board (``router``). Rules: the records of the
moves stay whole, so nothing here excuses a fence that stays closed; chance is drawn from a stream of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import TYPE_CHECKING, Any, Final

from migrator.model.routes import READ_ONLY
from migrator.testing.simulation.blobs import Sender

if TYPE_CHECKING:
    from migrator.testing.simulation.router import Harm
    from migrator.testing.simulation.scenario import Scenario

DAMAGED_CHANCE = 0.08
LONG_SECONDS = 600.0
"""In shorter stories a fence that stays closed could not be told from one that only takes its time."""
IN_FENCE_CHANCE = 0.8
"""How often it happens while some fence is open."""
BETWEEN_SECONDS = (2.0, 40.0)
LOOKS_SECONDS = (0.5, 5.0)
DAMAGED_SECONDS = (20.0, 300.0, 900.0)
"""Until somebody sees it and puts it right; the last two are longer than most fences may be."""
_OF_OTHERS: Final = {
    "account": "elsewhere",
    "endpoint": "https://elsewhere.blob.example",
    "mode": "read-write",
    "epoch": 3,
    "lineage": "another",
    "updated": "",
    "run": "",
}
_HAND = Sender("hand", False)


def _half_a_character(body: dict[str, Any]) -> None:
    body["routes"]["x\ud800/y"] = dict(_OF_OTHERS)


def _no_record(body: dict[str, Any]) -> None:
    body["routes"]["x/y"] = 5


def _epoch_of_nobody(body: dict[str, Any]) -> None:
    body["routes"]["x/y"] = {**_OF_OTHERS, "epoch": 2**60}


def _no_durations(body: dict[str, Any]) -> None:
    del body["ttl_seconds"]


HARMS: Final[Mapping[str, Harm]] = {
    "an unpaired surrogate in a key": _half_a_character,
    "a record that is none": _no_record,
    "an epoch that nobody can write": _epoch_of_nobody,
    "no durations": _no_durations,
}


class Damage:
    """Of one story."""

    def __init__(self, world: Scenario) -> None:
        self._world = world
        self._chance = chance = Random(f"{world.seed}/damage")
        self.happens = chance.random() < DAMAGED_CHANCE and world.busy_seconds >= LONG_SECONDS

    async def work(self) -> None:
        """Again and again, until it is calm; then the document is right."""
        chance, board, until = self._chance, self._world.board, self._world.busy_seconds
        while await self._waited():
            kind = chance.choice(list(HARMS))
            self._world.note("edited", kind, "damaged")
            board.damage(HARMS[kind], _HAND)
            left = until - self._world.loop.time()
            await asyncio.sleep(min(chance.choice(DAMAGED_SECONDS), left))
            self._world.note("edited", kind, "repaired")
            board.damage(None, _HAND)

    async def _waited(self) -> bool:
        """For the next time; False if there is none."""
        chance, loop = self._chance, self._world.loop
        await asyncio.sleep(chance.uniform(*BETWEEN_SECONDS))
        is_in_fence = chance.random() < IN_FENCE_CHANCE
        while loop.time() < self._world.busy_seconds:
            document = self._world.board.document
            modes = {one.mode for one in document.routes.values()} if document is not None else set()
            if READ_ONLY in modes or (modes and not is_in_fence):
                return True
            await asyncio.sleep(chance.uniform(*LOOKS_SECONDS))
        return False
