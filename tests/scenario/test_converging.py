"""Customers who write faster than the tool may copy, and a fence that does not end in time: nothing is fenced in vain."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from migrator.engine.steps import cut
from migrator.errors import NotFound
from migrator.forecast import converging
from migrator.forecast.converging import Convergence
from migrator.model.moves import MoveState
from migrator.model.objects import CREATE, BlobType, Condition
from migrator.model.routes import READ_WRITE
from migrator.model.schedule import Cutover
from migrator.transfer import passes
from tests.scenario.world import ID, Small, shape

MIB = 1024**2


@pytest.fixture
def small(tmp_path):
    return Small(tmp_path)


async def test_a_burst_that_beats_the_copy_rate_will_not_converge_and_nothing_is_fenced(small, monkeypatch):
    """Whatever a pass carries over, customers have written every object again when the next one begins."""
    await small.fill(12)
    small.change_wave(cutover=Cutover(max_lag_objects=3))
    right, turns = passes.run, []

    async def run(transfer, *, in_fence=False, after=None):
        turns.append(in_fence)
        for number in range(12):
            await small.write("src", f"n{number:03d}", b"%d" % len(turns))
        return await right(transfer, in_fence=in_fence, after=after)

    monkeypatch.setattr(passes, "run", run)
    outcome = await asyncio.wait_for(small.rollout().apply(), 120)
    assert not any(turns)
    assert len(turns) <= 6
    assert outcome.code == "halted"
    record = small.state().move(ID)
    assert record.state is MoveState.HALTED
    assert "will not converge" in record.reason
    assert "objects/s are changed and" in record.reason
    assert "objects/s are carried over" in record.reason
    route = await small.route()
    assert (route.account, route.mode, route.epoch) == ("src", READ_WRITE, 1)
    assert not any("writers will wait" in entry.text for entry in small.state().journal())


async def test_a_pass_that_takes_longer_than_fence_timeout_is_cut_off_and_the_writers_go_on(small, monkeypatch):
    await small.fill(3)
    small.change_wave(cutover=Cutover(fence_timeout_seconds=0.5))
    right = passes.run

    async def run(transfer, *, in_fence=False, after=None):
        if in_fence:
            await asyncio.sleep(3600)
        return await right(transfer, in_fence=in_fence, after=after)

    monkeypatch.setattr(passes, "run", run)
    outcome = await asyncio.wait_for(small.rollout().apply(), 60)
    assert outcome.code == "halted"
    reason = small.state().move(ID).reason
    assert "fences in a row were cancelled" in reason
    assert "within fence_timeout" in reason
    route = await small.route()
    assert (route.account, route.mode) == ("src", READ_WRITE)


async def test_the_journal_has_the_forecast_of_a_fence_before_its_outcome(small):
    await small.fill(3)
    await small.rollout().apply()
    kinds = [entry.kind for entry in small.state().journal() if entry.kind in ("fence-forecast", "switched")]
    assert kinds == ["fence-forecast", "switched"]


def test_rates_are_what_passes_found_over_the_time_in_which_it_came():
    found = Convergence()
    found.take(begun=0.0, seconds=10.0, changes=1000)
    found.take(begun=20.0, seconds=4.0, changes=100)
    assert found.arrival_per_second == 5.0
    assert found.carrying_per_second == 25.0
    assert found.fence_seconds(drain_seconds=96.0) == 2 * 4.0 + 5.0 * (96.0 + 4.0) / 25.0


def test_what_changed_again_under_the_hands_of_a_pass_was_not_carried():
    found = Convergence()
    found.take(begun=0.0, seconds=10.0, changes=300)
    found.take(begun=10.0, seconds=10.0, changes=150, carried=10)
    assert found.in_words() == "15.0 objects/s are changed and 1.0 objects/s are carried over"


def test_append_and_page_blobs_that_keep_changing_are_in_the_fence_with_all_their_bytes():
    found = Convergence()
    found.take(begun=0.0, seconds=10.0, changes=1000)
    found.take(begun=20.0, seconds=4.0, changes=0, lifted_bytes=500 * MIB)
    assert found.fence_seconds(96.0) == 2 * 4.0 + 5.0
    assert found.fence_seconds(96.0, bytes_per_second=10.0 * MIB) == 2 * 4.0 + 50.0
    found.take(begun=40.0, seconds=4.0, changes=0)
    assert found.fence_seconds(96.0) == 4.0, "what did not change is looked at once"


async def test_a_fence_that_would_have_to_stream_for_too_long_never_begins(small, monkeypatch):
    """A log that is written all the time: the service copies it in its own time before the fence, and cannot inside of it."""
    await small.fill(2)
    small.change_wave(cutover=Cutover(max_passes=3, fence_timeout_seconds=5.0))
    monkeypatch.setattr(converging, "STREAM_BYTES_PER_SECOND", 100.0)
    right = passes.run

    async def run(transfer, *, in_fence=False, after=None):
        await write_log(small)
        return await right(transfer, in_fence=in_fence, after=after)

    monkeypatch.setattr(passes, "run", run)
    outcome = await asyncio.wait_for(small.rollout().apply(), 60)
    assert outcome.code == "halted"
    reason = small.state().move(ID).reason
    assert "after 3 passes a fence would need 1" in reason
    assert "s, not less than 5 s, 10.2 s for 1 KiB of append and page blobs that keep changing" in reason
    assert (await small.route()).epoch == 1


async def write_log(small):
    store = small.store("src")
    try:
        condition = Condition(if_match=(await store.head("web", "log")).etag)
    except NotFound:
        condition = CREATE
    log = replace(shape(), blob_type=BlobType.APPEND)
    made = await store.create_empty("web", "log", 0, log, condition=condition)
    await store.append("web", "log", bytes(1024), offset=0, if_match=made.etag)
    await store.close()


def test_a_lag_that_does_not_shrink_is_hopeless_only_above_the_limit():
    found = Convergence()
    for number in range(4):
        found.take(begun=10.0 * number, seconds=5.0, changes=50)
    assert found.is_hopeless(49)
    assert not found.is_hopeless(50)


async def test_work_that_ends_in_time_is_not_touched():
    class Clock:
        sleep = staticmethod(asyncio.sleep)

    async def work():
        await asyncio.sleep(0)
        return "done"

    assert await cut.within(Clock(), 5.0, work()) == "done"
    assert await cut.within(Clock(), 0.0, asyncio.sleep(3600)) is None
