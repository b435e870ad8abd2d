"""The walk over one container and prefix: the join of both listings along the stored ranges, a checkpoint for each range.

Decides where a range begins, ends and is split, and what is committed when. What is done about a name is actions.py's. Where the
services can, it goes in lanes (lanes.py), side by side; it concludes from them as from one listing, or not at all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from migrator.errors import InternalError, MigrateError, NotFound
from migrator.model.looks import RangeToLook, Rule, Sight, Text
from migrator.model.moves import Direction, EvidenceRange
from migrator.model.values import replace
from migrator.ports.state_store import RANGE_PAGE, Change, DropException, ReplaceRanges
from migrator.transfer import beginning, handed, sweeping
from migrator.transfer.absences import waits_for_the_end
from migrator.transfer.adopt import adopt_equal
from migrator.transfer.batches import has_batches
from migrator.transfer.carrying import carry_out, resolve
from migrator.transfer.decide import Decision, NameCase, Verb, decide, pending
from migrator.transfer.evidence import RECORD_BYTES, Evidence, in_sample
from migrator.transfer.joining import Join, Pair
from migrator.transfer.lanes import Lane, LaneSeen, Looking, as_one, partition, sealed, side_by_side
from migrator.transfer.listing import Batches, NothingThere, SeenSide
from migrator.transfer.naming import touched
from migrator.transfer.order import Order, key_of
from migrator.transfer.result import Names, PassResult, Touched
from migrator.transfer.sights import Where, has_between, sight_of
from migrator.transfer.sorting import open_stream
from migrator.transfer.stretch import Stretch
from migrator.transfer.subject import Place
from migrator.transfer.watch import list_them, strays

ANNOUNCED = frozenset({Verb.CREATE, Verb.REPLACE, Verb.RECREATE, Verb.MARK, Verb.COMPARE, Verb.CONFLICT})
"""Verbs that may write to the name: it is committed as pending first."""
AT_REST = frozenset({Verb.SKIP, Verb.SEEN, Verb.HELD})
"""Verbs that leave a name as it is, and need no second look."""
RANGES_OF_A_LANE = 2
"""Ranges that a lane among others reads at a time."""
UNSETTLED = frozenset({Verb.COMPARE, Verb.WAIT})
"""Verbs that say that nobody knows yet whose the destination's generation is."""


