"""Whoever waits for a long count is told how far it is, and whoever copies afterwards can make ready."""

import pytest

from migrator.cli import preview
from migrator.cli.preview import COUNTING_SECONDS, Counting


def test_a_long_count_is_told_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(preview, "monotonic", lambda: now)
    told: list[int] = []
    counting = Counting(told.append)
    counting.progress("na/web", counted=5_000)
    assert capsys.readouterr().err == ""
    now += COUNTING_SECONDS + 1
    counting.progress("na/web", counted=1_250_000)
    counting.progress("na/web", counted=1_255_000)
    assert capsys.readouterr().err == "counting: 1,250,000 objects of na/web so far\n"
    assert told == [5_000, 1_250_000, 1_255_000]
