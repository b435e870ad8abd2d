"""How objects will get across, and whose clock is wrong, as far as can be told without sending anything.

Decides only what is said. Which rung of the ladder a pair really climbs is shown by a canary (``probes``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from migrator.engine.checks.case import of_facts
from migrator.engine.checks.check import Check, Says
from migrator.engine.checks.facts import Facts
from migrator.engine.checks.moments import Asks, When
from migrator.engine.world import World
from migrator.model.findings import Finding
from migrator.model.schedule import PlannedMove

LISTED_CLOCK_SECONDS: Final = 60.0
"""A preview lists for a while after an answer: less than this is no difference."""
CLOCK_SECONDS: Final = 5.0
"""Clocks that are further apart are worth a word: whole seconds and a round trip explain less."""
CLOCK_LIMIT_SECONDS: Final = 300.0
"""Signatures of requests and of copies begin to be refused. Source: Azure takes requests of the last 15 minutes."""


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
        if abs(apart) > LISTED_CLOCK_SECONDS:
            side = "ahead of" if apart > 0 else "behind"
            text = f"this machine's clock is {abs(apart):,.0f} s {side} that of account {name}"
            remedy = (
                "set it by NTP; requests are signed by the service's clock, but change windows and dates go by this one"
            )
            yield Finding("warning", "clock", name, text, remedy)


def examined_clocks(facts: Facts) -> Iterator[Finding]:
    """The same of accounts that were examined, to the second; and of the process that holds the lock."""
    for name, account in sorted(facts.accounts.items()):
        apart = account.clock_seconds
        if apart is None or abs(apart) <= CLOCK_SECONDS:
            continue
        side = "behind" if apart > 0 else "ahead of"
        text = f"this machine's clock is {abs(apart):.0f} s {side} the service's"
        remedy = "set this machine's clock by NTP; change windows and dates go by it, fences and signatures do not"
        yield Finding("error" if abs(apart) > CLOCK_LIMIT_SECONDS else "warning", "clock", name, text, remedy)
    if facts.lock is not None and (age := (facts.now - facts.lock.heartbeat).total_seconds()) < -CLOCK_SECONDS:
        who = f"{facts.lock.owner}@{facts.lock.host}, pid {facts.lock.pid}"
        text = f"the heartbeat of {who} is {-age:.0f} s in the future: the two machines' clocks disagree"
        yield Finding("warning", "clock", "lock", text, "set both by NTP")


CLOCK: Final = Says("clock", ("warning", "error"), "account, lock, move", "two clocks disagree")
CHECKS: Final = (
    Check(
        (CLOCK,),
        frozenset({When.PLAN}),
        lambda case: clocks(case.ports, sorted(case.answers.containers)),
        frozenset({Asks.ACCOUNTS}),
    ),
    Check((CLOCK,), frozenset({When.DOCTOR}), of_facts(examined_clocks), frozenset({Asks.STATE, Asks.ACCOUNTS})),
    Check(
        (
            Says(
                "streamed",
                ("warning",),
                "two accounts",
                "copies between two accounts go through this machine, and why",
            ),
        ),
        frozenset({When.PLAN}),
        lambda case: streamed(case.ports, case.moves),
        frozenset({Asks.ACCOUNTS}),
    ),
)
