"""Processes of workers, which may be started before there is an event loop to speak with them: other cores have nothing to do
while an estate is counted.

Rules: no more begin at once than the caller says, since each takes a core for ``START_SECONDS`` and counting must not wait for
them; who takes a process ends it; what nobody took ends with ``close``.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

SMALL: Final = 2_000
"""Copies of a run that are not worth a process: one costs as much to start as some thousand copies."""
START_SECONDS: Final = 0.1


class WorkerProcesses:
    """Args:
    command: the command line of a worker, without secrets.
    count: workers at most.
    at_once: so many may begin at the same moment before they are taken; None: all.
    environ: a worker's variables; None: those of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        *,
        at_once: int | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.count = count
        self._at_once = count if at_once is None else at_once
        self._command = tuple(command)
        self._environ = environ
        self._ready: list[subprocess.Popen[bytes]] = []
        self._next_at = 0.0

    def expect(self, copies: int) -> None:
        """So many copies are known of: start some of the processes that they are worth. Said again and again while copies are
        counted, until all have begun; one that cannot be started is missed when it is taken."""
        if copies <= SMALL or time.monotonic() < self._next_at:
            return
        self._next_at = time.monotonic() + START_SECONDS
        try:
            for _ in range(min(self.count - len(self._ready), self._at_once)):
                self._ready.append(self._start())
        except OSError:
            self._next_at = inf

    def take(self) -> subprocess.Popen[bytes]:
        """A process that waits for its opening letter. OSError if it cannot be started."""
        self._next_at = inf
        return self._ready.pop(0) if self._ready else self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        """In a session of its own: a terminal's Ctrl-C is the engine's to judge, also while it starts."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            self._command, stdin=pipe, stdout=pipe, bufsize=0, env=self._environ, start_new_session=True
        )

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
