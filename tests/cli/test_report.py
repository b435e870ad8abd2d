"""``migrate report``: one page in a file or on this machine, and a sentence where that cannot be."""

from __future__ import annotations

import importlib.util
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from migrator.cli.commands.report import operation
from migrator.cli.settings import Settings
from tests.cli.conftest import Migrate


def test_a_page_of_a_finished_rollout_is_written_whole(migrate: Migrate, here: Path) -> None:
    migrate("sample", "p.yaml", "--objects", "20")
    assert migrate("apply", "p.yaml", "--yes").code == 0
    done = migrate("report", "p.yaml", "--out", "report.html")
    assert (done.code, done.out) == (0, "")
    assert "wrote report.html" in done.err
    text = (here / "report.html").read_text()
    assert "All 2 moves are complete" in text
    assert "<strong>Nobody.</strong> Everything is complete." in text
    assert stat.S_IMODE((here / "report.html").stat().st_mode) == 0o600
    assert not list(here.glob(".report.html*"))


def test_a_plan_that_was_never_applied_has_a_page_with_commands_to_paste(migrate: Migrate, here: Path) -> None:
    (here / "report.html").write_text("old")
    (here / "report.html").chmod(0o644)
    assert migrate("report", "p.yaml", "--out", "report.html").code == 0
    text = (here / "report.html").read_text()
    assert "Nothing has begun yet" in text
    assert "<code>migrate apply p.yaml</code>" in text
    assert stat.S_IMODE((here / "report.html").stat().st_mode) == 0o644


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "no file is named"),
        (("--watch",), "cannot write a report: no file is named"),
        (("--serve", "127.0.0.1:0", "--watch"), "cannot watch: no file is named"),
        (("--out", "no/such/report.html"), "cannot write a report to no/such/report.html"),
        (("--serve", "0.0.0.0:8080"), "only addresses of this machine alone"),
        (("--serve", "example.com:8080"), "only addresses of this machine alone"),
        (("--serve", "8080"), "expected HOST:PORT"),
    ],
)
def test_what_cannot_be_written_or_shown_is_said(migrate: Migrate, arguments: tuple[str, ...], said: str) -> None:
    done = migrate("report", "p.yaml", *arguments)
    assert done.code == 64
    assert said in done.err


def test_without_the_extra_it_says_how_to_install_it(migrate: Migrate, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "jinja2" else real(name, *rest)
    )
    done = migrate("report", "p.yaml", "--out", "report.html")
    assert done.code == 64
    assert "pip install 'migrator[report]'" in done.err


class Clock:
    """Sleeps that do something instead of passing time, and end with Ctrl-C."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)

    def sleep(self, seconds: float) -> None:
        if not self.steps:
            raise KeyboardInterrupt
        self.steps.pop(0)()


def test_a_watched_file_is_written_again_when_the_rollout_changes(
    migrate: Migrate, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, str]] = []
    report = here / "report.html"

    def note() -> None:
        text = report.read_text()
        seen.append((report.stat().st_ino, "complete" if "All 2 moves are complete" in text else "not begun"))

    def apply() -> None:
        migrate("sample", "p.yaml", "--objects", "5")
        assert migrate("apply", "p.yaml", "--yes").code == 0

    clock = Clock(note, note, apply, note)
    real = time.sleep
    monkeypatch.setattr(
        operation.time, "sleep", lambda one: clock.sleep(one) if one == operation.INTERVAL_SECONDS else real(one)
    )
    code = operation.follow(Settings(), here / "p.yaml", out=report, serve=None)
    assert code == 130
    assert [words for _, words in seen] == ["not begun", "not begun", "complete"]
    assert seen[0][0] == seen[1][0] != seen[2][0]  # replaced, and only when something had changed
