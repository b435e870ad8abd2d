"""Migration's own pace, by the time at which the service saw each request: within the budget, and gentle to a busy service."""

from __future__ import annotations

import math
import signal
import time
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace
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


def fullest_window(entries: Sequence[Entry]) -> int:
    """Most requests that surely came within some ten seconds, however late this process got to read them."""
    at, since = times(entries), sorted(one.since for one in entries)
    return max(bisect_right(at, end) - bisect_right(since, end - WINDOW_SECONDS) for end in at)


def of_source(faulty: Proxy, move: Move) -> list[Entry]:
    """What the source served: our own requests, and the read that each server-side copy makes it do."""
    return [*faulty.of(move.source), *copies(faulty, move)]


def pace(at: Sequence[float], begin: float, end: float) -> float:
    return sum(begin <= one < end for one in at) / (end - begin)


def entries(at: Sequence[float], late: float = 0.0) -> list[Entry]:
    """As a proxy logs them that is busy with other things until the begin of each ``late`` seconds."""
    asked = Asked("PUT", "/a/web/b", "", "", 0)
    read = [math.ceil(one / late) * late if late else one for one in at]
    return [Entry(one, one - late, asked, 202, "") for one in read]


def test_a_window_that_is_too_full_is_seen() -> None:
    even = [index / 50 + 0.001 for index in range(3000)]
    assert fullest_window(entries(even)) in (500, 501)
    more = sorted([*even, *(30.0 + index / 1000 for index in range(30))])
    assert fullest_window(entries(more)) > 500 * OVER
    assert fullest_window(entries(more, late=0.015)) > 500 * OVER


def test_what_is_read_late_and_at_once_did_not_come_at_once() -> None:
    even = [index / 50 + 0.001 for index in range(3000)]
    late = entries(even, late=3.0)
    assert fullest_window([replace(one, since=one.at) for one in late]) > 500 * OVER
    assert fullest_window(late) <= 501


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
    for served in (faulty.of(move.target), of_source(faulty, move)):
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
    for served in (faulty.of(move.target), of_source(faulty, move)):
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
