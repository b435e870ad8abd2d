"""One decision carried out: the copy, the mark, the comparison or the exception row, and the record that follows.

What to do is decide.py's; when it is committed is the walk's. Rule: a record is put only after an answer, and a write that was
refused leaves the name as it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
)
from migrator.model.happenings.moves import ObjectKept, ObjectRecreated
from migrator.model.moves import Direction, ExceptionRow
from migrator.model.objects import CREATE, NOTHING, BlobType, Condition, Listed
from migrator.model.values import replace
from migrator.ports.executor import Refusal
from migrator.ports.object_store import ObjectStore
from migrator.ports.state_store import Change, DropException, PutException
from migrator.ports.troubles import OTHERS_BLOCKS, Whose, is_lease, whose
from migrator.transfer.adopt import is_equal
from migrator.transfer.copying import Copied, CopyEnded, fits_header, same_content
from migrator.transfer.decide import (
    Decision,
    NameCase,
    Verb,
    half_made,
    is_busy,
    marks_text,
    must_be_recreated,
    pending,
    record_of,
)
from migrator.transfer.evidence import Evidence, carried_marks_hash, generation_hash, marks_hash
from migrator.transfer.result import PassResult
from migrator.transfer.saving import save_loser, saved_name
from migrator.transfer.stretch import Stretch

SAVE_ATTEMPTS = 3
EITHERS = frozenset({"InvalidHeaderValue", "InvalidInput", "400"})
"""Refused for the sake of one name, or of all: it depends on whether others are taken."""
ALONE = 20
"""Names that may be refused beside others, for a right or for what nobody knows, before that is the account's trouble."""


class NotSaved(CloudError):
    """What would lose could not be saved now; a later pass tries again. Nothing was written to the name itself."""


WRITING = frozenset({Verb.CREATE, Verb.REPLACE, Verb.RECREATE, Verb.MARK, Verb.COMPARE, Verb.CONFLICT})
"""Verbs that may send a write to the name itself."""


def leave(walk: Stretch, cut_off: Iterable[tuple[NameCase, Verb]], sent: Condition | None = None) -> None:
    """Put writes on record that were not answered, or were cut off in the middle: by a signal, a rollback, another name's
    failure. Only a replacement is over when its ETag is gone; tags and tiers carry no condition, so they count like a create.
    ``sent``: the condition of the newest write, where one name takes several."""
    t, writes = walk.transfer, []
    for case, verb in cut_off:
        replaced = sent.if_match if sent is not None else case.destination.etag if case.destination else None
        etag = replaced if verb in (Verb.REPLACE, Verb.RECREATE) else None
        writes.append(t.unanswered(walk.container, case.name, "replace" if etag else "create", etag))
    t.leave(writes)


