"""Addresses that let another account's service read a blob of this one, for server-side copies.

Decides what signs them: the account's key, a user-delegation key (Microsoft Entra ID), or the operator's own signature
appended as it is. Rule: what is minted here may read one container, lives at most SAS_SECONDS, is kept in memory only,
and leaves this module only inside the header of a copy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.endpoints import blob_url

SAS_SECONDS = 5 * 60
"""Longest life of a signature minted here: a run that takes over waits it out."""
RENEW_SECONDS = 2 * 60
"""A signature with less than this left is minted anew: a request may wait in a queue before it is sent."""
DELEGATION_KEY_SECONDS = 60 * 60
"""Life of a user-delegation key. Source: Azure allows seven days; an hour is asked for once an hour."""

AskDelegationKey = Callable[[datetime, datetime], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Minted:
    value: Any = field(repr=False)
    expires: datetime

    def is_fresh(self, now: datetime) -> bool:
        return self.expires - now > timedelta(seconds=RENEW_SECONDS)


class SourceUrls:
    """Mints and keeps one signature per container of one account."""

    def __init__(self, credential: Credential, ask_delegation_key: AskDelegationKey) -> None:
        self._credential = credential
        self._ask_delegation_key = ask_delegation_key
        self._signatures: dict[str, _Minted] = {}
        self._delegation_key: _Minted | None = None
        self._asking = asyncio.Lock()

    async def url(self, container: str, name: str) -> str:
        """The blob's address with a signature that may read it. Raises what asking for a delegation key raises."""
        signature = self._credential.sas or await self._signature(container)
        return f"{blob_url(self._credential.endpoint, container, name)}?{signature}"

    async def _signature(self, container: str) -> str:
        now = datetime.now(UTC)
        kept = self._signatures.get(container)
        if kept is None or not kept.is_fresh(now):
            expires = now + timedelta(seconds=SAS_SECONDS)
            kept = self._signatures[container] = _Minted(await self._mint(container, now, expires), expires)
        return str(kept.value)

    async def _mint(self, container: str, now: datetime, expires: datetime) -> str:
        signer = (
            {"account_key": self._credential.key}
            if self._credential.key is not None
            else {"user_delegation_key": await self._key(now)}
        )
        return str(
            generate_container_sas(
                self._credential.account_name,
                container,
                permission=ContainerSasPermissions(read=True),
                expiry=expires,
                **signer,
            )
        )

    async def _key(self, now: datetime) -> Any:
        async with self._asking:
            key = self._delegation_key
            if key is None or key.expires - now < timedelta(seconds=SAS_SECONDS + RENEW_SECONDS):
                expires = now + timedelta(seconds=DELEGATION_KEY_SECONDS)
                key = self._delegation_key = _Minted(await self._ask_delegation_key(now, expires), expires)
            return key.value


__all__ = ["SAS_SECONDS", "SourceUrls"]
