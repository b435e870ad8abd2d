"""Nothing is concluded from a name that a side did not show before both listings have ended in the order of the join."""

from __future__ import annotations

import pytest

from migrator.model import notes
from migrator.model.moves import Direction, ExceptionRow, LockRecord
from migrator.model.rhythm import Rhythm, Sizes
from migrator.model.values import replace
from migrator.ports.state_store import PutException
from migrator.testing.memory_state import MemoryStateStore
from migrator.transfer import passes
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy

EMOJI, KANA = "\U0001f389 emoji", "\uff83\uff7d\uff84"
"""UTF-16 sorts the emoji first, UTF-8 the other."""


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


def small_lab(**orders):
    """Ranges split at a handful of names."""
    return Lab(**orders, rhythm=Rhythm(sizes=Sizes(split_at=6, piece=3, first_piece=2)))


def rows(lab):
    return [(row.kind, row.name) for row in lab.state.exceptions(MOVE)]


def order(lab):
    return lab.state.note(notes.order(MOVE, "web", ""))


async def test_a_delete_of_a_customer_is_carried_over_although_the_order_breaks():
    lab = small_lab(source_order="utf-16", target_order="utf-8")
    for name in ("m/1", KANA, EMOJI):
        lab.put(lab.source, name, name.encode())
    await lab.run(page_size=2)
    lab.erase(lab.source, EMOJI)
    result = await lab.run(page_size=2)
    assert (result.deleted, result.foreign, rows(lab)) == (1, 0, [])
    assert lab.contents(lab.target) == lab.contents(lab.source)


async def test_going_back_a_delete_of_a_customer_is_not_called_a_strangers_object():
    lab = small_lab(source_order="utf-8", target_order="utf-16")
    for name in ("m/1", EMOJI, EMOJI + "2"):
        lab.put(lab.source, name, name.encode())
    await lab.run(page_size=2)
    assert (await lab.run(page_size=2)).is_proof
    lab.put(lab.target, KANA, b"customer")
    await lab.run(Direction.REVERSE, page_size=2)
    lab.erase(lab.target, EMOJI)
    back = await lab.run(Direction.REVERSE, page_size=2)
    assert (back.deleted, back.held, rows(lab)) == (1, 0, [])
    assert (await lab.run(Direction.REVERSE, page_size=2)).is_proof
    assert lab.contents(lab.source) == lab.contents(lab.target)


async def test_of_a_walk_whose_order_breaks_nothing_is_counted_but_what_it_did():
    """What it found foreign and missing is found again, once, by the walk that ends."""
    lab = small_lab(source_order="utf-16", target_order="utf-8")
    for name in ("a", KANA, EMOJI):
        lab.put(lab.target, name, b"somebody's")
    lab.put(lab.source, "b", b"ours")
    result = await lab.run(page_size=1)
    assert order(lab) == "utf-8"
    assert (result.foreign, result.copied, result.scanned) == (3, 1, 1)
    assert sorted(rows(lab)) == sorted([("foreign", "a"), ("foreign", EMOJI), ("foreign", KANA)])


async def test_a_look_calls_nothing_deleted_because_an_order_broke():
    """The old side shows the name later than the order of the join has it."""
    lab = small_lab(source_order="utf-8", target_order="utf-16")
    lab.put(lab.source, EMOJI, b"1")
    lab.put(lab.source, "a", b"1")
    await lab.run()
    lab.put(lab.source, KANA, b"a stranger's")
    for _ in range(2):
        lab.put(lab.target, KANA + "2", b"customer")
        watched = await passes.watch(lab.transfer(page_size=1))
        assert rows(lab) == [("straggler", KANA)]
    assert watched.stragglers_new == 0


async def test_a_look_whose_order_breaks_counts_each_straggler_once():
    lab = small_lab(source_order="utf-8", target_order="utf-16")
    lab.put(lab.source, EMOJI, b"1")
    await lab.run()
    lab.put(lab.source, KANA, b"1")
    lab.put(lab.source, EMOJI, b"1")
    lab.put(lab.source, "a", b"1")
    assert (await passes.watch(lab.transfer(page_size=1))).stragglers_new == 3


