"""The SDK's client of one account, tuned: nothing is repeated, one TLS context, small reads.

Decides time limits and trust. Leaves what is sent to ``object_store``, and what failures mean to ``errors``.
Rule: a request leaves this machine once; the caller knows what may be repeated, a transport does not.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient

from migrator.adapters.azure.credentials import Credential
from migrator.errors import AccessRefused, CloudError, Unsupported
from migrator.model.schedule import Account

logging.getLogger("azure").addHandler(logging.NullHandler())
# Else Python prints the SDK's warnings, many lines of them, on standard error beside our one sentence.

CONNECT_SECONDS = 10
READ_SECONDS = 60
"""Longest silence of the service. Source: its own limit is 30 s for most requests; a copy of 256 MiB takes longer."""
CHUNK_BYTES = 4 * 1024 * 1024
"""Most bytes of one read. Source: the port's promise."""


def connect(account: Account, credential: Credential, cloud: Mapping[str, str]) -> BlobServiceClient:
    """The client of ``account``; sends nothing yet. CloudError where the plan's options cannot be used."""
    if credential.kind == "entra" and not credential.endpoint.startswith("https://"):
        raise AccessRefused(
            f"cannot open account {account.name}: tokens of Microsoft Entra ID are only sent over https",
            hint="use an https endpoint, or a key or signature (env:NAME) on loopback",
        )
    options: dict[str, Any] = {"api_version": account.api_version} if account.api_version else {}
    if "audience" in cloud:
        options["audience"] = cloud["audience"]
    try:
        return BlobServiceClient(
            credential.endpoint,
            credential=credential.for_sdk(),
            retry_total=0,
            max_single_get_size=CHUNK_BYTES,
            max_chunk_get_size=CHUNK_BYTES,
            transport=OnceTransport(_trust(account, cloud)),
            **options,
        )
    except ValueError as refusal:
        raise _unusable(account) from refusal


def _unusable(account: Account) -> CloudError:
    if account.api_version:
        return Unsupported(
            f"cannot open account {account.name}: the Azure SDK does not know api_version {account.api_version}",
            hint="leave it out, or give a date that the SDK knows",
        )
    return CloudError(
        f"cannot open account {account.name}: {account.endpoint} is not the address of a storage account",
        hint="correct its endpoint in the plan",
    )


def _trust(account: Account, cloud: Mapping[str, str]) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cloud.get("ca_file"))
    except OSError as failure:  # ssl.SSLError is one
        raise CloudError(
            f"cannot open account {account.name}: the certificates in {cloud.get('ca_file')} cannot be read",
            hint="correct ca_file in the plan",
        ) from failure


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


__all__ = ["CHUNK_BYTES", "OnceTransport", "connect"]
