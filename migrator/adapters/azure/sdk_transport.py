"""A transport for the SDKs that still send requests themselves: nothing is repeated, one TLS context.

Rule: a request leaves this machine once; the caller knows what may be repeated, a transport does not.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport

logging.getLogger("azure").addHandler(logging.NullHandler())
# Else Python prints the SDK's warnings, many lines of them, on standard error beside our one sentence.

CONNECT_SECONDS = 10
READ_SECONDS = 60
"""Longest silence of the service."""


class OnceTransport(AioHttpTransport):  # type: ignore[misc]  # exported lazily, so unknown to the checker
    """Sends every request once. aiohttp by itself repeats a PUT or DELETE whose connection broke: if the first one was
    applied, the second finds its condition refused, and our own success would look like another's write.

    One context for all requests: the SDK would make one for each where there is a file of certificates, and connections
    are only shared among requests of one context.
    """

    session: Any

    def __init__(self, trust: ssl.SSLContext) -> None:
        super().__init__(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS)
        self._trust = trust
        self._was_opened = False

    async def open(self) -> None:
        if self.session is None and not self._was_opened:
            self._was_opened = True
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._trust),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=True,
            )
            self.session._retry_connection = False  # the only switch there is
        await super().open()


__all__ = ["OnceTransport"]
