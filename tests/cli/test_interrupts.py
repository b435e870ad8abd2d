"""Signals in a real process: the first stops in order, the second and an endless stop end at once, all with 130."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.children import Start

CHILD = """
import asyncio, sys
from migrator.cli import interrupts
mode = sys.argv[1]
async def main():
    stopped = asyncio.Event()
    async def work():
        print("working", flush=True)
        await stopped.wait()
        if mode == "hangs":
            await asyncio.sleep(3600)
        return "saved"
    answer, asked = await interrupts.run_stoppable(work(), stop=stopped.set, resume="migrate apply p.yaml")
    print(answer, asked)
    sys.exit(130)
interrupts.Interrupts.__init__.__kwdefaults__["grace_seconds"] = float(sys.argv[2])
asyncio.run(main())
"""


Child = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def child(start: Start) -> Child:
    def begin(mode: str, grace_seconds: float, before: str = "") -> subprocess.Popen[str]:
        process = start([sys.executable, "-c", before + CHILD, mode, str(grace_seconds)])
        assert process.stdout is not None
        assert process.stdout.readline() == "working\n"
        return process

    return begin


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_lets_the_engine_end_in_order(child: Child, number: signal.Signals) -> None:
    process = child("obeys", 60)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "saved True\n")
    assert err.startswith("stopping: ")


def test_the_second_signal_ends_at_once_and_names_the_command_that_frees_writers(child: Child) -> None:
    process = child("hangs", 60)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("stopping: ")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "writes may stay blocked" in err
    assert "`migrate apply p.yaml`" in err


def test_an_engine_that_does_not_stop_is_ended(child: Child) -> None:
    process = child("hangs", 0.2)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "writes may stay blocked" in err


def test_nohup_is_respected(child: Child) -> None:
    process = child("obeys", 60, "import signal; signal.signal(1, signal.SIG_IGN)\n")
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert out == "saved True\n"
    assert "at once" not in err.splitlines()[-1].split(";")[0]


def ask(*, answer: str | None, yes: bool = False) -> tuple[int, str]:
    """Run a question in a process; ``answer`` None: standard input is not a terminal."""
    program = (
        "import sys; from migrator.cli import consent, exits\n"
        f"try:\n    consent.require_terminal(yes={yes}, what='it starts'); consent.require_consent('Start?', yes={yes})\n"
        "except Exception as error:\n    print(error, file=sys.stderr); sys.exit(exits.of_error(error))"
    )
    leader, follower = pty.openpty()
    try:
        if answer is not None:
            os.write(leader, answer.encode())
        done = subprocess.run(
            [sys.executable, "-c", program],
            stdin=subprocess.DEVNULL if answer is None else follower,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(leader)
        os.close(follower)
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("answer", "yes", "code"),
    [
        ("y\n", False, 0),
        ("YES\n", False, 0),
        ("n\n", False, 1),
        ("\n", False, 1),
        ("\x04", False, 1),
        (None, False, 64),
        (None, True, 0),
    ],
)
def test_nothing_starts_without_a_yes(answer: str | None, yes: bool, code: int) -> None:
    assert ask(answer=answer, yes=yes)[0] == code
