"""Real processes: signals, steering, and what the next command finds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from migrator.adapters.local import LocalStore
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Shape
from tests.cli.conftest import PLAN, Migrate

LONG_SOAK = PLAN.replace("soak: 300ms", "soak: 1h", 1)


@pytest.fixture
def filled(migrate: Migrate, here: Path) -> Migrate:
    (here / "p.yaml").write_text(LONG_SOAK)
    assert migrate("sample", "p.yaml", "--objects", "20").code == 0
    return migrate


@pytest.fixture
def running(filled: Migrate) -> Iterator[subprocess.Popen[str]]:
    """An apply with its JSON events on standard output; ended with the test."""
    process = subprocess.Popen(
        [sys.executable, "-m", "migrator.cli.app", "apply", "p.yaml", "--yes", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate(timeout=30)


def wait_for_state(process: subprocess.Popen[str], state: str) -> None:
    """Read events until a move is in ``state``."""
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)
        if event["kind"] == "state-changed" and event["facts"]["state"] == state:
            return
    raise AssertionError(f"the apply ended before {state}: {process.stderr.read() if process.stderr else ''}")


def mode_of(migrate: Migrate, key: str = "north-america/web-tracking") -> str:
    record = json.loads(migrate("routes", "p.yaml", "--json").out)["document"]["routes"][key]
    return f"{record['account']} {record['mode']}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("state", "route"), [("draining", "core read-write"), ("soaking", "web read-write")])
def test_a_signal_leaves_no_fence_and_no_lock_and_says_how_to_go_on(
    running: subprocess.Popen[str], filled: Migrate, number: signal.Signals, state: str, route: str
) -> None:
    wait_for_state(running, state)
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert json.loads(out.splitlines()[-1])["facts"]["code"] == "interrupted"
    assert "`migrate apply p.yaml` continues from here" in err
    assert mode_of(filled) == route
    assert json.loads(filled("status", "p.yaml", "--json").out)["lock"] is None
    assert filled("apply", "p.yaml", "--yes", "--no-wait").code == 3
    assert mode_of(filled) == "web read-write"


def test_a_rollback_steers_the_running_apply(running: subprocess.Popen[str], filled: Migrate) -> None:
    wait_for_state(running, "soaking")
    done = filled("rollback", "p.yaml", "--yes")
    assert done.code == 0
    assert "was asked to go back; this command waits until it has: " in done.out
    assert "cannot start" not in done.out
    running.communicate(timeout=30)
    assert running.returncode == 4, "`migrate apply && next stage` must not go on"
    assert mode_of(filled) == "core read-write"
    body = json.loads(filled("status", "p.yaml", "--json").out)
    assert body["waves"][0]["moves"][0]["state"] == "reversed"
    # the wish is gone: the next apply must not meet it
    assert filled("retry", "p.yaml", "--reason", "again").code == 0
    assert filled("apply", "p.yaml", "--yes", "--no-wait").code == 3
    assert mode_of(filled) == "web read-write"


def test_the_second_of_two_applies_exits_5_and_names_the_first(
    running: subprocess.Popen[str], filled: Migrate, here: Path
) -> None:
    wait_for_state(running, "soaking")
    for words in (("apply", "p.yaml", "--yes"), ("retry", "p.yaml", "--reason", "why not")):
        done = filled(*words)
        assert done.code == 5, done.err
        assert f"pid {running.pid}" in done.err
        assert "Traceback" not in done.err
    assert running.poll() is None
    assert mode_of(filled) == "web read-write"
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert filled("apply", "p.yaml", "--yes", "--no-wait").code == 3


def test_of_two_applies_that_begin_together_one_works(filled: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN)
    command = [sys.executable, "-m", "migrator.cli.app", "apply", "p.yaml", "--yes"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [process.communicate(timeout=60) for process in both]
    assert sorted(process.returncode for process in both) in ([0, 5], [0, 0]), ended
    assert all("Traceback" not in err for _, err in ended)
    assert mode_of(filled) == "web read-write"


def test_a_killed_run_leaves_its_writers_to_the_guardian(running: subprocess.Popen[str], filled: Migrate) -> None:
    wait_for_state(running, "draining")
    running.kill()
    running.wait(timeout=30)
    for _ in range(100):
        if mode_of(filled) == "core read-write":
            break
        time.sleep(0.1)
    assert mode_of(filled) == "core read-write"
    assert filled("apply", "p.yaml", "--yes", "--no-wait").code == 3
    assert mode_of(filled) == "web read-write"


def test_a_killed_run_is_taken_over_at_once_and_its_fence_comes_first(
    running: subprocess.Popen[str], filled: Migrate
) -> None:
    """The guardian dies with it, as when a whole process group or machine does."""
    wait_for_state(running, "draining")
    guardians = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    assert guardians
    for guardian in guardians:
        os.kill(int(guardian), signal.SIGKILL)
    running.kill()
    running.communicate(timeout=30)
    assert mode_of(filled) == "core read-only"
    assert "writers of north-america/web-tracking may be blocked" in filled("status", "p.yaml").out
    done = filled("apply", "p.yaml", "--yes", "--no-wait")
    assert done.code == 3, done.err
    assert "put in order first" in done.err
    assert mode_of(filled) == "web read-write"


def test_nobody_who_stops_reading_stops_the_apply(filled: Migrate, here: Path) -> None:
    (here / "p.yaml").write_text(PLAN)
    command = f"{sys.executable} -m migrator.cli.app apply p.yaml --yes --json | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr.replace("warning", "").count("Traceback") == 0
    assert mode_of(filled, "north-america/email-events") == "mail read-write"


def test_a_reader_that_goes_away_is_no_noise(filled: Migrate) -> None:
    command = f"{sys.executable} -m migrator.cli.app schema | head -1"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""


def test_a_write_at_a_target_that_customers_left_is_said_by_the_next_run_and_by_status(
    migrate: Migrate, here: Path
) -> None:
    migrate("sample", "p.yaml", "--objects", "5")
    assert migrate("apply", "p.yaml", "--yes").code == 0
    assert migrate("rollback", "p.yaml", "--yes").code == 0
    assert "web was left" in migrate("status", "p.yaml").out
    asyncio.run(_write(here / "state/web.db", "web-sessions", "late"))
    time.sleep(1.1)  # straggler_interval
    done = migrate("apply", "p.yaml", "--yes", "--no-wait")
    assert done.code == 4
    assert "1 object was changed on web after customers had gone back to core" in done.out + done.err
    seen = migrate("status", "p.yaml").out
    assert "straggler: web-sessions/late: written on web by a writer without a lease" in seen
    assert "copy back what was written at the targets that were left" in seen
    assert "1 straggler" in migrate("doctor", "p.yaml").out


async def _write(account: Path, container: str, name: str) -> None:
    store = LocalStore(account.stem, account)
    shape = Shape(BlobType.BLOCK, ContentHeaders(), {}, {}, None)
    await store.put(container, name, b"late", shape, condition=CREATE)
    await store.close()
