"""What the checks of a plan find in a small world, and a gate that says what it is told to."""

from __future__ import annotations

from migrator.engine.checks import probes
from migrator.engine.checks.case import Case
from migrator.engine.checks.check import look
from migrator.engine.checks.moments import Asks, When
from migrator.engine.preview import preview
from migrator.model.findings import Finding
from migrator.model.samples import Reading
from tests.scenario.world import Small


class Answers:
    """A metric source that says what it is told to, and counts how often it was asked."""

    def __init__(self, *faults: Exception | None) -> None:
        self.faults = list(faults)
        self.asked = 0

    async def ask(self, question, *, begin, end):
        self.asked += 1
        fault = self.faults.pop(0) if len(self.faults) > 1 else self.faults[0]
        if fault is not None:
            raise fault
        return Reading(())

    async def close(self):
        pass


async def found(small: Small, *, source=None, **options) -> dict[str, Finding]:
    world = small.rollout().world
    if source is not None:
        world.metrics = {"m": source}
    return {one.code: one for one in (await preview(small.schedule, world, **options)).findings}


def probing(small: Small, world, moves=None) -> Case:
    """A look of ``plan`` that may write to the accounts, at all moves where none are named."""
    moves = list(small.schedule.moves) if moves is None else moves
    may_ask = frozenset({Asks.ACCOUNTS, Asks.WRITES})
    return Case(schedule=small.schedule, when=When.PLAN, moves=moves, may_ask=may_ask, world=world)


async def probed(small: Small, world, moves=None) -> list[Finding]:
    """What sending a probe finds."""
    return list(await look(probes.CHECKS, probing(small, world, moves)))
