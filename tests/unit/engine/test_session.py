"""The lock's session: what a run may do after its machine stood still."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from math import inf

import pytest

from migrator.engine.lingering import ACCOUNTED_RUNS, Lingering, Moment, accounted, lingering
from migrator.engine.session import Session
from migrator.engine.world import Run
from migrator.errors import LockedError, StateError
from migrator.machine.liveness import HEARTBEAT_SECONDS, SILENT_SECONDS
from migrator.model.moves import PROVEN_DEAD_SECONDS
from migrator.testing.memory_state import MemoryStateStore

RUN = Run("run-1", "me", "here", 1, "boot")


class HandClock:
    """Stands still until it is moved; nobody sleeps to an end."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self):
        return datetime(2026, 12, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self):
        return self.seconds

    async def sleep(self, seconds):
        await asyncio.Event().wait()

    def random(self):
        return 0.5

    def nonce(self):
        return f"nonce-{self.seconds}"


@pytest.fixture
async def clock():
    return HandClock()


def watched(state, clock):
    """The lock, if it was long enough without a heartbeat on this one clock."""
    lock = state.lock()
    is_old = lock is not None and (clock.now() - lock.heartbeat).total_seconds() > SILENT_SECONDS
    return lock if is_old else None


async def opened(state, clock, run=RUN, *, bound=0.0, is_dead=False):
    session = Session(state, clock, run, {"src": bound})
    session.open(lambda lock: is_dead, watched(state, clock))
    return session


def a_run(number, boot="boot"):
    return Run(f"run-{number}", "me", "here", number, boot)


async def test_a_machine_that_stood_still_goes_on_if_nobody_took_its_lock(clock):
    state = MemoryStateStore("plan")
    session = await opened(state, clock)
    clock.seconds = 10 * SILENT_SECONDS
    session.check()
    assert state.lock().heartbeat == clock.now()
    await session.close()


async def test_a_machine_that_stood_still_sends_nothing_once_its_lock_is_taken(clock):
    state = MemoryStateStore("plan")
    session = await opened(state, clock)
    clock.seconds = 2 * SILENT_SECONDS
    other = await opened(state, clock, Run("run-2", "you", "there", 2, "boot"))
    with pytest.raises(LockedError, match="taken over"):
        session.check()
    other.check()
    await session.close()
    assert state.lock().run == "run-2"
    await other.close()


async def test_a_store_that_cannot_be_written_stops_the_run_after_half_of_the_timeout(clock):
    state = MemoryStateStore("plan")
    session = await opened(state, clock)

    def heartbeat(token, at):
        raise StateError("the disk is full")

    state.heartbeat = heartbeat
    clock.seconds = SILENT_SECONDS / 2
    session.check()
    clock.seconds += HEARTBEAT_SECONDS
    with pytest.raises(StateError, match="the last heartbeat is 20 s old; the disk is full"):
        session.check()
    await session.close()


async def test_a_heartbeat_that_was_long_under_way_is_as_old_as_its_asking(clock):
    state = MemoryStateStore("plan")
    session = await opened(state, clock)

    def heartbeat(token, at):
        clock.seconds += SILENT_SECONDS / 2 + 1

    state.heartbeat = heartbeat
    clock.seconds = SILENT_SECONDS
    with pytest.raises(LockedError, match="the last heartbeat is 16 s old"):
        session.check()
    await session.close()


async def test_a_run_that_ended_in_order_is_not_waited_for_and_any_other_is(clock):
    """The other is a run of a store's own future, after that store was put back from a backup."""
    state = MemoryStateStore("plan")
    before = state.snapshot()
    first = await opened(state, clock)
    await first.close()
    second = Session(state, clock, Run("run-2", "me", "here", 2, "boot"), {"src": 300.0})
    second.open(lambda lock: False)
    second.succeed("run-1")
    assert second.wait_until <= clock.monotonic()
    await second.close()
    state.restore(before)
    third = Session(state, clock, Run("run-3", "me", "here", 3, "boot"), {"src": 300.0})
    third.open(lambda lock: False)
    third.succeed("run-2")
    assert third.wait_until == clock.monotonic() + 300.0
    await third.close()


@pytest.mark.parametrize(("is_dead", "seconds"), [(True, PROVEN_DEAD_SECONDS), (False, 300.0)])
async def test_a_killed_run_is_waited_for_once_as_long_as_its_death_allows(clock, is_dead, seconds):
    """Its claim says no more than its lock did: a run proven dead counts 30 s, however long its credentials hold."""
    state = MemoryStateStore("plan")
    first = Session(state, clock, Run("run-1", "me", "here", 1, "boot"), {"src": 300.0})
    first.open(lambda lock: False)
    clock.seconds = 2 * SILENT_SECONDS
    second = Session(state, clock, Run("run-2", "me", "here", 2, "boot"), {"src": 300.0})
    second.open(lambda lock: is_dead, watched(state, clock))
    second.succeed("run-1")
    assert second.wait_until == clock.monotonic() + seconds
    await second.close()
    await first.close()