@dataclass(slots=True)
class Action:
    """One decision about one name of ``walk``; its outcome goes into ``evidence``, ``changes`` and ``tally``."""

    walk: Stretch
    case: NameCase
    evidence: Evidence
    changes: list[Change]
    tally: PassResult
    sent: Condition | None = None
    """Of the newest write, where it is not the one that was decided."""
    is_tagging: bool = False
    """The copy is whole, and tags that it could not bring along are being set: those carry no condition."""
    is_gone: bool = False
    """What lay at the destination was deleted, to be created again."""

    async def carry_out(self, decision: Decision) -> None:
        case = self.case
        try:
            match decision.verb:
                case Verb.CREATE:
                    await self._copy(CREATE)
                case Verb.REPLACE | Verb.RECREATE:
                    assert case.destination is not None
                    await self._copy(Condition(if_match=case.destination.etag))
                case Verb.MARK:
                    await self._mark()
                case Verb.COMPARE:
                    await self._compare()
                case Verb.DELETE:
                    assert case.destination is not None
                    self.walk.absences.propose(case.name, case.destination.etag)
                case Verb.WAIT:
                    self._wait()
                case Verb.FOREIGN:
                    await self._foreign(decision.reason)
                case Verb.STRAGGLER:
                    self.tally.held += 1
                    if not self.walk.transfer.keeps_warm:
                        self._except("kept", decision.reason)
                case Verb.CONFLICT:
                    await self._conflict(decision.reason)
                case Verb.PROVE:
                    await self._prove()
                case Verb.SEEN:
                    assert case.origin is not None
                    assert case.record is not None
                    marks = marks_hash(case.origin.tags, case.origin.explicit_tier)
                    self.evidence.put(case.name, replace(case.record, marks=marks))
                case Verb.ABSENT:
                    self.evidence.drop(case.name)
                case _:
                    raise AssertionError(decision)
        except CloudError as fault:
            self._refused(decision.verb, fault)
        except asyncio.CancelledError:
            if decision.verb in WRITING:
                leave(self.walk, [(case, Verb.MARK if self.is_tagging else decision.verb)], self.sent)
            raise

    def _wait(self) -> None:
        case, t = self.case, self.walk.transfer
        self.tally.waiting += 1
        for account, blob in ((t.origin.account, case.origin), (t.destination.account, case.destination)):
            if blob is not None and is_busy(blob):
                what = "it is being rehydrated" if blob.rehydrating else "a copy into it is pending"
                self.tally.name(self.walk.container, case.name, f"{what} at {account}")
                return

    def answered(self, verb: Verb, answer: str | Refusal) -> None:
        """An executor carried out the copy of ``verb``, or was refused; raises what is not this name's trouble alone."""
        origin = self.case.origin
        assert origin is not None
        if isinstance(answer, str):
            self._copied(origin, answer, origin.size)
        else:
            self._refused(verb, answer.as_error())

    def _refused(self, verb: Verb, fault: CloudError) -> None:
        if isinstance(fault, SourceChanged | ConditionFailed | NotFound | NotSaved):
            if verb is Verb.CREATE and isinstance(fault, ConditionFailed):
                self.walk.transfer.refused_creates.add((self.walk.container, self.case.name))
            self.tally.superseded += 1
            self._nothing_written()
        elif isinstance(fault, OutcomeUnknown):
            self.tally.superseded += 1
            leave(self.walk, [(self.case, Verb.MARK if self.is_tagging else verb)], self.sent)
        elif whose(fault) is Whose.PASSING:
            self.tally.waiting += 1
            self.tally.name(self.walk.container, self.case.name, fault.message)
            self._nothing_written()
        elif whose(fault) is Whose.NAME or self._is_alone_in_it(fault):
            self.tally.failed += 1
            self.tally.leased += is_lease(fault)
            if self.walk.transfer.keeps_warm:
                self.tally.name(self.walk.container, self.case.name, str(fault))
            else:
                self._except("failed", str(fault))
            self._nothing_written()
        else:
            raise fault

    def _is_alone_in_it(self, fault: CloudError) -> bool:
        """A right is the account's, but a credential that has just written others has it: then it is this name that the
        service does not take. What nobody knows says nothing of others either way, so the next are tried. Of a few names only: a
        right can be lost in the middle of a pass. Inside a fence it may as well be a refusal that passes, and the next fence
        shows it."""
        known = self.tally.refused_alone + self.walk.result.refused_alone
        is_either = isinstance(fault, AccessRefused) or fault.code in EITHERS
        is_unknown = type(fault) is CloudError and bool(fault.code) and not is_either
        has_right = is_either and self.tally.copied + self.walk.result.copied > 0
        if self.walk.in_fence or known >= ALONE or not (has_right or is_unknown):
            return False
        self.tally.refused_alone += 1
        return True

    def _nothing_written(self) -> None:
        """A refused write of a block blob wrote nothing, so the name is not pending; of the others a part may lie there.
        What was pending before this pass stays so."""
        case = self.case
        if case.may_be_ours or (case.origin is not None and case.origin.blob_type is not BlobType.BLOCK):
            return
        self._put_back()

    async def _prove(self) -> None:
        """Read both sides. Should they differ, the record is worth nothing: the name is compared and settled by the next pass."""
        case, t = self.case, self.walk.transfer
        assert case.origin is not None
        assert case.destination is not None
        assert case.record is not None
        if await same_content(t.origin, t.destination, self.walk.container, case.origin, case.destination):
            self.evidence.put(case.name, replace(case.record, is_proved=True))
            self.tally.proved += 1
            return
        self.evidence.put(case.name, pending(replace(case, record=None)))
        self.tally.superseded += 1
        self.tally.name(self.walk.container, case.name, "its content differs although evidence said that it is equal")

    def _put_back(self) -> None:
        if self.sent is not None and self.sent.if_match is not None and not self.is_gone:
            self.evidence.put(self.case.name, half_made(self.case, generation_hash(self.case.name, self.sent.if_match)))
        elif self.case.record is None or self.is_gone:
            self.evidence.drop(self.case.name)
        else:
            self.evidence.put(self.case.name, self.case.record)

    async def _copy(self, condition: Condition) -> None:
        case, t = self.case, self.walk.transfer
        assert case.origin is not None
        assert t.copier is not None
        if condition.if_match is not None and must_be_recreated(case):
            await t.copier.confirm(self.walk.container, case.origin)
            await t.destination.delete(self.walk.container, case.name, if_match=condition.if_match)
            self._tell_recreated(condition.if_match)
            self.is_gone, condition = True, CREATE
            self.sent = condition
        if condition.create and await self._has_others_blocks():
            condition = await self._without_others_blocks(condition)
        is_lifted = t.copier.is_asynchronous(case.origin, in_fence=self.walk.in_fence)
        try:
            copied = await self._attempt(condition)
        except CopyEnded as ended:
            self.sent, self.is_gone, is_lifted = Condition(if_match=ended.etag), False, False
            copied = await self._attempt(self.sent, streams=True)
        except CloudError as fault:
            if fault.code != OTHERS_BLOCKS:
                raise
            copied = await self._attempt(await self._without_others_blocks(condition))
        if not fits_header(case.origin.tags):
            self.sent, self.is_tagging = Condition(if_match=copied.etag), True
            await t.destination.set_tags(self.walk.container, case.name, case.origin.tags)
        self._copied(case.origin, copied.etag, copied.bytes)
        if is_lifted:
            self.tally.lifted_bytes += copied.bytes

    def _tell_recreated(self, etag: str) -> None:
        """Going back, the source's object may have had snapshots, which go with it."""
        case, t = self.case, self.walk.transfer
        if case.direction is Direction.REVERSE and t.note is not None:
            recreated = ObjectRecreated(t.destination.account, self.walk.container, case.name, etag)
            self.changes.append(t.note(recreated))

    async def _attempt(self, condition: Condition, *, streams: bool = False) -> Copied:
        case, t = self.case, self.walk.transfer
        assert case.origin is not None
        assert t.copier is not None
        in_fence = self.walk.in_fence or streams
        return await t.copier.copy(self.walk.container, case.origin, condition=condition, in_fence=in_fence)

    async def _has_others_blocks(self) -> bool:
        """Some services take a name that has uncommitted blocks alone for one that exists, and list no such object."""
        t, place = self.walk.transfer, (self.walk.container, self.case.name)
        if place not in t.refused_creates:
            return False
        t.refused_creates.discard(place)
        return self.case.name in await t.destination.uncommitted(self.walk.container, prefix=self.case.name)

    async def _without_others_blocks(self, condition: Condition) -> Condition:
        """Somebody's blocks lie uncommitted where ours must go: of another tool, or of an upload that a fence cut off. The side
        that is copied to is nobody's live account, so nothing can become of them: an empty object of ours throws them away,
        and is what the copy then replaces.

        Source: Azure "Put Block List" (uncommitted blocks that it does not name are removed).
        """
        t, name = self.walk.transfer, self.case.name
        if condition.if_match is not None:
            assert self.case.origin is not None
            assert t.copier is not None
            await t.copier.confirm(self.walk.container, self.case.origin)
        self.sent = condition if self.is_gone else None
        empty = await t.destination.commit_blocks(self.walk.container, name, [], NOTHING, condition=condition)
        self.is_gone, self.sent = False, Condition(if_match=empty.etag)
        return self.sent

    def _copied(self, origin: Listed, etag: str, bytes: int) -> None:
        # Going forward the target's tier is set right by whatever pass finds it different; going back, one that we do not
        # know of would be a stranger's.
        may_carry_tier = self.case.direction is Direction.REVERSE and origin.explicit_tier is None
        self._record(origin, etag, marks=carried_marks_hash(origin.tags) if may_carry_tier else None)
        self.tally.copied += 1
        self.tally.copied_bytes += bytes

    async def _mark(self) -> None:
        was_proved = self.case.record is not None and self.case.record.is_proved and not self.case.record.is_pending
        if await self._align(is_proved=was_proved):
            self.tally.marked += 1

    async def _align(self, *, is_proved: bool) -> bool:
        """Give the destination, whose content is equal, the origin's tags and tier. False: that needed a new copy, because a
        tier that was once set can be changed, but not unset."""
        case, t = self.case, self.walk.transfer
        assert case.origin is not None
        assert case.destination is not None
        tier = case.origin.explicit_tier
        if tier is None and case.destination.explicit_tier is not None:
            await self._copy(Condition(if_match=case.destination.etag))
            return False
        if dict(case.origin.tags) != dict(case.destination.tags):
            await t.destination.set_tags(self.walk.container, case.name, case.origin.tags)
        if tier is not None and tier != case.destination.explicit_tier:
            await t.destination.set_tier(self.walk.container, case.name, tier)
        self._record(case.origin, case.destination.etag, is_proved=is_proved)
        return True

    async def _compare(self) -> None:
        """A write of ours may lie at the destination without a record: adopt it if equal, else replace it. What is
        replaced is saved beside it first: it could be somebody else's."""
        case, t = self.case, self.walk.transfer
        assert case.destination is not None
        if case.origin is None:
            await self._keep(t.destination, t.destination, case.destination)
            self.walk.absences.propose(case.name, case.destination.etag)
            self.tally.superseded += 1
            return
        if await same_content(t.origin, t.destination, self.walk.container, case.origin, case.destination):
            if await self._align(is_proved=True):
                self.tally.adopted += 1
            return
        await self._keep(t.destination, t.destination, case.destination)
        await self._copy(Condition(if_match=case.destination.etag))

    async def _foreign(self, reason: str) -> None:
        """Somebody else's, unless the route was adopted and it is equal: then a store that is lost had copied it."""
        case, t = self.case, self.walk.transfer
        is_ours = t.is_adopting and await is_equal(t, self.walk.container, case)
        if is_ours and case.origin and case.destination:
            self._record(case.origin, case.destination.etag)
            self.tally.adopted += 1
            return
        self.tally.foreign += 1
        self._except("foreign", reason)

    async def _conflict(self, reason: str) -> None:
        case, t = self.case, self.walk.transfer
        if t.keeps_warm:
            self.tally.conflicts += 1
            self.tally.name(self.walk.container, case.name, reason)
            return
        if t.on_conflict is None:
            self._put_back()
            self.tally.conflicts += 1
            self._except("conflict", reason)
            return
        keeps_source = t.on_conflict == "source"
        loser, store = (case.origin, t.origin) if keeps_source else (case.destination, t.destination)
        if loser is not None:
            await self._keep(store, t.source, loser)
        if keeps_source:
            self._put_back()
            self.tally.held += 1
            self._except("decided", "the source's version was kept")
        elif case.origin is None:
            assert case.destination is not None
            self.walk.absences.propose(case.name, case.destination.etag)
        else:
            await self._copy(Condition(if_match=case.destination.etag) if case.destination else CREATE)
            self.changes.append(DropException(t.move, self.walk.container, case.name))

    async def _keep(self, holder: ObjectStore, keeper: ObjectStore, blob: Listed) -> None:
        """Save ``blob`` before it loses, and say where in the journal, before anything happens to it."""
        t, container = self.walk.transfer, self.walk.container
        for attempt in range(SAVE_ATTEMPTS):
            try:
                await save_loser(holder, keeper, container, blob, t.move, block_bytes=t.rhythm.sizes.block_bytes)
                break
            except OutcomeUnknown as fault:
                if attempt == SAVE_ATTEMPTS - 1:
                    raise NotSaved(f"cannot keep {container}/{blob.name} of {holder.account}: no answer") from fault
        t.kept += 1
        if t.note is not None:
            saved = saved_name(t.move, blob)
            kept = ObjectKept(holder.account, container, blob.name, blob.etag, keeper.account, saved)
            t.commit([t.note(kept)], PassResult())

    def _record(
        self, origin: Listed, destination_etag: str, *, marks: int | None = None, is_proved: bool = False
    ) -> None:
        case, t = self.case, self.walk.transfer
        if marks is None:
            marks = marks_hash(origin.tags, origin.explicit_tier)
        self.evidence.put(case.name, record_of(case, origin.etag, destination_etag, marks, is_proved))
        if t.outstanding:
            t.unsettled.discard((self.walk.container, case.name))
            self._no_longer_outstanding()
        if case.exception is not None:
            self.changes.append(DropException(t.move, self.walk.container, case.name))

    def _no_longer_outstanding(self) -> None:
        """An unanswered write whose ETag is gone can never be applied. A create (or tags, a tier, a block) could, until its
        bound has passed."""
        t, place = self.walk.transfer, (self.walk.container, self.case.name)
        write = t.outstanding.get(place)
        if write is not None and write.kind != "create" and place not in t.staged:
            self.changes += t.settled(*place)

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
