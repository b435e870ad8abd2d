"""What a decision must not believe: each case differs in one fact only from one that is believed."""

import pytest

from migrator.model.moves import Direction, ExceptionRow
from migrator.model.objects import BlobType, Listed
from migrator.model.values import replace
from migrator.transfer.decide import NameCase, Verb, decide, is_covered, marks_text, pending, record_of, stands
from migrator.transfer.evidence import Record, generation_hash, marks_hash

F, R = Direction.FORWARD, Direction.REVERSE
NOTHING = marks_hash({}, None)


def blob(etag, **more):
    return Listed("n", etag, 3, **more)


def known(source="e1", target="t1", **more):
    return Record(generation_hash("n", source), generation_hash("n", target), NOTHING, **more)


def verb(origin, destination, record, direction=F, **more):
    return decide(NameCase("n", origin, destination, record, direction, **more)).verb


def test_equal_by_evidence_is_not_believed_where_size_or_type_differ():
    here = blob("e1")
    assert verb(here, blob("t1"), known()) is Verb.SKIP
    assert verb(here, replace(blob("t1"), size=4), known()) is Verb.COMPARE
    assert verb(here, blob("t1", blob_type=BlobType.APPEND), known()) is Verb.COMPARE


@pytest.mark.parametrize("busy", [{"copy_pending": True}, {"rehydrating": True}])
def test_whatever_is_under_way_on_either_side_is_waited_for(busy):
    assert verb(blob("e1", **busy), None, None) is Verb.WAIT
    assert verb(blob("e1", **busy), blob("t1"), known()) is Verb.WAIT
    assert verb(blob("e1"), blob("t1", **busy), known()) is Verb.WAIT
    assert verb(None, blob("t1", **busy), known()) is Verb.WAIT


def test_a_target_that_was_judged_as_the_loser_is_ours_to_replace_going_forward_alone():
    """Going back, the row names the generation that the source kept: nothing there is ours by it."""
    row = ExceptionRow("c", "n", "kept", "e2", "e2", marks=marks_text(blob("e2"), blob("e2")))
    assert verb(blob("e9"), blob("e2"), known(), F, exception=row) is Verb.REPLACE
    assert verb(blob("t9"), blob("e2"), known(), R, exception=row) is Verb.CONFLICT


def test_an_exception_stands_only_while_both_sides_their_tags_and_their_tiers_do():
    source, target = blob("e2"), blob("t2")
    row = ExceptionRow("c", "n", "kept", "e2", "t2", marks=marks_text(source, target))

    def still(source, target):
        return stands(NameCase("n", target, source, None, R), row)

    assert still(source, target)
    assert not still(blob("e3"), target)
    assert not still(source, blob("t3"))
    assert not still(None, target)
    assert not still(source, None)
    assert not still(replace(source, tags={"a": "b"}), target)
    assert not still(source, replace(target, tier="Cool", tier_inferred=False))


def test_an_announced_copy_is_no_evidence_that_the_other_side_has_it():
    case = NameCase("n", blob("e1"), None, None, F)
    announced = pending(case)
    assert not is_covered(replace(case, record=announced))
    assert is_covered(replace(case, record=known()))
    assert not is_covered(replace(case, record=known("e2")))
    assert not is_covered(replace(case, origin=blob("e1", tags={"a": "b"}), record=known()))


def test_a_record_names_each_side_by_its_own_generation_whichever_way_the_copy_went():
    forward = record_of(NameCase("n", blob("e1"), None, None, F), "e1", "t1", NOTHING)
    back = record_of(NameCase("n", blob("t1"), None, None, R), "t1", "e1", NOTHING)
    assert forward == back == known()
