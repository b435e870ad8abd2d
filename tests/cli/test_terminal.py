"""Keys pressed at a real terminal while writers wait in a fence: they are free again soon, and nobody need do anything for it."""

from __future__ import annotations

import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.children import state_of
from tests.cli.conftest import PLAN, Migrate

SLOW_DRAIN = PLAN.replace("max_write: 100ms", "max_write: 3s").replace("fence_timeout: 20s", "fence_timeout: 2s")
DEADLINE_SECONDS = 3.15 + 2 + 10
"""Of the guardian: drain, fence_timeout and 10 s."""
KEYS = {"ctrl-c": b"\x03", "ctrl-backslash": b"\x1c", "ctrl-z": b"\x1a"}
KEY = "north-america/web-tracking"


class Terminal:
    """A shell with job control at a terminal of its own; the command is its foreground job, as an operator starts it."""

    def __init__(self, here: Path, *words: str) -> None:
        self.here = here
        self.leader, follower = pty.openpty()
        command = shlex.join([sys.executable, "-m", "migrator.cli.app", *words])
        shell = f"{command} > out 2> err & echo $! > pid; fg > /dev/null; echo $? > code; sleep 600"
        self.shell = subprocess.Popen(
            ["/bin/bash", "-mc", shell],
            cwd=here,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(follower)

    def press(self, key: str) -> None:
        os.write(self.leader, KEYS[key])

    def hang_up(self) -> None:
        """The window is closed."""
        leader, self.leader = self.leader, -1
        os.close(leader)

    @property
    def pid(self) -> int:
        return int((self.here / "pid").read_text())

    def code(self) -> str:
        path = self.here / "code"
        return path.read_text().strip() if path.exists() else ""


def _take_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def fenced(migrate: Migrate, here: Path) -> Iterator[Terminal]:
    (here / "p.yaml").write_text(SLOW_DRAIN)
    assert migrate("sample", "p.yaml", "--objects", "20").code == 0
    terminal = Terminal(here, "apply", "p.yaml", "--yes")
    soon(lambda: mode(here) == "read-only", 60)
    yield terminal
    if terminal.leader >= 0:
        terminal.hang_up()


def soon(wanted: Callable[[], bool], seconds: float) -> float:
    """How long it took."""
    begun = time.monotonic()
    while not wanted():
        assert time.monotonic() < begun + seconds, "it never came"
        time.sleep(0.05)
    return time.monotonic() - begun


def mode(here: Path) -> str:
    path = here / "state/routes.json"
    return json.loads(path.read_text())["routes"].get(KEY, {}).get("mode", "") if path.exists() else ""


def is_stopped(pid: int) -> bool:
    return state_of(pid) == "T"


@pytest.mark.parametrize("key", ["ctrl-c", "ctrl-backslash"])
def test_a_key_that_ends_the_run_frees_the_writers_at_once(fenced: Terminal, here: Path, key: str) -> None:
    fenced.press(key)
    soon(lambda: mode(here) == "read-write", 5)
    soon(lambda: fenced.code() == "130", 10)
    said = (here / "err").read_text()
    assert ("continues" if key == "ctrl-c" else "stopped at once: writes may stay blocked for a moment") in said


def test_a_closed_window_frees_the_writers_at_once(fenced: Terminal, here: Path) -> None:
    fenced.hang_up()
    soon(lambda: mode(here) == "read-write", 10)


@pytest.mark.slow
def test_a_run_that_is_stopped_by_ctrl_z_keeps_writers_out_no_longer_than_the_deadline(
    fenced: Terminal, here: Path, migrate: Migrate
) -> None:
    """And after ``fg`` it goes on rightly: its fence is gone, so it catches up and begins another one."""
    pid = fenced.pid
    fenced.press("ctrl-z")
    soon(lambda: is_stopped(pid), 5)
    assert mode(here) == "read-only"
    soon(lambda: mode(here) == "read-write", DEADLINE_SECONDS + 8)
    assert is_stopped(pid)
    os.killpg(pid, signal.SIGCONT)
    soon(lambda: state_of(pid) in ("", "Z"), 60)
    routes = json.loads((here / "state/routes.json").read_text())["routes"]
    assert (routes[KEY]["account"], routes[KEY]["mode"]) == ("web", "read-write"), (here / "err").read_text()
    assert migrate("verify", "p.yaml").code == 0
