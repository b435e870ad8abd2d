"""What to do with one name, given what both listings and the evidence say. Pure; the heart of the data plane.

"Origin" is the side we copy from, "destination" the side we copy to; in direction reverse the origin is the target account.
The rules, in order:

1. A generation of the destination is *ours* if the record names its ETag; nothing else of the destination is ever
   overwritten or deleted, except after a comparison by content where a write of ours may lie unrecorded (a pending record,
   or an unanswered write).
2. Equal means: both ETags in the same record, and size, type, tags and tier agree.
3. A destination that is not ours is *foreign* going forward (somebody wrote into the target); going back it is a
   *straggler* if the origin is unchanged, and a *conflict* if the origin changed too.
4. Absent at the origin and ours at the destination: a candidate for deletion, carried out only after both listings are
   complete and a HEAD confirms it.
"""

from __future__ import annotations

from enum import StrEnum

from migrator.model.moves import Direction, ExceptionRow
from migrator.model.objects import Listed
from migrator.model.values import replace, value
from migrator.transfer.evidence import UNKNOWN, Record, generation_hash, knows_marks, marks_hash


class Verb(StrEnum):
    SKIP = "skip"
    CREATE = "create"
    REPLACE = "replace"
    RECREATE = "recreate"
    """Delete, then create: the service lets nobody write over what lies there (see ``must_be_recreated``)."""
    MARK = "mark"
    """Set tags or tier at the destination; the content is equal."""
    COMPARE = "compare"
    """Read both: adopt if equal, else replace (if the destination can be ours) or record an exception."""
    DELETE = "delete"
    FOREIGN = "foreign"
    STRAGGLER = "straggler"
    CONFLICT = "conflict"
    HELD = "held"
    """A kept or decided exception that still stands as it was judged."""
    WAIT = "wait"
    """A copy or rehydration is pending on a side: look again in a later pass."""
    PROVE = "prove"
    """Equal by evidence; its content must be read on both sides once, because the plan wants that."""
    SEEN = "seen"
    """Equal, and nothing is under way: only the record has to learn which marks those are."""
    ABSENT = "absent"
    """On neither side; a record of it may be dropped."""


@value(frozen=True, slots=True)
class NameCase:
    """All that is known of one name in one pass."""

    name: str
    origin: Listed | None
    destination: Listed | None
    record: Record | None
    direction: Direction
    may_be_ours: bool = False
    """The record is pending, or a write of ours to the name is unanswered."""
    exception: ExceptionRow | None = None


@value(frozen=True, slots=True)
class Decision:
    verb: Verb
    reason: str = ""


_CREATE = Decision(Verb.CREATE)
_EQUAL = {verb: Decision(verb) for verb in (Verb.SKIP, Verb.SEEN, Verb.MARK)}


def decide(case: NameCase) -> Decision:
    """The one action for ``case``; see the rules above."""
    origin, destination, record = case.origin, case.destination, case.record
    judged = case.exception is not None and case.exception.kind in ("kept", "decided")
    if judged and case.direction is Direction.REVERSE and case.exception and stands(case, case.exception):
        return Decision(Verb.HELD)
    if origin is None and destination is None:
        return Decision(Verb.ABSENT)
    if is_busy(origin) or is_busy(destination):
        return Decision(Verb.WAIT, "a copy or rehydration is pending")
    if destination is None:
        known = record is not None and _destination_hash(case) != UNKNOWN
        if known and case.direction is Direction.REVERSE and _same_origin(case):
            # The source lost an object that the target still has unchanged: a writer without a lease deleted it there.
            return Decision(Verb.STRAGGLER, "deleted at the source after the switch")
        if known and case.direction is Direction.REVERSE and not case.may_be_ours:
            # What we delete there ourselves is announced first.
            return Decision(Verb.CONFLICT, "changed at the target, and deleted at the source, since they were equal")
        return _CREATE
    is_on_record = record is not None and _destination_hash(case) == _hash(case, destination)
    # A rollback may have left the target as it was judged then: going forward again, the source is the truth. It is ours to
    # replace, and equal to nothing.
    known_loser = judged and case.exception is not None and case.exception.target_etag == destination.etag
    ours = is_on_record or (known_loser and case.direction is Direction.FORWARD)
    if ours and not _same_origin(case) and _was_marked_by_others(case):
        return Decision(Verb.CONFLICT, "changed at the target, and tags or tier at the source, since they were equal")
    if origin is None:
        if ours:
            return Decision(Verb.DELETE)
        if case.may_be_ours:
            return Decision(Verb.COMPARE, "an unrecorded write of ours, its origin gone")
        return _not_ours(case)
    if is_on_record and _same_origin(case):
        if (origin.size, origin.blob_type) != (destination.size, destination.blob_type):
            # ETags that once named equal generations now name unequal ones: trust nothing, read both.
            return Decision(Verb.COMPARE, "evidence and listing disagree")
        if _marks_agree(origin, destination):
            return _EQUAL[_when_equal(case)]
        found = _marks_decision(case)
        return Decision(Verb.RECREATE) if found.verb is Verb.MARK and must_be_recreated(case) else found
    if ours:
        return Decision(Verb.RECREATE if must_be_recreated(case) else Verb.REPLACE)
    if case.may_be_ours:
        return Decision(Verb.COMPARE, "an unrecorded write of ours may lie here")
    return _not_ours(case)


def _when_equal(case: NameCase) -> Verb:
    """Both sides are equal in everything. If the record says otherwise, it is old: a write of ours was never written down, or
    somebody set the same by hand on both sides."""
    origin, record = case.origin, case.record
    assert origin is not None
    assert record is not None
    if record.marks == marks_hash(origin.tags, origin.explicit_tier):
        return Verb.SKIP
    return Verb.SEEN if knows_marks(record, origin.tags, origin.explicit_tier) else Verb.MARK


