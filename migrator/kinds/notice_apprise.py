"""Whatever Apprise speaks to: pagers, chats, messengers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.model.notices import Channel
from migrator.ports.kinds import Key, NoticeKind, Slip
from migrator.ports.notifier import Notifier


class NoticeApprise(NoticeKind):
    name = "apprise"
    keys: Mapping[str, Key] = {
        "url": Key(
            "secret",
            "apprise: the variable that holds the service's address, which is a secret: env:NAME",
            is_needed=True,
        ),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        if values["url"] and not values["url"].startswith("env:"):
            yield Slip("url", "an address of Apprise is a secret, so write env:NAME and put it into that variable")

    def title(self, channel: Channel) -> str:
        return f"apprise {channel.options['url']}"

    def open(self, channel: Channel, *, environ: Mapping[str, str]) -> Notifier:
        from migrator.adapters.notices import open_services

        return open_services(channel, environ)
