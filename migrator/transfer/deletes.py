"""Deletes: what the origin no longer has goes at the destination too, asked for once more, conditionally, under a cap.

Called at the end of a pass, when all its listings are complete: the cap is tested against everything the pass would delete,
before the first delete. Rules:

- nothing is deleted because a whole container is gone, whatever the cap, until a person names it (``containers``);
- what is about to be deleted is counted first, a group at a time, with its names; what was not deleted is given back. So the
  cap holds over any number of deaths, and a run that follows one gives back what still stands;
- a delete that was not answered stays counted until a pass shows that its name still stands.

Memory: at most ``Sizes.most_candidates``; those beyond are found again by the next pass.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from migrator.errors import CloudError, ConditionFailed, JudgementError, NotFound, OutcomeUnknown
from migrator.model import notes
from migrator.model.moves import Direction, ExceptionRow
from migrator.ports.state_store import Change, DropException, PutException, SetNote
from migrator.ports.troubles import Whose, is_lease, whose
from migrator.transfer import containers
from migrator.transfer.absences import Absences
from migrator.transfer.result import PassResult
from migrator.transfer.subject import Place, Transfer

MOST_UNSURE = 1_000
"""Names of unanswered deletes that are kept, so that they can be given back."""
CONFIRMED = {"blob": "BlobNotFound", "container": "ContainerNotFound"}
"""What the origin must say of a name, or of a container that is known to be gone. Source: Azure "Blob service error codes"."""


class Candidate(NamedTuple):
    """A name the origin did not list, and the generation of ours at the destination. ``is_lost``: with its container."""

    container: str
    name: str
    etag: str
    is_lost: bool = False
    container_etag: str | None = None
    """Of the origin's container when the pass began; None: it was not there."""


@dataclass(slots=True)
class Candidates:
    """What one pass would delete."""

    held: list[Candidate] = field(default_factory=list)
    count: int = 0

    def add(self, container: str, found: Absences, *, is_lost: bool, container_etag: str | None) -> None:
        """``found`` in one container, both its listings being complete."""
        self.count += found.candidate_count
        room = max(0, found.sizes.most_candidates - len(self.held))
        self.held += [
            Candidate(container, name, etag, is_lost, container_etag) for name, etag in found.candidates[:room]
        ]


async def delete_candidates(t: Transfer, candidates: Candidates, result: PassResult) -> None:
    """Test the cap, then delete one by one.

    Raises:
        JudgementError: a container of the live side is gone with its objects, or there is more to delete than the cap, all
            passes of this direction together; nothing of this pass was deleted.
    """
    before: list[list[str]] = t.state.note(notes.deleting(t.move, t.direction)) or []
    if not candidates.count and not before:
        return
    standing = {(one.container, one.name) for one in candidates.held}
    back = sum((container, name) in standing for container, name in before)
    cap, total = t.delete_cap(result.destination_objects), t.deletes_counted - back + candidates.count
    _refuse_lost(t, candidates, total if total > cap else 0)
    if total > cap:
        raise JudgementError(
            f"cannot go on deleting at {t.destination.account}: {total:,} objects of {t.move} vanished from"
            f" {t.origin.account}, more than {cap:,}",
            hint=f"look at {t.origin.account}, then `migrate retry PLAN --accept-deletes {total} --reason TEXT`",
        )
    if before:
        _count(t, PassResult(deletes_reserved=-back), SetNote(notes.deleting(t.move, t.direction), None))
    found = PassResult(superseded=candidates.count - len(candidates.held))
    unsure: list[Place] = []
    try:
        group = t.rhythm.sizes.delete_group
        for begin in range(0, len(candidates.held), group):
            await _delete_group(t, candidates.held[begin : begin + group], unsure, found)
    finally:
        result.add(found)


