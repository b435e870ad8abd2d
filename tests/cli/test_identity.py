"""A run is called dead only on proof."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from migrator.cli.identity import boot_id, is_proven_dead, new_run, user
from migrator.model.moves import LockRecord

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lock(pid: int) -> LockRecord:
    return LockRecord("n", 1, "r", user(), socket.gethostname(), pid, boot_id(), NOW, NOW, 0)


@pytest.fixture
def gone() -> int:
    """The number of a process that has ended and was waited for."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(30)
    return process.pid


def test_a_living_process_is_not_dead() -> None:
    assert not is_proven_dead(lock(os.getpid()))


def test_a_process_that_is_gone_is_dead(gone: int) -> None:
    assert is_proven_dead(lock(gone))


def test_a_zombie_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert is_proven_dead(lock(process.pid))
    process.wait(30)


@pytest.mark.parametrize("change", [{"host": "elsewhere"}, {"boot_id": "another boot"}, {"boot_id": ""}], ids=str)
def test_nothing_is_proven_of_another_machine_boot_or_container(gone: int, change: dict[str, str]) -> None:
    assert not is_proven_dead(replace(lock(gone), **change))


def test_every_run_has_an_id_of_its_own() -> None:
    one, other = new_run(), new_run()
    assert one.id != other.id
    assert one.pid == os.getpid()
