"""The walk over one container and prefix: the join of both listings along the stored ranges, a checkpoint for each range.

Decides where a range begins, ends and is split, and what is committed when. What is done about a name is actions.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

from migrator.errors import MigrateError, NotFound
from migrator.model.moves import Direction, EvidenceRange
from migrator.ports.state_store import Change, DropException, ReplaceRanges
from migrator.transfer import sweeping
from migrator.transfer.absences import waits_for_the_end
from migrator.transfer.actions import Action
from migrator.transfer.adopt import adopt_equal
from migrator.transfer.batches import copy_in_batches, goes_in_batch, has_batches
from migrator.transfer.decide import Decision, NameCase, Verb, decide, pending
from migrator.transfer.evidence import Evidence, in_sample
from migrator.transfer.listing import Batches, Pair, SeenSide, join, open_stream
from migrator.transfer.order import Order
from migrator.transfer.result import PassResult
from migrator.transfer.stretch import Stretch
from migrator.transfer.subject import Place
from migrator.transfer.together import together
from migrator.transfer.turns import Turns
from migrator.transfer.watch import list_them, strays

ANNOUNCED = frozenset({Verb.CREATE, Verb.REPLACE, Verb.RECREATE, Verb.MARK, Verb.COMPARE, Verb.CONFLICT})
"""Verbs that may write to the name: it is committed as pending first."""
UNSETTLED = frozenset({Verb.COMPARE, Verb.WAIT})
"""Verbs that say that nobody knows yet whose the destination's generation is."""


