"""What a failure looks like: one plain sentence and what to do next, on standard error.

Rule: no traceback unless ``--debug`` asks for it, and never local variables: they may hold secrets.
"""

from __future__ import annotations

import shutil
import sys
import traceback
from collections.abc import Iterator
from typing import Final, TextIO

from migrator.cli.calls import spelled
from migrator.cli.settings import Settings
from migrator.cli.views.safe import safe
from migrator.cli.views.wrapping import wrapped
from migrator.errors import InternalError, MigrateError, PlanError

MAX_FAULTS = 200
"""Faults of one plan that are printed; the rest are counted."""
AZURE_PACKAGES: Final = frozenset({"azure", "httptools"})
"""Top modules of ``migrator[azure]``, without which no account of Azure can be asked."""
_RED, _DIM, _PLAIN = "\x1b[31m", "\x1b[2m", "\x1b[0m"


def show_error(error: BaseException, settings: Settings, stream: TextIO | None = None) -> None:
    """Print ``error`` (of a group: each part) for a person."""
    stream = stream or sys.stderr
    colored = settings.wants_color and stream.isatty()
    if settings.debug:
        for line in "".join(traceback.format_exception(error)).splitlines():  # messages hold names, and names are data
            print(safe(line), file=stream)
    for part in _parts(error):
        _show_one(part, stream, colored)
    stream.flush()


def _parts(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _parts(part)
    else:
        yield error


def known(error: BaseException) -> MigrateError | None:
    """``error`` as one with a sentence of its own: what it is, or that packages are not installed; None: a bug of ours."""
    if isinstance(error, MigrateError):
        return error
    if isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] in AZURE_PACKAGES:
        return MigrateError(
            f"cannot ask Azure: its packages are not installed (there is no {error.name})",
            hint="pip install 'migrator[azure]'",
        )
    return None


def _show_one(found: BaseException, stream: TextIO, colored: bool) -> None:
    error = known(found) or InternalError(f"{type(found).__name__}: {found}")
    text = _fitted(f"error: {safe(spelled(error.message))}", stream)
    print(text.replace("error:", f"{_RED}error:{_PLAIN}", 1) if colored else text, file=stream)
    if isinstance(error, PlanError):
        for fault in error.faults[:MAX_FAULTS]:
            print(f"  {safe(fault)}", file=stream)
        if len(error.faults) > MAX_FAULTS:
            print(f"  and {len(error.faults) - MAX_FAULTS} more", file=stream)
    if error.hint:
        text = _fitted(f"  next: {safe(spelled(error.hint))}", stream)
        print(f"{_DIM}{text}{_PLAIN}" if colored else text, file=stream)


def show_note(text: str, stream: TextIO | None = None) -> None:
    """A warning or a remark beside the answer, on standard error."""
    stream = stream or sys.stderr
    print(_fitted(safe(spelled(text)), stream), file=stream, flush=True)


def _fitted(text: str, stream: TextIO) -> str:
    """On a terminal no word and no command is cut at its edge; elsewhere the line stays one."""
    if not stream.isatty():
        return text
    return "\n".join(wrapped(text, shutil.get_terminal_size().columns))
