"""Worker processes of a real ``migrate apply`` on a real service: killed in the middle of a copy, and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from azure.storage.blob import ContainerClient

from tests.azurite.server import Azurite
from tests.children import state_of

pytestmark = [pytest.mark.azurite, pytest.mark.crash, pytest.mark.slow]
COUNT = 4_000
HELD = 3


def write_plan(folder: Path, azurite: Azurite, names: dict[str, str]) -> Path:
    plan = {
        "version": 1,
        "name": "workers",
        "accounts": {
            key: {"endpoint": azurite.endpoint(name), "credential": f"env:{key.upper()}"} for key, name in names.items()
        },
        "areas": {"all": {"containers": ["web"]}},
        "regions": {"na": {"source": "src", "targets": {"all": "dst"}}},
        "routing": {"kind": "file", "path": "routes.json", "ttl": "1s"},
        "cutover": {"hold": True},
        "waves": [{"name": "w", "moves": [{"region": "na", "areas": "*"}], "soak": "1h"}],
    }
    path = folder / "plan.yaml"
    path.write_text(json.dumps(plan))
    return path


def children_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def hands_of(pid: int) -> list[int]:
    return [one for one in children_of(pid) if b"migrator.cli.worker" in Path(f"/proc/{one}/cmdline").read_bytes()]


def wait_for(condition, what: str):
    """The first true answer within a minute."""
    for _ in range(3_000):
        if answer := condition():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"{what} never came")


def test_a_killed_apply_takes_its_workers_along_and_the_next_one_finishes(azurite: Azurite, tmp_path: Path) -> None:
    names = {"src": azurite.take(), "dst": azurite.take()}
    texts = {key: azurite.connection_string(name) for key, name in names.items()}
    source, target = (ContainerClient.from_connection_string(texts[key], "web") for key in ("src", "dst"))
    source.create_container()
    for number in range(COUNT):
        source.upload_blob(f"{number:05}", f"body of {number}".encode(), metadata={"number": str(number)})
    command = [sys.executable, "-m", "migrator.cli.app", "apply", str(write_plan(tmp_path, azurite, names))]
    command += ["--yes", "--no-wait", "--workers", "2"]
    environ = {**os.environ, "SRC": texts["src"], "DST": texts["dst"], "MIGRATE_STATE": f"sqlite:///{tmp_path}/m.db"}
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL) as first:
        hands = wait_for(lambda: hands_of(first.pid), "a worker")
        secrets = [text.partition("AccountKey=")[2].partition(";")[0] for text in texts.values()]
        for hand in hands:
            line = Path(f"/proc/{hand}/cmdline").read_text()
            assert not any(secret in line for secret in secrets)
        first.send_signal(signal.SIGKILL)
        first.wait()
    # Orphans come to this process, which has other things to do than to collect them: an ended one stays as a zombie.
    wait_for(lambda: all(state_of(hand) in ("", "Z") for hand in hands), "the end of the workers")
    assert subprocess.run(command, cwd=tmp_path, env=environ, stdout=subprocess.DEVNULL, check=False).returncode == HELD
    there = {
        blob.name: blob for blob in target.list_blobs(include=["metadata"]) if not blob.name.startswith(".migrate/")
    }
    assert sorted(there) == [f"{number:05}" for number in range(COUNT)]
    assert all(blob.metadata == {"number": str(int(name))} for name, blob in there.items())
    assert all(blob.size == len(f"body of {int(name)}") for name, blob in there.items())
