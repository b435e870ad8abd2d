"""One name, one decision: a table an operator could read. e1/e2 are ETags; the record knows source e1 and target t1."""

import pytest

from migrator.model.moves import Direction, ExceptionRow
from migrator.model.objects import Listed
from migrator.transfer.decide import NameCase, Verb, decide, marks_text
from migrator.transfer.evidence import Evidence, Record, carried_marks_hash, generation_hash, marks_hash

F, R = Direction.FORWARD, Direction.REVERSE


def blob(etag: str | None, tags: str = "") -> Listed | None:
    return Listed("n", etag, 3, tags={"k": tags} if tags else {}) if etag else None


def known(source: str = "e1", target: str = "t1") -> Record:
    return Record(generation_hash("n", source), generation_hash("n", target), marks_hash({}, None))


# direction, origin, destination, record, open range -> verb
STORIES = [
    (F, "e1", None, None, False, Verb.CREATE),
    (F, "e1", "t1", known(), False, Verb.SKIP),
    (F, "e2", "t1", known(), False, Verb.REPLACE),
    (F, "e1", "t2", known(), False, Verb.FOREIGN),
    (F, "e1", "t9", None, False, Verb.FOREIGN),
    (F, "e1", "t9", None, True, Verb.COMPARE),
    (F, None, "t1", known(), False, Verb.DELETE),
    (F, None, "t9", None, False, Verb.FOREIGN),
    (F, None, "t9", None, True, Verb.COMPARE),
    (F, "e1", None, known(), False, Verb.CREATE),
    (F, None, None, known(), False, Verb.ABSENT),
    (R, "t1", "e1", known(), False, Verb.SKIP),
    (R, "t2", "e1", known(), False, Verb.REPLACE),
    (R, None, "e1", known(), False, Verb.DELETE),
    (R, "t1", "e2", known(), False, Verb.STRAGGLER),
    (R, "t2", "e2", known(), False, Verb.CONFLICT),
    (R, "t1", None, known(), False, Verb.STRAGGLER),
    (R, "t2", None, known(), False, Verb.CONFLICT),
    (R, "t2", None, known(), True, Verb.CREATE),
    (R, "t2", None, None, False, Verb.CREATE),
    (R, None, "e2", None, False, Verb.STRAGGLER),
    (R, None, "e2", known(), False, Verb.CONFLICT),
    (R, "t1", None, known(), False, Verb.STRAGGLER),
    (R, "t2", None, None, False, Verb.CREATE),
    (R, "t2", "e2", None, False, Verb.CONFLICT),
]


@pytest.mark.parametrize(("direction", "origin", "destination", "record", "is_open", "verb"), STORIES)
def test_one_name_has_one_decision(direction, origin, destination, record, is_open, verb):
    assert decide(NameCase("n", blob(origin), blob(destination), record, direction, is_open)).verb is verb


def test_tags_alone_are_carried_over():
    assert decide(NameCase("n", blob("e1", "new"), blob("t1"), known(), F)).verb is Verb.MARK


def test_tags_changed_at_the_source_after_the_switch_are_a_stragglers():
    assert decide(NameCase("n", blob("t1"), blob("e1", "late"), known(), R)).verb is Verb.STRAGGLER


def test_tags_changed_at_the_source_and_the_object_at_the_target_are_a_conflict():
    assert decide(NameCase("n", blob("t2"), blob("e1", "late"), known(), R)).verb is Verb.CONFLICT
    assert decide(NameCase("n", None, blob("e1", "late"), known(), R)).verb is Verb.CONFLICT


def test_tags_that_a_write_of_ours_may_have_set_half_are_set_again():
    assert decide(NameCase("n", blob("t1", "new"), blob("e1", "half"), known(), R, may_be_ours=True)).verb is Verb.MARK


def test_equal_tags_that_the_record_does_not_know_are_written_down():
    """A run died after it set them: left so, the old side's watch would take them for a straggler's."""
    assert decide(NameCase("n", blob("e1", "new"), blob("t1", "new"), known(), F)).verb is Verb.MARK


def in_tier(etag: str, tier: str) -> Listed:
    return Listed("n", etag, 3, tier=tier, tier_inferred=False)


def test_a_tier_that_a_copy_of_ours_carried_over_is_nobody_elses():
    """The copy back named no tier, and the service took the one that was set meanwhile."""
    record = Record(generation_hash("n", "e1"), generation_hash("n", "t1"), carried_marks_hash({}))
    carried = in_tier("e1", "Cool")
    assert decide(NameCase("n", in_tier("t1", "Cool"), carried, record, R)).verb is Verb.SEEN
    assert decide(NameCase("n", in_tier("t1", "Hot"), carried, record, R)).verb is Verb.MARK
    assert decide(NameCase("n", in_tier("t2", "Hot"), carried, record, R)).verb is Verb.REPLACE
    assert decide(NameCase("n", None, carried, record, R)).verb is Verb.DELETE
    assert decide(NameCase("n", blob("t1"), blob("e1", "late"), record, R)).verb is Verb.STRAGGLER


def test_a_judged_exception_stands_only_as_it_was_judged():
    row = ExceptionRow("c", "n", "kept", "e2", "t1", marks=marks_text(blob("e2"), blob("t1")))
    assert decide(NameCase("n", blob("t1"), blob("e2"), known(), R, exception=row)).verb is Verb.HELD
    assert decide(NameCase("n", blob("t1"), blob("e3"), known(), R, exception=row)).verb is Verb.STRAGGLER


def test_what_lost_a_conflict_is_replaced_when_the_move_goes_forward_again_though_the_source_is_unchanged():
    """The source's version was kept: the target's has the same size and tags, and is equal to nothing."""
    row = ExceptionRow("c", "n", "decided", "e1", "t2", marks=marks_text(blob("e1"), blob("t2")))
    assert decide(NameCase("n", blob("e1"), blob("t2"), known(), F, exception=row)).verb is Verb.REPLACE


def test_evidence_keeps_24_bytes_a_name_and_its_proof():
    evidence = Evidence()
    evidence.put("a", Record(b"123456", b"abcdef", 5, is_proved=True))
    evidence.put("b", Record(b"123456", b"abcdef", 0))
    packed = evidence.pack()
    assert len(packed) == 48
    again = Evidence.unpack(packed)
    assert again.get("a") == Record(b"123456", b"abcdef", 5, is_proved=True)
    assert len(again.split_off(["b"])) == 1
    assert again.get("b") is None
    with pytest.raises(ValueError, match="multiple"):
        Evidence.unpack(packed[:-1])
