"""The tests end wherever they are started, and so does what they start. Each guard is seen to be needed or to catch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.children import Start

ROOT = Path(__file__).resolve().parents[1]
IGNORING = "trap '' INT HUP QUIT TERM TSTP; exec"
"""As `nohup`, a script's background job and many build servers begin a program."""

BAD_TESTS = """
import asyncio, os, subprocess, sys, time
from pathlib import Path
import tests.children

HERE = Path(__file__).parent
tests.children.AGAIN_SECONDS = 3.0
SLEEP = "import time; time.sleep(600)"

def note(*pids):
    with open(HERE / "pids", "a") as file:
        file.writelines(f"{pid}\\n" for pid in pids)

async def test_waits_for_ever_in_an_event_loop():
    await asyncio.Event().wait()

def test_waits_for_a_child_for_ever_and_leaves_it():
    child = subprocess.Popen([sys.executable, "-c", SLEEP], stdout=subprocess.PIPE)
    note(child.pid)
    child.stdout.read()

def test_leaves_a_grandchild_in_a_session_of_its_own():
    command = [sys.executable, "-c", SLEEP]
    program = f"import subprocess; print(subprocess.Popen({command!r}, start_new_session=True, stdout=-3, stderr=-3).pid)"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout
    note(int(out))

def test_swallows_the_first_interruption():
    try:
        time.sleep(600)
    except BaseException:
        time.sleep(600)
"""


def run(*words: str, before: str = "exec", seconds: float = 120, **how: object) -> subprocess.CompletedProcess[str]:
    command = f'{before} "$@"'
    pytest_words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words]
    return subprocess.run(
        ["/bin/bash", "-c", command, "bash", *pytest_words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        **how,  # type: ignore[call-overload]
    )


@pytest.mark.parametrize("session", [False, True], ids=["in-the-background", "without-a-terminal"])
def test_signals_pass_for_whoever_ignores_them(session: bool) -> None:
    done = run("tests/cli/test_interrupts.py", "-k", "signal or nohup", before=IGNORING, start_new_session=session)
    assert done.returncode == 0, done.stdout


def test_a_child_begins_with_default_signals_although_we_ignore_them(start: Start) -> None:
    number = signal.SIGHUP
    before = signal.signal(number, signal.SIG_IGN)
    try:
        from tests.children import give_defaults_to_children

        program = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_DFL)"
        assert start([sys.executable, "-c", program]).communicate(timeout=30)[0] == "False\n"
        give_defaults_to_children()
        assert start([sys.executable, "-c", program]).communicate(timeout=30)[0] == "True\n"
        os.kill(os.getpid(), number)  # and it is still ignored here
    finally:
        signal.signal(number, before)


def test_a_test_that_hangs_fails_and_nothing_that_it_started_lives_on(tmp_path: Path) -> None:
    bad = tmp_path / "test_bad.py"
    bad.write_text(BAD_TESTS)
    words = ("-p", "tests.children", "-c", str(ROOT / "pyproject.toml"), "-o", "timeout=3", str(bad))
    done = run(*words, seconds=60)
    assert "3 failed, 1 passed" in done.stdout, done.stdout
    pids = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
