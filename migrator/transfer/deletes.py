"""Deletes: what the origin no longer has goes at the destination too, asked for once more, conditionally, under a cap.

Called only when both listings of a container are complete.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.errors import ConditionFailed, JudgementError, NotFound, OutcomeUnknown
from migrator.ports.state_store import PutOutstanding
from migrator.transfer.result import PassResult

if TYPE_CHECKING:
    from migrator.transfer.walk import Walk


async def delete_candidates(walk: Walk, destination_objects: int) -> None:
    """The origin no longer has these names: both listings are complete; each is asked for once more."""
    t = walk.transfer
    cap = t.delete_cap(destination_objects)
    if t.deletes_counted + len(walk.candidates) > cap:
        raise JudgementError(
            f"cannot go on deleting at {t.destination.account}: {t.deletes_counted + len(walk.candidates):,} objects of"
            f" {t.move} vanished from {t.origin.account}, more than {cap:,}",
            hint=f"look at the source, then: migrate retry --accept-deletes {t.deletes_counted + len(walk.candidates)}",
        )
    tally = PassResult()
    for name, etag in walk.candidates:
        await t.admit()
        try:
            await t.origin.head(walk.container, name)
            tally.superseded += 1
            continue
        except NotFound as absence:
            if absence.what == "container" and walk.is_at_origin:
                tally.superseded += 1
                continue
        try:
            await t.destination.delete(walk.container, name, if_match=etag)
        except (ConditionFailed, NotFound):
            tally.superseded += 1
            continue
        except OutcomeUnknown:
            tally.superseded += 1
            t.commit([PutOutstanding(t.move, t.unanswered(walk.container, name, "delete", etag))], PassResult())
            continue
        tally.deleted += 1
        t.deletes_counted += 1
    t.commit([], tally)
    walk.result.add(tally)
