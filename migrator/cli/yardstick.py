"""How quick this machine is just now, so that forecasts of seconds are forecasts of this machine's seconds.

Decides what is tried: a fixed piece of the work that a name costs, some commits, and, where embedded accounts are to be moved, a
move of some hundred objects between two that are made for it and thrown away. Leaves what follows from it to ``forecast``. Rules:
it is tried only where so much is to be moved that it matters; nothing of the plan's is touched; what cannot be tried is assumed.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from migrator.cli.workers import cores, workers_for
from migrator.errors import MigrateError
from migrator.forecast.inventory import Inventory
from migrator.forecast.means import UNMEASURED, Means, is_embedded
from migrator.model.names import MoveId
from migrator.model.schedule import Schedule
from migrator.model.values import replace

WORTH_OBJECTS: Final = 1_000
"""Of all moves together: below, and below ``WORTH_BYTES``, the whole copy takes a second or so."""
WORTH_BYTES: Final = 64 * 1024 * 1024
TURNS: Final = 9
REST_SECONDS: Final = 0.005
"""Between two turns: a machine that others use too is not measured in one breath."""
REFERENCE_SECONDS: Final = 0.0039
"""What one turn takes on the machine that the figures of ``forecast`` were measured on."""
_PAGE: Final = "".join(
    f"<Blob><Name>visit-{n:09}</Name><Etag>0x8DC{n:012}</Etag><Size>{n}</Size></Blob>" for n in range(400)
).encode()
_ENTRY: Final = re.compile(rb"<Name>([^<]*)</Name><Etag>([^<]*)</Etag><Size>(\d+)</Size>")


def unmeasured(schedule: Schedule, known: Means = UNMEASURED) -> Means:
    """What was ``known``, with as many processes and cores as a run would have here."""
    from migrator.adapters.workers.inline import LOOKS

    return replace(known, processes=workers_for(schedule, None), cores=cores(), looks=LOOKS)


async def means_of_here(schedule: Schedule, inventories: Mapping[MoveId, Inventory], known: Means) -> Means:
    """What was ``known`` of the accounts, and what this machine is like now."""
    means = unmeasured(schedule, known)
    embedded = [move for move in schedule.moves if is_embedded(move, schedule.accounts)]
    known_moves = [inventories[move.id] for move in schedule.moves if move.id in inventories]
    objects = {move.id: inventories[move.id].objects for move in schedule.moves if move.id in inventories}
    if sum(objects.values()) < WORTH_OBJECTS and sum(one.bytes for one in known_moves) < WORTH_BYTES:
        return means
    means = replace(means, slowness=await slowness(), measured_at=datetime.now(UTC))
    from migrator.cli.tried_move import tried

    try:
        found = await tried(copies=sum(objects.get(move.id, 0) for move in embedded) >= WORTH_OBJECTS)
    except (MigrateError, OSError):
        return means
    return replace(means, commit_seconds=found.a_commit, embedded_copy_seconds=found.an_object or 0.0)


async def slowness() -> float:
    """Times as long as the reference, by the clock on the wall: others who use the machine count."""
    took = []
    for _ in range(TURNS):
        begun = time.perf_counter()
        _turn()
        took.append(time.perf_counter() - begun)
        await asyncio.sleep(REST_SECONDS)
    return max(0.2, sum(took) / len(took) / REFERENCE_SECONDS)


def _turn() -> None:
    for _ in range(20):
        found = {match[1].decode(): (match[2].decode(), int(match[3])) for match in _ENTRY.finditer(_PAGE)}
        hashlib.sha256(_PAGE).digest()
        sorted(found)
