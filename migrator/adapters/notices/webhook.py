"""Notices to an address that takes JSON: a receiver of one's own, Slack, or a Teams workflow.

Decides the body of each form and which answer means that it was taken. Leaves repeating to ``engine.outbox``. Rules: https
only, or loopback; no redirect is followed, for it would carry the notice to another host; no answer's text is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from migrator.errors import AccessRefused, CloudError, Unreachable
from migrator.model.addresses import is_loopback
from migrator.model.notices import Notice

SECONDS: Final = 10.0
"""For one request, the connection included."""


def _as_slack(notice: Notice) -> dict[str, Any]:
    """Source: Slack "Sending messages using incoming webhooks"; `&`, `<` and `>` are control characters there."""
    text = notice.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    mark = ":warning: " if notice.needs_person else ""
    return {"text": f"{mark}*{notice.subject}*\n{text}"}


def _as_teams(notice: Notice) -> dict[str, Any]:
    """An Adaptive Card in a message. Source: Microsoft Teams "Create incoming webhooks with Workflows"."""
    color = "Attention" if notice.needs_person else "Default"
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": _plain(notice.subject), "weight": "Bolder", "color": color, "wrap": True},
            {"type": "TextBlock", "text": _plain(notice.text), "wrap": True},
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _plain(text: str) -> str:
    """A text block reads Markdown: what a name spells must not become a link."""
    return "".join(f"\\{letter}" if letter in "\\[]()*_`<>" else letter for letter in text)


FORMS: Final[Mapping[str, Callable[[Notice], dict[str, Any]]]] = {
    "json": Notice.as_json,
    "slack": _as_slack,
    "teams": _as_teams,
}


class WebhookNotifier:
    """A ``Notifier``. AccessRefused if the address is neither https nor on this machine."""

    def __init__(self, name: str, url: str, form: str) -> None:
        self._name = name
        self._url = url
        self._body = FORMS[form]
        self._session: aiohttp.ClientSession | None = None
        try:
            parts = urlsplit(url)
            is_ours = parts.scheme == "http" and is_loopback(url)
            is_safe = bool(parts.hostname) and (parts.scheme == "https" or is_ours)
        except ValueError:
            is_safe = False
        if not is_safe:
            raise AccessRefused(
                f"cannot notify {name}: its address is not an https address",
                hint="put the whole address, which begins with https://, into the variable",
            )

    async def send(self, notice: Notice) -> None:
        session = self._session
        if session is None:
            session = self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS))
        headers = {"Idempotency-Key": notice.id, "User-Agent": "migrate"}
        try:
            async with session.post(
                self._url, json=self._body(notice), headers=headers, allow_redirects=False
            ) as answer:
                status = answer.status
        except TimeoutError:
            raise Unreachable(f"cannot notify {self._name}: it did not answer within {SECONDS:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as failure:  # not chained: its text holds the address
            raise Unreachable(f"cannot notify {self._name}: {type(failure).__name__}") from None
        if not 200 <= status < 300:
            raise CloudError(
                f"cannot notify {self._name}: it answered with status {status}",
                hint="look whether the address in its variable is still right",
            )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None
