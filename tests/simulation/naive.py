"""A migrator as people write it on a Friday: copy everything, copy what is newer, point the route at the new account."""

from dataclasses import replace

from migrator.engine.world import Outcome
from migrator.errors import CloudError
from migrator.model.moves import MoveRecord
from migrator.model.objects import CREATE, Condition, Shape
from migrator.model.routes import RouteDocument, RouteRecord
from migrator.ports.object_store import Origin
from migrator.ports.state_store import SaveMove


async def naive_engine(schedule, doors, run, command):
    """No fence, no lease, no evidence: it compares sizes and times."""
    for move in schedule.moves:
        key = str(move.id)
        seen = await doors.router.read(move.id.region)
        document = seen.document or RouteDocument(schedule.routing.ttl_seconds, schedule.routing.max_write_seconds)
        if key in document.routes and document.routes[key].account == move.target:
            continue
        if key not in document.routes:
            record = RouteRecord(move.source, schedule.accounts[move.source].endpoint, "read-write", 1, "l", "", run.id)
            await doors.router.swap(move.id.region, document.with_record(key, record), expected_etag=seen.etag)
        for _ in range(3):
            await _sync(doors, move)
        seen = await doors.router.read(move.id.region)
        old = seen.document.routes[key]
        new = replace(old, account=move.target, endpoint=schedule.accounts[move.target].endpoint, epoch=old.epoch + 1)
        await doors.router.swap(move.id.region, seen.document.with_record(key, new), expected_etag=seen.etag)
        lock = doors.state.lock()
        if lock is not None:
            doors.state.commit([SaveMove(MoveRecord(move.id, "wave-0", move.source, move.target))], token=lock.token)
    return Outcome("done")


async def _sync(doors, move):
    source, target = doors.stores[move.source], doors.stores[move.target]
    for info in await source.containers():
        for prefix in move.area.prefixes_in(info.name):
            await target.create_container(info)
            there = {blob.name: blob for blob in (await target.page(info.name, prefix=prefix)).entries}
            for blob in (await source.page(info.name, prefix=prefix)).entries:
                other = there.get(blob.name)
                if other and other.size == blob.size and other.last_modified >= blob.last_modified:
                    continue
                await _copy(source, target, info.name, blob, other)


async def _copy(source, target, container, blob, other):
    condition = Condition(if_match=other.etag) if other else CREATE
    origin = Origin(source, container, blob.name, blob.etag)
    try:
        await target.start_copy(origin, container, blob.name, Shape.of(blob), condition=condition)
    except CloudError:
        return
