"""Keeps a token of Microsoft Entra ID at hand, and renews it well before its end.

Rule: a token that still lives is used while a new one is fetched, and if that fails; a dead one is never sent.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

RENEW_SECONDS = 6 * 60
"""A token with less than this left is renewed. azure-identity keeps its own until five minutes before the end."""
LAST_SECONDS = 30
"""With less than this left it is not sent: a request may wait in a queue."""
AGAIN_SECONDS = 30
"""After an attempt to renew, the living token serves for this long before the next."""


class Tokens:
    """``source``: an asynchronous credential of azure-identity, or its equal. Raises what the source raises."""

    def __init__(self, source: Any, scope: str) -> None:
        self._source = source
        self._scope = scope
        self._token = ""
        self._expires = 0.0
        self._asks_from = 0.0
        self._asking = asyncio.Lock()

    def at_hand(self) -> str | None:
        """The token, or None if ``token`` must be awaited."""
        now = time.time()
        if self._expires - now > RENEW_SECONDS or (now < self._asks_from and self._expires - now > LAST_SECONDS):
            return self._token
        return None

    @property
    def left_seconds(self) -> float:
        """How long the token at hand is accepted."""
        return max(0.0, self._expires - time.time())

    async def token(self) -> str:
        if (kept := self.at_hand()) is not None:
            return kept
        if self._asking.locked() and self._is_alive():
            return self._token
        async with self._asking:
            if (kept := self.at_hand()) is None:
                await self._renew()
                kept = self._token
            return kept

    async def renew(self, refused: str, claims: str = "") -> bool:
        """The service does not accept ``refused`` any more; ``claims``: what it wants of another one. Is there another?"""
        async with self._asking:
            if self._token == refused:
                found = await self._source.get_token(self._scope, **({"claims": claims} if claims else {}))
                self._token, self._expires = str(found.token), float(found.expires_on)
            return self._token != refused

    def _is_alive(self) -> bool:
        return self._expires - time.time() > LAST_SECONDS

    async def _renew(self) -> None:
        try:
            found = await self._source.get_token(self._scope)
        except Exception:
            if not self._is_alive():
                raise
        else:
            self._token, self._expires = str(found.token), float(found.expires_on)
        self._asks_from = time.time() + AGAIN_SECONDS
