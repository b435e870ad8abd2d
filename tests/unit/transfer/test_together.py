"""Side by side, all or none."""

import asyncio

import pytest

from migrator.transfer.together import together


async def _after(turns: int, answer: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return answer


async def _wait(index: int, ended: list[int]) -> None:
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0)
        ended.append(index)


@pytest.mark.parametrize("many", [0, 1, 2, 5])
async def test_answers_come_in_the_order_of_the_work(many):
    assert await together(*(_after(many - index, index) for index in range(many))) == list(range(many))


@pytest.mark.parametrize("many", [1, 2, 5])
async def test_when_one_fails_the_others_have_ended_before_its_error_goes_up(many):
    ended: list[int] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("one of them")

    with pytest.raises(ValueError, match="one of them"):
        await together(*(_wait(index, ended) for index in range(many - 1)), fail())
    assert sorted(ended) == list(range(many - 1))


@pytest.mark.parametrize("many", [1, 2, 5])
async def test_cancelling_the_caller_ends_all_of_them(many):
    ended: list[int] = []
    caller = asyncio.create_task(together(*(_wait(index, ended) for index in range(many))))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert sorted(ended) == list(range(many))
