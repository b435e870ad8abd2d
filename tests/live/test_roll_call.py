"""Two hundred followers on a real blob service answer a fence: the drain takes seconds, and the full time where one is silent.

``FOLLOWERS=200 LAPS=3`` for the whole of it; without them a small one. Nothing that was acknowledged is lost either way.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.azurite.server import Azurite
from tests.live.followers import NAMES, Crowd, expected
from tests.live.gateway import Gateway
from tests.live.rounds import AREA, BOX, PLAN, REGION, Round
from tests.live.writer import API

FOLLOWERS = int(os.environ.get("FOLLOWERS", "24"))
LAPS = int(os.environ.get("LAPS", "1"))
CROWDS = 4
TTL, MAX_WRITE, MARGIN = 8, 12, 2
FULL = TTL + MAX_WRITE + MARGIN
"""Seconds of a drain without answers."""


class Gathering(Round):
    """One area, whose followers are many and in several processes."""

    def _write_plan(self, objects: int, *, short: bool) -> None:
        text = PLAN.format(**self.endpoints, budget=60_000, soak="2s", reverse="on-demand", protocol=2)
        text = text.replace("ttl: 1s,", f"ttl: {TTL}s,")
        text = text.replace("max_write: 2s, clock_margin: 200ms", f"max_write: {MAX_WRITE}s, clock_margin: {MARGIN}s")
        (self.folder / "p.yaml").write_text(text)

    def crowd(self, number: int, *, followers: int, by: int | None = None) -> tuple[subprocess.Popen[str], Path]:
        """``by``: the port by which they reach the document and the register."""
        log = self.folder / f"crowd-{number}.jsonl"
        routes = f"{self.direct['core']}/routing/routes.json"
        if by is not None:
            routes = routes.replace(f":{self.ports['core']}/", f":{by}/")
        credentials = {endpoint: name.upper() for name, endpoint in self.endpoints.items()}
        order = Crowd(
            routes, "env:CORE", credentials, REGION, AREA, BOX, number, followers, FOLLOWERS / 16, str(log), API
        )
        return self.start("tests.live.followers", order.text()), log

    @contextmanager
    def gathered(self, *, by: int | None = None) -> Iterator[list[subprocess.Popen[str]]]:
        """All of them, until the end of the block; then what they wrote is compared with the account that is live."""
        share = FOLLOWERS // CROWDS
        begun = [self.crowd(n, followers=share, by=by if n == 0 else None) for n in range(CROWDS)]
        crowds, logs = [one for one, _ in begun], [log for _, log in begun]
        try:
            deadline = time.monotonic() + 60 + FOLLOWERS
            while sum(log.read_text().count('"ready"') for log in logs if log.exists()) < share * CROWDS:
                assert time.monotonic() < deadline, "the followers do not get to writing"
                assert all(one.poll() is None for one in crowds), [one.communicate() for one in crowds]
                time.sleep(0.5)
            yield crowds
        finally:
            for one in crowds:
                one.send_signal(signal.SIGCONT)
                one.send_signal(signal.SIGTERM)
            for one in crowds:
                _, err = one.communicate(timeout=120)
                assert one.returncode in (0, -signal.SIGKILL), err
        self.logs = logs

    def drains(self) -> list[dict[str, Any]]:
        return [one["evidence"] for one in self.journal() if one["kind"] == "drained" and "seconds" in one["evidence"]]

    def compare(self, live: str) -> None:
        box = self.service(live).get_container_client(BOX)
        wanted = expected(self.logs)
        assert len(wanted) == FOLLOWERS // CROWDS * CROWDS * NAMES
        lost = {
            name: (turns, body)
            for name, turns in wanted.items()
            if (body := int(box.download_blob(name).readall())) not in turns
        }
        assert lost == {}


@pytest.fixture
def gathering(azurite: Azurite, tmp_path: Path) -> Gathering:
    one = Gathering(azurite, tmp_path, seed=7, objects=50, short=True)
    code, _ = one.migrate("routes", "p.yaml", "--publish", "--yes")
    assert code == 0, one.said[-1]
    return one


def apply(one: Gathering, *words: str) -> dict[str, Any]:
    """The drain of a whole apply, or of a whole way back."""
    code, _ = one.migrate(*(words or ("apply",)), "p.yaml", "--yes")
    assert code == 0, one.said[-1]
    found = one.drains()[-1]
    print(f"\n{' '.join(words) or 'apply'}: {json.dumps(found)}")
    return found


@pytest.mark.live
@pytest.mark.timeout(1800)
def test_all_answer_and_the_drain_takes_seconds(gathering: Gathering) -> None:
    seconds = []
    with gathering.gathered():
        for lap in range(LAPS):
            if lap:
                code, _ = gathering.migrate("retry", "p.yaml", "--reason", "once more", "--yes")
                assert code == 0, gathering.said[-1]
            for words in (("apply",), ("rollback",)):
                found = apply(gathering, *words)
                assert found["by_roll_call"], found
                assert found["followers"] >= FOLLOWERS // CROWDS * CROWDS
                seconds.append(found["seconds"])
    gathering.compare("core")
    told = ", ".join(f"{one:.1f}" for one in seconds)
    print(f"{FOLLOWERS} followers: drains of {told} s, median {statistics.median(seconds):.1f} s, instead of {FULL} s")


@pytest.mark.live
@pytest.mark.timeout(900)
@pytest.mark.parametrize("trouble", ["stopped", "dead", "partitioned"])
def test_one_that_is_silent_costs_the_full_drain_and_nothing_is_lost(gathering: Gathering, trouble: str) -> None:
    gateway = Gateway(gathering.ports["core"])
    with gathering.gathered(by=gateway.port) as crowds:
        process = gathering.start("migrator.cli.app", "apply", "p.yaml", "--yes", "--json")
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            # Not before: whoever has been silent for a while when the fence begins is known to hold no lease any more.
            if event["kind"] == "state-changed" and event["facts"]["state"] == "fencing":
                break
        if trouble == "partitioned":
            gateway.away()
        else:
            crowds[0].send_signal(signal.SIGSTOP if trouble == "stopped" else signal.SIGKILL)
        _, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        found = gathering.drains()[-1]
        print(f"\n{trouble}: {json.dumps(found)}")
        assert not found["by_roll_call"]
        assert found["seconds"] >= FULL
        assert found["awaited"]
        if trouble == "partitioned":
            gateway.back()
    gateway.end()
    gathering.compare("split")