def _marks_decision(case: NameCase) -> Decision:
    """Content is equal by evidence, but tags or tier differ. Going forward the origin is right. Going back, marks that
    changed only at the destination are a straggler's."""
    if case.direction is Direction.FORWARD or case.record is None or not case.origin or not case.destination:
        return Decision(Verb.MARK)
    if case.may_be_ours:
        return Decision(Verb.MARK)  # tags may have been set, and the tier not yet
    if not _has_marks(case.destination, case.record):
        if not _has_marks(case.origin, case.record):
            return Decision(Verb.CONFLICT, "tags or tier changed on both sides")
        return Decision(Verb.STRAGGLER, "tags or tier changed at the source after the switch")
    return Decision(Verb.MARK)


def _was_marked_by_others(case: NameCase) -> bool:
    """Going back: did somebody set tags or tier at the source after the switch?"""
    if case.direction is Direction.FORWARD or case.may_be_ours or case.record is None or case.destination is None:
        return False
    return not _has_marks(case.destination, case.record)


def _has_marks(blob: Listed, record: Record) -> bool:
    return knows_marks(record, blob.tags, blob.explicit_tier)


def _not_ours(case: NameCase) -> Decision:
    if case.direction is Direction.FORWARD:
        return Decision(Verb.FOREIGN, "the target holds an object that was not copied from the source")
    if case.record is not None and _same_origin(case):
        return Decision(Verb.STRAGGLER, "changed at the source after the switch")
    if case.record is None and case.origin is None:
        return Decision(Verb.STRAGGLER, "created at the source after the switch")
    return Decision(Verb.CONFLICT, "changed on both sides since they were equal")


def is_covered(case: NameCase) -> bool:
    """Does the evidence name the origin's generation with its tags and tier: is its like known to have been on both sides?"""
    if case.origin is None or case.record is None or not _same_origin(case):
        return False
    if _destination_hash(case) == UNKNOWN:
        return False  # a copy was announced, and nobody knows that it was made
    return _has_marks(case.origin, case.record)


def is_only_announced(case: NameCase) -> bool:
    """Is all that is known of the origin's side of a name that a write of ours to it was announced, and is nothing there?"""
    if case.origin is not None or case.record is None or not case.record.is_pending:
        return False
    return (case.record.source if case.direction is Direction.FORWARD else case.record.target) == UNKNOWN


def stands(case: NameCase, row: ExceptionRow) -> bool:
    """Are both sides still the generations, tags and tiers that the exception was judged on?"""
    source, target = _sides(case)
    return (
        row.source_etag == (source.etag if source else None)
        and row.target_etag == (target.etag if target else None)
        and row.marks == marks_text(source, target)
    )


def marks_text(source: Listed | None, target: Listed | None) -> str:
    """Digest of tags and explicit tier of both sides, for an exception row."""
    return "/".join(f"{marks_hash(side.tags, side.explicit_tier):08x}" if side else "-" for side in (source, target))


def record_of(case: NameCase, origin_etag: str, destination_etag: str, marks: int, is_proved: bool = False) -> Record:
    """The record that says: these two generations of ``case.name`` are equal."""
    here, there = generation_hash(case.name, origin_etag), generation_hash(case.name, destination_etag)
    if case.direction is Direction.REVERSE:
        here, there = there, here
    return Record(here, there, marks, is_proved)


def must_be_recreated(case: NameCase) -> bool:
    """Can the origin be written only where nothing is? A service writes neither over a blob of another type nor over an archived
    one. Source: Azure error codes InvalidBlobType, BlobArchived."""
    origin, destination = case.origin, case.destination
    if origin is None or destination is None or origin.is_archived:
        return False
    return destination.is_archived or origin.blob_type is not destination.blob_type


def pending(case: NameCase) -> Record:
    """The record to commit before a write of ours to ``case.name``: what was known, and that a write is under way.

    What is deleted to be created again must not look, should we die in between, like an object that somebody else deleted:
    the record then names no generation of the origin."""
    if case.record is not None:
        if must_be_recreated(case):
            return half_made(case, _destination_hash(case))
        return replace(case.record, is_pending=True)
    here = generation_hash(case.name, case.origin.etag) if case.origin else UNKNOWN
    source, target = (here, UNKNOWN) if case.direction is Direction.FORWARD else (UNKNOWN, here)
    return Record(source, target, 0, is_pending=True)


def half_made(case: NameCase, destination: bytes) -> Record:
    """The generation at the destination is ours to replace, and is equal to nothing."""
    source, target = (UNKNOWN, destination) if case.direction is Direction.FORWARD else (destination, UNKNOWN)
    return Record(source, target, 0, is_pending=True)


def _sides(case: NameCase) -> tuple[Listed | None, Listed | None]:
    if case.direction is Direction.FORWARD:
        return case.origin, case.destination
    return case.destination, case.origin


def _hash(case: NameCase, blob: Listed) -> bytes:
    return generation_hash(case.name, blob.etag)


def _destination_hash(case: NameCase) -> bytes:
    assert case.record is not None
    return case.record.target if case.direction is Direction.FORWARD else case.record.source


def _same_origin(case: NameCase) -> bool:
    if case.record is None or case.origin is None:
        return False
    known = case.record.source if case.direction is Direction.FORWARD else case.record.target
    return known == _hash(case, case.origin)


def _marks_agree(origin: Listed, destination: Listed) -> bool:
    return origin.tags == destination.tags and origin.explicit_tier == destination.explicit_tier


def is_busy(blob: Listed | None) -> bool:
    return blob is not None and (blob.copy_pending or blob.rehydrating)
