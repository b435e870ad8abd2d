"""A plan on local accounts, and the command line run inside the test process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.tiny import HEAD

PLAN = (
    HEAD
    + """\
routing: {kind: file, path: state/routes.json, ttl: 100ms}
cutover: {max_write: 100ms, clock_margin: 50ms, fence_timeout: 20s, straggler_interval: 1s}
waves:
  - name: first
    moves: [{region: north-america, areas: [web-tracking]}]
    soak: 300ms
    interval: 100ms
    gates: []
  - name: second
    moves: [{region: north-america, areas: [email-events]}]
    soak: 300ms
    interval: 100ms
    gates: []
"""
)


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Migrate = Callable[..., Done]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory with the plan ``p.yaml`` in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("MIGRATE_STATE", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.setenv(name, "")  # so that what a command sets is taken back with it
        monkeypatch.delenv(name)
    (tmp_path / "p.yaml").write_text(PLAN)
    return tmp_path


@pytest.fixture
def migrate(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Migrate]:
    """Run ``migrate ARGUMENTS`` in ``here``."""
    from migrator.cli.app import main

    handler = signal.getsignal(signal.SIGTERM)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["migrate", *arguments])
        capsys.readouterr()
        code = main()
        taken = capsys.readouterr()
        return Done(int(code), taken.out, taken.err)

    yield run
    signal.signal(signal.SIGTERM, handler)
