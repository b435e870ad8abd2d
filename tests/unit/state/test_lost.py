"""Which commit is one whose answer was lost: by its identity and by what it is about, once."""

from __future__ import annotations

from datetime import timedelta

from migrator.adapters.state.lost import MOST_KEPT, LostCommits
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.values import replace
from migrator.ports.state_store import AddJournal, SaveMove, made_again
from tests.contract.state_store_suite import MOVE, entry

RECORD = MoveRecord(MOVE, "w", "a", "b")
ACT = [SaveMove(RECORD), AddJournal(entry("one"))]


def lost(*, is_kept: bool = True) -> LostCommits:
    commits = LostCommits()
    commits.lose("c1", ACT)
    assert commits.unknown == "c1"
    commits.found(is_kept=is_kept)
    assert commits.unknown == ""
    return commits


def test_one_that_was_written_is_not_made_again_and_that_is_said_once() -> None:
    commits = lost()
    later = [SaveMove(RECORD), AddJournal(replace(entry("one"), at=entry().at + timedelta(seconds=9)))]
    with made_again("c1"):
        assert commits.was_made(later)
        assert not commits.was_made(later)


def test_one_that_was_not_written_is_made_again() -> None:
    with made_again("c1"):
        assert not lost(is_kept=False).was_made(ACT)


def test_nobody_else_is_told_so() -> None:
    commits = lost()
    assert not commits.was_made(ACT)
    with made_again("c2"):
        assert not commits.was_made(ACT)
    with made_again(""):
        assert not commits.was_made(ACT)


def test_another_commit_of_the_same_act_is_another_one() -> None:
    commits = lost()
    with made_again("c1"):
        assert not commits.was_made([SaveMove(replace(RECORD, state=MoveState.READY)), AddJournal(entry())])
        assert not commits.was_made([AddJournal(entry())])
        assert commits.was_made(ACT)


def test_those_in_between_change_nothing() -> None:
    """While the store is away somebody notes that it is, and that answer is lost too."""
    commits = lost()
    commits.lose("c2", [AddJournal(entry("away"))])
    commits.found(is_kept=True)
    with made_again("c1"):
        assert commits.was_made(ACT)


def test_acts_that_were_given_up_are_forgotten_one_day() -> None:
    commits = lost()
    for number in range(MOST_KEPT + 1):
        commits.lose(f"n{number}", ACT)
        commits.found(is_kept=True)
    with made_again("c1"):
        assert not commits.was_made(ACT)
