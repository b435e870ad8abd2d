"""Stories of their own: a trouble that is rare in the world of an ordinary seed, in each of them and often.

Decides what a theme changes of a world that was made already, and the hands that only it has. Leaves the trouble itself to where
it lives. Rule: a theme draws from a stream of its own, and without one nothing here is drawn, so that the story of an ordinary
seed is what it was.
"""

from __future__ import annotations

import asyncio
from random import Random
from typing import Final

from migrator.testing.simulation.stage import Stage

HANDS: Final = "hands in fences"
DAMAGE: Final = "damaged documents"
UPLOADS: Final = "half uploads"
CLOCKS: Final = "clocks apart"
THEMES: Final = (HANDS, DAMAGE, UPLOADS, CLOCKS)
BESIDE_SECONDS: Final = (30.0, 150.0)
"""Until somebody starts one more apply, on whichever machine."""
APART_SECONDS: Final = (60.0, 1_500.0)
"""How far one machine's clock is from the true time."""
DIES_CHANCE: Final = 0.5
"""How often the run at work dies just before that, so that its lock is in the way."""


def skew(world: Stage, boot: str, drawn: float) -> float:
    """A clock of a machine; ``drawn``: what an ordinary story has."""
    if world.theme != CLOCKS or not boot:
        return drawn
    chance = Random(f"{world.seed}/{boot}/apart")
    return chance.choice((-1.0, 1.0)) * chance.uniform(*APART_SECONDS)


def begin(world: Stage) -> None:
    """The hands that only a theme has."""
    if world.theme == CLOCKS:
        world.loop.create_task(start_beside(world), name=world.theme, context=world.loop.world)


async def start_beside(world: Stage) -> None:
    """One more run, again and again, beside one that is at work on another machine."""
    chance = Random(f"{world.seed}/beside")
    while True:
        await asyncio.sleep(chance.uniform(*BESIDE_SECONDS))
        if world.loop.time() >= world.busy_seconds:
            return
        if chance.random() < DIES_CHANCE:
            for process in world.living()[:1]:
                process.node.kill()
        world.start_engine("apply")
