"""``--log-file``: everything that happens in a run, appended to a file.

Decides how the file is opened (made readable by its owner alone, appended to, a line at a time) and in which form it is written.
What a line says is the views' business.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from migrator.cli.views.lines import JsonLines, PlainLines
from migrator.cli.views.progress import Display
from migrator.errors import UsageError

FORMATS: Final = ("text", "json")


@contextmanager
def logged(path: Path | None, form: str) -> Iterator[Display | None]:
    """A display that appends to ``path``; None without one.

    Raises:
        UsageError: the form is unknown, or the file cannot be opened.
    """
    if form not in FORMATS:
        raise UsageError(f"cannot write a log as {form}: unknown format", hint="use --log-format text or json")
    if path is None:
        yield None
        return
    try:
        stream = open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "a", encoding="utf-8")  # noqa: SIM115
    except OSError as refused:
        raise UsageError(
            f"cannot write a log to {path}: {(refused.strerror or str(refused)).lower()}",
            hint="name a file in a directory that this user may write to",
        ) from refused
    with stream:
        yield JsonLines(stream) if form == "json" else PlainLines(stream)
