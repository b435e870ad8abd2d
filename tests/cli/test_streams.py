"""Standard streams that are closed, full, or read by nobody: work goes on and says so once, a lost answer is an error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Migrate

PROGRAM = f"{sys.executable} -m migrator.cli.app"


def run(here: Path, words: str) -> tuple[int, str]:
    """Exit code of the first command of the pipeline, and what came on the test's own standard error."""
    script = f"{PROGRAM} {words}; echo ${{PIPESTATUS[0]}} > code"
    done = subprocess.run(
        ["/bin/bash", "-c", script], cwd=here, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    return int((here / "code").read_text()), done.stderr


def account(here: Path) -> str:
    path = here / "state/routes.json"
    return json.loads(path.read_text())["routes"]["north-america/email-events"]["account"] if path.exists() else ""


@pytest.mark.parametrize(
    ("redirect", "said"),
    [
        (">&-", "(it is closed)"),
        ("2>&-", ""),
        (">&- 2>&-", ""),
        ("<&-", ""),
        ("<&- >&- 2>&-", ""),
        (">/dev/full", "(no space left on device)"),
        ("2>/dev/full", ""),
        (">/dev/full 2>&1", ""),
        ("| head -1", "(nobody reads it)"),
        ("| true", "(nobody reads it)"),
        ("--json | head -1", "(nobody reads it)"),
        ("--json >/dev/full", "(no space left on device)"),
    ],
)
def test_an_apply_that_nobody_hears_does_its_work(migrate: Migrate, here: Path, redirect: str, said: str) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    code, err = run(here, f"apply p.yaml --yes {redirect}")
    assert code == 0
    assert account(here) == "mail"
    assert "Traceback" not in err
    assert "internal error" not in err
    lost = [line for line in err.splitlines() if "standard output is lost" in line]
    assert len(lost) == bool(said)
    assert said in "".join(lost)
    assert (here / "state/migrator.db").read_bytes().startswith(b"SQLite format 3\0")


@pytest.mark.parametrize(("redirect", "why"), [(">&-", "it is closed"), (">/dev/full", "no space left on device")])
@pytest.mark.parametrize("words", ["schema", "validate p.yaml", "plan p.yaml --json", "plan p.yaml", "status p.yaml"])
def test_an_answer_that_cannot_be_given_is_one_sentence(
    migrate: Migrate, here: Path, words: str, redirect: str, why: str
) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    code, err = run(here, f"{words} {redirect}")
    assert code == 1
    assert f"error: cannot write the answer to standard output: {why}\n" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err


@pytest.mark.parametrize("words", ["schema | head -1", "history p.yaml | true"])
def test_a_reader_that_goes_away_from_an_answer_is_no_noise(migrate: Migrate, here: Path, words: str) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    assert run(here, words)[1] in ("", run(here, words.partition("|")[0])[1])


def test_a_watch_ends_with_its_reader(migrate: Migrate, here: Path) -> None:
    assert migrate("sample", "p.yaml", "--objects", "5").code == 0
    run(here, "status p.yaml --watch | head -1")
