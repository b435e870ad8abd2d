"""Sample data goes into sources of this machine only."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from migrator.cli.wiring import open_state_of
from migrator.model.addresses import is_loopback
from migrator.model.moves import LockRecord
from tests.cli.conftest import PLAN, Migrate


def test_every_area_of_a_source_is_filled_once(migrate: Migrate, here: Path) -> None:
    first, second = migrate("sample", "p.yaml", "--objects", "20"), migrate("sample", "p.yaml", "--objects", "25")
    assert (first.code, second.code) == (0, 0)
    assert "north-america/web-tracking: 20 objects" in first.out
    assert "north-america/email-events: 5 objects" in second.out
    assert "20 were there" in second.out
    assert (here / "state/core.db").exists()
    assert not (here / "state/web.db").exists()


def test_a_real_account_is_never_filled(migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "a" * 86 + "==")
    remote = "core: {endpoint: https://core.blob.core.windows.net, credential: 'env:KEY'}"
    text = PLAN.replace("core: {kind: local, path: state/core.db}", remote)
    (here / "p.yaml").write_text(text)
    done = migrate("sample", "p.yaml")
    assert done.code == 64
    assert "cannot fill account core" in done.err
    assert "not on this machine" in done.err


def test_nothing_is_filled_while_a_run_is_at_work(migrate: Migrate, here: Path) -> None:
    """Sample data is written without a lease: in a fence it would go round the fence."""
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--no-wait").code == 3
    with closing(open_state_of("sqlite:///state/migrator.db", "tiny")) as store:
        now = datetime.now(UTC)
        store.acquire(LockRecord("c0ffee", 0, "run-1", "ann", "elsewhere", 7, "boot", now, now, 0.0))
        done = migrate("sample", "p.yaml", "--objects", "9")
    assert (done.code, done.out) == (5, "")
    assert "ann@elsewhere (pid 7) is at work" in done.err
    assert "cannot fill" in done.err


def test_a_source_that_customers_have_left_is_not_filled(migrate: Migrate, here: Path) -> None:
    """What is written there now is a straggler, and takes a soak back to its beginning."""
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    assert migrate("apply", "p.yaml", "--yes", "--wave", "first").code == 0
    done = migrate("sample", "p.yaml", "--objects", "9")
    assert (done.code, done.out) == (64, "")
    assert "customers of north-america/web-tracking are at web" in done.err
    assert migrate("rollback", "p.yaml", "--yes").code == 0
    assert migrate("sample", "p.yaml", "--objects", "9").code == 0


@pytest.mark.parametrize(
    ("endpoint", "verdict"),
    [
        ("http://127.0.0.1:10000/core", True),
        ("http://127.8.9.1/core", True),
        ("http://localhost:10000/core", True),
        ("http://[::1]:10000/core", True),
        ("https://core.blob.core.windows.net", False),
        ("http://127.0.0.1.example.org/", False),
        ("https://localhost.example.org/", False),
        ("http://10.0.0.1/", False),
        ("", False),
    ],
)
def test_only_this_very_machine_is_loopback(endpoint: str, verdict: bool) -> None:
    assert is_loopback(endpoint) is verdict
