"""A release that has begun comes to its end, whoever stops the run meanwhile: nobody else may take the move on before."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from migrator.engine import recovering
from migrator.engine.releasing import release
from migrator.engine.runner import drive
from migrator.errors import RouteChanged, RouteDisagreement
from migrator.model.moves import MoveRecord, MoveState, RouteIntent
from migrator.model.routes import READ_WRITE
from tests.unit.engine.board import ID, before, fence, mover_of

INTENT = RouteIntent(replace(before(), run="run-2"), replace(fence(), run="run-2"))


class Slow:
    """A router whose swaps wait until ``answer`` is set; ``asked`` is set once one waits."""

    def __init__(self, inner) -> None:
        self._inner = inner
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def read(self, region):
        return await self._inner.read(region)

    async def swap(self, region, document, *, expected_etag):
        self.asked.set()
        await self.answer.wait()
        return await self._inner.swap(region, document, expected_etag=expected_etag)


def fenced():
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.DRAINING, intent=INTENT, epoch=7, ever_routed=True)
    mover, board, _ = mover_of(record, INTENT.fence)
    slow = mover.desk._router = Slow(board)
    return mover, board, slow


async def a_while() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def broken(mover):
    raise RouteChanged("cannot go on in the fence")


def is_released(state: MoveState) -> bool:
    return state is MoveState.CATCHING_UP


async def stopped_while_it_releases(task, slow, times):
    await asyncio.wait_for(slow.asked.wait(), 5)
    for _ in range(times):
        task.cancel()
        await a_while()
    assert not task.done(), "the run ends, and its release is still under way"
    slow.answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("times", [1, 2])
async def test_a_run_that_is_stopped_while_it_undoes_a_broken_fence_ends_after_the_release(times):
    mover, board, slow = fenced()
    task = asyncio.create_task(drive(mover, {MoveState.DRAINING: broken}, until=is_released))
    await stopped_while_it_releases(task, slow, times)
    route = board.document.routes[str(ID)]
    assert (route.mode, route.epoch) == (READ_WRITE, 8)
    assert (mover.record.state, mover.record.intent, mover.record.epoch) == (MoveState.CATCHING_UP, None, 8)


async def test_a_run_that_is_stopped_twice_ends_after_the_release():
    mover, _, slow = fenced()

    async def drain(mover):
        await asyncio.Event().wait()

    task = asyncio.create_task(drive(mover, {MoveState.DRAINING: drain}))
    await a_while()
    task.cancel()
    await stopped_while_it_releases(task, slow, 1)
    assert mover.record.state is MoveState.CATCHING_UP


async def test_a_run_that_is_stopped_while_it_resolves_the_fence_of_an_earlier_one_ends_after_the_release():
    mover, _, slow = fenced()
    task = asyncio.create_task(recovering.resolve(mover))
    await asyncio.wait_for(slow.asked.wait(), 5)
    task.cancel()
    await a_while()
    assert not task.done()
    slow.answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert mover.record.state is MoveState.CATCHING_UP


async def test_what_a_stopped_release_found_out_is_still_said():
    mover, board, slow = fenced()
    task = asyncio.create_task(drive(mover, {MoveState.DRAINING: broken}))
    await asyncio.wait_for(slow.asked.wait(), 5)
    task.cancel()
    await a_while()
    stranger = replace(before("dst"), epoch=9, run="somebody")
    board.document = board.document.with_record(str(ID), stranger)
    board.version += 1
    slow.answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert mover.record.state is MoveState.HALTED
    assert "route and state disagree" in mover.record.reason


async def test_a_release_that_nobody_stops_says_what_is_wrong():
    mover, board, slow = fenced()
    slow.answer.set()
    board.document = board.document.with_record(str(ID), replace(before("dst"), epoch=9))
    with pytest.raises(RouteDisagreement):
        await release(mover, "a test")


async def test_a_record_of_before_that_was_put_back_is_released_above_the_fence_that_was_seen():
    mover, board, slow = fenced()
    slow.answer.set()
    board.document = board.document.with_record(str(ID), INTENT.before)
    await release(mover, "a test")
    released = board.document.routes[str(ID)]
    assert (released.mode, released.epoch) == (READ_WRITE, INTENT.fence.epoch + 1)
    assert mover.record.epoch == released.epoch
