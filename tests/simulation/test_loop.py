"""Virtual time, pauses and deaths are exact, and nothing depends on memory addresses."""

import asyncio
import gc

import pytest

from migrator.testing.simulation.loop import (
    BusyLoopError,
    DeadlockError,
    Node,
    NodeDead,
    OutOfTimeError,
    SimClock,
    SimLoop,
)


def play(work, **options):
    loop = SimLoop(**options)
    try:
        return loop.run_until_complete(work(loop))
    finally:
        loop.discard()


def test_a_sleep_of_a_year_takes_no_time_and_exactly_a_year():
    async def work(loop):
        await asyncio.sleep(365 * 86_400)
        return loop.time()

    assert play(work) == 365 * 86_400


def test_waiting_for_nothing_is_a_deadlock():
    async def work(loop):
        await loop.create_future()

    with pytest.raises(DeadlockError):
        play(work)


def test_running_for_ever_without_time_is_found():
    async def work(loop):
        while True:  # noqa: ASYNC110 - on purpose
            await asyncio.sleep(0)

    with pytest.raises(BusyLoopError):
        play(work)


def test_the_end_of_time_ends_the_run():
    async def work(loop):
        while True:  # noqa: ASYNC110 - on purpose
            await asyncio.sleep(10)

    with pytest.raises(OutOfTimeError):
        play(work, until=1000)


def test_a_paused_process_goes_on_in_order_when_its_pause_ends():
    seen = []

    async def count(loop):
        for number in range(3):
            await asyncio.sleep(1)
            seen.append((number, loop.time()))

    async def work(loop):
        node = Node("a", loop)
        task = node.start(count(loop))
        await asyncio.sleep(1.5)
        node.pause(10)
        await task

    play(work)
    assert seen == [(0, 1.0), (1, 11.5), (2, 12.5)]


def test_a_killed_process_does_nothing_more_not_even_its_finally():
    seen = []

    async def live(node):
        try:
            await asyncio.sleep(5)
        finally:
            node.step()
            seen.append("a last word")

    async def work(loop):
        node = Node("a", loop)
        node.start(live(node))
        await asyncio.sleep(1)
        node.kill()
        await asyncio.sleep(100)

    play(work)
    assert seen == []


@pytest.fixture
def printed(monkeypatch):
    """What Python would print of errors that reach nobody."""
    said = []
    monkeypatch.setattr("sys.unraisablehook", lambda fault: said.append(repr(fault.exc_value)))
    return said


def test_a_task_that_waits_on_its_way_out_leaves_nothing_to_the_garbage_collection(printed):
    async def work(loop):
        node, clock = Node("a", loop), SimClock(loop, "seed")

        async def engine():
            try:
                try:
                    await clock.sleep(100)
                finally:
                    await clock.sleep(1)
            finally:
                node.step()

        node.start(engine())
        await clock.sleep(5)
        node.kill()

    play(work)
    gc.collect()
    assert printed == []


def test_what_is_dropped_by_something_that_is_closed_has_no_last_word_either(printed):
    async def work(loop):
        node, clock = Node("a", loop), SimClock(loop, "seed")

        async def inner():
            try:
                await clock.sleep(100)
            finally:
                try:
                    await clock.sleep(1)
                finally:
                    node.step()

        async def engine():
            await inner()

        node.start(engine())
        await clock.sleep(5)
        node.kill()

    play(work)
    gc.collect()
    assert printed == []


def test_a_generator_that_nobody_needs_and_that_waits_on_its_way_out_is_closed_with_the_world():
    async def numbers():
        try:
            yield 1
        finally:
            await asyncio.sleep(10)

    async def work(loop):
        async for _ in numbers():
            break
        gc.collect()
        await asyncio.sleep(0)
        return "over"

    assert play(work) == "over"


@pytest.mark.parametrize("when", [0.5, 1.0, 3.0, 5.0])
def test_a_task_that_sleeps_is_woken_once_by_cancelling_it(when):
    """In between, and at the very instant at which it would have gone on by itself."""
    seen = []

    async def sleeper(loop, clock):
        try:
            await clock.sleep(5.0)
            seen.append(("woken", loop.time()))
        except asyncio.CancelledError:
            seen.append(("cancelled", loop.time()))
            await clock.sleep(2.0)
            seen.append(("ended", loop.time()))

    async def work(loop):
        node, clock = Node("a", loop), SimClock(loop, "seed")
        loop.call_at(when, lambda: (task.cancel(), task.cancel()))  # asked for first: it comes first
        await asyncio.sleep(0)
        task = node.start(sleeper(loop, clock))
        await asyncio.sleep(0)
        await asyncio.wait([task])

    play(work)
    assert seen == [("cancelled", when), ("ended", when + 2.0)]


def test_a_sleeper_cancelled_while_its_process_is_paused_hears_of_it_afterwards():
    seen = []

    async def sleeper(loop, clock):
        try:
            await clock.sleep(5.0)
        finally:
            seen.append(loop.time())

    async def work(loop):
        node, clock = Node("a", loop), SimClock(loop, "seed")
        task = node.start(sleeper(loop, clock))
        await asyncio.sleep(1.0)
        node.pause(30.0)
        await asyncio.sleep(9.0)  # by now it should have gone on by itself
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    play(work)
    assert seen == [31.0]


def test_a_sleep_within_a_timeout_is_ended_by_it():
    async def work(loop):
        clock = SimClock(loop, "seed")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3.0):
                await clock.sleep(5.0)
        return loop.time()

    assert play(work) == 3.0


def test_what_the_world_does_at_an_instant_comes_in_the_order_it_was_asked_for():
    seen = []

    async def work(loop):
        clock = SimClock(loop, "seed")
        loop.happen(2.0, seen.append, "world")
        task = loop.create_task(clock.sleep(2.0))
        task.add_done_callback(lambda _: seen.append("sleeper"))
        loop.call_at(2.0, seen.append, "timer")
        await clock.sleep(2.0)

    play(work)
    assert seen == ["world", "timer", "sleeper"]


def test_a_process_dies_of_its_last_step():
    async def work(loop):
        node = Node("a", loop)
        node.steps_left = 2
        node.step()
        with pytest.raises(NodeDead):
            node.step()
        assert not node.alive

    play(work)


def test_sets_of_tasks_are_iterated_in_the_same_order_each_time():
    async def work(loop):
        tasks = [asyncio.ensure_future(asyncio.sleep(1, number)) for number in range(50)]
        done, _ = await asyncio.wait(tasks)
        return [task.result() for task in done]

    assert play(work) == play(work)


def test_threads_work_on_the_spot():
    async def work(loop):
        return await asyncio.to_thread(sum, [1, 2])

    assert play(work) == 3
