"""Every write that customers can see is announced, sent, and on record until it cannot be applied any more."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from migrator.errors import JudgementError, LockedError, OutcomeUnknown, StateError
from migrator.model.moves import Direction
from migrator.model.names import block_name
from migrator.model.rhythm import Rhythm, Sizes
from migrator.ports.state_store import PutOutstanding, SetNote
from migrator.transfer import passes
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy

BOUND = 300.0


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    return Lab()


def staged(lab, name="big"):
    """A copy in blocks was begun, and its origin is gone."""
    lab.target.stage("web", name, block_name(b"abcdef"), b"a part")
    lab.state.commit([SetNote(f"staged/{MOVE}/forward", [["web", name]])], token=lab.token)


def on_record(lab):
    return [(one.name, one.kind) for one in lab.state.outstanding(MOVE)]


class Hanging:
    """``method`` of the destination is sent, applied after ``late`` seconds (None: never), and not answered."""

    def __init__(self, lab, method, *, late=None):
        self._lab, self._method, self._late = lab, method, late
        self._door = lab.doors["dst"].inner
        self._right = getattr(self._door, method)

    def __enter__(self):
        async def hangs(*args, **more):
            if self._late is not None:
                asyncio.get_running_loop().create_task(self._apply(args, more))
            await self._lab.clock.sleep(1e6)

        setattr(self._door, self._method, hangs)
        return self

    async def _apply(self, args, more):
        await self._lab.clock.sleep(self._late)
        await self._right(*args, **more)

    def __exit__(self, *exc):
        setattr(self._door, self._method, self._right)


async def cut_off(lab, transfer, *, after=5.0):
    """A pass that is cut off, as a fence's end or a signal does it."""
    task = asyncio.ensure_future(passes.run(transfer))
    await lab.clock.sleep(after)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def refusing(transfer, fault):
    """The store takes no unanswered write; what gives it back."""
    right = transfer.commit

    def commit(changes, tally):
        if any(isinstance(one, PutOutstanding) for one in changes):
            raise fault
        right(changes, tally)

    transfer.commit = commit
    return lambda: setattr(transfer, "commit", right)


async def prepared(lab, method):
    """A world in which a pass reaches ``method``."""
    match method:
        case "copy":
            lab.put(lab.source, "n", b"1")
        case "create_container":
            del lab.target.containers["web"]
            lab.put(lab.source, "n", b"1")
        case "commit_blocks":
            staged(lab, "n")
        case "delete" | "set_tags" | "set_tier":
            lab.put(lab.source, "n", b"1")
            await lab.run()
            if method == "delete":
                lab.erase(lab.source, "n")
            elif method == "set_tags":
                lab.retag(lab.source, "n", a="b")
            else:
                lab.source.set_tier(None, "web", "n", "Cool", sent_at=0.0)


DOORS = ["copy", "create_container", "commit_blocks", "delete", "set_tags", "set_tier"]


@pytest.mark.parametrize("method", DOORS)
async def test_what_is_cut_off_is_on_record(lab, method):
    await prepared(lab, method)
    with Hanging(lab, method):
        await cut_off(lab, lab.transfer(bound_seconds=BOUND))
    assert len(on_record(lab)) == 1


@pytest.mark.parametrize("method", sorted({*DOORS} - {"commit_blocks"}))
async def test_what_a_busy_store_does_not_take_is_remembered_and_given_to_it_again(lab, method):
    await prepared(lab, method)
    lingers = []
    transfer = lab.transfer(bound_seconds=BOUND, linger=lingers.append)
    give_back = refusing(transfer, StateError("another program keeps it locked"))
    with Hanging(lab, method):
        await cut_off(lab, transfer)
    assert on_record(lab) == []
    assert lingers == [BOUND]
    assert transfer.unwritten
    give_back()
    await passes.run(transfer)
    assert len(on_record(lab)) == 1
    assert not transfer.unwritten


async def test_a_sweep_that_cannot_be_announced_is_not_sent(lab):
    staged(lab)
    transfer = lab.transfer(bound_seconds=BOUND)
    give_back = refusing(transfer, StateError("another program keeps it locked"))
    with pytest.raises(StateError):
        await passes.run(transfer)
    assert lab.target.containers["web"].staged
    give_back()
    await passes.run(transfer)
    assert (lab.contents(lab.target), lab.target.containers["web"].staged) == ({}, {})


async def test_a_pass_whose_unanswered_write_the_store_still_refuses_does_not_begin(lab):
    await prepared(lab, "copy")
    transfer = lab.transfer(bound_seconds=BOUND)
    give_back = refusing(transfer, StateError("another program keeps it locked"))
    with Hanging(lab, "copy"):
        await cut_off(lab, transfer)
    with pytest.raises(StateError):
        await passes.run(transfer)
    give_back()
    await passes.run(transfer)
    assert on_record(lab) == [("n", "create")]


async def test_a_store_that_belongs_to_another_run_is_left_alone(lab):
    await prepared(lab, "copy")
    lingers = []
    transfer = lab.transfer(bound_seconds=BOUND, linger=lingers.append)
    refusing(transfer, LockedError("another run holds the lock"))
    with Hanging(lab, "copy"):
        await cut_off(lab, transfer)
    assert (on_record(lab), lingers) == ([], [])


async def test_an_unanswered_write_that_the_store_does_not_take_ends_no_pass(lab):
    """The others are copied; the engine sees what is not on record, and begins no cut-over."""
    for name in ("a", "b"):
        lab.put(lab.source, name, b"1")
    right, calls = lab.doors["dst"].inner.copy, []

    async def copy(*args, **more):
        calls.append(args)
        if len(calls) == 1:
            raise OutcomeUnknown("no answer")
        return await right(*args, **more)

    lab.doors["dst"].inner.copy = copy
    lingers = []
    transfer = lab.transfer(bound_seconds=BOUND, linger=lingers.append)
    refusing(transfer, StateError("another program keeps it locked"))
    result = await passes.run(transfer)
    assert (result.copied, result.superseded, len(transfer.unwritten), lingers) == (1, 1, 1, [BOUND])


