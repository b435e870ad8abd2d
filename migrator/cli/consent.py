"""Asking before acting. The question goes to standard error, so that ``--json`` keeps standard output clean."""

from __future__ import annotations

import sys

from migrator.cli.views.safe import safe
from migrator.errors import FindingsError, UsageError


def require_terminal(*, yes: bool, what: str) -> None:
    """UsageError unless somebody can be asked, or ``--yes`` was said."""
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            f"cannot ask before {what}: standard input is no terminal", hint="say --yes to go without asking"
        )


def require_consent(question: str, *, yes: bool) -> None:
    """Ask ``question`` unless ``--yes`` was said. FindingsError if the answer is not yes."""
    if yes:
        return
    print(f"{safe(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FindingsError("nothing was done: the answer was not yes")
