"""Notices by Apprise: pagers, chats and messengers, whatever its address names.

Decides what Apprise is told and what its silence means. Which services there are, and how each is spoken to, is Apprise's
business, on a thread. Rule: an address holds tokens, so it is given to Apprise and to nobody else: its log says nothing anywhere.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import logging
from typing import Any, Final

from migrator.errors import AccessRefused, Unreachable
from migrator.model.notices import Notice

EXTRA: Final = "migrator[apprise]"
LONGEST_SUBJECT: Final = 200


class ServiceNotifier:
    """A ``Notifier``.

    Args:
        address: what Apprise calls a URL, such as ``pagerduty://...``; several, divided by blanks.

    Raises:
        AccessRefused: Apprise is not installed, or does not know one of the addresses.
    """

    def __init__(self, name: str, address: str) -> None:
        self._name = name
        if importlib.util.find_spec("apprise") is None:
            raise AccessRefused(
                f"cannot notify {name}: the package that does is not installed", hint=f"pip install '{EXTRA}'"
            )
        apprise = importlib.import_module("apprise")
        _silence()
        self._services: Any = apprise.Apprise()
        known = [self._services.add(one) for one in address.split()]  # one by one, so that none is left out unnoticed
        if not known or not all(known):
            raise AccessRefused(
                f"cannot notify {name}: Apprise does not know {'this address' if len(known) < 2 else 'one of these addresses'}",
                hint="write it as Apprise's page of the service has it",
            )

    async def send(self, notice: Notice) -> None:
        kind = "warning" if notice.needs_person else "info"
        subject = " ".join(notice.subject.split())[:LONGEST_SUBJECT]
        is_taken = await asyncio.to_thread(
            self._services.notify, body=notice.text, title=subject, notify_type=kind, body_format="text"
        )
        if not is_taken:
            raise Unreachable(f"cannot notify {self._name}: not every service took it")

    async def close(self) -> None:
        """Nothing stays open: Apprise connects for each notice."""


def _silence() -> None:
    """Its log lines name addresses, and without a handler Python prints warnings to standard error."""
    log = logging.getLogger("apprise")
    log.propagate = False
    log.handlers = [logging.NullHandler()]
