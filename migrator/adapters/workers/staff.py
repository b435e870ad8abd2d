"""Processes of workers, which may be started before there is an event loop to speak with them: each needs a tenth of a second
to be ready, and other cores have nothing to do while an estate is counted.

Rule: who takes a process ends it; what nobody took ends with ``close``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

SMALL: Final = 2_000
"""Copies of a run that are not worth a process: one costs as much to start as some thousand copies."""


class Staff:
    """Args:
    command: the command line of a worker, without secrets.
    count: workers at most.
    """

    def __init__(self, command: Sequence[str], count: int) -> None:
        self.count = count
        self._command = tuple(command)
        self._ready: list[subprocess.Popen[bytes]] = []
        self._is_called = False

    def expect(self, copies: int) -> None:
        """Start the processes that so many copies are worth, once. One that cannot be started is missed when it is taken."""
        if copies <= SMALL or self._is_called:
            return
        self._is_called = True
        try:
            while len(self._ready) < self.count:
                self._ready.append(self._start())
        except OSError:
            return

    def take(self) -> subprocess.Popen[bytes]:
        """A process that waits for its opening letter. OSError if it cannot be started."""
        self._is_called = True
        return self._ready.pop(0) if self._ready else self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        """In a session of its own: a terminal's Ctrl-C is the engine's to judge, also while it starts."""
        pipe = subprocess.PIPE
        return subprocess.Popen(self._command, stdin=pipe, stdout=pipe, bufsize=0, start_new_session=True)

    def close(self) -> None:
        """End what nobody took; safe to repeat."""
        while self._ready:
            process = self._ready.pop()
            end(process)
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill it and wait for that: the end of its pipe is an order to end anyway. The pipes stay their owner's: closed here as
    well, their numbers might be somebody else's by then."""
    process.kill()
    process.wait()
