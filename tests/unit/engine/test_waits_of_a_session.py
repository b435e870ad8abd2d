"""What a session's clock may be believed to say: each heartbeat from its asking, each wait to its longest end."""

from __future__ import annotations

import pytest

from migrator.engine.lingering import Lingering, longer
from migrator.machine.liveness import SILENT_SECONDS
from migrator.testing.memory_state import MemoryStateStore
from tests.unit.engine.test_session import HandClock, opened


@pytest.fixture
async def clock():
    return HandClock()


async def test_a_heartbeat_counts_from_when_it_was_asked_for(clock):
    """Its answer may come late, and another run may have judged the lock by then."""
    state = MemoryStateStore("plan")
    session = await opened(state, clock)
    right = state.heartbeat

    def slow(token, at):
        right(token, at)
        clock.seconds += 10.0

    state.heartbeat = slow
    clock.seconds = SILENT_SECONDS / 2 + 1
    asked = clock.seconds
    session.check()
    assert session.good_until == asked + SILENT_SECONDS / 2
    await session.close()


async def test_a_shorter_wait_takes_nothing_from_a_longer_one(clock):
    session = await opened(MemoryStateStore("plan"), clock)
    session.linger(100.0)
    session.linger(10.0)
    assert session.lingering.seconds == 100.0
    session.linger(200.0)
    assert session.lingering.seconds == 200.0
    await session.close()


def test_of_two_waits_the_longer_one_is_kept():
    short, long = Lingering(1.0, "a"), Lingering(2.0, "b")
    assert longer(short, long) == longer(long, short) == long
