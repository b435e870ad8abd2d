"""One pass over a move: join both listings, decide about each name, act, and leave evidence range by range.

A pass is the same for the first copy, every catch-up and the barrier; they differ only in what the engine makes of the
result. A *watch* is a pass that writes nothing: it compares the side that should be still with the evidence.

Checkpoints: the names a range of at most SPLIT_AT is about to write are committed as pending, then its evidence, in
one commit each; a pass that dies is simply run again. Deletes wait until both listings of a container are complete.
Memory: O(one range) and the delete candidates, which the cap bounds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    JudgementError,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
    Unsupported,
)
from migrator.model.moves import Direction, EvidenceRange, ExceptionRow, Outstanding
from migrator.model.names import Area, MoveId
from migrator.model.objects import CREATE, LIST_PAGE, BlobType, Condition, ContainerInfo, Listed
from migrator.ports.clock import Clock
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import (
    Change,
    DropException,
    DropOutstanding,
    PutException,
    PutOutstanding,
    ReplaceRanges,
    SetNote,
    StateStore,
)
from migrator.transfer.copying import Copier, same_content
from migrator.transfer.decide import Case, Decision, Verb, decide, marks_text, pending, record_of
from migrator.transfer.evidence import Evidence, generation_hash, marks_hash
from migrator.transfer.listing import Batches, Pair, Seen, join, open_stream
from migrator.transfer.order import ORDERS, Order, OrderBroken, next_order
from migrator.transfer.saving import save_loser

SPLIT_AT = 10_000
"""Most names of one range (24 bytes of evidence each)."""
PIECE = 5_000
"""Names of a piece split off a range that grew too large."""
PARALLEL = 32
"""Actions under way at once in one pass."""
MIN_DELETE_CAP = 1_000
MAX_NAMED = 20
"""Names of troubled objects kept in a result, for people."""


@dataclass(slots=True)
class PassResult:
    """What one pass found and did. Counts are objects unless the name says bytes."""

    scanned: int = 0
    scanned_bytes: int = 0
    destination_objects: int = 0
    copied: int = 0
    copied_bytes: int = 0
    marked: int = 0
    adopted: int = 0
    deleted: int = 0
    superseded: int = 0
    waiting: int = 0
    foreign: int = 0
    conflicts: int = 0
    failed: int = 0
    stragglers_new: int = 0
    held: int = 0
    seconds: float = 0.0
    named: list[str] = field(default_factory=list)

    @property
    def changes(self) -> int:
        """Differences of this pass that were, or must still be, carried over: the lag it found."""
        return self.copied + self.marked + self.adopted + self.deleted + self.superseded + self.waiting

    @property
    def is_proof(self) -> bool:
        """Did the pass change nothing and find every name in evidence or in a judged exception?"""
        return not (self.changes or self.foreign or self.conflicts or self.failed or self.stragglers_new)

    def name(self, container: str, name: str, why: str) -> None:
        if len(self.named) < MAX_NAMED:
            self.named.append(f"{container}/{name}: {why}")


@dataclass(slots=True)
class Transfer:
    """The data plane of one move in one direction.

    ``commit`` is the engine's: it adds what must be written in the same transaction (figures) and checks the token.
    ``admit`` is awaited before every action and range: it waits while paused and raises when the run must stop or the
    route record is not ours any more. ``bound_seconds``: how long an unanswered write may still be applied.
    """

    move: MoveId
    area: Area
    direction: Direction
    source: ObjectStore
    target: ObjectStore
    state: StateStore
    clock: Clock
    commit: Callable[[Sequence[Change], PassResult], None]
    admit: Callable[[], Awaitable[None]]
    bound_seconds: float = 0.0
    max_delete_ratio: float = 0.01
    deletes_counted: int = 0
    deletes_accepted: int = 0
    on_conflict: str | None = None
    page_size: int = LIST_PAGE
    parallel: int = PARALLEL
    _copier: Copier | None = None
    _exceptions: dict[tuple[str, str], ExceptionRow] = field(default_factory=dict)
    _outstanding: dict[tuple[str, str], Outstanding] = field(default_factory=dict)

    @property
    def origin(self) -> ObjectStore:
        return self.source if self.direction is Direction.FORWARD else self.target

    @property
    def destination(self) -> ObjectStore:
        return self.target if self.direction is Direction.FORWARD else self.source

    async def run(self, *, in_fence: bool = False) -> PassResult:
        """One pass that carries differences over. Safe to repeat after any interruption."""
        result = PassResult()
        begun = self.clock.monotonic()
        self._load()
        expired = self._expired()
        if self._copier is None:
            self._copier = Copier(self.origin, self.destination, self.clock)
        for container, is_at_origin in await self._containers(create=True):
            for prefix in self.area.prefixes_in(container):
                await self._ordered(container, prefix, is_at_origin, result, in_fence=in_fence, watch=False)
        if expired:
            # They could not be applied any more when this pass began, and it has seen every name since.
            self.commit([DropOutstanding(self.move, w.side, w.container, w.name) for w in expired], PassResult())
        result.seconds = self.clock.monotonic() - begun
        return result

    async def watch(self) -> PassResult:
        """Compare the side that must be still (the origin of ``direction``) with the evidence; writes exception rows."""
        result = PassResult()
        begun = self.clock.monotonic()
        self._load()
        for container, is_at_origin in await self._containers(create=False):
            for prefix in self.area.prefixes_in(container):
                await self._ordered(container, prefix, is_at_origin, result, in_fence=False, watch=True)
        result.seconds = self.clock.monotonic() - begun
        return result

    def _load(self) -> None:
        self._exceptions = {(r.container, r.name): r for r in self.state.exceptions(self.move, limit=100_000)}
        self._outstanding = {(w.container, w.name): w for w in self.state.outstanding(self.move)}

    def _expired(self) -> list[Outstanding]:
        now = self.clock.now()
        return [w for w in self._outstanding.values() if (now - w.at).total_seconds() >= w.bound_seconds]

    async def _containers(self, *, create: bool) -> list[tuple[str, bool]]:
        """Containers of the area on either side or in the evidence, and whether the origin has them now."""
        here, there = await asyncio.gather(self.origin.containers(), self.destination.containers())
        at_origin = {info.name: info for info in here}
        at_destination = {info.name for info in there}
        known = {container for container, _ in self.state.containers_with_ranges(self.move)}
        names = sorted(name for name in {*at_origin, *at_destination, *known} if self.area.prefixes_in(name))
        for name in names:
            if create and name in at_origin and name not in at_destination:
                await self.admit()
                await self.destination.create_container(ContainerInfo(name, at_origin[name].metadata))
        return [(name, name in at_origin) for name in names]

    async def _ordered(
        self, container: str, prefix: str, is_at_origin: bool, result: PassResult, *, in_fence: bool, watch: bool
    ) -> None:
        """Run the join under the container's recorded order, moving on to the next one if a listing breaks it."""
        key = f"order/{self.move}/{container}/{prefix}"
        order: Order = self.state.note(key) or ORDERS[0]
        while True:
            attempt = _Walk(self, container, prefix, order, is_at_origin, in_fence=in_fence, is_watch=watch)
            try:
                await attempt.go()
            except OrderBroken:
                order = next_order(order)
                self.commit([*self._one_range(container, prefix), SetNote(key, order)], PassResult())
                continue
            finally:
                _add(result, attempt.result)
            return

    def _one_range(self, container: str, prefix: str) -> list[Change]:
        """All evidence of a container in one open range: its bounds were keys of another order."""
        evidence = Evidence()
        for stored in self.state.ranges(self.move, container, prefix):
            evidence.absorb(Evidence.unpack(stored.records))
        merged = EvidenceRange(container, prefix, None, evidence.pack(), evidence.has_pending)
        return [ReplaceRanges(self.move, container, prefix, None, None, (merged,))]

    def delete_cap(self, destination_objects: int) -> int:
        return max(MIN_DELETE_CAP, int(self.max_delete_ratio * destination_objects), self.deletes_accepted)


