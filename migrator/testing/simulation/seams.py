"""What a plan's inventory left of a story's sources: names at which listings of a first copy are parted.

Some are names of the story, some are none, some are old by then: a lane may begin anywhere.
"""

from __future__ import annotations

from random import Random
from typing import Final

from migrator.model import notes
from migrator.model.schedule import Schedule
from migrator.ports.state_store import SetNote, StateStore
from migrator.testing.simulation.terrain import NAMES, ORDERED_APART, Terrain

CHANCE: Final = 0.6
MOST: Final = 4


def keep(seed: int, schedule: Schedule, terrain: Terrain, state: StateStore) -> None:
    chance = Random(f"{seed}/seams")
    if chance.random() >= CHANCE:
        return
    names = (*NAMES, *ORDERED_APART, "m/", "n", "\uffff")
    for move in schedule.moves:
        found = [
            [container, prefix, [prefix + name for name in chance.sample(names, chance.randint(1, MOST))]]
            for account, container in terrain.containers
            if account == move.source
            for prefix in move.area.prefixes_in(container)
        ]
        state.commit([SetNote(notes.seams(move.id, move.source), found)], token=None)
