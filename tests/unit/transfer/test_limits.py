"""The pace of an account, in virtual time: what leaves when, whatever holds the process up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from migrator.testing.simulation.loop import Node, SimClock, SimLoop
from migrator.transfer.limits import BURST_SECONDS, HEADROOM, AccountLimits, Limits, grant_together

WORKERS = 32
PER_MINUTE = 6_000.0
PER_SECOND = HEADROOM * PER_MINUTE / 60
WINDOW = 10.0

Work = Callable[[SimLoop, SimClock], Awaitable[None]]


def play(work: Work, seconds: float) -> None:
    loop = SimLoop()
    node = Node("engine", loop)

    async def until_the_end() -> None:
        node.start(work(loop, SimClock(loop, "seed")))  # type: ignore[arg-type]
        await asyncio.sleep(seconds)
        node.kill()

    try:
        loop.run_until_complete(until_the_end())
    finally:
        loop.discard()


async def crowd(grant: Callable[[], Awaitable[None]], sent: list[float], loop: SimLoop, workers: int = WORKERS) -> None:
    """Workers that always have something to send, and wait a little for each answer."""

    async def one(number: int) -> None:
        while True:
            await grant()
            sent.append(loop.time())
            await asyncio.sleep(0.005 + number / 10_000)

    await asyncio.gather(*(one(number) for number in range(workers)))


def fullest_window(sent: list[float], seconds: float = WINDOW) -> int:
    most = first = 0
    for last, at in enumerate(sent):
        while sent[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_no_ten_seconds_hold_more_than_their_share_and_little_is_left_unused():
    sent: list[float] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = AccountLimits(clock, requests_per_minute=PER_MINUTE)
        await crowd(limits.grant, sent, loop)

    play(work, 60)
    assert fullest_window(sent) <= PER_SECOND * (WINDOW + BURST_SECONDS) + 1
    assert len(sent) >= 0.98 * PER_SECOND * 60


@pytest.mark.parametrize("pause", [0.5, 3.0, 15.0])
def test_a_process_that_was_held_up_does_not_make_up_for_it(pause: float):
    """Everybody in line has missed a turn by then; one at a time they take the next."""
    sent: list[float] = []
    nodes: list[Node] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = AccountLimits(clock, requests_per_minute=PER_MINUTE)
        await crowd(limits.grant, sent, loop)

    async def world(loop: SimLoop) -> None:
        node = Node("engine", loop)
        nodes.append(node)
        node.start(work(loop, SimClock(loop, "seed")))
        for _ in range(4):
            await asyncio.sleep(7.3)
            node.pause(pause)
            await asyncio.sleep(pause)
        node.kill()

    loop = SimLoop()
    try:
        loop.run_until_complete(world(loop))
    finally:
        loop.discard()
    assert fullest_window(sent) <= PER_SECOND * (WINDOW + BURST_SECONDS) + 1
    assert fullest_window(sent, 0.01) <= PER_SECOND * (0.01 + BURST_SECONDS) + 1


def test_a_copy_is_granted_by_both_accounts_at_the_moment_it_is_sent():
    """Two targets share a source that grants less than both together: neither gets a burst out of the line at the source."""
    sent: dict[str, list[float]] = {"one": [], "two": []}

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = Limits(clock, ["one", "two", "source"])
        for name, per_minute in (("one", 3_000), ("two", 6_000), ("source", 6_000)):
            limits.account(name).requests_per_minute = per_minute
        source = limits.account("source")
        crowds = [crowd(lambda n=n: grant_together((limits.account(n), source)), sent[n], loop) for n in sent]
        await asyncio.gather(*crowds)

    play(work, 60)
    assert fullest_window(sent["one"]) <= HEADROOM * 50 * (WINDOW + BURST_SECONDS) + 1
    assert fullest_window(sorted(sent["one"] + sent["two"])) <= HEADROOM * 100 * (WINDOW + BURST_SECONDS) + 1
    assert len(sent["one"]) + len(sent["two"]) >= 0.95 * PER_SECOND * 60


def test_a_slow_account_does_not_hold_up_what_others_send_to_the_account_they_share():
    sent: dict[str, list[float]] = {"slow": [], "fast": []}

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = Limits(clock, ["slow", "fast", "source"])
        for name, per_minute in (("slow", 60), ("fast", 6_000), ("source", 30_000)):
            limits.account(name).requests_per_minute = per_minute
        source = limits.account("source")
        crowds = [crowd(lambda n=n: grant_together((source, limits.account(n))), sent[n], loop) for n in sent]
        await asyncio.gather(*crowds)

    play(work, 60)
    assert len(sent["slow"]) <= 62
    assert len(sent["fast"]) >= 0.95 * PER_SECOND * 60


def test_bytes_have_a_pace_of_their_own():
    sent: list[float] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = AccountLimits(clock, bytes_per_second=1_000_000)
        await crowd(lambda: limits.grant(bytes=50_000), sent, loop)

    play(work, 30)
    assert 0.95 * 20 * 30 <= len(sent) <= 20 * 30 + 6


def test_a_limit_that_is_lifted_lets_go_of_those_in_line():
    """With one request a minute the second waits; an operator who allows more does not wait with it."""
    sent: list[float] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = AccountLimits(clock, requests_per_minute=1)
        task = asyncio.ensure_future(crowd(limits.grant, sent, loop))
        await asyncio.sleep(5)
        limits.requests_per_minute = PER_MINUTE
        await task

    play(work, 10)
    assert sent[1] <= 6.1
    assert len(sent) >= 0.9 * PER_SECOND * 4


def test_the_pace_halves_when_the_service_is_busy_and_recovers_slowly():
    paces: list[float] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = AccountLimits(clock, requests_per_minute=PER_MINUTE)
        limits.give_way()
        limits.give_way()  # under way together: one sign
        paces.append(limits.pace_per_second or 0)
        await asyncio.sleep(2)
        limits.give_way()
        paces.append(limits.pace_per_second or 0)
        for _ in range(4):
            await asyncio.sleep(5)
            paces.append(limits.pace_per_second or 0)
        assert not limits.is_throttled

    play(work, 30)
    assert paces == pytest.approx([HEADROOM * pace for pace in (50, 30, 55, 80, 100, 100)])


def test_an_account_without_a_limit_never_waits_for_its_line():
    sent: list[float] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        free, slow = AccountLimits(clock), AccountLimits(clock, requests_per_minute=1, rank=1)
        waiting = [asyncio.ensure_future(grant_together((free, slow))) for _ in range(10)]
        await asyncio.sleep(0.1)
        await free.grant()
        sent.append(loop.time())
        await asyncio.gather(*waiting)

    play(work, 1)
    assert sent == [pytest.approx(0.1)]


def test_the_first_turns_of_a_run_make_up_for_nothing() -> None:
    """An earlier run may have used every turn until it was killed."""
    limits = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        account = AccountLimits(clock, requests_per_minute=PER_MINUTE)
        begun = clock.monotonic()
        for _ in range(10):
            await account.grant()
        limits.append(clock.monotonic() - begun)

    play(work, 60.0)
    assert limits == [pytest.approx(9 / PER_SECOND)]


def test_an_account_that_asks_for_less_while_its_copies_stand_in_line_holds_up_nobody_at_the_account_they_share():
    waited: list[float] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = Limits(clock, ["one", "two", "source"])
        for name, per_minute in (("one", 6_000), ("two", 6_000), ("source", 600)):
            limits.account(name).requests_per_minute = per_minute
        one, source = limits.account("one"), limits.account("source")
        sent: list[float] = []
        crowds = [asyncio.create_task(crowd(lambda: grant_together((one, source)), sent, loop))]
        while True:
            await asyncio.sleep(3.0)
            one.give_way(60.0)  # whoever stands in line had its turn there already
            begun = loop.time()
            await source.grant()
            waited.append(loop.time() - begun)
            assert crowds

    play(work, 300)
    assert len(waited) > 20
    assert max(waited) < 1.0


def test_what_writers_wait_for_goes_first_in_the_line():
    waited: dict[bool, list[float]] = {True: [], False: []}

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = Limits(clock, ["one", "source"])
        limits.account("source").requests_per_minute = 600
        source = limits.account("source")
        sent: list[float] = []
        crowds = [asyncio.create_task(crowd(source.grant, sent, loop))]
        await asyncio.sleep(1.0)
        for turn in range(20):
            begun, is_hurried = loop.time(), bool(turn % 2)
            await source.grant(is_hurried=is_hurried)
            waited[is_hurried].append(loop.time() - begun)
        assert crowds

    play(work, 300)
    assert max(waited[True]) < 0.3
    assert min(waited[False][1:]) > 1.0


def test_nobody_who_is_cancelled_keeps_a_line():
    granted: list[float] = []

    async def work(loop: SimLoop, clock: SimClock) -> None:
        limits = Limits(clock, ["one", "source"])
        one, source = limits.account("one"), limits.account("source")
        one.requests_per_minute = source.requests_per_minute = 60
        tasks = [asyncio.create_task(grant_together((one, source))) for _ in range(10)]
        await asyncio.sleep(2.5)
        one.give_way(5.0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await grant_together((one, source))
        granted.append(loop.time())

    play(work, 300)
    assert granted
