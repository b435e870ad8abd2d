"""A run leaves the machine to others first, unless its operator decided otherwise."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setscheduler"), reason="this system has no such policies")

PROGRAM = """
import os
os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))  # whatever it was started under
from migrator.cli.wiring import run_async

async def look():
    print(os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0))

{before}
run_async(look())
"""


def policy_and_niceness(before: str = "") -> list[int]:
    program = [sys.executable, "-c", PROGRAM.format(before=before)]
    ended = subprocess.run(program, capture_output=True, text=True, check=True, timeout=60)
    return [int(word) for word in ended.stdout.split()]


def test_a_command_interrupts_no_other_process() -> None:
    policy, niceness = policy_and_niceness()
    assert (policy, niceness) == (os.SCHED_BATCH, os.getpriority(os.PRIO_PROCESS, 0))


def test_a_policy_of_the_operators_choice_stays() -> None:
    idle = "os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))"
    assert policy_and_niceness(idle)[0] == os.SCHED_IDLE


def test_a_machine_that_forbids_it_is_no_obstacle() -> None:
    forbidden = "\n".join(
        [
            "def refuse(*anything):",
            "    raise PermissionError",
            "os.sched_setscheduler = refuse",
        ]
    )
    assert policy_and_niceness(forbidden)[0] == os.SCHED_OTHER