# Sweeping.


async def test_a_sweep_that_dies_before_its_delete_leaves_nothing_that_is_called_foreign(lab):
    staged(lab)
    inner = lab.doors["dst"].inner
    right = inner.delete

    async def dies(*args, **more):
        raise asyncio.CancelledError

    inner.delete = dies
    with pytest.raises(asyncio.CancelledError):
        await lab.run(bound_seconds=BOUND)
    inner.delete = right
    assert lab.contents(lab.target) == {"big": b""}
    result = await lab.run(bound_seconds=BOUND)
    assert (result.foreign, lab.contents(lab.target)) == (0, {})
    assert on_record(lab) == [("big", "create")]


async def test_a_sweep_that_is_cut_off_and_applied_late_is_waited_for_and_taken_away(lab):
    staged(lab)
    with Hanging(lab, "commit_blocks", late=200.0):
        await cut_off(lab, lab.transfer(bound_seconds=BOUND))
    assert on_record(lab) == [("big", "create")]
    waits = lab.transfer(bound_seconds=BOUND).waits
    assert (await lab.run(bound_seconds=BOUND, waits=waits)).foreign == 0
    await lab.clock.sleep(250.0)
    assert lab.contents(lab.target) == {"big": b""}
    await lab.run(bound_seconds=BOUND, waits=waits)
    assert lab.contents(lab.target) == {}
    await lab.clock.sleep(BOUND)
    await lab.run(bound_seconds=BOUND, waits=waits)
    assert on_record(lab) == []


async def test_a_sweep_that_is_done_leaves_nothing_on_record(lab):
    staged(lab)
    await lab.run(bound_seconds=BOUND)
    assert (lab.contents(lab.target), on_record(lab), lab.target.containers["web"].staged) == ({}, [], {})


# The cap of deletes.


@pytest.mark.parametrize("dies_after", range(6))
async def test_the_cap_holds_over_any_number_of_deaths(lab, dies_after, monkeypatch):
    """A kill leaves no last word: whatever a pass commits afterwards is lost."""
    lab.rhythm = Rhythm(sizes=Sizes(min_delete_cap=5, delete_group=3))
    for number in range(40):
        lab.put(lab.source, f"n{number:02}", b"1")
    await lab.run()
    counted = 0
    for begin in range(0, 40, 5):
        for number in range(begin, begin + 5):
            lab.erase(lab.source, f"n{number:02}")
        counted = await killed(lab, counted, dies_after)
    assert 40 - len(lab.contents(lab.target)) <= 5


async def killed(lab, counted, after):
    """A run that is killed after so many deletes; what its record says is counted then."""
    count, gone, is_dead = counted, 0, False
    right = lab.doors["dst"].inner.delete

    async def delete(*args, **more):
        nonlocal gone, is_dead
        if gone == after:
            is_dead = True
            raise asyncio.CancelledError
        gone += 1
        await right(*args, **more)

    def commit(changes, tally):
        nonlocal count
        if not is_dead:
            lab.state.commit(list(changes), token=lab.token)
            count += tally.deletes_reserved

    transfer = lab.transfer(deletes_counted=counted)
    transfer.commit = commit
    lab.doors["dst"].inner.delete = delete
    with contextlib.suppress(asyncio.CancelledError, JudgementError):
        await passes.run(transfer)
    lab.doors["dst"].inner.delete = right
    return count


async def test_what_a_dead_run_had_counted_and_not_deleted_is_given_back(lab):
    lab.rhythm = Rhythm(sizes=Sizes(min_delete_cap=10))
    for number in range(10):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in range(6):
        lab.erase(lab.source, f"n{number}")
    counted = await killed(lab, 0, 2)
    assert counted == 6  # of which two are deleted
    transfer = lab.transfer(deletes_counted=counted)
    assert (await passes.run(transfer)).deleted == 4
    assert transfer.deletes_counted == 6
    for number in range(6, 10):
        lab.erase(lab.source, f"n{number}")
    assert (await passes.run(transfer)).deleted == 4


async def test_what_was_refused_is_given_back_and_what_was_not_answered_stays_counted(lab):
    for number in range(4):
        lab.put(lab.source, f"n{number}", b"1")
    await lab.run()
    for number in range(4):
        lab.erase(lab.source, f"n{number}")
    right, calls = lab.doors["dst"].inner.delete, []

    async def delete(container, name, *, if_match, **more):
        calls.append(name)
        if len(calls) == 1:
            lab.put(lab.target, name, b"somebody's")  # its condition is refused
        if len(calls) == 2:
            raise OutcomeUnknown("no answer")
        await right(container, name, if_match=if_match)

    lab.doors["dst"].inner.delete = delete
    transfer = lab.transfer(bound_seconds=BOUND)
    result = await passes.run(transfer)
    assert (result.deleted, result.superseded, transfer.deletes_counted) == (2, 2, 3)
    assert on_record(lab) == [(calls[1], "delete")]
    lab.doors["dst"].inner.delete = right
    assert (await passes.run(transfer)).deleted == 1
    assert transfer.deletes_counted == 3  # the same name is not counted twice


async def test_going_back_and_forward_each_have_a_count_of_their_own(lab):
    lab.put(lab.source, "n", b"1")
    await lab.run()
    lab.erase(lab.target, "n")
    back = lab.transfer(Direction.REVERSE)
    assert (await passes.run(back)).deleted == 1
    assert lab.state.note(f"deleting/{MOVE}/forward") is None
