"""An address that takes JSON: a receiver of one's own, Slack, or a Teams workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.model.notices import Channel
from migrator.ports.kinds import Key, NoticeKind, Slip
from migrator.ports.notifier import Notifier


class NoticeWebhook(NoticeKind):
    name = "webhook"
    keys: Mapping[str, Key] = {
        "url": Key(
            "secret", "webhook: the variable that holds its address, which is a secret: env:NAME", is_needed=True
        ),
        "format": Key(
            "word",
            "webhook: what it takes; json is described in docs/notifications.md",
            one_of=("json", "slack", "teams"),
        ),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def title(self, channel: Channel) -> str:
        return f"{channel.options.get('format') or 'json'} webhook {channel.options['url']}"

    def open(self, channel: Channel, *, environ: Mapping[str, str]) -> Notifier:
        from migrator.adapters.notices import open_webhook

        return open_webhook(channel, environ)
