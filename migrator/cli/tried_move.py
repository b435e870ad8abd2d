"""A move of some hundred objects between two embedded accounts that are made for it and thrown away: how long one takes here.

Decides how much is tried. The data plane itself carries it out, its state store and its hands included, so that whatever makes it
quick or slow is in what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from migrator.adapters.clock import SystemClock
from migrator.adapters.local import LocalStore
from migrator.adapters.state import open_store
from migrator.adapters.workers import InlineExecutor
from migrator.model import notes
from migrator.model.moves import Direction, LockRecord
from migrator.model.names import Area, MoveId, Selector
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Shape
from migrator.model.values import value
from migrator.ports.state_store import SetNote
from migrator.transfer import passes
from migrator.transfer.hands import Hands
from migrator.transfer.limits import Limits
from migrator.transfer.paced import PacedStore, unclaimed
from migrator.transfer.subject import Transfer

if TYPE_CHECKING:
    from migrator.ports.object_store import Operation
    from migrator.ports.state_store import Change, StateStore
    from migrator.transfer.result import PassResult

OBJECTS: Final = 500
BODY: Final = bytes(200)
PLACE: Final = "tried"
COMMITS: Final = 12
PASS_COMMITS: Final = 5
"""Of what a pass takes whatever it copies; no more than half of what was measured."""
_SHAPE: Final = Shape(BlobType.BLOCK, ContentHeaders("application/octet-stream"), {}, {}, None)


@value(frozen=True, slots=True)
class Tried:
    """Seconds, by the clock on the wall. ``an_object`` is None where none was copied."""

    a_commit: float
    an_object: float | None


async def tried(*, copies: bool) -> Tried:
    """MigrateError or OSError if there is no room for it."""
    with TemporaryDirectory(prefix="migrate-") as folder:
        place = Path(folder)
        source, target = LocalStore("source", place / "source.db"), LocalStore("target", place / "target.db")
        try:
            with closing(open_store(f"sqlite:///{place}/state.db", PLACE, create=True)) as state:
                token = _token(state)
                a_commit = _commit_seconds(state, token)
                if not copies:
                    return Tried(a_commit, None)
                await _fill(source)
                transfer = _transfer(state, token, source, target)
                begun = time.perf_counter()
                await passes.run(transfer)
                took = time.perf_counter() - begun
        finally:
            await source.close()
            await target.close()
    return Tried(a_commit, max(took / 2, took - PASS_COMMITS * a_commit) / OBJECTS)


def _token(state: StateStore) -> int:
    now = SystemClock().now()
    return state.acquire(LockRecord(PLACE, 0, PLACE, PLACE, PLACE, 0, PLACE, now, now, 0.0)).token


def _commit_seconds(state: StateStore, token: int) -> float:
    begun = time.perf_counter()
    for number in range(COMMITS):
        state.commit([SetNote(notes.PACE, {"turn": number})], token=token)
    return (time.perf_counter() - begun) / COMMITS


async def _fill(store: LocalStore) -> None:
    await store.create_container(ContainerInfo(PLACE))
    names = (f"object-{number:06}" for number in range(OBJECTS))
    await asyncio.gather(*(store.put(PLACE, name, BODY, _SHAPE, condition=CREATE) for name in names))


class _Unbilled:
    """Nobody bills for it."""

    def count(self, account: str, operation: Operation, *, minute: int, requests: int = 1) -> None: ...


def _transfer(state: StateStore, token: int, source: LocalStore, target: LocalStore) -> Transfer:
    clock = SystemClock()
    limits, stores = Limits(clock), {one.account: one for one in (source, target)}
    doors = {name: PacedStore(one, limits.account(name), _Unbilled(), clock, unclaimed) for name, one in stores.items()}

    def commit(changes: Sequence[Change], tally: PassResult) -> None:
        state.commit(list(changes), token=token)

    async def admit() -> None: ...

    async def admit_until() -> float:
        return clock.monotonic() + 60.0

    return Transfer(
        MoveId(PLACE, PLACE),
        Area(PLACE, (Selector("*"),)),
        Direction.FORWARD,
        doors[source.account],
        doors[target.account],
        state,
        clock,
        commit,
        admit,
        bound_seconds=0.0,
        inherited_seconds=lambda: 0.0,
        hands=Hands(InlineExecutor(stores, clock, adapts=True), clock),
        admit_until=admit_until,
    )
