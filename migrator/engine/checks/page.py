"""``docs/findings.md``, printed from the list of checks by ``python -m migrator.engine.checks.page``; a test keeps it true."""

from __future__ import annotations

from collections.abc import Iterator

from migrator.engine.checks.check import Check
from migrator.engine.checks.moments import Asks, When
from migrator.engine.checks.registry import CHECKS, CODES


def page() -> str:
    return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    yield "# Findings"
    yield ""
    yield "Every finding has a severity (error, warning, info), a code, a subject, a text and a remedy. `apply` refuses errors."
    yield "Codes are stable, and programs may rely on them: `--json` prints them, the page for people prints the text and the"
    yield "remedy alone. Every check is in one list, `migrator/engine/checks/registry.py`, and this page is printed from it:"
    yield "`python -m migrator.engine.checks.page > docs/findings.md`."
    yield ""
    yield "When a check runs: **validate** and **plan** are the commands (`apply` looks as `plan` does, before its question);"
    yield "**preflight** is before a move's first copy, **fence** before each fence of a move that goes forward; there an error"
    yield "halts the move, and before a fence a warning keeps it back. **doctor** is the command. What it asks for is beside the"
    yield "plan; gates are asked by `apply` and `plan --probe`, and only `plan --probe` and a run write. Where no remedy is"
    yield "listed, each finding has its own, or none is needed."
    yield ""
    yield "| code | what it says | severity | about | when | asks | remedy |"
    yield "|---|---|---|---|---|---|---|"
    for code, says in sorted(CODES.items()):
        checks = [check for check in CHECKS if says in check.says]
        cells = (
            f"`{code}`",
            says.text,
            ", ".join(says.severities),
            says.about,
            _when(checks),
            _asks(checks),
            says.remedy,
        )
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")


def _when(checks: list[Check]) -> str:
    return ", ".join(when for when in When if any(when in check.at for check in checks))


def _asks(checks: list[Check]) -> str:
    asked = [asks for asks in Asks if any(asks in check.asks for check in checks)]
    return ", ".join(asked) or "nobody"


if __name__ == "__main__":
    print(page(), end="")
