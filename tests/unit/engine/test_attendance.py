"""What a run may conclude of the followers that it read in a register."""

from __future__ import annotations

from migrator.engine.attendance import Attendance
from migrator.model.register import LEFT, RollEntry
from migrator.ports.register import Attendant

KEY, OTHER = "europe/web", "europe/mail"
WRITE = 65.0
"""max_write and clock_margin."""


def one(id: str, token: str, *, lifetime: float = 60.0, label: str = "", **clear: int) -> Attendant:
    keys = {"web": KEY, "mail": OTHER}
    return Attendant(id, token, RollEntry(label, lifetime, {keys[key]: epoch for key, epoch in clear.items()}))


def seen(*rolls: tuple[float, list[Attendant]]) -> Attendance:
    """Each roll asked for at that moment, and answered a second later."""
    found = Attendance()
    for asked_at, roll in rolls:
        found.take(roll, asked_at=asked_at, answered_at=asked_at + 1.0)
    return found


def awaited(found: Attendance, epoch: int, now: float) -> list[str]:
    return found.awaited(KEY, epoch, now=now, write_seconds=WRITE)


def test_an_answer_of_an_older_epoch_is_none():
    found = seen((0.0, [one("a", "1", web=6)]))
    assert awaited(found, 7, 2.0) == ["a"]


def test_an_answer_holds_for_ever_whatever_is_read_later():
    found = seen((0.0, [one("a", "1", web=7)]), (5.0, [one("a", "2", web=0)]))
    assert awaited(found, 7, 6.0) == []


def test_a_follower_of_other_areas_is_not_asked():
    assert awaited(seen((0.0, [one("a", "1", mail=0)])), 7, 2.0) == []


def test_one_that_has_left_is_not_awaited_and_is_taken_away():
    found = seen((0.0, [one("a", "1", web=LEFT)]))
    assert found.of(KEY, now=2.0, write_seconds=WRITE) == []
    assert [gone.id for gone in found.over(2.0, WRITE)] == ["a"]


def test_what_cannot_be_read_may_be_anybody():
    found = seen((0.0, [Attendant("a", "1", None)]))
    assert awaited(found, 7, 2.0) == ["a"]


def test_an_entry_that_was_read_once_and_cannot_be_any_more_may_be_anybody():
    found = seen((0.0, [one("a", "1", mail=0)]), (5.0, [Attendant("a", "2", None)]))
    assert awaited(found, 7, 6.0) == ["a"]


def test_the_dead_are_dead_by_our_own_clock_from_an_answer_to_a_question():
    entry = one("a", "1", web=0)
    assert awaited(seen((0.0, [entry]), (125.0, [entry])), 7, 1000.0) == ["a"]
    assert awaited(seen((0.0, [entry]), (126.0, [entry])), 7, 127.0) == []


def test_who_renews_lives():
    rolls = [(20.0 * turn, [one("a", str(turn), web=0)]) for turn in range(20)]
    assert awaited(seen(*rolls), 7, 400.0) == ["a"]


def test_an_entry_that_vanished_is_awaited_from_when_it_was_first_missed():
    """It may have been renewed until then."""
    found = seen((0.0, [one("a", "1", web=0)]), (50.0, []), (150.0, []))
    assert awaited(found, 7, 51.0 + 60.0 + WRITE - 1.0) == ["a"]
    assert awaited(found, 7, 51.0 + 60.0 + WRITE) == []


def test_one_that_comes_back_lives_again():
    entry = one("a", "1", web=0)
    found = seen((0.0, [entry]), (50.0, []), (150.0, [entry]), (160.0, [entry]))
    assert awaited(found, 7, 300.0) == ["a"]


def test_its_longest_lifetime_counts():
    found = seen(
        (0.0, [one("a", "1", lifetime=300.0, web=0)]), (10.0, [one("a", "2", lifetime=1.0, web=0)]), (200.0, [])
    )
    assert awaited(found, 7, 400.0) == ["a"]


def test_the_silent_are_named_before_they_are_dead():
    found = seen(
        (0.0, [one("a", "1", label="images/pod-7", web=0), one("b", "1", web=0)]), (50.0, [one("a", "1", web=0)])
    )
    found.take([one("a", "1", web=0), one("b", "2", web=0)], asked_at=70.0, answered_at=71.0)
    silent = found.silent(KEY, now=72.0, write_seconds=WRITE)
    assert silent == ["a"]


def test_the_first_few_are_called_by_name():
    found = seen((0.0, [one(f"{number:032x}", "1", label=f"pod-{number}", web=0) for number in range(9)]))
    assert found.names(awaited(found, 7, 2.0)) == ("pod-0", "pod-1", "pod-2", "pod-3", "pod-4")


def test_only_the_dead_and_those_that_left_are_taken_away():
    living = one("b", "9", web=0)
    found = seen((0.0, [one("a", "1", web=0)]), (126.0, [one("a", "1", web=0), living]))
    assert [gone.id for gone in found.over(127.0, WRITE)] == ["a"]
