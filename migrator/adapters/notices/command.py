"""Notices to an executable of the operator's own, which gets one as a JSON object on its standard input and exits 0.

Decides that it ends. Rules: no shell; a small environment, since this one holds the keys of the accounts; what runs over its
time is killed with all that it started; nothing that it prints is passed on.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from migrator.errors import CloudError, Unreachable
from migrator.model.notices import Notice

SECONDS: Final = 30.0


class CommandNotifier:
    """A ``Notifier``."""

    def __init__(self, name: str, argv: Sequence[str], *, environ: Mapping[str, str]) -> None:
        self._name = name
        self._argv = tuple(argv)
        self._environ = dict(environ)

    async def send(self, notice: Notice) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                env=self._environ,
            )
        except (OSError, ValueError) as failure:
            why = failure.strerror.lower() if isinstance(failure, OSError) and failure.strerror else "not a command"
            raise CloudError(
                f"cannot notify {self._name}: {self._argv[0]} cannot be started: {why}", hint="correct its argv"
            ) from None
        try:
            async with asyncio.timeout(SECONDS):
                await process.communicate(json.dumps(notice.as_json()).encode() + b"\n")
        except TimeoutError:
            raise Unreachable(f"cannot notify {self._name}: the command did not end within {SECONDS:g} s") from None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if process.returncode != 0:
            raise CloudError(
                f"cannot notify {self._name}: the command exited with {process.returncode}",
                hint="run it by hand with a notice on its standard input to see what it says",
            )

    async def close(self) -> None:
        """Nothing stays open: each notice has a process of its own."""
