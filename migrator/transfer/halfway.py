"""What a way back that was given up may have left half written at its destination.

A reverse pass announces each write before it sends it; if the other side is then left behind, nobody will finish or compare
these names. They are listed as ``unproved``, and their evidence no longer says that a write of ours is under way.
"""

from __future__ import annotations

from migrator.errors import NotFound
from migrator.model.moves import EvidenceRange, ExceptionRow
from migrator.model.values import replace
from migrator.ports.state_store import Change, DropOutstanding, PutException, ReplaceRanges
from migrator.transfer.evidence import Evidence
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer


async def list_halfway(transfer: Transfer) -> int:
    """List them, in the direction reverse; how many. Reads the destination only. A second run finds none.

    Unanswered writes that cannot be applied any more are settled by this too; those that can are the caller's to wait for.
    """
    transfer.load()
    listed = 0
    for container, prefix in transfer.state.containers_with_ranges(transfer.move):
        ranges = list(transfer.state.ranges(transfer.move, container, prefix))
        if not any(one.is_open for one in ranges):
            continue
        names = await _names(transfer, container, prefix)
        above: bytes | None = None
        for one in ranges:
            if one.is_open:
                listed += _settle(transfer, above, one, names)
            above = one.upper
    gone = [DropOutstanding(transfer.move, w.side, w.container, w.name) for w in transfer.expired()]
    if gone:
        transfer.commit(gone, PassResult())
    return listed


async def _names(transfer: Transfer, container: str, prefix: str) -> list[tuple[str, str]]:
    """Name and ETag of what the destination holds there."""
    found: list[tuple[str, str]] = []
    marker: str | None = None
    while True:
        await transfer.admit()
        try:
            page = await transfer.destination.page(container, prefix=prefix, marker=marker)
        except NotFound:
            return found
        found.extend((blob.name, blob.etag) for blob in page.entries)
        if page.marker is None:
            return found
        marker = page.marker


def _settle(transfer: Transfer, above: bytes | None, one: EvidenceRange, names: list[tuple[str, str]]) -> int:
    evidence = Evidence.unpack(one.records)
    changes: list[Change] = []
    for name, etag in names:
        record = evidence.get(name)
        if record is None or not record.is_pending:
            continue
        detail = f"it was being copied back when {transfer.origin.account} was left behind, and may be half written"
        row = ExceptionRow(one.container, name, "unproved", etag, None, detail, at=transfer.clock.now())
        changes.append(PutException(transfer.move, row))
    listed = len(changes)
    evidence.settle()
    new = replace(one, records=evidence.pack(), is_open=False)
    changes.append(ReplaceRanges(transfer.move, one.container, one.prefix, above, one.upper, (new,)))
    transfer.commit(changes, PassResult())
    return listed
