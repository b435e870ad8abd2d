"""Notices by e-mail, through a server that speaks SMTP.

Decides the letter and when the connection is safe enough. Speaking SMTP is ``smtplib``'s business, on a thread. Rule: a login
is sent under TLS only; beyond this machine a server without TLS gets no letter at all.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit

from migrator.errors import AccessRefused, CloudError, Unreachable
from migrator.model.addresses import is_loopback
from migrator.model.notices import Notice

SECONDS: Final = 30.0


class MailNotifier:
    """A ``Notifier``.

    Args:
        server: ``smtps://HOST[:PORT]``, TLS from the beginning, or ``smtp://HOST[:PORT]``, which is asked for STARTTLS.
        login: ``NAME:PASSWORD``, or empty.
    """

    def __init__(self, name: str, server: str, *, sender: str, receivers: tuple[str, ...], login: str = "") -> None:
        self._name = name
        self._sender, self._receivers = sender, receivers
        self._user, _, self._password = login.partition(":")
        try:
            parts = urlsplit(server)
            self._host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, self._host, port = urlsplit(""), "", None
        if parts.scheme not in ("smtp", "smtps") or not self._host:
            raise AccessRefused(
                f"cannot notify {name}: its server is not an address of SMTP",
                hint="write smtps://HOST or smtp://HOST:PORT",
            )
        self._is_tls = parts.scheme == "smtps"
        self._port = port or (465 if self._is_tls else 587)

    async def send(self, notice: Notice) -> None:
        try:
            await asyncio.to_thread(self._send, self._letter(notice))
        except (smtplib.SMTPException, OSError, ValueError) as failure:  # not chained: its text may hold the login
            code = getattr(failure, "smtp_code", None)
            why = f"the server answered with code {code}" if code else type(failure).__name__
            raise Unreachable(f"cannot notify {self._name}: {why}") from None

    def _letter(self, notice: Notice) -> EmailMessage:
        letter = EmailMessage()
        letter["Subject"] = " ".join(notice.subject.split())
        letter["From"], letter["To"] = self._sender, ", ".join(self._receivers)
        letter["Date"] = format_datetime(notice.at)
        letter["Message-ID"] = (
            f"<{notice.id.replace('/', '.')}@migrate.invalid>"  # so that a second one is known for it
        )
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(f"{notice.text}\n")
        return letter

    def _send(self, letter: EmailMessage) -> None:
        context = ssl.create_default_context()
        if self._is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=SECONDS, context=context)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=SECONDS)
        with server:
            if not self._is_tls:
                server.ehlo()
                if server.has_extn("starttls"):
                    server.starttls(context=context)
                elif self._user or not is_loopback(f"smtp://{self._host}"):
                    raise CloudError(
                        f"cannot notify {self._name}: its server offers no TLS",
                        hint="use a server that does, or smtps://",
                    )
            if self._user:
                server.login(self._user, self._password)
            server.send_message(letter)

    async def close(self) -> None:
        """Nothing stays open: each letter has a connection of its own."""
