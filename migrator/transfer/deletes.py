"""Deletes: what the origin no longer has goes at the destination too, asked for once more, conditionally, under a cap.

Called at the end of a pass, when all its listings are complete: the cap is tested against everything the pass would delete,
before the first delete. Memory: at most MOST_HELD candidates; those beyond are found again by the next pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from migrator.errors import CloudError, ConditionFailed, JudgementError, MigrateError, NotFound, OutcomeUnknown
from migrator.model.moves import Direction, ExceptionRow
from migrator.ports.state_store import Change, DropException, PutException, PutOutstanding
from migrator.ports.troubles import Whose, whose
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Transfer

MOST_HELD = 200_000


class Candidate(NamedTuple):
    """A name the origin did not list, and the generation of ours at the destination. ``is_at_origin``: the container is."""

    container: str
    name: str
    etag: str
    is_at_origin: bool


@dataclass(slots=True)
class Candidates:
    """What one pass would delete."""

    held: list[Candidate] = field(default_factory=list)
    count: int = 0

    def add(self, container: str, found: Sequence[tuple[str, str]], *, is_at_origin: bool) -> None:
        """``found``: (name, ETag) of one container, both its listings being complete."""
        self.count += len(found)
        room = max(0, MOST_HELD - len(self.held))
        self.held += [Candidate(container, name, etag, is_at_origin) for name, etag in found[:room]]


async def delete_candidates(t: Transfer, candidates: Candidates, result: PassResult) -> None:
    """Test the cap, then delete one by one.

    Raises:
        JudgementError: more than the cap, all passes of this direction together; nothing of this pass was deleted.
    """
    if not candidates.count:
        return
    cap, total = t.delete_cap(result.destination_objects), t.deletes_counted + candidates.count
    if total > cap:
        raise JudgementError(
            f"cannot go on deleting at {t.destination.account}: {total:,} objects of {t.move} vanished from"
            f" {t.origin.account}, more than {cap:,}",
            hint=f"look at the source, then: migrate retry --accept-deletes {total}",
        )
    tally = PassResult(superseded=candidates.count - len(candidates.held))
    told: list[Change] = []
    try:
        for candidate in candidates.held:
            await t.admit()
            try:
                is_deleted = await _delete(t, candidate)
            except CloudError as fault:
                if whose(fault) is not Whose.NAME:
                    raise
                tally.failed += 1
                tally.name(candidate.container, candidate.name, str(fault))
                told.append(_refused(t, candidate, fault))
                continue
            if is_deleted:
                tally.deleted += 1
                t.deletes_counted += 1
                if (candidate.container, candidate.name) in t.exceptions:
                    told.append(DropException(t.move, candidate.container, candidate.name))
            else:
                tally.superseded += 1
    finally:
        t.commit(told, tally)
        result.add(tally)


async def _delete(t: Transfer, one: Candidate) -> bool:
    """True if it is deleted; False if a later pass must look again."""
    try:
        await t.origin.head(one.container, one.name)
        return False
    except NotFound as absence:
        if absence.what == "container" and one.is_at_origin:
            return False
    try:
        await t.destination.delete(one.container, one.name, if_match=one.etag)
        return True
    except (ConditionFailed, NotFound):
        return False
    except OutcomeUnknown:
        _leave_outstanding(t, one)
        return False
    except asyncio.CancelledError:
        with suppress(MigrateError):
            _leave_outstanding(t, one)
        raise


def _refused(t: Transfer, one: Candidate, fault: CloudError) -> PutException:
    """Its own trouble: it is leased, or protected."""
    source, target = (None, one.etag) if t.direction is Direction.FORWARD else (one.etag, None)
    row = ExceptionRow(one.container, one.name, "failed", source, target, str(fault), "", t.clock.now())
    return PutException(t.move, row)


def _leave_outstanding(t: Transfer, one: Candidate) -> None:
    known = t.outstanding.get((one.container, one.name))
    if known is not None and known.kind == "create":
        return  # it can be applied for longer than any delete
    write = t.unanswered(one.container, one.name, "delete", one.etag)
    t.outstanding[one.container, one.name] = write
    t.commit([PutOutstanding(t.move, write)], PassResult())
