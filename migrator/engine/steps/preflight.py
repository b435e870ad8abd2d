"""pending, preflight: is the way open, and is the route record ours? A second run finds the record there and claims it."""

from __future__ import annotations

from dataclasses import replace

from migrator.engine.mover import Halt, Mover
from migrator.errors import NotFound
from migrator.machine.events import Event
from migrator.machine.transitions import live_side
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Shape
from migrator.model.routes import READ_ONLY

_PROBE = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)


async def begin(mover: Mover) -> Event:
    return Event.BEGUN


async def preflight(mover: Mover) -> Event:
    """Reach both accounts, prove that the target takes writes (a probe object, removed again), and own the record."""
    source, target = mover.store(mover.plan.source), mover.store(mover.plan.target)
    containers = [info for info in await source.containers() if mover.plan.area.prefixes_in(info.name)]
    for selector in mover.plan.area.selectors:
        if not selector.is_glob and all(info.name != selector.container for info in containers):
            raise Halt(
                f"cannot move {mover.id}: the container {selector.container} is not at {mover.plan.source};"
                " create it, or take it out of the area"
            )
    if containers:
        await target.create_container(containers[0])
        await _probe(mover, containers[0].name)
    await claim(mover, create=True)
    return Event.CHECKED


async def _probe(mover: Mover, container: str) -> None:
    """Also the proof, before any fence, that the way back can be written: both accounts take a write and a delete."""
    for account in (mover.plan.target, mover.plan.source):
        store = mover.store(account)
        name = f"{RESERVED_PREFIX}probe-{mover.world.clock.nonce()}"
        written = await store.put(container, name, b"migrate", _PROBE, condition=CREATE)
        try:
            await store.delete(container, name, if_match=written.etag)
        except NotFound:
            continue


async def claim(mover: Mover, *, create: bool = False) -> None:
    """Make the route record this run's own: same authority, our run. Creates it only if the move never had one.

    Raises Halt where route and state disagree; nothing is compensated then.
    """
    desk, record = mover.shared.desk, mover.record
    found = await desk.record(mover.id)
    live = mover.plan.source if live_side(record) == "source" else mover.plan.target
    if found is None:
        if record.ever_routed or not create:
            raise Halt(
                f"cannot go on with {mover.id}: its route record is gone; put it back as migrate history says, then migrate retry"
            )
        found = desk.first(mover.plan.source, mover.store(mover.plan.source).endpoint)
        await desk.change(mover.id, None, found)
    elif found.lineage != mover.world.state.lineage:
        raise Halt(
            f"cannot go on with {mover.id}: its route record belongs to another state store ({found.lineage});"
            " use that store (--state)"
        )
    elif found.account != live or found.epoch < record.epoch:
        raise Halt(
            f"cannot go on with {mover.id}: route and state disagree (the route names {found.account}, epoch {found.epoch};"
            f" expected {live}, epoch {record.epoch}); put the record back, then migrate retry --reason TEXT"
        )
    is_stale_fence = found.mode == READ_ONLY and record.intent is None
    if is_stale_fence:
        # Nobody's fence that we know of: a release is always safe, and a late switch from it is refused.
        mover.tell("recovery", f"{mover.id}: a fence that no record explains is released")
    if is_stale_fence or found.run != mover.shared.run.id:
        claimed = desk.released(found) if is_stale_fence else desk.stamped(found)
        await desk.change(mover.id, found, claimed)
        found = claimed
    if not record.ever_routed or record.epoch != found.epoch:
        mover.save(replace(record, ever_routed=True, epoch=found.epoch))