async def test_records_of_names_on_neither_side_go_when_the_walk_has_ended():
    lab = small_lab()
    for number in range(9):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in (0, 4, 8):
        lab.erase(lab.source, f"n{number}")
        lab.erase(lab.target, f"n{number}")
    assert len(lab.records()) == 9
    assert (await lab.run()).is_proof
    assert len(lab.records()) == 6


async def test_records_beyond_the_room_for_them_go_with_the_next_passes():
    lab = small_lab()
    for number in range(9):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in range(9):
        lab.erase(lab.source, f"n{number}")
        lab.erase(lab.target, f"n{number}")
    lab.rhythm = Rhythm(sizes=replace(lab.rhythm.sizes, most_dropped=3))
    left = []
    for _ in range(4):
        await lab.run()
        left.append(len(lab.records()))
    assert left[0] > 0
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


async def test_what_there_is_no_room_for_is_counted_and_is_no_proof():
    lab = small_lab()
    for number in range(5):
        lab.put(lab.target, f"n{number}", b"somebody's")
    lab.rhythm = Rhythm(sizes=replace(lab.rhythm.sizes, most_waiting=2))
    result = await lab.run()
    assert (result.foreign, len(rows(lab))) == (5, 2)


async def test_deletes_beyond_the_room_for_them_wait_for_the_next_pass():
    lab = small_lab()
    for number in range(5):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in range(5):
        lab.erase(lab.source, f"n{number}")
    lab.rhythm = Rhythm(sizes=replace(lab.rhythm.sizes, most_candidates=2))
    deleted = [(await lab.run()).deleted for _ in range(4)]
    assert deleted == [2, 2, 1, 0]


async def test_a_foreign_object_that_was_taken_away_is_on_no_list_any_more():
    lab = small_lab()
    lab.put(lab.target, "x", b"somebody's")
    lab.put(lab.target, "y", b"somebody's")
    assert (await lab.run()).foreign == 2
    lab.erase(lab.target, "x")
    assert (await lab.run()).foreign == 1
    assert rows(lab) == [("foreign", "y")]


async def test_rows_that_the_barrier_compares_with_stay_when_their_object_is_gone():
    lab = small_lab()
    row = ExceptionRow("web", "gone", "kept", "0x1", None, at=lab.clock.now())
    lab.state.commit([PutException(MOVE, row)], token=lab.token)
    await lab.run()
    assert rows(lab) == [("kept", "gone")]


async def test_stragglers_beyond_the_cap_are_news_once():
    lab = small_lab()
    lab.state = MemoryStateStore("lab", exception_cap=3)
    now = lab.clock.now()
    lab.token = lab.state.acquire(LockRecord("n", 0, "run", "me", "here", 1, "boot", now, now, 0.0)).token
    for number in range(5):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in range(5):
        lab.put(lab.source, f"n{number}", b"a stranger's")
    assert (await passes.watch(lab.transfer())).stragglers_new == 5
    assert (await passes.watch(lab.transfer())).stragglers_new == 0
    lab.put(lab.source, "n9", b"a stranger's too")
    assert (await passes.watch(lab.transfer())).stragglers_new == 1
    assert lab.state.exception_counts(MOVE) == {"straggler": 6}
    assert (await passes.watch(lab.transfer())).stragglers_new == 0


async def test_a_look_puts_the_stragglers_of_a_range_on_record_together():
    lab = Lab()
    for number in range(60):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in range(60):
        lab.put(lab.source, f"n{number}", b"2")
    transfer, commits = lab.transfer(), []
    right = transfer.commit
    transfer.commit = lambda changes, tally: (commits.append(len(changes)), right(changes, tally))
    assert (await passes.watch(transfer)).stragglers_new == 60
    assert commits == [60]
