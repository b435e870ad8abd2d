"""The test server itself: it serves, keeps accounts apart, and never outlives the process that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from tests.azurite.server import Azurite

STARTER = """
import os, signal, sys
from tests.azurite.server import running
with running(accounts=1) as azurite:
    print(azurite.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_accounts_are_apart(azurite: Azurite) -> None:
    here, there = azurite.take(), azurite.take()
    with BlobServiceClient.from_connection_string(azurite.connection_string(here)) as client:
        client.create_container("photos")
        assert [c.name for c in client.list_containers()] == ["photos"]
    with BlobServiceClient.from_connection_string(azurite.connection_string(there)) as client:
        assert list(client.list_containers()) == []


@pytest.mark.usefixtures("azurite")
def test_the_server_ends_when_its_parent_is_killed() -> None:
    """A SIGKILL leaves no time to clean up; the server sees its standard input end."""
    root = Path(__file__).resolve().parents[2]
    starter = subprocess.run(
        [sys.executable, "-c", STARTER], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )
    pid = int(starter.stdout)
    for _ in range(300):
        if not _is_alive(pid):
            return
        time.sleep(0.1)
    pytest.fail(f"azurite (pid {pid}) outlived its parent")


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/status")
    return not (status.exists() and "State:\tZ" in status.read_text())
