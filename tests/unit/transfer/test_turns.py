"""Who came first as a whole goes first with every part; a turn that is given up in the last moment is not lost."""

import asyncio
from contextlib import suppress

from migrator.model.window import Window
from migrator.transfer.turns import Turns


async def use(turns: Turns, rank: int, order: list[int]) -> None:
    async with turns.turn(rank):
        order.append(rank)
        await asyncio.sleep(0)


async def test_no_more_than_the_limit_have_a_turn_at_once() -> None:
    turns, at_once, most = Turns(2), 0, 0

    async def work() -> None:
        nonlocal at_once, most
        async with turns.turn(0):
            at_once += 1
            most = max(most, at_once)
            await asyncio.sleep(0)
            at_once -= 1

    await asyncio.gather(*(work() for _ in range(20)))
    assert most == 2


async def test_a_lower_rank_goes_first_however_late_it_asks() -> None:
    turns, order = Turns(1), list[int]()
    await asyncio.gather(*(use(turns, rank, order) for rank in (5, 3, 3, 1, 2)))
    assert order == [5, 1, 2, 3, 3]


async def test_a_turn_that_is_given_to_somebody_who_leaves_goes_to_the_next() -> None:
    turns, order = Turns(1), list[int]()
    async with turns.turn(0):
        leaves = asyncio.ensure_future(use(turns, 1, order))
        stays = asyncio.ensure_future(use(turns, 2, order))
        await asyncio.sleep(0)
    leaves.cancel()  # after the turn was given, before it was taken up
    with suppress(asyncio.CancelledError):
        await leaves
    await asyncio.wait_for(stays, 5)
    assert order == [2]


async def test_whoever_leaves_while_waiting_holds_nobody_up() -> None:
    turns, order = Turns(1), list[int]()
    async with turns.turn(0):
        leaves = asyncio.ensure_future(use(turns, 1, order))
        await asyncio.sleep(0)
        leaves.cancel()
        with suppress(asyncio.CancelledError):
            await leaves
    await asyncio.wait_for(use(turns, 2, order), 5)
    assert order == [2]


async def test_there_are_as_many_turns_as_pay() -> None:
    """Each turn takes a distant service 20 ms of its time; what holds it up is never the service."""
    now, at_once, most = 0.0, 0, 0
    window = Window.up_to(64, 4)
    turns = Turns(window, lambda: now)

    async def work() -> None:
        nonlocal now, at_once, most
        for _ in range(200):
            async with turns.turn(0):
                at_once += 1
                most = max(most, at_once)
                await asyncio.sleep(0)
                now += 0.02 / at_once
                at_once -= 1

    await asyncio.gather(*(work() for _ in range(64)))
    assert most == 64


async def test_a_narrower_window_lets_nobody_in_before_there_is_room() -> None:
    window = Window(start=4, least=1, most=4)
    turns, order = Turns(window), list[int]()
    for _ in range(4):
        await turns.take(0)
    late = asyncio.ensure_future(use(turns, 1, order))
    await asyncio.sleep(0)
    window.refused()
    for expected in ([], [], [1]):
        turns.give()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert order == expected
    await late
