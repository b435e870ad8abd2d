"""A hand that damages the route document, and puts it right some time later: as text it is wrong, as JSON it is none the less.

Decides which stories have one, what is wrong and when. Leaves the text to the board (``router``). Rules: the records of the
moves stay whole, so nothing here excuses a fence that stays closed; chance is drawn from a stream of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from migrator.model.moves import MoveRecord, MoveState
from migrator.model.routes import READ_ONLY
from migrator.testing.simulation import themes
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.router import Harm
from migrator.testing.simulation.stage import Stage

DAMAGED_CHANCE = 0.08
LONG_SECONDS = 600.0
"""In shorter stories a fence that stays closed could not be told from one that only takes its time."""
MOMENTS: Final = {"in a fence": 4, "at a switch": 5, "at any time": 1}
"""When it happens, and how often: at a switch is between the decision and the swap."""
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

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._chance = chance = Random(f"{world.seed}/damage")
        # The upper end of the draw: at the lower one is the only story of 400 in which a switch back is released.
        is_one = chance.random() >= 1.0 - DAMAGED_CHANCE or world.theme == themes.DAMAGE
        self.happens = is_one and world.busy_seconds >= LONG_SECONDS
        self._kind = ""
        """What is wrong now."""
        self._moment = ""
        """What the hand waits for."""

    async def work(self) -> None:
        """Again and again, until it is calm; then the document is right."""
        while await self._happened():
            await asyncio.sleep(min(self._chance.choice(DAMAGED_SECONDS), self._left()))
            self._world.note("edited", self._kind, "repaired")
            self._world.board.damage(None, _HAND)
            self._kind = ""

    def saved(self, record: MoveRecord) -> None:
        """A state that is written down."""
        if self._moment == "at a switch" and record.state is MoveState.SWITCHING and self._left() > 0:
            self._begin()

    def _begin(self) -> None:
        self._moment, self._kind = "", self._chance.choice(list(HARMS))
        self._world.note("edited", self._kind, "damaged")
        self._world.board.damage(HARMS[self._kind], _HAND)

    async def _happened(self) -> bool:
        """Wait for the next time; False if there is none."""
        chance = self._chance
        await asyncio.sleep(min(chance.uniform(*BETWEEN_SECONDS), self._left()))
        self._moment = chance.choices(list(MOMENTS), list(MOMENTS.values()))[0]
        while self._moment and self._left() > 0:
            document = self._world.board.document
            modes = {one.mode for one in document.routes.values()} if document is not None else set()
            if modes and (self._moment == "at any time" or (self._moment == "in a fence" and READ_ONLY in modes)):
                self._begin()
            else:
                await asyncio.sleep(chance.uniform(*LOOKS_SECONDS))
        return bool(self._kind)

    def _left(self) -> float:
        return max(0.0, self._world.busy_seconds - self._world.loop.time())
