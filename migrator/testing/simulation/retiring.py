"""The end of some stories: the sources of a wave that has soaked are emptied, while hands meddle and processes die.

Decides which stories, what lies in the way, and when the process dies. Leaves what may be deleted to the judge (``emptied``).
Draws from a stream of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Final

from migrator.errors import CloudError
from migrator.machine import liveness
from migrator.machine.states import has_lost_source, has_soaked
from migrator.model.moves import MoveState
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import Shape
from migrator.model.schedule import PlannedMove, PlannedWave, Retire
from migrator.model.values import replace
from migrator.testing.simulation.blobs import Account, Sender
from migrator.testing.simulation.loop import WORLD_BEGINS
from migrator.testing.simulation.processes import Process
from migrator.testing.simulation.stage import Stage
from migrator.testing.simulation.weather import Weather

OWNER: Final = Sender("owner", False)
CHANCE: Final = 0.3
WATCHES: Final = (0.0, 30.0, 300.0)
ATTEMPTS: Final = 6
TROUBLED: Final = 3
"""So many runs meet trouble; then it is calm."""
DIES: Final = 0.6
MEDDLED: Final = 0.5
STORMY: Final = 0.4
LATE_SECONDS: Final = 30.0
STEPS: Final = (5, 20, 60, 200)
"""Of a process until it dies."""


def watch(seed: int) -> Retire:
    return Retire(Random(f"{seed}/watch").choice(WATCHES))


class Retirement:
    """Of one story."""

    def __init__(self, world: Stage) -> None:
        self._world = world
        self._chance = Random(f"{world.seed}/retire")
        self._happens = self._chance.random() < CHANCE

    async def work(self, run_one: Callable[[str, int | None], Awaitable[Process]]) -> None:
        """Empty the sources of a wave that has soaked, if there is one and the story has it; then try to go back."""
        world, chance = self._world, self._chance
        waves = [wave for wave in world.schedule.waves if self._has_soaked(wave)]
        if not self._happens or not waves:
            return
        wave = chance.choice(waves)
        for move in wave.moves:
            if chance.random() < MEDDLED:
                self._meddle(move)
        trouble = [self._keep_meddling(wave), self._storm({move.source for move in wave.moves})]
        tasks = [world.loop.create_task(one, name="retiring", context=world.loop.world) for one in trouble]
        for attempt in range(ATTEMPTS):
            if attempt == TROUBLED:
                await self._calm(tasks)
            dies = attempt < TROUBLED and chance.random() < DIES
            process = await run_one(
                f"retire {wave.name}", int(chance.choice(STEPS) * chance.random()) + 1 if dies else None
            )
            if process.node.alive and all(self._is(move, MoveState.RETIRED) for move in wave.moves):
                break
            await asyncio.sleep(max(liveness.SILENT_SECONDS, world.schedule.retire.watch_seconds))
        await self._calm(tasks)
        for command in ("rollback", "apply"):
            if chance.random() < DIES and any(self._is_let_go(move) for move in wave.moves):
                await run_one(command, None)

    async def _calm(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _storm(self, accounts: set[str]) -> None:
        """In some stories the sources answer badly, until it is calm again."""
        wires = [self._world.wires[name] for name in sorted(accounts)]
        before = [wire.weather for wire in wires]
        if self._chance.random() < STORMY:
            for wire in wires:
                wire.weather = replace(Weather.of(self._chance, late_seconds=LATE_SECONDS), bad_until=float("inf"))
        try:
            await asyncio.sleep(float("inf"))
        finally:
            for wire, weather in zip(wires, before, strict=True):
                wire.weather = weather

    def _has_soaked(self, wave: PlannedWave) -> bool:
        records = [self._world.state.move(move.id) for move in wave.moves]
        return all(record is not None and has_soaked(record.state) for record in records)

    def _is(self, move: PlannedMove, state: MoveState) -> bool:
        record = self._world.state.move(move.id)
        return record is not None and record.state is state

    def _is_let_go(self, move: PlannedMove) -> bool:
        record = self._world.state.move(move.id)
        return record is not None and has_lost_source(record.state)

    async def _keep_meddling(self, wave: PlannedWave) -> None:
        for _ in range(self._chance.choice((0, 1, 3))):
            await asyncio.sleep(self._chance.choice((0.05, 0.5, 5.0, 60.0)))
            self._meddle(self._chance.choice(wave.moves))

    def _meddle(self, move: PlannedMove) -> None:
        """One hand at one name: at the target a customer's, at the source a stranger's."""
        world, chance = self._world, self._chance
        source, target = world.accounts[move.source], world.accounts[move.target]
        places = sorted(
            (container, name)
            for container, held in source.containers.items()
            for name in held.blobs
            if move.area.takes(container, name) and not name.startswith(RESERVED_PREFIX)
        )
        if not places:
            return
        container, name = chance.choice(places)
        act = chance.choice(("erase", "replace", "stray", "lease", "retag"))
        world.note("meddled", act, container, name)
        with suppress(CloudError):
            if act == "erase":
                target.delete(OWNER, container, name, if_match=None, sent_at=world.loop.time())
            elif act == "replace":
                self._write(target, container, name, is_stray=False)
            elif act == "stray":
                self._write(source, container, name, is_stray=True)
            elif act == "retag":
                target.set_tags(OWNER, container, name, {"by": str(chance.random())}, sent_at=world.loop.time())
            else:
                source.leases[container, name] = float("inf")

    def _write(self, account: Account, container: str, name: str, *, is_stray: bool) -> None:
        there = account.peek(container, name)
        if there is None:
            return
        now = self._world.loop.time()
        blob = account.put(
            OWNER,
            container,
            name,
            there.content,  # the very same bytes are another generation all the same
            Shape.of(there.listed),
            condition=None,
            sent_at=now,
            modified=WORLD_BEGINS,
        )
        blob.stray = is_stray
