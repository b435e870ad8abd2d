"""Where notices go: one module per kind of channel. Importing this package imports none of them.

Decides what of a plan's ``notify`` entry and of the environment a channel gets. Rule: an address is a secret: it is read when the
channel is opened, kept in memory, and stands in no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from migrator.adapters.operators_commands import refuse_storage, small_environment
from migrator.errors import AccessRefused
from migrator.model.notices import Channel

if TYPE_CHECKING:
    from migrator.ports.notifier import Notifier


def open_webhook(channel: Channel, environ: Mapping[str, str]) -> Notifier:
    from migrator.adapters.notices.webhook import WebhookNotifier

    return WebhookNotifier(channel.name, _address(channel, environ), str(channel.options.get("format") or "json"))


def open_command(channel: Channel, environ: Mapping[str, str]) -> Notifier:
    from migrator.adapters.notices.command import CommandNotifier

    given = small_environment(environ, channel.options.get("env") or (), doing=f"notify {channel.name}")
    return CommandNotifier(channel.name, channel.options["argv"], environ=given)


def open_mail(channel: Channel, environ: Mapping[str, str]) -> Notifier:
    from migrator.adapters.notices.mail import MailNotifier

    login = str(channel.options.get("login") or "")
    password = _variable(channel, login, environ) if login else ""
    refuse_storage(login.removeprefix("env:"), password, doing=f"notify {channel.name}")
    return MailNotifier(
        channel.name,
        str(channel.options["server"]),
        sender=str(channel.options["sender"]),
        receivers=tuple(channel.options["to"]),
        login=password,
    )


def open_services(channel: Channel, environ: Mapping[str, str]) -> Notifier:
    from migrator.adapters.notices.services import ServiceNotifier

    reference, address = str(channel.options["url"]), _address(channel, environ)
    refuse_storage(reference.removeprefix("env:"), address, doing=f"notify {channel.name}")
    return ServiceNotifier(channel.name, address)


def _address(channel: Channel, environ: Mapping[str, str]) -> str:
    reference = str(channel.options["url"])
    if not reference.startswith("env:"):
        return reference
    return _variable(channel, reference, environ)


def _variable(channel: Channel, reference: str, environ: Mapping[str, str]) -> str:
    name = reference.removeprefix("env:")
    value = environ.get(name, "").strip()
    if not value or not value.isprintable():
        raise AccessRefused(
            f"cannot notify {channel.name}: the environment variable {name} is not set",
            hint=f"set {name} for the process that runs `migrate apply`",
        )
    return value