def _add(total: PassResult, part: PassResult) -> None:
    for name in PassResult.__dataclass_fields__:
        if name == "named":
            total.named.extend(part.named[: MAX_NAMED - len(total.named)])
        else:
            setattr(total, name, getattr(total, name) + getattr(part, name))


@dataclass(slots=True)
class _Walk:
    """One join of one container and prefix."""

    transfer: Transfer
    container: str
    prefix: str
    order: Order
    is_at_origin: bool
    in_fence: bool
    is_watch: bool
    result: PassResult = field(default_factory=PassResult)
    _candidates: list[tuple[str, str]] = field(default_factory=list)

    async def go(self) -> None:
        t = self.transfer
        seen, seen_there = Seen(), Seen()
        await t.admit()
        left = open_stream(t.origin, self.container, self.prefix, self.order, seen, page_size=t.page_size)
        right = open_stream(t.destination, self.container, self.prefix, self.order, seen_there, page_size=t.page_size)
        try:
            await self._walk(left, right)
        finally:
            await left.close()
            await right.close()
        self.result.scanned += seen.objects
        self.result.scanned_bytes += seen.bytes
        self.result.destination_objects += seen_there.objects
        if self.is_at_origin and seen.container_missing:
            raise CloudError(
                f"cannot finish a pass over {self.container}: it vanished from {t.origin.account} meanwhile",
                hint="the next pass looks again",
            )
        if not self.is_watch and self._candidates:
            await self._delete(seen_there.objects)

    async def _walk(self, left: Batches, right: Batches) -> None:
        """Join both listings along the stored ranges; of those one is held at a time."""
        stored = self.transfer.state.ranges(self.transfer.move, self.container, self.prefix)
        at = next(stored, EvidenceRange(self.container, self.prefix, None))
        above, evidence = None, Evidence.unpack(at.records)
        held: list[Pair] = []
        async for batch in join(left, right):
            for pair in batch:
                while at.upper is not None and pair.key > at.upper:
                    await self._settle(above, at.upper, held, evidence)
                    above, held, at = at.upper, [], next(stored)
                    evidence = Evidence.unpack(at.records)
                if len(held) >= SPLIT_AT:
                    cut = held[PIECE - 1].key
                    piece = evidence.split_off(one.name for one in held[:PIECE])
                    self._split(above, cut, at.upper, piece, evidence)
                    await self._settle(above, cut, held[:PIECE], piece)
                    above, held = cut, held[PIECE:]
                held.append(pair)
        await self._settle(above, at.upper, held, evidence)
        for rest in stored:
            await self._settle(at.upper, rest.upper, [], Evidence.unpack(rest.records))
            at = rest

    def _split(self, above: bytes | None, cut: bytes, upper: bytes | None, piece: Evidence, rest: Evidence) -> None:
        if self.is_watch:
            return
        ranges = (self._evidence_range(cut, piece), self._evidence_range(upper, rest))
        change = ReplaceRanges(self.transfer.move, self.container, self.prefix, above, upper, ranges)
        self.transfer.commit([change], PassResult())

    async def _settle(self, above: bytes | None, upper: bytes | None, pairs: list[Pair], evidence: Evidence) -> None:
        """Decide and act for one range, then write it: the checkpoint."""
        t = self.transfer
        await t.admit()
        cases = [self._case(pair, evidence) for pair in pairs]
        if self.is_watch:
            self._look(cases)
            return
        decided = [(case, decide(case)) for case in cases]
        todo = [(case, decision) for case, decision in decided if decision.verb not in (Verb.SKIP, Verb.HELD)]
        self.result.held += sum(decision.verb is Verb.HELD for _, decision in decided)
        changes: list[Change] = [
            DropException(t.move, self.container, case.name)
            for case, decision in decided
            if decision.verb is Verb.SKIP and case.exception is not None and case.exception.kind != "straggler"
        ]
        before = evidence.pack()
        writes = [case for case, d in todo if d.verb in (Verb.CREATE, Verb.REPLACE, Verb.COMPARE, Verb.CONFLICT)]
        for case in writes:
            evidence.put(case.name, pending(case))
        if writes:
            t.commit([self._range(above, upper, evidence)], PassResult())
        tally = PassResult()
        await self._act(todo, evidence, changes, tally)
        kept = evidence.split_off([pair.name for pair in pairs])
        if writes or changes or kept.pack() != before:
            changes.append(self._range(above, upper, kept))
            t.commit(changes, tally)
        _add(self.result, tally)

    def _range(self, above: bytes | None, upper: bytes | None, evidence: Evidence) -> ReplaceRanges:
        one = self._evidence_range(upper, evidence)
        return ReplaceRanges(self.transfer.move, self.container, self.prefix, above, upper, (one,))

    def _evidence_range(self, upper: bytes | None, evidence: Evidence) -> EvidenceRange:
        return EvidenceRange(self.container, self.prefix, upper, evidence.pack(), evidence.has_pending)

    def _case(self, pair: Pair, evidence: Evidence) -> Case:
        t, place = self.transfer, (self.container, pair.name)
        record = evidence.get(pair.name)
        return Case(
            pair.name,
            pair.origin,
            pair.destination,
            record,
            t.direction,
            (record is not None and record.is_pending) or place in t._outstanding,
            t._exceptions.get(place),
        )

    async def _act(
        self, todo: list[tuple[Case, Decision]], evidence: Evidence, changes: list[Change], tally: PassResult
    ) -> None:
        """Carry out decisions side by side."""
        t = self.transfer
        queue = iter(todo)

        async def work() -> None:
            for case, decision in queue:
                await t.admit()
                await _Action(self, case, evidence, changes, tally).carry_out(decision)

        workers = [asyncio.ensure_future(work()) for _ in range(min(t.parallel, len(todo)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _look(self, cases: list[Case]) -> None:
        """Watch: is the still side (the origin here) what the evidence and the exceptions say?"""
        t = self.transfer
        forward = t.direction is Direction.FORWARD
        for case in cases:
            old, record = case.origin, case.record
            if old is None and record is None:
                continue
            if old is not None and record is not None:
                known = record.source if forward else record.target
                if known == generation_hash(case.name, old.etag) and record.marks == marks_hash(
                    old.tags, old.explicit_tier
                ):
                    continue
            etag = old.etag if old else None
            marks = marks_text(old, None)
            row = case.exception
            is_same = row is not None and (row.source_etag if forward else row.target_etag) == etag
            if row is not None and is_same and (row.kind != "straggler" or row.marks == marks):
                continue
            self.result.stragglers_new += 1
            why = "written" if old else "deleted"
            self.result.name(self.container, case.name, f"{why} on {t.origin.account} after the switch")
            detail = f"{why} on {t.origin.account} by a writer without a lease"
            new = ExceptionRow(
                self.container,
                case.name,
                "straggler",
                etag if forward else None,
                None if forward else etag,
                detail,
                marks,
                t.clock.now(),
            )
            t.commit([PutException(t.move, new)], PassResult())
            t._exceptions[(self.container, case.name)] = new

    async def _delete(self, destination_objects: int) -> None:
        """The origin no longer has these names: both listings are complete; each is asked for once more."""
        t = self.transfer
        cap = t.delete_cap(destination_objects)
        if t.deletes_counted + len(self._candidates) > cap:
            raise JudgementError(
                f"cannot go on deleting at {t.destination.account}: {t.deletes_counted + len(self._candidates):,} objects of"
                f" {t.move} vanished from {t.origin.account}, more than {cap:,}",
                hint=f"look at the source, then: migrate retry --accept-deletes {t.deletes_counted + len(self._candidates)}",
            )
        tally = PassResult()
        for name, etag in self._candidates:
            await t.admit()
            try:
                await t.origin.head(self.container, name)
                tally.superseded += 1
                continue
            except NotFound as absence:
                if absence.what == "container" and self.is_at_origin:
                    tally.superseded += 1
                    continue
            try:
                await t.destination.delete(self.container, name, if_match=etag)
            except (ConditionFailed, NotFound):
                tally.superseded += 1
                continue
            except OutcomeUnknown:
                tally.superseded += 1
                t.commit([PutOutstanding(t.move, self.unanswered(name, "delete", etag))], PassResult())
                continue
            tally.deleted += 1
            t.deletes_counted += 1
        t.commit([], tally)
        _add(self.result, tally)

    def unanswered(self, name: str, kind: str, etag: str | None) -> Outstanding:
        t = self.transfer
        side = "target" if t.direction is Direction.FORWARD else "source"
        return Outstanding(side, self.container, name, kind, etag, t.clock.now(), t.bound_seconds)  # type: ignore[arg-type]


@dataclass(slots=True)
class _Action:
    """One decision carried out. Returns whether a write may lie unrecorded."""

    walk: _Walk
    case: Case
    evidence: Evidence
    changes: list[Change]
    tally: PassResult

    async def carry_out(self, decision: Decision) -> None:
        case = self.case
        try:
            match decision.verb:
                case Verb.CREATE:
                    await self._copy(CREATE)
                case Verb.REPLACE:
                    assert case.destination is not None
                    await self._copy(Condition(if_match=case.destination.etag))
                case Verb.MARK:
                    await self._mark()
                case Verb.COMPARE:
                    await self._compare()
                case Verb.DELETE:
                    assert case.destination is not None
                    self.walk._candidates.append((case.name, case.destination.etag))
                case Verb.WAIT:
                    self.tally.waiting += 1
                case Verb.FOREIGN:
                    self.tally.foreign += 1
                    self._except("foreign", decision.reason)
                case Verb.STRAGGLER:
                    self.tally.held += 1
                    self._except("kept", decision.reason)
                case Verb.CONFLICT:
                    await self._conflict(decision.reason)
                case Verb.ABSENT:
                    self.evidence.drop(case.name)
                case _:
                    raise AssertionError(decision)
        except (SourceChanged, ConditionFailed, NotFound):
            self.tally.superseded += 1
            self._nothing_written()
        except OutcomeUnknown:
            self.tally.superseded += 1
            self._leave_outstanding(decision.verb)
        except (AccessRefused, Unsupported):
            raise
        except CloudError as fault:
            if fault.code != "BlobArchived":
                raise
            self.tally.failed += 1
            self._except("failed", fault.message)
            self._nothing_written()

    def _nothing_written(self) -> None:
        """A refused write of a block blob wrote nothing, so the name is not pending; of the others a part may lie there.
        What was pending before this pass stays so."""
        case = self.case
        if case.may_be_ours or (case.origin is not None and case.origin.blob_type is not BlobType.BLOCK):
            return
        self._put_back()

    def _put_back(self) -> None:
        if self.case.record is None:
            self.evidence.drop(self.case.name)
        else:
            self.evidence.put(self.case.name, self.case.record)

    def _leave_outstanding(self, verb: Verb) -> None:
        """An unanswered write is on record until it cannot be applied any more. Only a replacement is over when its ETag is
        gone; tags and tiers carry no condition, so they count like a create."""
        case, t, place = self.case, self.walk.transfer, (self.walk.container, self.case.name)
        known = t._outstanding.get(place)
        is_conditional = verb is Verb.REPLACE and not (known is not None and known.kind == "create")
        etag = case.destination.etag if is_conditional and case.destination else None
        write = self.walk.unanswered(case.name, "replace" if etag else "create", etag)
        t._outstanding[place] = write
        t.commit([PutOutstanding(t.move, write)], PassResult())

    async def _copy(self, condition: Condition) -> None:
        case, t = self.case, self.walk.transfer
        assert case.origin is not None
        assert t._copier is not None
        copied = await t._copier.copy(
            self.walk.container, case.origin, condition=condition, in_fence=self.walk.in_fence
        )
        self._record(case.origin, copied.etag)
        self.tally.copied += 1
        self.tally.copied_bytes += copied.bytes

    async def _mark(self) -> None:
        case, t = self.case, self.walk.transfer
        assert case.origin is not None
        assert case.destination is not None
        if dict(case.origin.tags) != dict(case.destination.tags):
            await t.destination.set_tags(self.walk.container, case.name, case.origin.tags)
        tier = case.origin.explicit_tier
        if tier is not None and tier != case.destination.explicit_tier:
            await t.destination.set_tier(self.walk.container, case.name, tier)
        self._record(case.origin, case.destination.etag)
        self.tally.marked += 1

    async def _compare(self) -> None:
        """A write of ours may lie at the destination without a record: adopt it if equal, else replace it. What is
        replaced is saved beside it first: it could be somebody else's."""
        case, t = self.case, self.walk.transfer
        assert case.destination is not None
        if case.origin is None:
            await save_loser(t.destination, t.destination, self.walk.container, case.destination, t.move)
            self.walk._candidates.append((case.name, case.destination.etag))
            self.tally.superseded += 1
            return
        if await same_content(t.origin, t.destination, self.walk.container, case.origin, case.destination):
            await self._mark()
            self.tally.marked -= 1
            self.tally.adopted += 1
            return
        await save_loser(t.destination, t.destination, self.walk.container, case.destination, t.move)
        await self._copy(Condition(if_match=case.destination.etag))

    async def _conflict(self, reason: str) -> None:
        case, t = self.case, self.walk.transfer
        if t.on_conflict is None:
            self._put_back()
            self.tally.conflicts += 1
            self._except("conflict", reason)
            return
        keeps_source = t.on_conflict == "source"
        loser, store = (case.origin, t.origin) if keeps_source else (case.destination, t.destination)
        if loser is not None:
            await save_loser(store, t.source, self.walk.container, loser, t.move)
        if keeps_source:
            self._put_back()
            self.tally.held += 1
            self._except("decided", "the source's version was kept")
        elif case.origin is None:
            assert case.destination is not None
            self.walk._candidates.append((case.name, case.destination.etag))
        else:
            await self._copy(Condition(if_match=case.destination.etag) if case.destination else CREATE)
            self.changes.append(DropException(t.move, self.walk.container, case.name))

    def _record(self, origin: Listed, destination_etag: str) -> None:
        t, place = self.walk.transfer, (self.walk.container, self.case.name)
        marks = marks_hash(origin.tags, origin.explicit_tier)
        record = record_of(self.case, origin_etag=origin.etag, destination_etag=destination_etag, marks=marks)
        self.evidence.put(self.case.name, record)
        if place in t._outstanding and t._outstanding[place].kind != "create":
            # Its ETag is gone, so it can never be applied. A create (or tags, or a tier) could, until its bound has passed.
            write = t._outstanding.pop(place)
            self.changes.append(DropOutstanding(t.move, write.side, write.container, write.name))
        if self.case.exception is not None:
            self.changes.append(DropException(t.move, *place))

    def _except(self, kind: str, detail: str) -> None:
        case, t = self.case, self.walk.transfer
        forward = case.direction is Direction.FORWARD
        source, target = (case.origin, case.destination) if forward else (case.destination, case.origin)
        row = ExceptionRow(
            self.walk.container,
            case.name,
            kind,  # type: ignore[arg-type]
            source.etag if source else None,
            target.etag if target else None,
            detail,
            marks_text(source, target),
            t.clock.now(),
        )
        self.changes.append(PutException(t.move, row))
        self.tally.name(self.walk.container, case.name, detail)
