"""Sources that are kept warm: in half of the worlds, some waves carry back what customers change at their targets.

Decides which, from a stream of its own, so that what else happens in a story is drawn as before. Leaves the passes to the engine,
and what they may do to the judge.
"""

from __future__ import annotations

from random import Random
from typing import Final

from migrator.model.schedule import Schedule
from migrator.model.values import replace

WORLDS: Final = 0.5
"""How many worlds have any."""
WAVES: Final = 0.9
"""How many waves of those."""
WANTED: Final = 0.3
"""How many of these do not soak without a way back that is ready."""


def kept_warm(seed: int, schedule: Schedule) -> Schedule:
    chance = Random(f"{seed}/warm")
    if chance.random() >= WORLDS:
        return schedule
    waves = []
    for wave in schedule.waves:
        is_kept, is_wanted = chance.random() < WAVES, chance.random() < WANTED
        if is_kept:
            cutover = replace(wave.cutover, reverse="continuous")
            wave = replace(wave, cutover=cutover, needs_way_back=is_wanted)
        waves.append(wave)
    return replace(schedule, waves=tuple(waves))
