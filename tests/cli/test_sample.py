"""Sample data goes into sources of this machine only."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrator.cli.sampling import is_loopback
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