@dataclass(slots=True, kw_only=True)
class Walk(Stretch):
    """One join of one container and prefix."""

    order: Order
    is_at_origin: bool
    is_watch: bool
    looking: Looking
    in_lanes: bool = True
    """May it go in lanes? Else as one."""
    stretches: Sequence[Names] | None = None
    """Look only at the ranges in which these lie; None: at all of them."""
    lanes: Sequence[Lane] = ()
    is_first: bool = False
    """Is the destination known to have been empty before anything was written?"""
    acted: list[Touched] = field(default_factory=list)
    """Ranges in which something was done, or is still to be done."""
    spoken_of: Sequence[bytes] = ()
    """Keys of names with an exception or an unanswered write when the walk began, ascending."""
    seen: SeenSide = field(default_factory=SeenSide)
    """Of the origin."""
    may_inherit: bool = True
    """Could an earlier run's unanswered write still be applied when the listings began?"""
    under_way: dict[asyncio.Task[None], None] = field(default_factory=dict)
    """Ranges that are being settled."""
    unsaved: list[Change] = field(default_factory=list)
    unsaved_tally: PassResult = field(default_factory=PassResult)
    """What settled ranges leave to the next commit, and what the figures gain by it."""
    saved_at: float = 0.0

    @property
    def is_in_lanes(self) -> bool:
        return any(not lane.is_whole for lane in self.lanes)

    @property
    def has_container(self) -> bool:
        """Did the origin list it?"""
        return not self.seen.container_missing

    async def go(self) -> None:
        t = self.transfer
        await t.admit()
        self.may_inherit = t.inherited_seconds() > 0
        self.spoken_of = self._spoken_of()
        self.lanes = await self._lanes()
        try:
            seen = await side_by_side(self.lanes, self._along, most=t.rhythm.sizes.lanes)
            while self.under_way:
                await self._some_settled()
            sealed(seen)
            self.seen, seen_there = as_one([one.origin for one in seen]), as_one([one.destination for one in seen])
            await self._conclude()
        finally:
            if self.under_way:
                for one in self.under_way:
                    one.cancel()
                await asyncio.gather(*self.under_way, return_exceptions=True)
            with suppress(MigrateError):  # else another run compares what this one had settled
                self._save()
        self.result.scanned += self.seen.objects
        self.result.scanned_bytes += self.seen.bytes
        self.result.destination_objects += seen_there.objects

    async def _lanes(self) -> Sequence[Lane]:
        """Those of the stored ranges, where both services can begin in the middle; else everything is one."""
        t = self.transfer
        whole = Lane(self.container, self.prefix, self.order)
        ranges = t.state.range_sizes(t.move, self.container, self.prefix)
        if not ranges and self.in_lanes and not self.is_watch and self.is_at_origin:
            ranges = beginning.part(t, self.container, self.prefix, self.order)
            self.is_first = bool(ranges) and await beginning.is_empty(t.destination, self.container, self.prefix)
        most = t.rhythm.sizes.handed_most if t.hands is not None and t.hands.can_look else None
        lanes = partition(whole, ranges, t.rhythm.sizes, self.stretches, most=most) if self.in_lanes else (whole,)
        sides = (t.origin,) if self.is_first else (t.origin, t.destination)
        if not await self.looking.can_lane(sides, lanes):
            self.is_first = False
            return (replace(whole, records=sum(size for _, size in ranges) // RECORD_BYTES),)
        return lanes

    async def _along(self, lane: Lane) -> LaneSeen:
        """Join both listings along the stored ranges of ``lane``: by other hands where that pays and succeeds, else here."""
        return await self._by_hand(lane) or await self._by_itself(lane)

    async def _by_hand(self, lane: Lane) -> LaneSeen | None:
        """Have ``lane`` looked at, and settle what is to be said of its names. None: nobody has seen all of it."""
        t = self.transfer
        if t.hands is None or t.is_adopting or self.is_first or not handed.is_worth_it(lane, t.rhythm.sizes):
            return None
        await t.admit()
        await t.require_wanted()
        rule: Rule = "still" if self.is_watch else "evidence"
        asking = handed.Asking(rule, t.direction, t.rhythm.sizes, t.page_size, t.prove_share, self.spoken_of)
        looked = await handed.look(t.hands, (t.origin, t.destination), lane, self._to_look(lane), asking)
        for one in looked.ranges if looked is not None else ():
            if one.sight is not None:
                t.sights.note(self._where(one.above, one.at.upper), one.sight)
            if not one.is_at_rest:
                evidence = Evidence.unpack(one.at.records)
                await self._begin(one.above, one.at.upper, one.pairs, evidence, unshown=one.unshown)
        return None if looked is None else looked.seen

    def _to_look(self, lane: Lane) -> Iterator[RangeToLook]:
        t, above = self.transfer, lane.above
        for at in t.state.ranges(t.move, self.container, self.prefix, above=above, at_once=RANGES_OF_A_LANE):
            sight = None if has_between(self.spoken_of, above, at.upper) else self._sight(above, at)
            yield RangeToLook(at.upper, at.records, sight)
            if at.upper == lane.upto:
                return
            above = at.upper

    def _sight(self, above: bytes | None, at: EvidenceRange) -> Sight | None:
        return self.transfer.sights.of(self._where(above, at.upper), at.records)

    async def _by_itself(self, lane: Lane) -> LaneSeen:
        t, sizes = self.transfer, self.transfer.rhythm.sizes
        seen, seen_there = SeenSide(), SeenSide()
        at_once = RANGE_PAGE if lane.is_whole else RANGES_OF_A_LANE
        stored = t.state.ranges(t.move, self.container, self.prefix, above=lane.above, at_once=at_once)
        first = next(stored, None)
        is_known, first = first is not None, first or EvidenceRange(self.container, self.prefix, None)
        async with self.looking.lanes.of(self.looking.weight(lane, t.page_size, is_known=is_known)):
            is_awaited = _is_new(first) and lane.above is None and has_batches(t)
            first_page = sizes.first_page if is_awaited else t.page_size
            left = open_stream(
                t.origin,
                self.container,
                self.prefix,
                self.order,
                seen,
                page_size=t.page_size,
                first_page=first_page,
                bounds=lane.bounds,
            )
            right: Batches = NothingThere()
            if not self.is_first:
                right = open_stream(
                    t.destination,
                    self.container,
                    self.prefix,
                    self.order,
                    seen_there,
                    page_size=t.page_size,
                    bounds=lane.bounds,
                )
            try:
                await self._ranges(left, right, lane, first, stored)
            finally:
                await left.close()
                await right.close()
        return LaneSeen(lane, seen, seen_there)

    async def _conclude(self) -> None:
        """Both listings have ended, each in the order of the join: what was not shown is not there."""
        self._save()
        if self.is_at_origin and not self.has_container:
            raise NotFound(
                f"cannot finish a pass over {self.container}: it vanished from {self.transfer.origin.account} meanwhile",
                what="container",
                hint="the next pass looks again",
            )
        if self.is_watch:
            await list_them(self, self.absences.take_cases())
            self.absences.count_rest(self.result)
            return
        t, tally, changes = self.transfer, PassResult(), list[Change]()
        self.absences.count_rest(tally)
        await self._act(self.absences.take_decided(), Evidence(), changes, tally, None)
        forgotten = [] if self.stretches is not None else self.absences.forgotten_rows(t)
        self._checkpoint([*changes, *forgotten], tally)
        self.result.add(tally)
        self._save()
        for group in self.absences.dropped_records(t):
            t.commit(group, PassResult())

    def _checkpoint(self, changes: Sequence[Change], tally: PassResult) -> None:
        """Put a settled range on record: with the next range's announcement where ranges follow each other quickly, since a
        commit stops everything else for the time of two or three writes to the disk."""
        self.unsaved += changes
        self.unsaved_tally.add(tally)
        if self.transfer.clock.monotonic() - self.saved_at > self.transfer.rhythm.saved_every_seconds:
            self._save()

    def _save(self, *more: Change) -> None:
        changes, tally = [*self.unsaved, *more], self.unsaved_tally
        self.unsaved, self.unsaved_tally = [], PassResult()
        if changes:
            self.transfer.commit(changes, tally)
        self.saved_at = self.transfer.clock.monotonic()

    async def _ranges(
        self, left: Batches, right: Batches, lane: Lane, at: EvidenceRange, stored: Iterator[EvidenceRange]
    ) -> None:
        """Begin range after range of ``lane``: ``at``, and those that are ``stored`` after it."""
        above, evidence, is_new = lane.above, Evidence.unpack(at.records), _is_new(at)
        sizes = self.transfer.rhythm.sizes
        most, later = (sizes.first_piece, sizes.piece) if is_new else (sizes.split_at, sizes.split_at)
        both = Join(left, right)
        while True:
            is_end, held, is_split = at.upper == lane.upto, list[Pair](), False
            bound = None if is_end else at.upper
            is_passed = not is_new and await self._is_as_it_was(both, above, at)
            async for batch in both.upto(bound):
                for pair in batch:
                    if len(held) >= most:
                        size = min(sizes.piece, most)
                        above = await self._begin_piece(above, at.upper, held[:size], evidence)
                        held, most, is_split = held[size:], later, True
                    held.append(pair)
                if is_new and held and self._has_idle_hands():
                    above, held = await self._begin_piece(above, at.upper, held, evidence), []
            texts = both.cut()
            if is_passed and held:
                raise InternalError(f"{self.container}: a range that was passed over has names left")
            if not is_passed:
                await self._begin(above, at.upper, held, evidence, None if is_new or is_split else texts)
            if is_end:
                return
            above, at = at.upper, next(stored)
            evidence = Evidence.unpack(at.records)

    async def _is_as_it_was(self, both: Join, above: bytes | None, at: EvidenceRange) -> bool:
        """Go past a range that an earlier pass left at rest, if both sides look as they did then; in a watch, the side that must
        be still. Nothing else may speak of its names now."""
        t = self.transfer
        sight = t.sights.of(self._where(above, at.upper), at.records)
        if sight is None or t.is_adopting or has_between(self.spoken_of, above, at.upper):
            return False
        await t.admit()
        if not self.is_watch:
            await t.require_wanted()
        return await both.goes_past(sight, at.upper, at_origin_only=self.is_watch)

    def _where(self, above: bytes | None, upper: bytes | None) -> Where:
        return (self.container, self.prefix, self.order, above, upper)

    def _spoken_of(self) -> list[bytes]:
        t, key = self.transfer, key_of(self.order)
        places = {*t.exceptions, *t.outstanding}
        return sorted(key(name) for container, name in places if container == self.container)

    def _has_idle_hands(self) -> bool:
        return self.transfer.hands is not None and not self.is_watch and not self.under_way

    async def _begin_piece(
        self, above: bytes | None, upper: bytes | None, pairs: list[Pair], evidence: Evidence
    ) -> bytes:
        """Settle ``pairs`` as a range of their own, split off the one that ends at ``upper``; where the rest of it begins."""
        cut = pairs[-1].key
        piece = evidence.split_off(one.name for one in pairs)
        self.unsaved += self._split(above, cut, upper, piece, evidence)
        await self._begin(above, cut, pairs, piece)
        return cut

    async def _begin(
        self,
        above: bytes | None,
        upper: bytes | None,
        pairs: list[Pair],
        evidence: Evidence,
        texts: tuple[Text, Text] | None = None,
        unshown: frozenset[int] | None = None,
    ) -> None:
        """Settle a range: beside the ones that follow where there are hands to keep busy, else before them. Ranges have no
        name in common, so their order does not matter. ``unshown``: ``pairs`` are not all of its names; of the others all records
        hold good but these."""
        if self.transfer.hands is None or self.is_watch:
            await self._settle(above, upper, pairs, evidence, texts, unshown)
            return
        is_out = asyncio.get_running_loop().create_future()
        work = asyncio.create_task(self._settle_in_room(above, upper, pairs, evidence, texts, unshown, is_out))
        work.add_done_callback(lambda _: resolve(is_out))
        self.under_way[work] = None
        await is_out  # hands that have nothing to do come before the next page
        self._reap([one for one in self.under_way if one.done()])

    async def _settle_in_room(
        self,
        above: bytes | None,
        upper: bytes | None,
        pairs: list[Pair],
        evidence: Evidence,
        texts: tuple[Text, Text] | None,
        unshown: frozenset[int] | None,
        is_out: asyncio.Future[None],
    ) -> None:
        size = min(max(1, len(pairs)), self.transfer.rhythm.sizes.names_in_flight)
        async with self.looking.settling.of(size):
            await self._settle(above, upper, pairs, evidence, texts, unshown, is_out)

    async def _some_settled(self) -> None:
        done, _ = await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
        self._reap(list(done))

    def _reap(self, ended: Sequence[asyncio.Task[None]]) -> None:
        for one in ended:
            self.under_way.pop(one, None)
        failed = [one for one in ended if one.cancelled() or one.exception() is not None]
        for one in failed:
            one.result()

    def _split(
        self, above: bytes | None, cut: bytes, upper: bytes | None, piece: Evidence, rest: Evidence
    ) -> list[Change]:
        if self.is_watch and not self.transfer.is_adopting:
            return []
        ranges = (self._evidence_range(cut, piece), self._evidence_range(upper, rest))
        return [ReplaceRanges(self.transfer.move, self.container, self.prefix, above, upper, ranges)]

    async def _settle(
        self,
        above: bytes | None,
        upper: bytes | None,
        pairs: list[Pair],
        evidence: Evidence,
        texts: tuple[Text, Text] | None = None,
        unshown: frozenset[int] | None = None,
        is_out: asyncio.Future[None] | None = None,
    ) -> None:
        """Decide and act for one range, then write it: the checkpoint. ``is_out`` is resolved when it is announced and under
        way."""
        t = self.transfer
        await t.admit()
        cases = [self._case(pair, evidence) for pair in pairs]
        if self.is_watch:
            if t.is_adopting and (adopted := await adopt_equal(t, self.container, cases, evidence)):
                self.result.adopted += adopted
                self._save(self._range(above, upper, evidence))
                cases = [self._case(pair, evidence) for pair in pairs]
            found = strays(self, cases)
            await list_them(self, [case for case in found if case.origin is not None])
            for case in found:
                if case.origin is None:
                    self.absences.wait(case, Decision(Verb.ABSENT))
            return
        await t.require_wanted()
        await asyncio.sleep(0)  # some thousand names take a while: let the ranges before this one hand out more
        self.absences.saw(t, cases)
        decided = [(case, self._decide(case)) for case in cases]
        if t.outstanding:
            t.unsettled.update(self._unsettled(decided))
        await asyncio.sleep(0)
        todo = [
            (case, decision)
            for case, decision in decided
            if decision.verb not in (Verb.SKIP, Verb.HELD) and not self._waits(case, decision)
        ]
        self.result.held += sum(decision.verb is Verb.HELD for _, decision in decided)
        changes: list[Change] = [
            DropException(t.move, self.container, case.name)
            for case, decision in decided
            if decision.verb in (Verb.SKIP, Verb.SEEN)
            and case.exception is not None
            and case.exception.kind != "straggler"
        ]
        inherited = [
            change
            for case in cases
            if case.destination is None and case.record is not None and case.record.is_pending
            for change in t.inherit(self.container, case.name)
        ]
        before = evidence.pack()
        writes = [case for case, d in todo if d.verb in ANNOUNCED and not (t.keeps_warm and d.verb is Verb.CONFLICT)]
        for case in writes:
            evidence.put(case.name, pending(case))
        if writes:
            staging = sweeping.begin(t, self.container, [case.origin for case in writes])
            self._save(self._range(above, upper, evidence), *staging, *inherited)
        else:
            changes += inherited
        tally = PassResult()
        await self._act(todo, evidence, changes, tally, is_out)
        proves, beside = t.prove_share > 0, 0
        if unshown is not None:
            beside = max(0, len(evidence) - len(unshown) - len(pairs))
        if acted := touched((above, upper), decided, AT_REST, tally, t.rhythm.sizes, proves=proves, beside=beside):
            self.acted.append(acted)
        kept = evidence.split_off([pair.name for pair in pairs])
        if unshown is not None:
            kept.absorb(evidence.split_off_others(unshown))
        if evidence:
            # Neither side has shown these names so far. What an earlier run announced of them may have arrived since.
            is_expected = self.may_inherit and evidence.has_pending
            self.absences.drop(above, upper, evidence, but=evidence.announced() if is_expected else Evidence())
            kept.absorb(evidence)
        self._announce_deletes(decided, kept)
        if t.staged:
            changes += sweeping.end(t, self.container, [case.name for case in writes if _is_whole(kept, case)])
        if texts is not None:
            t.sights.note(self._where(above, upper), sight_of(self.order, upper, decided, kept, texts))
        if writes or changes or kept.pack() != before:
            changes.append(self._range(above, upper, kept))
            self._checkpoint(changes, tally)
        self.result.add(tally)

    def _unsettled(self, decided: list[tuple[NameCase, Decision]]) -> Iterator[Place]:
        """Where a write of ours that was not answered may be what lies at the destination, until somebody has settled that."""
        for case, decision in decided:
            place = (self.container, case.name)
            if decision.verb in UNSETTLED and case.destination is not None and place in self.transfer.outstanding:
                yield place

    def _announce_deletes(self, decided: list[tuple[NameCase, Decision]], kept: Evidence) -> None:
        """Going back, what we are about to delete at the source must not look like a stranger's delete, should customers make
        it anew at the target."""
        if self.transfer.direction is not Direction.REVERSE:
            return
        for case, decision in decided:
            if decision.verb is Verb.DELETE and case.record is not None and not case.record.is_pending:
                kept.put(case.name, pending(case))

    def _range(self, above: bytes | None, upper: bytes | None, evidence: Evidence) -> ReplaceRanges:
        one = self._evidence_range(upper, evidence)
        return ReplaceRanges(self.transfer.move, self.container, self.prefix, above, upper, (one,))

    def _evidence_range(self, upper: bytes | None, evidence: Evidence) -> EvidenceRange:
        return EvidenceRange(self.container, self.prefix, upper, evidence.pack(), evidence.has_pending)

    def _case(self, pair: Pair, evidence: Evidence) -> NameCase:
        t, place = self.transfer, (self.container, pair.name)
        record = evidence.get(pair.name)
        return NameCase(
            pair.name,
            pair.origin,
            pair.destination,
            record,
            t.direction,
            (record is not None and record.is_pending) or place in t.outstanding,
            t.exceptions.get(place),
        )

    def _waits(self, case: NameCase, decision: Decision) -> bool:
        """Is it concluded from an absence? It is kept for the end then."""
        if not waits_for_the_end(case, decision, will_copy=self.transfer.on_conflict == "target"):
            return False
        self.absences.wait(case, decision)
        return True

    def _decide(self, case: NameCase) -> Decision:
        decision, record = decide(case), case.record
        share = self.transfer.prove_share
        if share and decision.verb in (Verb.SKIP, Verb.SEEN) and record is not None and not record.is_proved:
            return Decision(Verb.PROVE) if in_sample(case.name, share) else decision
        return decision

    async def _act(
        self,
        todo: list[tuple[NameCase, Decision]],
        evidence: Evidence,
        changes: list[Change],
        tally: PassResult,
        is_out: asyncio.Future[None] | None,
    ) -> None:
        """Carry out decisions side by side: small copies in batches where there are hands for them, the rest one by one."""
        if self.transfer.is_ending:
            return
        with self.transfer.acting():
            await carry_out(self, self.looking, todo, evidence, changes, tally, is_out)


def _is_new(first: EvidenceRange) -> bool:
    """Was nothing ever copied here? Then hands wait for the listing: what there is begins as soon as it is there."""
    return not first.records


def _is_whole(evidence: Evidence, case: NameCase) -> bool:
    """Was ``case`` copied now? After a refusal its record is what it was before."""
    record = evidence.get(case.name)
    return record is not None and not record.is_pending and record != case.record
