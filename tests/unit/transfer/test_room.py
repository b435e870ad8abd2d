"""What is held at once has a bound, and nobody is passed for ever."""

import asyncio

from migrator.transfer.room import Room


async def test_no_more_is_held_than_there_is_room_for():
    room, held, most = Room(10), 0, 0

    async def work(size):
        nonlocal held, most
        async with room.of(size):
            held += size
            most = max(most, held)
            await asyncio.sleep(0)
            held -= size

    await asyncio.gather(*(work(size % 5 + 1) for size in range(200)))
    assert (held, 5 < most <= 10) == (0, True)


async def test_a_large_one_is_not_passed_by_small_ones():
    room, order = Room(10), []

    async def work(size):
        async with room.of(size):
            order.append(size)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(size) for size in (6, 9, 1, 2)))
    assert order == [6, 9, 1, 2]


async def test_one_that_goes_away_leaves_its_room_to_others():
    room = Room(10)
    async with room.of(6):
        waiting = [asyncio.ensure_future(_hold(room, size)) for size in (9, 4)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert waiting[1].done()
    async with asyncio.timeout(5), room.of(10):
        pass


async def test_one_that_is_cancelled_as_its_turn_comes_gives_it_back():
    room = Room(10)
    async with room.of(10):
        waiting = asyncio.ensure_future(_hold(room, 10))
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(5), room.of(10):
        pass


async def _hold(room, size):
    async with room.of(size):
        pass