@dataclass(slots=True, kw_only=True)
class Walk(Stretch):
    """One join of one container and prefix."""

    order: Order
    is_at_origin: bool
    is_watch: bool
    seen: SeenSide = field(default_factory=SeenSide)
    """Of the origin."""
    may_inherit: bool = True
    """Could an earlier run's unanswered write still be applied when the listings began?"""
    under_way: dict[asyncio.Future[None], int] = field(default_factory=dict)
    """Ranges that are being settled, and how many names each has."""
    unsaved: list[Change] = field(default_factory=list)
    unsaved_tally: PassResult = field(default_factory=PassResult)
    """What settled ranges leave to the next commit, and what the figures gain by it."""
    saved_at: float = 0.0
    turns: Turns = field(init=False)
    """At what goes one by one: ranges share them, and the oldest goes first."""
    ranks: Iterator[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        Stretch.__post_init__(self)
        self.turns = Turns(self.transfer.parallel)

    @property
    def has_container(self) -> bool:
        """Did the origin list it?"""
        return not self.seen.container_missing

    async def go(self) -> None:
        t = self.transfer
        seen, seen_there = self.seen, SeenSide()
        await t.admit()
        self.may_inherit = t.inherited_seconds() > 0
        stored = t.state.ranges(t.move, self.container, self.prefix)
        first = next(stored, EvidenceRange(self.container, self.prefix, None))
        first_page = t.rhythm.sizes.first_page if _is_new(first) and has_batches(t) else t.page_size
        left = open_stream(
            t.origin, self.container, self.prefix, self.order, seen, page_size=t.page_size, first_page=first_page
        )
        right = open_stream(t.destination, self.container, self.prefix, self.order, seen_there, page_size=t.page_size)
        try:
            await self._walk(left, right, first, stored)
        finally:
            await left.close()
            await right.close()
        self.result.scanned += seen.objects
        self.result.scanned_bytes += seen.bytes
        self.result.destination_objects += seen_there.objects

    async def _walk(self, left: Batches, right: Batches, first: EvidenceRange, stored: Iterator[EvidenceRange]) -> None:
        """Join both listings along the stored ranges."""
        try:
            await self._ranges(left, right, first, stored)
            while self.under_way:
                await self._some_settled()
            await self._conclude()
        finally:
            if self.under_way:
                for one in self.under_way:
                    one.cancel()
                await asyncio.gather(*self.under_way, return_exceptions=True)
            with suppress(MigrateError):  # else another run compares what this one had settled
                self._save()

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
        self._checkpoint([*changes, *self.absences.forgotten_rows(t)], tally)
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

    async def _ranges(self, left: Batches, right: Batches, at: EvidenceRange, stored: Iterator[EvidenceRange]) -> None:
        """Begin range after range: ``at``, and those that are ``stored`` after it."""
        above, evidence, is_new, sizes = None, Evidence.unpack(at.records), _is_new(at), self.transfer.rhythm.sizes
        most, later = (sizes.first_piece, sizes.piece) if is_new else (sizes.split_at, sizes.split_at)
        held: list[Pair] = []
        async for batch in join(left, right):
            for pair in batch:
                while at.upper is not None and pair.key > at.upper:
                    await self._begin(above, at.upper, held, evidence)
                    above, held, at = at.upper, [], next(stored)
                    evidence = Evidence.unpack(at.records)
                if len(held) >= most:
                    size = min(sizes.piece, most)
                    above = await self._begin_piece(above, at.upper, held[:size], evidence)
                    held, most = held[size:], later
                held.append(pair)
            if is_new and held and self._has_idle_hands():
                above, held = await self._begin_piece(above, at.upper, held, evidence), []
        await self._begin(above, at.upper, held, evidence)
        for rest in stored:
            await self._begin(at.upper, rest.upper, [], Evidence.unpack(rest.records))
            at = rest

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

    async def _begin(self, above: bytes | None, upper: bytes | None, pairs: list[Pair], evidence: Evidence) -> None:
        """Settle a range: beside the ones that follow where there are hands to keep busy, else before them. Ranges have no
        name in common, so their order does not matter."""
        if self.transfer.hands is None or self.is_watch:
            await self._settle(above, upper, pairs, evidence)
            return
        most = self.transfer.rhythm.sizes.names_in_flight
        while self.under_way and sum(self.under_way.values()) + len(pairs) > most:
            await self._some_settled()
        is_out = asyncio.get_running_loop().create_future()
        work = asyncio.create_task(self._settle(above, upper, pairs, evidence, is_out))
        work.add_done_callback(lambda _: _resolve(is_out))
        self.under_way[work] = max(1, len(pairs))
        await is_out  # hands that have nothing to do come before the next page

    async def _some_settled(self) -> None:
        done, _ = await asyncio.wait(self.under_way, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            del self.under_way[one]
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
        writes = [case for case, d in todo if d.verb in ANNOUNCED]
        for case in writes:
            evidence.put(case.name, pending(case))
        if writes:
            staging = sweeping.begin(t, self.container, [case.origin for case in writes])
            self._save(self._range(above, upper, evidence), *staging, *inherited)
        else:
            changes += inherited
        tally = PassResult()
        await self._act(todo, evidence, changes, tally, is_out)
        kept = evidence.split_off([pair.name for pair in pairs])
        if evidence:
            # Neither side has shown these names so far. What an earlier run announced of them may have arrived since.
            is_expected = self.may_inherit and evidence.has_pending
            self.absences.drop(above, upper, evidence, but=evidence.announced() if is_expected else Evidence())
            kept.absorb(evidence)
        self._announce_deletes(decided, kept)
        if t.staged:
            changes += sweeping.end(t, self.container, [case.name for case in writes if _is_whole(kept, case)])
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
        batched: list[tuple[NameCase, Decision]] = []
        rest: list[tuple[NameCase, Decision]] = []
        for one in todo:
            (batched if goes_in_batch(self.transfer, self.container, *one) else rest).append(one)
        if batched:
            rest += await copy_in_batches(self, batched, evidence, changes, tally, is_out)
        if is_out is not None:
            _resolve(is_out)  # what goes one by one is under way from here on, beside the ranges that follow
        t = self.transfer
        queue = iter(rest)
        rank = next(self.ranks)

        async def work() -> None:
            for case, decision in queue:
                await self.turns.take(rank)
                try:
                    await t.admit()
                    await Action(self, case, evidence, changes, tally).carry_out(decision)
                finally:
                    self.turns.give()

        await together(*(work() for _ in range(min(t.parallel, len(rest)))))


def _is_new(first: EvidenceRange) -> bool:
    """Was nothing ever copied here? Then hands wait for the listing: what there is begins as soon as it is there."""
    return first.upper is None and not first.records


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _is_whole(evidence: Evidence, case: NameCase) -> bool:
    """Was ``case`` copied now? After a refusal its record is what it was before."""
    record = evidence.get(case.name)
    return record is not None and not record.is_pending and record != case.record
