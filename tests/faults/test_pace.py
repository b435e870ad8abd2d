"""Migration's own pace, by the time at which the service saw each request: within the budget, and gentle to a busy service."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.azurite.server import Azurite
from tests.faults import proxy
from tests.faults.moving import Move
from tests.faults.proxy import Asked, Entry, Fault, Proxy
from tests.faults.test_nothing_to_do import fill

pytestmark = pytest.mark.slow
WINDOW_SECONDS = 10.0
OVER = 1.05
USED = 0.9


def copies(faulty: Proxy, move: Move) -> list[Entry]:
    return [one for one in faulty.of(move.target) if one.asked.kind == "PUT" and "/web/blob-" in one.asked.path]


def times(entries: Sequence[Entry]) -> list[float]:
    return sorted(one.at for one in entries)


def fullest_window(at: Sequence[float]) -> int:
    """Most requests in any ten seconds."""
    most = first = 0
    for last, now in enumerate(at):
        while at[first] <= now - WINDOW_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most


def of_source(faulty: Proxy, move: Move) -> list[float]:
    """What the source served: our own requests, and the read that each server-side copy makes it do."""
    return sorted([*times(faulty.of(move.source)), *times(copies(faulty, move))])


def pace(at: Sequence[float], begin: float, end: float) -> float:
    return sum(begin <= one < end for one in at) / (end - begin)


def test_a_window_that_is_too_full_is_seen() -> None:
    even = [index / 50 + 0.001 for index in range(3000)]
    assert fullest_window(even) in (500, 501)
    assert fullest_window(sorted([*even, *(30.0 + index / 1000 for index in range(30))])) > 500 * OVER


@pytest.mark.parametrize("workers", [1, 3])
def test_no_ten_seconds_hold_more_than_the_budget_and_hardly_less(
    azurite: Azurite, tmp_path: Path, workers: int
) -> None:
    budget = 3_000
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty, budget=budget, hold=True)
        fill(move, 1_500)
        done = move.apply("--no-wait", "--workers", str(workers))
    assert done.code == 3, done
    at = times(copies(faulty, move))
    assert len(at) == 1_500
    for served in (times(faulty.of(move.target)), of_source(faulty, move)):
        assert fullest_window(served) <= OVER * budget / 60 * WINDOW_SECONDS
    assert len(at) / (at[-1] - at[0]) >= USED * budget / 60


def test_a_restart_in_the_middle_gives_no_second_budget(azurite: Azurite, tmp_path: Path) -> None:
    """Killed and started again at once, three times."""
    budget = 3_000
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty, budget=budget, hold=True)
        fill(move, 1_500)
        for wanted in (200, 500, 800):
            process = move.start("apply", "plan.yaml", "--yes", "--no-wait", "--workers", "2")
            deadline = time.monotonic() + 60
            while len(copies(faulty, move)) < wanted and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGKILL)
            process.communicate()
        done = move.apply("--no-wait", "--workers", "2")
    assert done.code == 3, done
    assert len({one.asked.path for one in copies(faulty, move)}) == 1_500
    for served in (times(faulty.of(move.target)), of_source(faulty, move)):
        assert fullest_window(served) <= OVER * budget / 60 * WINDOW_SECONDS


class Busy:
    """A service that for a while allows less: from the 300th copy on, for ``seconds``, ``allowed`` a second."""

    def __init__(self, *, begins: int, seconds: float, allowed: int) -> None:
        self._begins, self._seconds, self._allowed = begins, seconds, allowed
        self._seen = 0
        self._taken: list[float] = []
        self.begun = float("inf")

    @property
    def ends(self) -> float:
        return self.begun + self._seconds

    def __call__(self, asked: Asked) -> Fault | None:
        if asked.kind != "PUT":
            return None
        now = time.monotonic()
        self._seen += 1
        if self._seen == self._begins:
            self.begun = now
        if not self.begun <= now < self.ends:
            return None
        self._taken = [at for at in self._taken if at > now - 1.0]
        if len(self._taken) >= self._allowed:
            return proxy.BUSY
        self._taken.append(now)
        return None


def test_the_pace_falls_when_the_service_is_busy_and_recovers(azurite: Azurite, tmp_path: Path) -> None:
    budget, seconds = 6_000, 8.0
    with proxy.running(azurite.ports["Blob"]) as faulty:
        move = Move(tmp_path, azurite, faulty, budget=budget, hold=True)
        fill(move, 2_400)
        busy = Busy(begins=300, seconds=seconds, allowed=20)
        faulty.judge = busy
        done = move.apply("--no-wait")
    assert done.code == 3, done
    sent = copies(faulty, move)
    at = times(sent)
    assert len({one.asked.path for one in sent if one.status == 202}) == 2_400, done
    before = pace(at, at[0], busy.begun)
    during = pace(at, busy.ends - seconds / 2, busy.ends)
    after = pace(at, at[-1] - 5.0, at[-1])
    refused = sum(one.fault != "" for one in sent)
    assert during <= 0.6 * before
    assert after >= 0.8 * before
    assert refused <= 0.5 * seconds * budget / 60
