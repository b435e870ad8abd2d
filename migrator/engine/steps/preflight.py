"""pending, preflight: is the way open, and is the route record ours? A second run finds the record there and claims it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from migrator.engine.mover import ADOPT_HINT, Halt, Mover
from migrator.errors import NotFound, OutcomeUnknown, RouteChanged, Unreachable
from migrator.machine.agreement import Agreement, in_words, judge_route
from migrator.machine.events import Event
from migrator.model.names import RESERVED_PREFIX
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Shape
from migrator.ports.object_store import ObjectStore

CLAIM_ATTEMPTS = 5
PROBES = 5
"""Unanswered probes of one account before the move halts."""
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
    """Also the proof, before any fence, that the way back can be written: both accounts take a write and a delete.

    One that was not answered is tried again under another name; what it may leave behind is outside every comparison."""
    for account in (mover.plan.target, mover.plan.source):
        for attempt in range(1, PROBES + 1):
            try:
                await _probe_once(mover, mover.store(account), container)
                break
            except OutcomeUnknown:
                if attempt == PROBES:
                    raise


async def _probe_once(mover: Mover, store: ObjectStore, container: str) -> None:
    name = f"{RESERVED_PREFIX}probe-{mover.world.clock.nonce()}"
    written = await store.put(container, name, b"migrate", _PROBE, condition=CREATE)
    with suppress(NotFound):
        await store.delete(container, name, if_match=written.etag)


async def claim(mover: Mover, *, create: bool = False) -> None:
    """Make the route record this run's own: same authority, our run. Creates it only if the move never had one.

    Raises Halt where route and state disagree; nothing is compensated then.
    """
    desk = mover.shared.desk
    for attempt in range(CLAIM_ATTEMPTS):
        record, found = mover.record, await desk.record(mover.id)
        agreement = judge_route(record, found, lineage=mover.world.state.lineage)
        if agreement.is_disagreement or (found is None and not create):
            raise Halt(f"cannot go on with {mover.id}: {in_words(record, found, agreement)}; {ADOPT_HINT}")
        if found is None:
            claimed = desk.first(mover.plan.source, mover.store(mover.plan.source).endpoint)
        elif agreement is Agreement.STALE_FENCE:
            mover.tell("recovery", f"{mover.id}: a fence that no record explains is released")
            claimed = desk.released(found)
        else:
            claimed = found if found.run == mover.shared.run.id else desk.stamped(found)
        if claimed != found:
            try:
                await desk.change(mover.id, found, claimed)
            except (RouteChanged, OutcomeUnknown, Unreachable):
                if attempt == CLAIM_ATTEMPTS - 1:
                    raise
                continue  # read again: it may be ours already
        if not record.ever_routed or record.epoch != claimed.epoch:
            mover.save(replace(record, ever_routed=True, epoch=claimed.epoch))
        return
