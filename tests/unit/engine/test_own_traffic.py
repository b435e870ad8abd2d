"""Own requests: what was counted is there, and what may not have been counted is known to be missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from migrator.engine.own_traffic import MOST_GAPS, OwnTraffic
from migrator.model import notes
from migrator.model.moves import LockRecord
from migrator.model.rhythm import USUAL
from migrator.ports.state_store import Change
from migrator.testing.memory_state import MemoryStateStore

NOON = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
MINUTE = int(NOON.timestamp()) // 60


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")

    def random(self) -> float:
        return 0.5

    def nonce(self) -> str:
        return "n"


class World:
    def __init__(self) -> None:
        self.clock = Clock()
        self.state = MemoryStateStore("p", lineage="l")
        lock = LockRecord("n", 0, "r", "o", "h", 1, "b", NOON, NOON, 0.0)
        self.token = self.state.acquire(lock).token
        self.commits = 0

    def commit(self, *changes: Change) -> None:
        self.commits += 1
        self.state.commit(list(changes), token=self.token)

    def run(self, name: str = "r") -> OwnTraffic:
        made = OwnTraffic(self.state, self.clock, name, self.commit)
        made.begin()
        return made


@pytest.fixture
def world() -> World:
    return World()


def within(run: OwnTraffic, first: float, last: float) -> float | None:
    """Minutes after noon."""
    return run.within("a", NOON + timedelta(minutes=first), NOON + timedelta(minutes=last))


def test_requests_are_summed_over_operations_and_whole_minutes_of_one_account(world: World) -> None:
    run = world.run()
    for account, minute, operation in (("a", 0, "list"), ("a", 0, "read"), ("a", 1, "list"), ("b", 0, "list")):
        run.count(account, operation, minute=MINUTE + minute, requests=10)
    run.count("a", "list", minute=MINUTE + 2)
    assert [within(run, 0, 1), within(run, 0, 2), within(run, 0, 3), within(run, 1, 2)] == [20, 30, 31, 10]


def test_what_is_not_yet_written_down_counts_too(world: World) -> None:
    run = world.run()
    run.count("a", "list", minute=MINUTE)
    assert within(run, 0, 1) == 1


def test_a_run_that_ends_by_itself_leaves_no_gap(world: World) -> None:
    first = world.run()
    first.count("a", "list", minute=MINUTE)
    first.end()
    world.clock.seconds = 3600
    assert within(world.run("second"), 0, 60) == 1


@pytest.mark.parametrize("killed_after", [0.0, 4.0, 59.0])
def test_a_run_that_was_killed_leaves_a_gap_from_its_last_mark_on(world: World, killed_after: float) -> None:
    first = world.run()
    world.clock.seconds = 600.0
    first.count("a", "list", minute=MINUTE + 10)
    first.flush()
    world.clock.seconds += killed_after
    world.clock.seconds += 7200  # and two hours later
    second = world.run("second")
    assert within(second, 0, 10) == 0, "before its last mark everything was counted"
    for minute in (10, 11):
        assert within(second, minute, minute + 1) is None
    assert within(second, 12, 60) == 0, "a run that is silent for so long sends nothing more"
    second.end()
    assert within(world.run("third"), 10, 11) is None, "a gap stays one"


def test_a_take_over_at_once_has_no_gap_in_the_future(world: World) -> None:
    world.run()
    world.clock.seconds = 10.0
    second = world.run("second")
    assert within(second, 0, 1) is None
    assert within(second, 1, 2) == 0


def test_a_run_that_sends_nothing_moves_its_mark_now_and_then_and_not_always(world: World) -> None:
    run = world.run()
    before = world.commits
    for _ in range(int(USUAL.mark_seconds // 5)):
        world.clock.seconds += 5
        run.flush()
    assert world.commits == before + 1
    assert world.state.note(notes.COUNTING)["until"] == world.clock.now().isoformat()


def test_gaps_are_kept_to_a_number(world: World) -> None:
    for number in range(MOST_GAPS + 20):
        world.clock.seconds = 600.0 * number
        world.run(f"run-{number}")
    assert within(world.run("last"), 0, 10) == 0
    assert within(world.run("last"), 10 * (MOST_GAPS + 18), 10 * (MOST_GAPS + 19)) is None
