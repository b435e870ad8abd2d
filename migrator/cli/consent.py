"""Asking before acting. The question goes to standard error, so that ``--json`` keeps standard output clean."""

from __future__ import annotations

import sys

from migrator.cli.views.safe import safe
from migrator.errors import FindingsError, UsageError


def require_terminal(*, yes: bool, what: str) -> None:
    """UsageError unless somebody can be asked, or ``--yes`` was said."""
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            f"cannot ask before {what}: standard input is not a terminal", hint="say --yes to go without asking"
        )


def require_typed(sentence: str, refusal: str, warning: str) -> None:
    """What cannot be undone is typed, and no option stands for it.

    Args:
        refusal: what is said where nobody can be asked.
        warning: what is said before the question.

    Raises:
        UsageError: there is no terminal.
        FindingsError: something else was typed.
    """
    if not sys.stdin.isatty():
        raise UsageError(refusal, hint="run this on a terminal")
    print(f"{warning}\nType `{sentence}` to go on: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != sentence:
        raise FindingsError("nothing was done: the sentence was not typed")


def require_consent(question: str, *, yes: bool) -> None:
    """Ask ``question`` unless ``--yes`` was said. FindingsError if the answer is not yes."""
    if yes:
        return
    print(f"{safe(question)} [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise FindingsError("nothing was done: the answer was not yes")
