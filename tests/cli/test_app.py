"""The front door: help is quick, endings are plain, nothing leaks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from migrator import __version__

HEAVY = ("azure", "sqlalchemy", "pydantic", "ruamel", "aiohttp", "httptools", "uvloop", "asyncio")


def migrate(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "migrator.cli.app", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=env, check=False)


def test_help_imports_nothing_heavy() -> None:
    """That is what keeps `migrate --help` under 0.3 s of CPU."""
    program = (
        "import sys; from migrator.cli import app; sys.argv = ['migrate', '--help']; app.main();"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.strip() == "[]"
    assert "validate" in done.stdout


def test_the_version_is_the_packages() -> None:
    done = migrate("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"migrate {__version__}")


@pytest.mark.parametrize("arguments", [("nonsense",), ("validate",), ("validate", "--nonsense", "x")], ids=" ".join)
def test_usage_errors_exit_64_with_two_plain_lines(arguments: tuple[str, ...]) -> None:
    done = migrate(*arguments)
    assert done.returncode == 64
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: cannot ")
    assert hint.startswith("  next: see `migrate ")


def test_without_a_command_help_goes_to_stderr_and_64_to_the_caller() -> None:
    done = migrate()
    assert done.returncode == 64
    assert done.stdout == ""
    assert "validate" in done.stderr


def test_a_missing_plan_is_one_sentence_and_debug_adds_the_traceback() -> None:
    plain, debug = migrate("validate", "/nowhere/plan.yaml"), migrate("--debug", "validate", "/nowhere/plan.yaml")
    assert (plain.returncode, debug.returncode) == (1, 1)
    assert "Traceback" not in plain.stderr
    assert plain.stderr.startswith("error: cannot ")
    assert "Traceback" in debug.stderr
    assert plain.stdout == debug.stdout == ""
