"""E-mail, through a server that speaks SMTP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from migrator.model.notices import Channel
from migrator.ports.kinds import Key, NoticeKind, Slip
from migrator.ports.notifier import Notifier

_ADDRESS: Final = re.compile(r"[^@\s,;<>\"]{1,64}@[A-Za-z0-9.-]{1,255}")
_SERVER: Final = re.compile(r"smtps?://[A-Za-z0-9.\[\]:-]{1,255}")


class NoticeEmail(NoticeKind):
    name = "email"
    keys: Mapping[str, Key] = {
        "server": Key("text", "email: smtps://HOST, or smtp://HOST:PORT, which is asked for STARTTLS", is_needed=True),
        "sender": Key("text", "email: the address that it comes from", is_needed=True),
        "to": Key("words", "email: the addresses that it goes to", is_needed=True),
        "login": Key("secret", "email: the variable that holds NAME:PASSWORD of the server"),
    }

    def slips(self, values: Mapping[str, Any]) -> Iterator[Slip]:
        if not _SERVER.fullmatch(values["server"] or "smtp://-"):
            yield Slip("server", "this is not a server of SMTP: write smtps://HOST, or smtp://HOST:PORT")
        if not _ADDRESS.fullmatch(values["sender"] or "a@b"):
            yield Slip("sender", "this is not an e-mail address")
        if not all(_ADDRESS.fullmatch(one) for one in values["to"] or ()):
            yield Slip("to", "not all of these are e-mail addresses")
        if values["login"] and not values["login"].startswith("env:"):
            yield Slip("login", "a login is a secret, so write env:NAME and put NAME:PASSWORD into that variable")

    def title(self, channel: Channel) -> str:
        return f"e-mail to {', '.join(channel.options['to'])}"

    def open(self, channel: Channel, *, environ: Mapping[str, str]) -> Notifier:
        from migrator.adapters.notices import open_mail

        return open_mail(channel, environ)