def _refuse_lost(t: Transfer, candidates: Candidates, total_above_cap: int) -> None:
    lost = {one.container for one in candidates.held if one.is_lost}
    present = {one.container: one.container_etag for one in candidates.held if one.container_etag is not None}
    lost -= containers.accepted(t.state, t.move, t.origin.account, present)
    if lost:
        names, live, other = sorted(lost), t.origin.account, t.destination.account
        raise JudgementError(
            f"cannot go on with {t.move}: {containers.in_words(names, live)}; nothing is deleted at {other} because of that",
            hint=containers.way_out(names, live, other, t.direction, deletes=total_above_cap),
        )


async def _delete_group(t: Transfer, group: Sequence[Candidate], unsure: list[Place], found: PassResult) -> None:
    """Count them all, delete what is still to be deleted, and give back the rest."""
    names = [[one.container, one.name] for one in group]
    _count(
        t,
        PassResult(deletes_reserved=len(group)),
        SetNote(notes.deleting(t.move, t.direction), [*map(list, unsure), *names]),
    )
    tally, told, begun = PassResult(), list[Change](), len(unsure)
    origin = _Origin(t)
    try:
        for one in group:
            await t.admit()
            await t.require_wanted()
            try:
                is_deleted = await origin.is_as_it_was(one) and await _delete(t, one)
            except (OutcomeUnknown, asyncio.CancelledError) as fault:
                unsure.append((one.container, one.name))
                if isinstance(fault, asyncio.CancelledError):
                    raise
            except CloudError as fault:
                if whose(fault) is Whose.PASSING:
                    tally.waiting += 1
                    tally.name(one.container, one.name, fault.message)
                    continue
                if whose(fault) is not Whose.NAME:
                    raise
                tally.failed += 1
                tally.leased += is_lease(fault)
                tally.name(one.container, one.name, str(fault))
                if not t.keeps_warm:
                    told.append(_refused(t, one, fault))
            else:
                tally.deleted += is_deleted
                if is_deleted:
                    t.unsettled.discard((one.container, one.name))
                if is_deleted and (one.container, one.name) in t.exceptions:
                    told.append(DropException(t.move, one.container, one.name))
    finally:
        tally.superseded = len(group) - tally.deleted - tally.failed - tally.waiting
        tally.deletes_reserved = (len(unsure) - begun) + tally.deleted - len(group)
        del unsure[:-MOST_UNSURE]
        found.add(tally)
        _count(t, tally, *told, SetNote(notes.deleting(t.move, t.direction), [list(place) for place in unsure] or None))


def _count(t: Transfer, tally: PassResult, *changes: Change) -> None:
    t.commit(changes, tally)
    t.deletes_counted += tally.deletes_reserved


class _Origin:
    """Are its containers those whose listings the pass has read? One that was made anew since has none of their names. Asked
    again when the answer is older than ``delete_fresh_seconds``."""

    def __init__(self, t: Transfer) -> None:
        self._t = t
        self._asked: dict[str, tuple[float, str | None]] = {}

    async def is_as_it_was(self, one: Candidate) -> bool:
        now = self._t.clock.monotonic()
        at, etag = self._asked.get(one.container, (-1e9, None))
        if now - at > self._t.rhythm.delete_fresh_seconds:
            try:
                etag = (await self._t.origin.container(one.container)).etag
            except NotFound:
                etag = None
            self._asked[one.container] = (now, etag)
        return etag == one.container_etag


async def _delete(t: Transfer, one: Candidate) -> bool:
    """True if it is deleted; False if a later pass must look again. OutcomeUnknown: it is on record."""
    try:
        await t.origin.head(one.container, one.name)
        return False
    except NotFound as absence:
        if absence.code != CONFIRMED.get(absence.what) or (absence.what == "container" and not one.is_lost):
            return False
    try:
        with t.visible(one.container, one.name, "delete", one.etag):
            await t.destination.delete(one.container, one.name, if_match=one.etag)
        return True
    except (ConditionFailed, NotFound):
        return False


def _refused(t: Transfer, one: Candidate, fault: CloudError) -> PutException:
    """Its own trouble: it is leased, or protected."""
    source, target = (None, one.etag) if t.direction is Direction.FORWARD else (one.etag, None)
    row = ExceptionRow(one.container, one.name, "failed", source, target, str(fault), "", t.clock.now())
    return PutException(t.move, row)
