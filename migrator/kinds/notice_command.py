"""An executable of the operator's own, which gets each notice as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from migrator.model.notices import Channel
from migrator.ports.kinds import Key, NoticeKind, Slip
from migrator.ports.notifier import Notifier


class NoticeCommand(NoticeKind):
    name = "command"
    keys: Mapping[str, Key] = {
        "argv": Key("words", "command: the executable and its arguments", is_needed=True),
        "env": Key("variables", "command: variables that it gets beside PATH, HOME, LANG and TZ", default=()),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        yield from ()

    def title(self, channel: Channel) -> str:
        return f"command {channel.options['argv'][0]}"

    def open(self, channel: Channel, *, environ: Mapping[str, str]) -> Notifier:
        from migrator.adapters.notices import open_command

        return open_command(channel, environ)
