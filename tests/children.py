"""What a test starts begins with the signals of a terminal as they are by default, and ends with the test in any case.

A pytest plugin, loaded by ``tests/conftest.py``. Rules:

- whoever started the tests may ignore or block signals (``nohup``, a script's background job, many build servers) and a child
  inherits that. Here an ignored signal gets a handler that does nothing: for this process that is the same, and a child, in
  which no handler is left, begins with the default;
- whatever a test leaves behind is killed after it, also what its children left (Linux: orphans come to this process);
- a test that neither ends nor can be interrupted is interrupted again: an event loop may swallow the first time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Final

import pytest

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP)
AGAIN_SECONDS: Final = 20.0
"""After its time limit a test is interrupted this often."""
MEASURED: Final = "COVERAGE_PROCESS_CONFIG"
"""The variable by which `coverage` measures the children of a process."""
_TO_ME: Final = 36
"""PR_SET_CHILD_SUBREAPER."""

Start = Callable[..., subprocess.Popen[Any]]


def _nothing(number: int, frame: object) -> None:
    """Instead of SIG_IGN, which a child would inherit."""


def give_defaults_to_children() -> None:
    """Of the signals that a terminal sends, and of the end of a child, without which nobody can wait for one."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*SIGNALS, signal.SIGCHLD})
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _nothing)
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def children(of: int | str = "self") -> set[int]:
    """The processes whose parent is ``of``, a pid or this process; none where the system does not tell."""
    found: set[int] = set()
    for path in Path(f"/proc/{of}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found |= {int(word) for word in path.read_text().split()}
    # One for the whole process, by the standard library; it ends with us.
    return found - {getattr(resource_tracker._resource_tracker, "_pid", None)}


def state_of(pid: int) -> str:
    """The letter by which the kernel says what a process does; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def end_all_but(known: set[int]) -> None:
    """Kill the children that are not ``known``, and the orphans that come to us by it."""
    give_up = time.monotonic() + 10.0
    while (left := children() - known) and time.monotonic() < give_up:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(pid, 0)


def pytest_configure(config: pytest.Config) -> None:
    _begin()
    if hasattr(
        config, "workerinput"
    ):  # a worker is measured, what its tests start is not: it may be another user, or be killed
        os.environ.pop(MEASURED, None)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    _begin()  # the test before may have changed it


def _begin() -> None:
    give_defaults_to_children()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_TO_ME, 1, 0, 0, 0)


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> Iterator[None]:
    is_set = yield
    if signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        signal.setitimer(signal.ITIMER_REAL, settings.timeout, AGAIN_SECONDS)
    return is_set


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Made after what lives longer than a test, torn down after everything that belongs to it."""
    known = children()
    yield
    end_all_but(known)


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process as ``subprocess.Popen`` does, its output to be read (as text); it is killed with the test."""
    started: list[subprocess.Popen[Any]] = []

    def begin(command: Sequence[str], **how: Any) -> subprocess.Popen[Any]:
        pipe = subprocess.PIPE
        started.append(subprocess.Popen(command, **{"stdout": pipe, "stderr": pipe, "text": True, **how}))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
    for process in started:
        with contextlib.suppress(ValueError):
            process.communicate(timeout=30)
