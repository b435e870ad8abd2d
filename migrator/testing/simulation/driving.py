"""The real engine, driven as the command line drives it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from migrator.engine.rollout import Abandon, Rollout
from migrator.engine.world import Outcome, Run
from migrator.engine.world import World as Doors
from migrator.model.schedule import Schedule
from migrator.testing.simulation.loop import NODE

MANY_DELETES = 1_000
"""What an operator says who has looked, and found that the customers did it."""
Engine = Callable[[Schedule, Doors, Run, str], Coroutine[Any, Any, Outcome]]
"""Drives one run; the last argument is the command (apply, rollback, retry)."""


async def real_engine(schedule: Schedule, doors: Doors, run: Run, command: str) -> Outcome:
    """The engine as the command line drives it."""
    rollout = Rollout(schedule, world=doors, run=run)
    node = NODE.get()
    assert node is not None
    node.on_signal = rollout.stop
    if command == "rollback":
        return await rollout.rollback()
    if command == "rollback-abandon":
        return await rollout.rollback(abandon=Abandon("simulated", "operator"))
    if command.startswith("retire "):
        most = {move.id: MANY_DELETES for move in schedule.moves}
        wave = command.removeprefix("retire ")
        return await rollout.retire(wave, most=most, reads_unproved=True, who="operator")
    if command.startswith("rollback-"):
        return await rollout.rollback(on_conflict=command.removeprefix("rollback-"))
    if command.startswith("retry-containers "):
        names = command.removeprefix("retry-containers ").split(",")
        return await rollout.retry(reason="simulated", who="operator", accept_containers=names)
    if command in ("retry", "retry-deletes"):
        accepted = MANY_DELETES if command == "retry-deletes" else None
        outcome = await rollout.retry(reason="simulated", who="operator", accept_deletes=accepted)
        if outcome.code == "halted":  # it says what else there is; this operator reads it
            outcome = await rollout.retry(reason="simulated", who="operator", accept_deletes=accepted, adopt_route=True)
        return outcome
    return await rollout.apply(wait=command != "apply-no-wait")
