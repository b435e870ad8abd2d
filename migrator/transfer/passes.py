"""One pass over a move: join both listings, decide about each name, act, and leave evidence range by range.

A pass is the same for the first copy, every catch-up and the barrier; they differ only in what the engine makes of the
result. A *watch* is a pass that writes nothing: it compares the side that should be still with the evidence.
Leaves one container and prefix to walk.py, one name to decide.py and actions.py, deletes to deletes.py.

Checkpoints: the names a range of at most SPLIT_AT is about to write are committed as pending, then its evidence, in
one commit each; a pass that dies is simply run again. Deletes wait until both listings of a container are complete.
Memory: the names of the ranges in flight (walk.NAMES_IN_FLIGHT) and the delete candidates, which the cap bounds.
"""

from __future__ import annotations

import asyncio

from migrator.model.moves import EvidenceRange
from migrator.model.objects import ContainerInfo
from migrator.ports.state_store import Change, DropOutstanding, ReplaceRanges, SetNote
from migrator.transfer import sweeping
from migrator.transfer.copying import Copier
from migrator.transfer.deletes import Candidates, delete_candidates
from migrator.transfer.evidence import Evidence
from migrator.transfer.order import ORDERS, Order, OrderBroken, next_order
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer
from migrator.transfer.walk import Walk


async def run(transfer: Transfer, *, in_fence: bool = False) -> PassResult:
    """One pass that carries differences over. Safe to repeat after any interruption."""
    result = PassResult()
    begun = transfer.clock.monotonic()
    transfer.load()
    expired, candidates = transfer.expired(), Candidates()
    if transfer.copier is None:
        transfer.copier = Copier(transfer.origin, transfer.destination, transfer.clock)
    transfer.staged = sweeping.known(transfer)
    for container, is_at_origin in await _containers(transfer, create=True):
        for prefix in transfer.area.prefixes_in(container):
            found = await _ordered(transfer, container, prefix, is_at_origin, result, in_fence=in_fence, watch=False)
            candidates.add(container, found, is_at_origin=is_at_origin)
    await delete_candidates(transfer, candidates, result)
    await sweeping.sweep(transfer, result)
    # They could not be applied any more when this pass began, and it has seen every name since. One that was not answered again
    # meanwhile is another write, on record in the older one's place.
    gone = [write for write in expired if transfer.outstanding.get((write.container, write.name)) is write]
    if gone:
        transfer.commit([DropOutstanding(transfer.move, w.side, w.container, w.name) for w in gone], PassResult())
    result.seconds = transfer.clock.monotonic() - begun
    return result


async def watch(transfer: Transfer) -> PassResult:
    """Compare the side that must be still (the origin of ``direction``) with the evidence; writes exception rows."""
    result = PassResult()
    begun = transfer.clock.monotonic()
    transfer.load()
    for container, is_at_origin in await _containers(transfer, create=False):
        for prefix in transfer.area.prefixes_in(container):
            await _ordered(transfer, container, prefix, is_at_origin, result, in_fence=False, watch=True)
    result.seconds = transfer.clock.monotonic() - begun
    return result


async def _containers(transfer: Transfer, *, create: bool) -> list[tuple[str, bool]]:
    """Containers of the area on either side or in the evidence, and whether the origin has them now."""
    here, there = await asyncio.gather(transfer.origin.containers(), transfer.destination.containers())
    at_origin = {info.name: info for info in here}
    at_destination = {info.name for info in there}
    known = {container for container, _ in transfer.state.containers_with_ranges(transfer.move)}
    names = sorted(name for name in {*at_origin, *at_destination, *known} if transfer.area.prefixes_in(name))
    for name in names:
        if create and name in at_origin and name not in at_destination:
            await transfer.admit()
            await transfer.destination.create_container(ContainerInfo(name, at_origin[name].metadata))
    return [(name, name in at_origin) for name in names]


async def _ordered(
    transfer: Transfer,
    container: str,
    prefix: str,
    is_at_origin: bool,
    result: PassResult,
    *,
    in_fence: bool,
    watch: bool,
) -> list[tuple[str, str]]:
    """Run the join under the container's recorded order, moving on to the next one if a listing breaks it. Returns what is to
    be deleted: (name, ETag at the destination)."""
    key = f"order/{transfer.move}/{container}/{prefix}"
    order: Order = transfer.state.note(key) or ORDERS[0]
    while True:
        attempt = Walk(transfer, container, prefix, order, is_at_origin, in_fence=in_fence, is_watch=watch)
        try:
            await attempt.go()
        except OrderBroken:
            order = next_order(order)
            transfer.commit([*_one_range(transfer, container, prefix), SetNote(key, order)], PassResult())
            continue
        finally:
            result.add(attempt.result)
        return attempt.candidates


def _one_range(transfer: Transfer, container: str, prefix: str) -> list[Change]:
    """All evidence of a container in one open range: its bounds were keys of another order."""
    evidence = Evidence()
    for stored in transfer.state.ranges(transfer.move, container, prefix):
        evidence.absorb(Evidence.unpack(stored.records))
    merged = EvidenceRange(container, prefix, None, evidence.pack(), evidence.has_pending)
    return [ReplaceRanges(transfer.move, container, prefix, None, None, (merged,))]
