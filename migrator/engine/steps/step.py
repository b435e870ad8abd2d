"""A step of a move: what it does, what it says that it will do, and what it reports if nothing is in its way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from migrator.engine.ahead import Ahead
from migrator.engine.mover import Do, Mover
from migrator.machine.events import Event


@dataclass(frozen=True, slots=True)
class Step:
    """Called, it does its work and reports what happened.

    ``tells``: the same as a clause, before anything is done, out of the words that the work uses. ``leads_to``: the event of a
    run that meets no obstacle; the law says where it leads. ``instead``: another event, where what is known leads to that.
    """

    do: Do
    tells: Callable[[Ahead], str]
    leads_to: Event
    instead: Callable[[Ahead], Event | None] = lambda ahead: None

    def __call__(self, mover: Mover) -> Awaitable[Event]:
        return self.do(mover)

    def next(self, ahead: Ahead) -> Event:
        return self.instead(ahead) or self.leads_to
