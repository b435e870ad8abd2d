"""Standard input, output and error of this process, when they are closed, full, or nobody reads them any more.

Rules: a closed one is opened on the null device before anything else is, or the next file - a database - would get its number and
be written to; a command that works goes on, and says so once on standard error; a command whose answer is all that it does fails,
silently where its reader just went away (``| head``); standard error never stops anything. Streams that somebody has put in the
place of the process's own are left alone.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any

from migrator.errors import MigrateError

ANSWERING = frozenset(
    {"validate", "plan", "status", "routes", "traffic", "history", "doctor", "schema", "verify", "report"}
)
"""Commands whose answer is what they do. Their exit code says whether it was given."""


class Outlet(io.RawIOBase):
    """Writes to a descriptor as long as that works.

    Args:
        lost: called once with the first failure; it may raise, and the writer gets that.
        closed: it was closed when the process began.
    """

    def __init__(self, descriptor: int, lost: Callable[[OSError], None], *, closed: bool = False) -> None:
        self._descriptor = descriptor
        self._lost = lost
        self._is_open = not closed
        self._is_lost = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return self._is_open and os.isatty(self._descriptor)

    def write(self, text: Any) -> int:
        if not self._is_lost:
            try:
                return self._written(text)
            except OSError as failure:
                self._is_lost = True
                self._lost(failure)
        return len(text)

    def _written(self, text: Any) -> int:
        if not self._is_open:
            raise OSError(errno.EBADF, "it is closed")
        while True:
            try:
                return os.write(self._descriptor, text)
            except BlockingIOError:  # somebody we share it with wants it so
                select.select([], [self._descriptor], [])


def prepare() -> None:
    """Before anything is opened or printed."""
    closed = {number for number in (0, 1, 2) if not _is_there(number)}
    for number in sorted(closed):
        held = os.open(os.devnull, os.O_RDONLY if number == 0 else os.O_WRONLY)
        if held != number:  # it cannot be: numbers are given from below
            os.dup2(held, number)
            os.close(held)
    if sys.stdin is None:
        sys.stdin = open(0)  # noqa: SIM115 - for as long as the process
    if sys.stdout is sys.__stdout__:
        sys.stdout = _text(1, sys.__stdout__, _fail, closed=1 in closed)
    if sys.stderr is sys.__stderr__:
        sys.stderr = _text(2, sys.__stderr__, lambda failure: None, closed=2 in closed)


def go_on_without_readers(tell: Callable[[str], None]) -> None:
    """From here on standard output may be lost; ``tell`` says so, once."""
    outlet = _outlet(sys.stdout)
    if outlet is not None:

        def told(failure: OSError) -> None:
            why = "nobody reads it" if failure.errno == errno.EPIPE else _why(failure)
            tell(f"standard output is lost ({why}): the work goes on, and `migrate status` shows it")

        outlet._lost = told


def require_reader() -> None:
    """BrokenPipeError if standard output is a pipe that nobody reads any more."""
    if (outlet := _outlet(sys.stdout)) is None or not hasattr(select, "poll"):
        return
    seen = select.poll()
    seen.register(outlet.fileno(), 0)
    if any(events & select.POLLERR for _, events in seen.poll(0)):
        raise BrokenPipeError(errno.EPIPE, "nobody reads standard output")


def _fail(failure: OSError) -> None:
    if failure.errno == errno.EPIPE:
        raise failure
    raise MigrateError(f"cannot write the answer to standard output: {_why(failure)}")


def _why(failure: OSError) -> str:
    return (failure.strerror or type(failure).__name__).lower()


def _is_there(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _text(number: int, old: Any, lost: Callable[[OSError], None], *, closed: bool) -> io.TextIOWrapper:
    outlet = Outlet(number, lost, closed=closed)
    return io.TextIOWrapper(
        io.BufferedWriter(outlet),
        encoding=getattr(old, "encoding", None) or "utf-8",
        errors="backslashreplace",
        line_buffering=bool(getattr(old, "line_buffering", True)),
        write_through=bool(getattr(old, "write_through", False)),
    )


def _outlet(stream: Any) -> Outlet | None:
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw if isinstance(raw, Outlet) else None
