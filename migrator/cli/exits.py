"""The one place where outcomes become exit codes.

Decides which code an error family or an engine's outcome has, and which of several codes wins. Leaves the wording to the
views. Rule: codes and precedence are fixed, because scripts and schedulers read them; no other file writes a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from migrator.errors import JudgementError, LockedError, MigrateError, StalePlanError, UsageError


class ExitCode(IntEnum):
    DONE = 0
    """Done, nothing to do, or a rollback that was asked for."""
    ERROR = 1
    """An error, an invalid plan, error findings, a declined prompt."""
    CHANGES = 2
    """Changes pending; only ``plan --detailed-exitcode``."""
    WAITING = 3
    """A soak, a window, an approval or a hold, under ``--no-wait``."""
    STOPPED = 4
    """Halted, failed gate, rolled back by itself, difference, undecided conflict, doctor's disagreement."""
    LOCKED = 5
    STALE = 6
    USAGE = 64
    """Wrong words, or no terminal and no ``--yes``."""
    INTERRUPTED = 130
    """SIGINT or SIGTERM; state is saved."""


PRECEDENCE: Final = (
    ExitCode.INTERRUPTED,
    ExitCode.LOCKED,
    ExitCode.STALE,
    ExitCode.USAGE,
    ExitCode.ERROR,
    ExitCode.STOPPED,
    ExitCode.WAITING,
    ExitCode.CHANGES,
    ExitCode.DONE,
)
"""The first of these that applies is the command's exit code."""

_FAMILIES: Final[tuple[tuple[type[BaseException], ExitCode], ...]] = (
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (LockedError, ExitCode.LOCKED),
    (StalePlanError, ExitCode.STALE),
    (UsageError, ExitCode.USAGE),
    (JudgementError, ExitCode.STOPPED),
    (MigrateError, ExitCode.ERROR),
)
_OUTCOMES: Final = {
    "done": ExitCode.DONE,
    "waiting": ExitCode.WAITING,
    "halted": ExitCode.STOPPED,
    "failed": ExitCode.STOPPED,
    "error": ExitCode.ERROR,
    "interrupted": ExitCode.INTERRUPTED,
}


def of_error(error: BaseException) -> ExitCode:
    """The code of an error; a group of errors has the winner's code, anything unknown is an error like any other."""
    if isinstance(error, BaseExceptionGroup):
        return winner(of_error(part) for part in error.exceptions)
    return next((code for family, code in _FAMILIES if isinstance(error, family)), ExitCode.ERROR)


def of_outcome(word: str) -> ExitCode:
    """The code of an engine's outcome: done, waiting, halted, failed or interrupted. KeyError for another word."""
    return _OUTCOMES[word]


def winner(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that wins; DONE if there is none."""
    return min(codes, key=PRECEDENCE.index, default=ExitCode.DONE)
