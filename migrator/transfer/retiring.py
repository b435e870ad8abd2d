"""Deleting what a move has left at its source: exactly the generations that the evidence calls equal, and nothing else.

Decides of one name whether its generation at the source may go. Leaves when to begin, and how often, to the engine. The rules:

1. Only a name with a record goes, and only the generation that the record names, with the tags and the tier that it knows. What
   changed since, or was never known to be equal, is kept.
2. Only while the target has the other generation of that record: the listing shows it, and both sides are asked once more
   right before the delete, for tags and tiers change without another ETag, and no condition of a delete names them. What
   customers wrote over or deleted there since keeps its old generation at the source, for nobody can tell that from an
   accident. A write that a pass announced and never sent, or that died with its process, leaves a record of both generations
   true: where both are still there, they are what was equal. An unanswered write keeps its name only while it can still be
   applied.
3. A delete is conditional on the recorded ETag and takes no snapshot with it. One that was not answered needs no record: it can
   be applied to that generation alone, which is to go.
4. What the service refuses for one name (a lease, a retention policy, snapshots) is kept and counted; a refusal of the account
   ends it.
5. A name with an exception stays, also one that the store has no room for and only counts.

A listing that breaks its order ends it too: nothing is concluded from it, and what was deleted was asked for name by name.
Memory: two pages a side, one range of evidence, and the names of a group.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from migrator.errors import CloudError, ConditionFailed, JudgementError, NotFound, OutcomeUnknown
from migrator.model import notes
from migrator.model.kept import Kept
from migrator.model.moves import Direction, ExceptionRow, Outstanding
from migrator.model.names import Area, MoveId
from migrator.model.values import replace
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import StateStore
from migrator.ports.troubles import Whose, is_lease, whose
from migrator.transfer.decide import NameCase, is_busy, is_covered
from migrator.transfer.evidence import Evidence, Known, generation_hash
from migrator.transfer.joining import Pair, join
from migrator.transfer.listing import SeenSide
from migrator.transfer.order import ORDERS, Order, OrderBroken
from migrator.transfer.sorting import open_stream
from migrator.transfer.together import together

MOST_EXCEPTIONS: Final = 100_000
MOST_NAMED: Final = 5
"""Names of each reason that people see."""
GROUP: Final = 1_000
"""Names of one group: asked, deleted and journaled together."""
SIDE_BY_SIDE: Final = 32


_PROTECTED: Final = frozenset({"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold"})


@dataclass(slots=True)
class Tally:
    """What was found, or done. ``objects`` and ``bytes``: what may go, or went; ``gone``: what somebody else deleted meanwhile;
    ``unanswered``: deletes of which nobody knows; ``later``: what the service is not done with."""

    objects: int = 0
    bytes: int = 0
    gone: int = 0
    unanswered: int = 0
    later: int = 0
    kept: Counter[Kept] = field(default_factory=Counter)
    named: dict[Kept, list[str]] = field(default_factory=dict)

    def keep(self, why: Kept, container: str, name: str) -> None:
        self.kept[why] += 1
        if len(names := self.named.setdefault(why, [])) < MOST_NAMED:
            names.append(f"{container}/{name}")

    def add(self, other: Tally) -> None:
        self.objects += other.objects
        self.bytes += other.bytes
        self.gone += other.gone
        self.unanswered += other.unanswered
        self.later += other.later
        self.kept += other.kept
        for why, names in other.named.items():
            mine = self.named.setdefault(why, [])
            mine += names[: MOST_NAMED - len(mine)]

    @property
    def is_whole(self) -> bool:
        """Is nothing left that another pass would settle?"""
        return not (self.unanswered or self.later)


@dataclass(slots=True)
class Leaving:
    """A move whose source is looked at, and what is known of it."""

    move: MoveId
    area: Area
    source: ObjectStore
    target: ObjectStore
    state: StateStore
    exceptions: Mapping[tuple[str, str], ExceptionRow] = field(default_factory=dict)
    outstanding: Mapping[tuple[str, str], Outstanding] = field(default_factory=dict)
    is_over: Callable[[Outstanding], bool] = lambda _: False
    """Can this unanswered write of ours not be applied any more?"""

    def __post_init__(self) -> None:
        rows = self.state.exceptions(self.move, limit=MOST_EXCEPTIONS)
        if len(rows) >= MOST_EXCEPTIONS:  # one that is not read would protect nothing
            raise JudgementError(
                f"cannot say what may go at {self.source.account}: {self.move} lists {MOST_EXCEPTIONS:,} exceptions or more",
                hint="decide what is listed first: nothing is deleted there",
            )
        self.exceptions = {(row.container, row.name): row for row in rows}
        writes = self.state.outstanding(self.move)
        self.outstanding = {(write.container, write.name): write for write in writes if not self.is_over(write)}


@dataclass(slots=True)
class Deleting:
    """How it is done. ``admit`` is awaited before each delete and raises when none may be sent any more; ``note`` is told of each
    group, once it is done; ``most``: so many are deleted and no more."""

    most: int
    admit: Callable[[], Awaitable[None]]
    note: Callable[[str, Tally], None]
    left: int = field(init=False)
    counted: set[tuple[str, str, str]] = field(default_factory=set)
    """Generations whose delete is not done, and that are in ``most`` already: asking again takes nothing more of it."""

    def __post_init__(self) -> None:
        self.left = self.most


def why_kept(case: NameCase) -> Kept | None:
    """Why the generation at the source (the origin) stays; None: it may go."""
    here, there, record = case.origin, case.destination, case.record
    assert here is not None
    if record is None:
        return Kept.UNKNOWN
    if case.may_be_ours or is_busy(here) or is_busy(there):
        return Kept.UNSETTLED
    if not is_covered(case):
        return Kept.CHANGED
    if case.exception is not None:
        return Kept.LISTED
    if there is None:
        return Kept.MISSING
    is_same = record.target == generation_hash(case.name, there.etag)
    is_like = (there.size, there.blob_type, there.tags) == (here.size, here.blob_type, here.tags)
    return None if is_same and is_like else Kept.DIFFERENT


async def count(leaving: Leaving) -> Tally:
    """What a deletion would do, as far as listings tell; nothing is written. CloudError if a side cannot be listed."""
    found = Tally()
    async for container, cases in _groups(leaving):
        for case in cases:
            if (why := why_kept(case)) is not None:
                found.keep(why, container, case.name)
            elif case.origin is not None:
                found.objects += 1
                found.bytes += case.origin.size
    return found


async def delete(leaving: Leaving, deleting: Deleting) -> Tally:
    """Delete what may go. Safe to repeat after any interruption.

    Raises:
        JudgementError: there is more than ``most``; nothing beyond it was deleted.
    """
    done = Tally()
    async for container, cases in _groups(leaving):
        tally = Tally()
        go: list[NameCase] = []
        for case in cases:
            if (why := why_kept(case)) is not None:
                tally.keep(why, container, case.name)
            else:
                go.append(case)
        new = sum(_generation(container, case) not in deleting.counted for case in go)
        if new > deleting.left:
            raise JudgementError(
                f"cannot go on deleting at {leaving.source.account}: there are more than the {deleting.most:,} objects that"
                f" were said for {leaving.move}",
                hint="the same command again counts anew and asks again",
            )
        deleting.left -= new
        try:
            await _delete_group(leaving, deleting, container, go, tally)
        finally:
            done.add(tally)
            if tally.objects:
                deleting.note(container, tally)
    return done


async def _delete_group(
    leaving: Leaving, deleting: Deleting, container: str, cases: Sequence[NameCase], tally: Tally
) -> None:
    queue = iter(cases)

    async def work() -> None:
        for case in queue:
            await _delete(leaving, deleting, container, case, tally)

    await together(*(work() for _ in range(min(SIDE_BY_SIDE, len(cases)))))


async def _delete(leaving: Leaving, deleting: Deleting, container: str, case: NameCase, tally: Tally) -> None:
    await deleting.admit()
    try:
        there = await leaving.target.head(container, case.name)
    except NotFound:
        tally.keep(Kept.MISSING, container, case.name)
        return
    try:
        here = await leaving.source.head(container, case.name)
    except NotFound:
        tally.gone += 1
        return
    if (why := why_kept(replace(case, origin=here, destination=there))) is not None:
        tally.keep(why, container, case.name)
        return
    try:
        await leaving.source.delete(container, case.name, if_match=here.etag, with_snapshots=False)
    except NotFound:
        tally.gone += 1
    except OutcomeUnknown:
        deleting.counted.add(_generation(container, case))
        tally.unanswered += 1
    except CloudError as fault:
        if (refused := _refused(fault)) is None:
            if whose(fault) is not Whose.PASSING:
                raise
            deleting.counted.add(_generation(container, case))
            tally.later += 1
        else:
            tally.keep(refused, container, case.name)
    else:
        tally.objects += 1
        tally.bytes += here.size


def _generation(container: str, case: NameCase) -> tuple[str, str, str]:
    assert case.origin is not None
    return container, case.name, case.origin.etag


def _refused(fault: CloudError) -> Kept | None:
    """Of a refusal that is about one name."""
    if isinstance(fault, ConditionFailed) and whose(fault) is Whose.ACCOUNT:
        return Kept.CHANGED
    if whose(fault) is not Whose.NAME:
        return None
    if is_lease(fault):
        return Kept.LEASED
    if fault.code in _PROTECTED:
        return Kept.PROTECTED
    return Kept.SNAPSHOTS if fault.code == "SnapshotsPresent" else Kept.REFUSED


async def _groups(leaving: Leaving) -> AsyncIterator[tuple[str, list[NameCase]]]:
    """The names of the source, container by container, as cases of the way forward."""
    for info in await leaving.source.containers():
        for prefix in leaving.area.prefixes_in(info.name):
            group: list[NameCase] = []
            async for case in _cases(leaving, info.name, prefix):
                group.append(case)
                if len(group) == GROUP:
                    yield info.name, _with_beyond(leaving, info.name, group)
                    group = []
            if group:
                yield info.name, _with_beyond(leaving, info.name, group)


def _with_beyond(leaving: Leaving, container: str, group: list[NameCase]) -> list[NameCase]:
    """The same, with a row for each name whose exception is only counted: what it says is not known, so it keeps the name."""
    beyond = leaving.state.beyond(leaving.move, container, [case.name for case in group if case.exception is None])
    if not beyond:
        return group
    unread = ExceptionRow(container, "", "kept", None, None, "counted beyond the cap")
    return [replace(case, exception=replace(unread, name=case.name)) if case.name in beyond else case for case in group]


async def _cases(leaving: Leaving, container: str, prefix: str) -> AsyncIterator[NameCase]:
    order: Order = leaving.state.note(notes.order(leaving.move, container, prefix)) or ORDERS[0]
    left = open_stream(leaving.source, container, prefix, order, SeenSide())
    right = open_stream(leaving.target, container, prefix, order, SeenSide())
    known = Known(leaving.state.ranges(leaving.move, container, prefix))
    try:
        async for batch in join(left, right):
            for pair in batch:
                if pair.origin is not None:
                    yield _case(leaving, container, pair, known.at(pair.key))
    except OrderBroken as broken:
        raise JudgementError(
            f"cannot go through {container}: a listing is not in the order in which its objects were copied",
            hint="nothing is deleted there; see what the two accounts list",
        ) from broken
    finally:
        await left.close()
        await right.close()


def _case(leaving: Leaving, container: str, pair: Pair, evidence: Evidence) -> NameCase:
    place, record = (container, pair.name), evidence.get(pair.name)
    return NameCase(
        pair.name,
        pair.origin,
        pair.destination,
        record,
        Direction.FORWARD,
        place in leaving.outstanding or (record is not None and record.is_pending and not record.is_of_both_sides),
        leaving.exceptions.get(place),
    )
