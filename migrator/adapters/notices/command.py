"""Notices to an executable of the operator's own, which gets one as a JSON object on its standard input and exits 0.

Leaves running it to ``operators_commands``. Nothing that it prints is passed on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from migrator.adapters.operators_commands import run
from migrator.model.notices import Notice

SECONDS: Final = 30.0


class CommandNotifier:
    """A ``Notifier``."""

    def __init__(self, name: str, argv: Sequence[str], *, environ: Mapping[str, str]) -> None:
        self._name = name
        self._argv = tuple(argv)
        self._environ = dict(environ)

    async def send(self, notice: Notice) -> None:
        await run(
            self._argv,
            json.dumps(notice.as_json()).encode() + b"\n",
            environ=self._environ,
            seconds=SECONDS,
            doing=f"notify {self._name}",
            slow="make the command quicker",
            failed="run it by hand with a notice on its standard input to see what it says",
            long="let it print nothing",
        )

    async def close(self) -> None:
        """Nothing stays open: each notice has a process of its own."""
