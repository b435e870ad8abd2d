"""What a way back that was given up may have left half written at its destination.

A reverse pass announces each write before it sends it; if the other side is then left behind, nobody will finish or compare
these names. They are listed as ``unproved`` before the fence, while all is known of them that the way back needs should it go by
the other side after all; with the switch their evidence no longer says that a write of ours is under way.
"""

from __future__ import annotations

from migrator.errors import NotFound
from migrator.model.moves import ExceptionRow
from migrator.model.names import MoveId
from migrator.model.objects import Listed
from migrator.model.values import replace
from migrator.ports.state_store import Change, DropOutstanding, PutException, ReplaceRanges, StateStore
from migrator.transfer.evidence import Evidence, name_hash
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer


async def list_halfway(transfer: Transfer) -> int:
    """List them, in the direction reverse; how many are new. Reads the destination only, and takes back nothing of what is
    known: the way back may yet go by the other side. Writes that may still be applied are the caller's to wait for."""
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
    return listed


def settled_evidence(state: StateStore, move: MoveId) -> list[Change]:
    """What to commit once the route has left the other side behind: nothing of the way back is under way any more, and what lay
    there is on the list."""
    changes: list[Change] = []
    for container, prefix in state.containers_with_ranges(move):
        above: bytes | None = None
        for one in state.ranges(move, container, prefix):
            if one.is_open:
                evidence = Evidence.unpack(one.records)
                evidence.settle()
                new = replace(one, records=evidence.pack(), is_open=False)
                changes.append(ReplaceRanges(move, container, prefix, above, one.upper, (new,)))
            above = one.upper
    return changes


def settled_writes(state: StateStore, move: MoveId) -> list[Change]:
    """What to commit of unanswered writes with a switch: it does not happen before none can be applied any more."""
    return [DropOutstanding(move, write.side, write.container, write.name) for write in state.outstanding(move)]


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
        detail = f"a write of ours to it was under way when {transfer.origin.account} was left behind, so it may be half written"
        rows = [
            ExceptionRow(container, blob.name, "unproved", blob.etag, None, detail, at=transfer.clock.now())
            for blob in page.entries
            if name_hash(blob.name) in pending and not _is_listed(transfer, container, blob)
        ]
        if rows:
            transfer.commit([PutException(transfer.move, row) for row in rows], PassResult())
            listed += len(rows)
        if page.marker is None:
            return listed
        marker = page.marker


def _is_listed(transfer: Transfer, container: str, blob: Listed) -> bool:
    row = transfer.exceptions.get((container, blob.name))
    return row is not None and row.kind == "unproved" and row.source_etag == blob.etag
