"""Whether the holder of a lock lives: by its heartbeat's change on one's own steady clock, whatever machines' clocks say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

import pytest

from migrator.engine import pulse
from migrator.engine.pulse import Pulse
from migrator.machine import liveness
from migrator.model.moves import LockRecord
from migrator.testing.memory_state import MemoryStateStore
from migrator.testing.simulation.loop import WORLD_BEGINS, SimClock, SimLoop

HOUR = 3600.0
SKEWS = [-24 * HOUR, -HOUR, -60.0, 31.0, HOUR, 24 * HOUR]
"""How far the holder's clock is ahead."""


def story(skew: float, ends: float | None, work: Callable[..., object]):
    """A holder that beats every 5 s until ``ends``, and one who wants to know."""
    loop = SimLoop()
    state = MemoryStateStore("plan")

    def now() -> datetime:
        return WORLD_BEGINS + timedelta(seconds=loop.time() + skew)

    async def play():
        taken = state.acquire(LockRecord("aa", 0, "run-1", "ann", "there", 1, "boot", now(), now(), 0.0))

        async def beat():
            while ends is None or loop.time() < ends:
                state.heartbeat(taken.token, now())
                await asyncio.sleep(5.0)

        heart = asyncio.create_task(beat())
        await asyncio.sleep(100.0)
        clock = SimClock(loop, "me", monotonic_zero=77.0)
        begun = loop.time()
        found = await work(state, clock)
        heart.cancel()
        return found, loop.time() - begun

    try:
        return loop.run_until_complete(play())
    finally:
        loop.discard()


@pytest.mark.parametrize("skew", SKEWS)
def test_a_silent_run_is_found_out_in_half_a_minute_whatever_its_clock_said(skew):
    found, seconds = story(skew, 1.0, lambda state, clock: pulse.silent(state, clock, lambda lock: False))
    assert found.nonce == "aa"
    assert seconds == pytest.approx(liveness.SILENT_SECONDS)


class Steady:
    """A clock that goes on by what it is told to sleep and by nothing else; one that cannot go on would be asked for ever."""

    def __init__(self, begins: float) -> None:
        self._monotonic = begins

    def now(self) -> datetime:
        return WORLD_BEGINS + timedelta(days=1)

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        before, self._monotonic = self._monotonic, self._monotonic + seconds
        assert self._monotonic > before, f"asked to sleep {seconds} s at {before}"

    def random(self) -> float:
        return 0.5

    def nonce(self) -> str:
        return "bb"


def test_a_watch_ends_whatever_the_clock_reads_when_it_begins():
    state, beats = MemoryStateStore("plan"), WORLD_BEGINS
    state.acquire(LockRecord("aa", 0, "run-1", "ann", "there", 1, "boot", beats, beats, 0.0))
    chance = Random(0)
    for _ in range(300):
        begins = chance.uniform(0.0, 10.0 ** chance.randrange(1, 6))
        clock = Steady(begins)
        assert asyncio.run(pulse.silent(state, clock, lambda lock: False)) is not None
        assert clock.monotonic() == pytest.approx(begins + liveness.SILENT_SECONDS)


@pytest.mark.parametrize("skew", SKEWS)
def test_a_living_run_is_never_taken_for_silent(skew):
    found, seconds = story(skew, None, lambda state, clock: pulse.silent(state, clock, lambda lock: False))
    assert found is None
    assert seconds <= 6.0


@pytest.mark.parametrize("ends", [1.0, None])
@pytest.mark.parametrize("skew", [0.0, *SKEWS])
def test_a_display_says_in_some_seconds_which_it_is(skew, ends):
    found, seconds = story(skew, ends, lambda state, clock: pulse.is_beating(state, clock, lambda lock: False))
    assert found is (ends is None)
    assert seconds <= pulse.SHOW_SECONDS + 1


def test_a_process_that_is_proven_dead_needs_no_watch():
    found, seconds = story(HOUR, None, lambda state, clock: pulse.silent(state, clock, lambda lock: True))
    assert (found, seconds) == (None, 0.0)


@pytest.mark.parametrize("skew", SKEWS)
def test_who_looks_again_and_again_remembers_when_it_changed(skew):
    async def work(state, clock):
        seen, watcher = [], Pulse(clock)
        for turn in range(60):
            if turn == 30:
                state.beats = False
            seen.append(watcher.beats(state.lock(), clock.now()))
            await asyncio.sleep(2.0)
        return seen

    seen, _ = story(skew, 160.0, work)
    assert all(seen[5:29]), "it beats"
    assert not any(seen[-8:]), "it ended long ago"
