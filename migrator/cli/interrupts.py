"""SIGINT and SIGTERM while the engine runs: the first asks it to stop, the second ends the process, and so does SIGQUIT.

Decides only how a signal becomes a wish and how long it may take. Leaves releasing fences and saving state to the engine;
what it leaves undone, the guardian does when this process's pipe closes. Rules: after the first signal the process ends
within five seconds, whatever hangs; a signal that was ignored when the process began (``nohup``, a script's background job)
stays so. Ctrl-Z stops this process between two callbacks of its event loop, so that it holds neither the route file's lock nor
the state store's while it stands still; a fence then lasts no longer than the guardian's patience.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, NoReturn, TypeVar

from migrator.cli.exits import ExitCode
from migrator.cli.views.errors import show_note

T = TypeVar("T")
GRACE_SECONDS: Final = 4.0
"""From the first signal to the end of patience; starting and ending the process takes the rest of the five."""
_SHOW_CURSOR: Final = "\x1b[?25h"


class Interrupts:
    """While open, signals come here. ``asked`` says whether one came.

    Args:
        stop: asks the engine to stop; called once, from the event loop.
        resume: the command that goes on, for the messages.
    """

    def __init__(self, stop: Callable[[], None], *, resume: str, grace_seconds: float = GRACE_SECONDS) -> None:
        self.asked = False
        self._stop = stop
        self._resume = resume
        self._grace = grace_seconds
        self._caught: list[signal.Signals] = []
        self._patience: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Interrupts:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background job
                loop.add_signal_handler(number, self._signal)
                self._caught.append(number)
        if signal.getsignal(signal.SIGQUIT) is not signal.SIG_IGN:
            loop.add_signal_handler(signal.SIGQUIT, self._end_now, "stopped at once")
            self._caught.append(signal.SIGQUIT)
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            loop.add_signal_handler(signal.SIGTSTP, self._stand_still)
            self._caught.append(signal.SIGTSTP)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for number in self._caught:
            loop.remove_signal_handler(number)
        if self._patience is not None:
            self._patience.cancel()

    def _signal(self) -> None:
        if self.asked:
            self._end_now("stopped at once")
        self.asked = True
        self._say("stopping: open fences are released and state is saved; once more ends at once")
        text = "stopped before everything was put in order"
        self._patience = asyncio.get_running_loop().call_later(self._grace, self._end_now, text)
        self._stop()

    def _stand_still(self) -> None:
        self._say(
            "standing still (Ctrl-Z): `fg` goes on; writers that wait in a fence are let go meanwhile, within its deadline"
        )
        self._show_cursor()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _end_now(self, what: str) -> NoReturn:
        self._say(f"{what}: writes may stay blocked for a moment; `{self._resume}` frees them first and goes on")
        self._show_cursor()
        os._exit(ExitCode.INTERRUPTED)

    def _show_cursor(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if sys.stdout.isatty():
                sys.stdout.write(_SHOW_CURSOR)
            sys.stdout.flush()

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            show_note(text)


async def run_stoppable(work: Awaitable[T], *, stop: Callable[[], None], resume: str) -> tuple[T, bool]:
    """The work's answer, and whether a signal asked it to stop. What closes connections belongs into ``work``: afterwards
    nobody watches the five seconds any more."""
    async with Interrupts(stop, resume=resume) as interrupts:
        answer = await work
    return answer, interrupts.asked
