"""The canary: a small object copied source -> target and target -> source, read back and removed, before any fence.

It climbs the same ladder as real copies, so it proves that both accounts take our writes, copies and deletes, and which rung
they will use; above all that the way back works while it is not needed yet. Its names lie under ``.migrate/``, outside every
comparison; what a dead run left of them, or a dead ``plan --probe``, is
removed by the next canary of the same move.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from migrator.engine.leftovers import remove, sweep
from migrator.engine.mover import Mover
from migrator.errors import (
    CloudError,
    ConditionFailed,
    JudgementError,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
    Unreachable,
)
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Listed, Shape
from migrator.ports.clock import Clock
from migrator.ports.object_store import ObjectStore
from migrator.transfer.copying import Copier, same_content

ATTEMPTS = 5
PROBES = f"{RESERVED_PREFIX}probe/"
"""Where ``plan --probe`` sends its objects."""
_SHAPE = Shape(BlobType.BLOCK, ContentHeaders(content_type="text/plain"), {"migrate": "canary"}, {}, None)


async def prove_way_back(mover: Mover) -> None:
    """Before each fence forward: in the first container of the area that both accounts have; nothing if there is none."""
    here = await mover.store(mover.plan.source).containers()
    there = {info.name for info in await mover.store(mover.plan.target).containers()}
    common = [info.name for info in here if info.name in there and mover.plan.area.prefixes_in(info.name)]
    if common:
        await prove_ways(mover, common[0])


async def prove_ways(mover: Mover, container: str) -> None:
    """Prove both ways between the accounts of the move in ``container``, which both have.

    Raises:
        CloudError: an account refuses a read, a write, a copy or a delete; names account and operation.
        JudgementError: what arrived is not what was sent.
    """
    source, target = mover.store(mover.plan.source), mover.store(mover.plan.target)
    for store in (source, target):
        await sweep(store, container, f"{PROBES}{mover.id}/")
    rungs = []
    for origin, destination in ((source, target), (target, source)):
        rungs.append(await _prove(mover, container, origin, destination))
    text = f"{mover.id}: a canary went {mover.plan.source} -> {mover.plan.target} ({rungs[0]}) and back ({rungs[1]})"
    mover.commit(mover.note("canary", text, container=container, forward=rungs[0], back=rungs[1]))


async def _prove(mover: Mover, container: str, origin: ObjectStore, destination: ObjectStore) -> str:
    """One way; how it went, in words. Tried again after what may pass by itself, each time under a new name."""
    for attempt in range(ATTEMPTS):
        try:
            prefix = f"{RESERVED_PREFIX}canary/{mover.id}/"
            return await send(mover.world.clock, prefix, container, origin, destination)
        except (OutcomeUnknown, Unreachable, ConditionFailed, SourceChanged, NotFound):
            if attempt == ATTEMPTS - 1:
                raise
            await mover.world.clock.sleep(1.0 + mover.world.clock.random())
        except CloudError as fault:
            raise type_of(fault)(
                f"cannot prove the way {origin.account} -> {destination.account}: {fault.message}",
                hint=fault.hint or "mend that before the cut-over; nothing was fenced",
            ) from fault
    raise AssertionError("unreachable")


def type_of(fault: CloudError) -> type[CloudError]:
    """Its own family where that needs nothing beside a message."""
    kind = type(fault)
    return kind if kind.__init__ is CloudError.__init__ else CloudError


async def send(clock: Clock, prefix: str, container: str, origin: ObjectStore, destination: ObjectStore) -> str:
    """One object under ``prefix``, one way, compared and removed; what is left there of others is swept first.

    Returns:
        How it went, in words: "by the service" or "streamed through this machine", and why.
    Raises:
        CloudError, JudgementError: as ``prove_ways``.
    """
    name = f"{prefix}{clock.nonce()}"
    for store in (origin, destination):
        await sweep(store, container, prefix)
    async with _removed(origin, container, name), _removed(destination, container, name):
        await origin.put(container, name, name.encode(), _SHAPE, condition=CREATE)
        copier = Copier(origin, destination, clock)
        here = await origin.head(container, name)
        try:
            await copier.copy(container, here, condition=CREATE, in_fence=True)
        except ConditionFailed:
            await _refuse_one_account(origin, destination, container, here)
            raise
        there = await destination.head(container, name)
        if not await same_content(origin, destination, container, here, there):
            raise JudgementError(
                f"cannot trust copies {origin.account} -> {destination.account}: a canary arrived changed",
                hint="something between the two accounts rewrites objects",
            )
    if copier.is_server_side:
        return "by the service"
    return "streamed through this machine" + (f": {copier.why_streamed}" if copier.why_streamed else "")


async def _refuse_one_account(origin: ObjectStore, destination: ObjectStore, container: str, sent: Listed) -> None:
    """A fresh name that is there already: is it the very object that was written at the other side?"""
    if (await destination.head(container, sent.name)).etag == sent.etag:
        raise JudgementError(
            f"cannot move from {origin.account} to {destination.account}: what is written to one is seen at the other",
            hint="they are one account under two addresses: name another target, and remove nothing",
        )


@asynccontextmanager
async def _removed(store: ObjectStore, container: str, name: str) -> AsyncIterator[None]:
    """Removes the object at the end; if that is refused after a success, the way is not proven."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(CloudError):  # the first error says more; the next canary sweeps
            await remove(store, container, name)
        raise
    await remove(store, container, name)