@pytest.mark.parametrize(("is_dead", "seconds"), [(True, PROVEN_DEAD_SECONDS), (False, 300.0)])
async def test_a_run_whose_successor_died_before_it_claimed_is_waited_for_no_longer(clock, is_dead, seconds):
    """The first is killed, the second is killed before it claims, the third finds the first one's claim."""
    state = MemoryStateStore("plan")
    for number in (1, 2):
        killed = Session(state, clock, Run(f"run-{number}", "me", "here", number, "boot"), {"src": 300.0})
        killed.open(lambda lock: is_dead, watched(state, clock))
        killed._beat.cancel()
        clock.seconds += 2 * SILENT_SECONDS
    third = Session(state, clock, Run("run-3", "me", "here", 3, "boot"), {"src": 300.0})
    third.open(lambda lock: is_dead, watched(state, clock))
    third.succeed("run-1")
    assert third.wait_until == clock.monotonic() + seconds
    third.succeed("a run that this store never saw")
    assert third.wait_until == clock.monotonic() + 300.0
    await third.close()


BOUND = 300.0


async def killed(state, clock, number, *, is_dead=False):
    """A run that takes the lock and is heard of no more."""
    session = await opened(state, clock, a_run(number), bound=BOUND, is_dead=is_dead)
    session._beat.cancel()
    clock.seconds += 2 * SILENT_SECONDS


async def succeeded(state, clock, *, after_seconds):
    """A run that takes the lock of a killed one, and ends in order after a while."""
    session = await opened(state, clock, a_run(2), bound=BOUND)
    clock.seconds += after_seconds
    await session.close()


async def test_what_a_dead_run_may_have_sent_is_waited_for_by_whoever_comes_next(clock):
    """The first dies and nobody can prove it; the second takes over and ends in order before the first one's credentials do."""
    state = MemoryStateStore("plan")
    await killed(state, clock, 1)
    taken_at = clock.seconds
    await succeeded(state, clock, after_seconds=40.0)
    clock.seconds += 10.0
    third = await opened(state, clock, a_run(3), bound=BOUND)
    third.succeed("run-1")
    assert third.taken_over is None
    assert third.wait_until == taken_at + BOUND
    await third.close()


async def test_time_that_nobody_can_have_measured_does_not_count(clock):
    """The third runs on another machine, or on one that tells no boot: what the second left is waited for as it was left."""
    state = MemoryStateStore("plan")
    await killed(state, clock, 1)
    await succeeded(state, clock, after_seconds=40.0)
    for boot, moment, left in (
        ("boot in a container", clock.seconds + 10.0, BOUND - 50.0),
        ("another-boot", clock.seconds + 1e6, BOUND - 40.0),
        ("", clock.seconds + 1e6, BOUND - 40.0),
        ("boot", 0.0, BOUND - 40.0),
    ):
        assert lingering(state, Moment.of(boot, moment)).seconds == left


async def test_a_proven_death_shortens_no_wait_but_its_own(clock):
    state = MemoryStateStore("plan")
    await killed(state, clock, 1)
    taken_at = clock.seconds
    await killed(state, clock, 2)
    third = await opened(state, clock, a_run(3), bound=BOUND, is_dead=True)
    assert third.wait_until == taken_at + BOUND
    await third.close()


async def test_what_was_waited_for_to_its_end_is_not_waited_for_again(clock):
    state = MemoryStateStore("plan")
    await killed(state, clock, 1)
    await succeeded(state, clock, after_seconds=BOUND)
    for boot in ("boot", "another-boot"):
        third = await opened(state, clock, a_run(3, boot), bound=BOUND)
        third.succeed("run-1")
        third.succeed("run-2")
        assert third.wait_until <= clock.monotonic()
        await third.close()


async def test_a_run_that_the_store_never_saw_is_waited_for_by_later_runs_too(clock):
    state = MemoryStateStore("plan")
    first = await opened(state, clock, bound=BOUND)
    first.succeed("a run of another store")
    await first.close()
    second = await opened(state, clock, a_run(2, "another-boot"), bound=BOUND)
    assert second.wait_until == clock.monotonic() + BOUND
    await second.close()


async def test_a_wait_without_end_is_carried_and_says_whose_it_is(clock):
    state = MemoryStateStore("plan")
    first = await opened(state, clock, bound=inf)
    nonce = state.lock().nonce
    first._beat.cancel()
    clock.seconds += 2 * SILENT_SECONDS
    await succeeded(state, clock, after_seconds=1e6)
    third = await opened(state, clock, a_run(3))
    assert third.lingering == Lingering(inf, nonce)
    assert third.lingering.in_words() == "for as long as its signature holds"
    await third.close()


async def test_a_run_that_a_route_record_still_names_is_remembered_however_many_came_after_it(clock):
    """A halted move is claimed by nobody: its record names the run that halted it, through weeks of cron."""
    state = MemoryStateStore("plan")
    for number in range(450):
        session = await opened(state, clock, a_run(number), bound=BOUND)
        session.named = lambda: {"run-3"}
        await session.close()
    kept = accounted(state)
    assert len(kept) == ACCOUNTED_RUNS + 1
    last = await opened(state, clock, a_run(999), bound=BOUND)
    last.succeed("run-3")
    assert last.wait_until <= clock.monotonic()
    last.succeed("run-4")
    assert last.wait_until == clock.monotonic() + BOUND
    await last.close()
    assert len(accounted(state)) == ACCOUNTED_RUNS + 2, "nobody looked at the records, so none was forgotten"
