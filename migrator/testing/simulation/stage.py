"""The world of a story as those see it who act in it: troubles, customers, calendars, signals.

A port: the scenario is the one that keeps it, and holds those who act; none of them holds the scenario.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Protocol

from migrator.model.rhythm import Rhythm
from migrator.model.schedule import Schedule
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation.acts import Writers
from migrator.testing.simulation.blobs import Account
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.loop import Node, SimClock, SimLoop
from migrator.testing.simulation.oracle import Oracle
from migrator.testing.simulation.processes import Process
from migrator.testing.simulation.register import RegisterBoard
from migrator.testing.simulation.router import RouteBoard
from migrator.testing.simulation.store import Wire
from migrator.testing.simulation.terrain import Terrain
from migrator.testing.simulation.weather import Weather


class Seeded(Protocol):
    """A story that is still being made."""

    seed: int
    theme: str
    busy_seconds: float


class Stage(Protocol):
    """Of one story."""

    seed: int
    theme: str
    random: Chance
    """The world's own; whoever draws from it shifts every later draw."""
    reached: Counter[str]
    """What came to pass, by its name in ``reach``."""
    busy_seconds: float
    """Until then customers write, machines die and operators change their minds; then calm."""
    loop: SimLoop
    rhythm: Rhythm
    """Of its engines."""
    terrain: Terrain
    schedule: Schedule
    accounts: dict[str, Account]
    wires: dict[str, Wire]
    board: RouteBoard
    registers: RegisterBoard
    """Where followers enter themselves, if the plan wants that."""
    state: MemoryStateStore
    copies: list[MemoryStateStore]
    """Stores that were copied, or put back."""
    writers: Writers
    numbers: Iterator[int]
    oracle: Oracle
    nodes: list[Node]
    processes: list[Process]
    boots: Counter[str]
    """How often each machine was started again."""
    longest: tuple[float, float]
    """The longest ttl and max_write that any edit of the plan ever said: a run may have published them."""

    def note(self, *facts: Any) -> None:
        """Into the history."""

    def weather(self) -> Weather:
        """Another one, drawn."""

    def node(self, name: str, machine: str = "") -> Node:
        """A process."""

    def clock(self, name: str, boot: str = "") -> SimClock:
        """Of a node."""

    def living(self) -> list[Process]:
        """Engines at work."""

    def start_engine(self, command: str, *, state: MemoryStateStore | None = None) -> Process:
        """On whichever machine, with a store of its own or the one of the story."""

    def plan_durations(self, durations: tuple[float, float]) -> None:
        """Edit ttl and max_write of the plan."""
