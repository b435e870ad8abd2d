"""One engine process on its machine: what whoever started it can know of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from migrator.engine.world import Outcome
from migrator.testing.simulation.loop import Node


@dataclass(slots=True)
class Process:
    """One engine process on its machine."""

    node: Node
    task: asyncio.Task[Outcome]
    ended: asyncio.Future[None]
