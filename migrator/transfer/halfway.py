"""What a way back that was given up may have left half written at its destination.

A reverse pass announces each write before it sends it; if the other side is then left behind, nobody will finish or compare
these names. They are listed as ``unproved``, and their evidence no longer says that a write of ours is under way.
"""

from __future__ import annotations

from migrator.errors import NotFound
from migrator.model.moves import ExceptionRow
from migrator.model.values import replace
from migrator.ports.state_store import DropOutstanding, PutException, ReplaceRanges
from migrator.transfer.evidence import Evidence, name_hash
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer


async def list_halfway(transfer: Transfer) -> int:
    """List them, in the direction reverse; how many. Reads the destination only. A second run finds none.

    Unanswered writes that cannot be applied any more are settled by this too; those that can are the caller's to wait for.
    """
    transfer.load()
    listed = 0
    for container, prefix in transfer.state.containers_with_ranges(transfer.move):
        pending = {
            name
            for one in transfer.state.ranges(transfer.move, container, prefix)
            if one.is_open
            for name in Evidence.unpack(one.records).announced()
        }
        # Of a name that a pass saw on neither side no record is left, and the write may have been applied after it.
        pending |= {
            name_hash(write.name)
            for write in transfer.outstanding.values()
            if write.container == container and write.name.startswith(prefix)
        }
        if pending:
            listed += await _list(transfer, container, prefix, pending)
        await _settle(transfer, container, prefix)
    gone = [DropOutstanding(transfer.move, w.side, w.container, w.name) for w in transfer.expired()]
    if gone:
        transfer.commit(gone, PassResult())
    return listed


async def _list(transfer: Transfer, container: str, prefix: str, pending: set[int]) -> int:
    """Put a row for each name that the destination holds and whose hash is ``pending``: page by page, whatever their number."""
    listed = 0
    marker: str | None = None
    while True:
        await transfer.admit()
        try:
            page = await transfer.destination.page(container, prefix=prefix, marker=marker)
        except NotFound:
            return listed
        detail = f"it was being copied back when {transfer.origin.account} was left behind, and may be half written"
        rows = [
            ExceptionRow(container, blob.name, "unproved", blob.etag, None, detail, at=transfer.clock.now())
            for blob in page.entries
            if name_hash(blob.name) in pending
        ]
        if rows:
            transfer.commit([PutException(transfer.move, row) for row in rows], PassResult())
            listed += len(rows)
        if page.marker is None:
            return listed
        marker = page.marker


async def _settle(transfer: Transfer, container: str, prefix: str) -> None:
    """Nothing of these ranges is under way any more: said once what lay there is on the list."""
    above: bytes | None = None
    for one in transfer.state.ranges(transfer.move, container, prefix):
        if one.is_open:
            await transfer.admit()
            evidence = Evidence.unpack(one.records)
            evidence.settle()
            new = replace(one, records=evidence.pack(), is_open=False)
            change = ReplaceRanges(transfer.move, container, prefix, above, one.upper, (new,))
            transfer.commit([change], PassResult())
        above = one.upper
