"""How objects will get across, and whose clock is wrong, as far as a preview can tell without sending anything.

Decides only what is said. Which rung of the ladder a pair really climbs is shown by a canary (``plan --probe``, preflight).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from migrator.engine.world import World
from migrator.model.findings import Finding
from migrator.model.schedule import PlannedMove

CLOCK_SECONDS: Final = 60.0
"""A preview lists for a while after an answer: less than this is no difference."""


def streamed(world: World, moves: Sequence[PlannedMove]) -> Iterator[Finding]:
    """Accounts whose objects go through this machine, because nothing can be lent to the other side to read them."""
    ways = {pair for move in moves for pair in ((move.source, move.target), (move.target, move.source))}
    for origin, destination in sorted(ways):
        if world.unopened.keys() & {origin, destination}:
            continue
        here, there = world.stores[origin], world.stores[destination]
        if here.endpoint.startswith("local:") or there.can_copy_from(here):
            continue
        text = (
            f"objects of {origin} go to {destination} through this machine: no signature to read {origin} can be lent"
        )
        remedy = f"open {origin} with its key or Microsoft Entra ID, and the service copies by itself"
        yield Finding("warning", "streamed", f"{origin} -> {destination}", text, remedy)


def clocks(world: World, accounts: Iterable[str]) -> Iterator[Finding]:
    """Accounts that have just answered, and by whose clock this machine's is wrong."""
    for name in accounts:
        answered = None if name in world.unopened else world.stores[name].answered_at
        apart = 0.0 if answered is None else world.clock.now().timestamp() - answered
        if abs(apart) > CLOCK_SECONDS:
            side = "ahead of" if apart > 0 else "behind"
            text = f"this machine's clock is {abs(apart):,.0f} s {side} that of account {name}"
            remedy = (
                "set it by NTP; requests are signed by the service's clock, but change windows and dates go by this one"
            )
            yield Finding("warning", "clock", name, text, remedy)
