"""Plant one mutant in a copy of the project and see whether its tests notice.

A copy a worker, so that mutants can be tried side by side and the checkout is never touched. Rule: a test counts as
noticing only if it failed - an error while tests are collected, or no test at all, says that the catalogue is wrong.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import ROOT, Mutant

SECONDS = 300.0
"""For the tests of one mutant; a mutant that makes the product hang is caught as well."""
LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".build",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
)
TESTS_FAILED, NOTHING_COLLECTED = 1, 5


@dataclass(frozen=True, slots=True)
class Outcome:
    """``caught_by`` is empty where nobody noticed; ``broken`` says why the trial itself was worth nothing."""

    mutant: Mutant
    caught_by: str = ""
    broken: str = ""


def copy_of_the_project(to: Path) -> Path:
    """A copy to plant mutants in; the blob service of the tests is shared."""
    shutil.copytree(ROOT, to, ignore=LEFT_OUT)
    service = ROOT / "tests" / "azurite" / "node_modules"
    if service.is_dir():
        (to / "tests" / "azurite" / "node_modules").symlink_to(service)
    return to


def try_mutant(mutant: Mutant, copy: Path) -> Outcome:
    """Plant, ask its tests one after the other, and put the file back."""
    file = copy / mutant.file
    right = file.read_text(encoding="utf-8")
    try:
        file.write_text(mutant.planted(right), encoding="utf-8")
        for test in mutant.caught_by:
            code = run_tests(copy, (test,))
            if code == TESTS_FAILED or code is None:
                return Outcome(mutant, test if code is not None else f"{test} (never ended)")
            if code != 0:
                return Outcome(mutant, broken=f"{test} ended with {code}")
        if mutant.seeds and tells_of_it(copy, mutant.seeds):
            return Outcome(mutant, f"{mutant.seeds} stories of the simulation")
        return Outcome(mutant)
    except ValueError as fault:
        return Outcome(mutant, broken=str(fault))
    finally:
        file.write_text(right, encoding="utf-8")


def run_tests(copy: Path, tests: tuple[str, ...]) -> int | None:
    """pytest's exit code in ``copy``; None if it did not end in time."""
    options = ["-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=no", "-m", "not live and not system"]
    return _run(copy, [sys.executable, "-m", "pytest", *options, *tests])


def tells_of_it(copy: Path, seeds: int) -> bool:
    words = ["migrator.testing.simulation", "--seeds", str(seeds), "--stop-after", "1"]
    return _run(copy, [sys.executable, "-m", *words]) not in (0,)


def _run(copy: Path, argv: list[str]) -> int | None:
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(
        argv, cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group: what a mutated test run started must not outlive it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
