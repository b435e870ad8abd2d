"""Open files are few: connections wait for each other, and where it is too few for anything the sentence names the cause."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from migrator.adapters.azure.wire import files
from migrator.adapters.state import open_store
from migrator.errors import StateError
from tests.azurite.server import Azurite

PLAN = """\
version: 1
name: few
defaults: {{account: {{requests_per_minute: 600k, api_version: "2025-11-05"}}}}
accounts:
{accounts}
areas:
  data: {{containers: [box]}}
regions:
{regions}
routing: {{kind: file, path: routes.json, ttl: 200ms}}
verify: {{level: content}}
cutover: {{max_write: 200ms, clock_margin: 100ms, fence_timeout: 60s, straggler_interval: 1s}}
waves:
  - name: one
    moves: [{moves}]
    soak: 1s
    interval: 500ms
"""
MOVES = 4


def test_several_moves_with_content_proved_need_few_files(azurite: Azurite, tmp_path: Path) -> None:
    """Unbounded it is some hundred connections: sixteen pools, each sized for an estate."""
    environ = dict(os.environ)
    accounts = []
    for number in range(MOVES):
        for side in ("s", "t"):
            account = azurite.take()
            environ[f"{side}{number}".upper()] = azurite.connection_string(account)
            place = azurite.endpoint(account)
            accounts.append(f'  {side}{number}: {{endpoint: "{place}", credential: "env:{side.upper()}{number}"}}')
            if side == "s":
                text = azurite.connection_string(account)
                box = BlobServiceClient.from_connection_string(text, api_version="2025-11-05").create_container("box")
                for name in range(60):
                    box.upload_blob(f"x{name:03}", b"1")
    regions = "\n".join(f"  r{number}: {{source: s{number}, targets: {{data: t{number}}}}}" for number in range(MOVES))
    moves = ", ".join(f"{{region: r{number}, areas: '*'}}" for number in range(MOVES))
    (tmp_path / "p.yaml").write_text(PLAN.format(accounts="\n".join(accounts), regions=regions, moves=moves))
    command = f"ulimit -n 128; exec {sys.executable} -m migrator.cli.app apply p.yaml --yes"
    done = subprocess.run(
        ["/bin/bash", "-c", command], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    program = "import resource; from migrator.cli.app import _prepare_process; _prepare_process()"
    program += "; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    command = f"ulimit -Sn 100; ulimit -Hn 500; exec {sys.executable} -c '{program}'"
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "500 500\n"


@pytest.mark.parametrize(
    ("limit", "pools", "most", "share"), [(1024, 16, 256, 48), (20_000, 2, 256, 256), (40, 2, 256, 2), (None, 1, 9, 9)]
)
def test_what_is_left_is_shared(
    monkeypatch: pytest.MonkeyPatch, limit: int | None, pools: int, most: int, share: int
) -> None:
    monkeypatch.setattr(files, "limit", lambda: limit)
    monkeypatch.setattr(files, "pools", set(range(pools)))
    assert files.share(most) == share


@contextlib.contextmanager
def no_files_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_store_that_cannot_be_opened_for_want_of_files_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/m.db"
    open_store(url, "p").close()
    with no_files_left(), pytest.raises(StateError) as told:
        open_store(url, "p")
    assert "this process may open no more files; raise the limit (ulimit -n 4096)" in str(told.value)
