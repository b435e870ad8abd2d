"""How far away accounts are: how long they take to answer, by what a preview asks anyway and three small questions more.

Decides what is asked and when that is worth it. Leaves what a forecast makes of it to ``forecast``. Rule: reads only, and an
account that does not answer is no obstacle: what is not known is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Final

from migrator.engine.checks.case import Case, Proved
from migrator.errors import CloudError, NotFound
from migrator.forecast.means import Means, is_embedded, pair
from migrator.model.names import RESERVED_PREFIX
from migrator.model.schedule import PlannedMove
from migrator.model.values import replace
from migrator.transfer.together import together

ASKED: Final = 3
NAME: Final = f"{RESERVED_PREFIX}how-far"
"""Of an object that is never there."""
WORTH_OBJECTS: Final = 1_000
"""Below so many objects of a move nothing hangs on it."""


async def means_of(case: Case, known: Means) -> Means:
    """What was ``known`` before, and how long the accounts of ``case`` take to answer now."""
    answers = case.answers
    asked = {
        name: container
        for move in case.moves
        if _is_worth_it(case, move)
        for name in (move.source, move.target)
        if (container := _container(case, move, name)) is not None
    }
    took = await together(*(_seconds(case, name, container) for name, container in asked.items()))
    seconds = {name: one for name, one in zip(asked, took, strict=True) if one}
    return replace(
        known,
        answers={**known.answers, **seconds},
        containers={**known.containers, **{name: answers.took[name] for name in asked if name in answers.took}},
    )


def with_copies(means: Means, proved: Iterable[Proved]) -> Means:
    """A canary's copy tells how long one takes. The way of each pair of accounts counts once."""
    copies = {pair(one.move.source, one.move.target): one.copy_seconds for one in proved if one.copy_seconds}
    return replace(means, copies={**means.copies, **copies})


def _is_worth_it(case: Case, move: PlannedMove) -> bool:
    found = case.answers.inventories.get(move.id)
    return found is not None and found.objects >= WORTH_OBJECTS and not is_embedded(move, case.schedule.accounts)


def _container(case: Case, move: PlannedMove, account: str) -> str | None:
    """One of the move that the account has."""
    if account in case.answers.faults or account in case.answers.absent:
        return None
    there = (info.name for info in case.answers.containers.get(account, ()) if move.area.prefixes_in(info.name))
    return next(there, None)


async def _seconds(case: Case, account: str, container: str) -> float:
    """The median of some small requests; 0.0 where one has no answer."""
    store, now, took = case.store(account), case.ports.clock.monotonic, list[float]()
    for _ in range(ASKED):
        begun = now()
        try:
            await store.head(container, NAME)
        except NotFound:
            pass
        except CloudError:
            return 0.0
        took.append(now() - begun)
    return median(took)
