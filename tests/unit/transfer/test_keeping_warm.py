"""Passes that keep the side warm that customers left: what they carry, what they leave, and how they come to an early end."""

from __future__ import annotations

import asyncio

import pytest

from migrator.model.moves import Direction
from migrator.transfer import passes
from migrator.transfer.subject import GivenUp
from migrator.transfer.walk import Walk
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    lab = Lab()
    for name in "abcdef":
        lab.put(lab.source, name, b"equal")
    await lab.run()
    return lab


def warm(lab, **options):
    transfer = lab.transfer(Direction.REVERSE, **options)
    transfer.keeps_warm = True
    return transfer


async def looked(lab, *, is_kept_warm=True):
    """A look for stragglers at the source."""
    transfer = lab.transfer()
    transfer.is_kept_warm = is_kept_warm
    return await passes.watch(transfer)


async def test_what_is_surely_the_customers_is_carried_and_is_no_stragglers(lab):
    lab.put(lab.target, "a", b"theirs")
    lab.retag(lab.target, "b", by="them")
    lab.erase(lab.target, "c")
    lab.put(lab.target, "new", b"theirs")
    result = await passes.run(warm(lab))
    assert (result.copied, result.marked, result.deleted) == (2, 1, 1)
    assert lab.contents(lab.source) == lab.contents(lab.target)
    look = await looked(lab)
    assert (look.stragglers_new, look.unsure) == (0, 0)


async def test_what_others_did_is_left_without_a_row_and_is_the_looks_to_list(lab):
    """Changed at the source alone, made there, deleted there, and changed on both sides."""
    lab.put(lab.source, "a", b"a stranger's")
    lab.put(lab.source, "new", b"a stranger's")
    lab.erase(lab.source, "b")
    lab.put(lab.source, "c", b"a stranger's")
    lab.put(lab.target, "c", b"theirs")
    before = lab.contents(lab.source)
    result = await passes.run(warm(lab))
    assert (result.held, result.conflicts, result.changes) == (3, 1, 0)
    assert result.named == ["web/c: changed on both sides since they were equal"]
    assert lab.contents(lab.source) == before
    assert not list(lab.state.exceptions(MOVE, limit=9))
    assert not lab.records().has_pending
    look = await looked(lab)
    assert (look.stragglers_new, look.unsure) == (4, 0)


async def test_a_conflict_is_left_whatever_was_said_of_conflicts(lab):
    """That is a word about a way back, and not about customers who are still there."""
    lab.put(lab.source, "c", b"a stranger's")
    lab.put(lab.target, "c", b"theirs")
    result = await passes.run(warm(lab, on_conflict="target"))
    assert result.conflicts == 1
    assert lab.contents(lab.source)["c"] == b"a stranger's"


async def test_names_that_are_refused_are_left_without_a_row(lab):
    lab.put(lab.target, "a", b"theirs")
    lab.erase(lab.target, "b")
    lab.source.leases["web", "a"] = lab.source.leases["web", "b"] = 1e9
    result = await passes.run(warm(lab))
    assert not list(lab.state.exceptions(MOVE, limit=9))
    assert (result.failed, len(result.named)) == (2, 2)


async def broken_off(lab, monkeypatch):
    """A pass whose writes are applied and not on record: its process is gone."""
    lab.put(lab.target, "a", b"theirs")
    with monkeypatch.context() as patch:
        patch.setattr(Walk, "_checkpoint", _dies)
        with pytest.raises(Died):
            await passes.run(warm(lab))
    assert lab.contents(lab.source)["a"] == b"theirs"
    assert lab.records().has_pending


class Died(BaseException):
    """Nothing that a process does about its own end is done."""


def _dies(walk, changes, tally):
    if tally.copied:
        raise Died


async def test_what_is_announced_and_not_on_record_is_nobodys_yet(lab, monkeypatch):
    await broken_off(lab, monkeypatch)
    look = await looked(lab)
    assert (look.stragglers_new, look.unsure) == (0, 1)
    assert (await passes.run(warm(lab))).adopted == 1
    look = await looked(lab)
    assert (look.stragglers_new, look.unsure) == (0, 0)


async def test_where_nothing_is_kept_warm_it_is_a_strangers(lab, monkeypatch):
    await broken_off(lab, monkeypatch)
    look = await looked(lab, is_kept_warm=False)
    assert (look.stragglers_new, look.unsure) == (1, 0)


async def test_a_pass_that_is_to_end_waits_for_its_answers_and_puts_them_on_record(lab):
    """Nothing is left unanswered: a way back would wait for that until it cannot be applied any more."""
    for number in range(300):
        lab.put(lab.target, f"made {number:03d}", b"theirs")
    lab.wires["src"].delay = lambda *, is_write: 1.0 if is_write else 0.0
    transfer = warm(lab, parallel=4, bound_seconds=900.0)
    work = asyncio.create_task(passes.run(transfer))
    await asyncio.sleep(5.5)
    transfer.is_ending = True
    begun = lab.loop.time()
    with pytest.raises(GivenUp):
        await work
    assert lab.loop.time() - begun <= 1.0
    assert not lab.outstanding()
    written = [name for name in lab.contents(lab.source) if name.startswith("made")]
    assert 16 <= len(written) < 100, "some are under way at once, and few of all were begun"
    look = await looked(lab)
    assert (look.stragglers_new, look.unsure) == (0, 0)
    del lab.wires["src"].delay
    result = await passes.run(warm(lab))
    assert (result.copied, result.adopted) == (300 - len(written), 0)


async def test_one_that_is_to_end_begins_no_delete(lab):
    for name in "abc":
        lab.erase(lab.target, name)
    lab.wires["dst"].delay = lambda *, is_write: 1.0
    transfer = warm(lab)
    work = asyncio.create_task(passes.run(transfer))
    await asyncio.sleep(1.5)
    transfer.is_ending = True
    with pytest.raises(GivenUp):
        await work
    assert len(lab.contents(lab.source)) == 6
    assert transfer.deletes_counted == 0


async def test_containers_and_lanes_wait_for_each_others_answers(lab):
    """One that has nothing left to begin does not cut off what another one has sent."""
    for number in range(40):
        lab.put(lab.target, f"made {number:03d}", b"theirs")
        lab.put(lab.target, f"made {number:03d}", b"theirs", container="web2")
    lab.wires["src"].delay = lambda *, is_write: 3.0 if is_write else 0.0
    transfer = warm(lab, parallel=4, bound_seconds=900.0)
    work = asyncio.create_task(passes.run(transfer))
    await asyncio.sleep(4.0)
    transfer.is_ending = True
    with pytest.raises(GivenUp):
        await work
    assert not lab.outstanding()
    look = await looked(lab)
    assert (look.stragglers_new, look.unsure) == (0, 0)
