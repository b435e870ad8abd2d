"""The storage accounts of subscriptions, and what each holds, as the resource manager lists them: read only, before any plan.

Decides what is asked. Leaves what is proposed to ``plan.draft``. Rule: a subscription or an account that cannot be read is told
and left out; the others are found all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from migrator.adapters.estate.forms import shape_of
from migrator.adapters.estate.manager import VERSION, ResourceManager
from migrator.errors import CloudError
from migrator.model.discovered import FoundAccount
from migrator.model.schedule import Account

SUBSCRIPTIONS_VERSION: Final = "2022-12-01"
AT_ONCE: Final = 8
_PROVIDER: Final = "providers/Microsoft.Storage/storageAccounts"


class Discovery(ResourceManager):
    """Of whatever ``credential`` (as a plan spells it) may read."""

    def __init__(self, cloud: Mapping[str, str], credential: str = "default") -> None:
        super().__init__(cloud)
        self._credential = credential
        self._turns_at_once = asyncio.Semaphore(AT_ONCE)

    async def subscriptions(self) -> list[str]:
        """The ids of all that may be read. CloudError if none can be asked for."""
        listed = await self._listed(self._of("all", "subscriptions"), "/subscriptions", SUBSCRIPTIONS_VERSION)
        return sorted(str(one["subscriptionId"]) for one in listed if one.get("state", "Enabled") == "Enabled")

    async def accounts(self, subscription: str) -> list[FoundAccount]:
        """Its storage accounts that are ready, with their containers. CloudError if it cannot be read."""
        path = f"/subscriptions/{subscription}/{_PROVIDER}"
        listed = await self._listed(self._of(subscription, f"list of subscription {subscription}"), path, VERSION)
        found = await asyncio.gather(*(self._found(subscription, one) for one in listed))
        return sorted((one for one in found if one is not None), key=lambda one: one.name)

    async def _found(self, subscription: str, document: Mapping[str, Any]) -> FoundAccount | None:
        shape = shape_of(document)
        if not (shape.is_ready and shape.endpoint):
            return None
        containers: Sequence[str] = ()
        unread = ""
        async with self._turns_at_once:
            try:
                path = f"{shape.id}/blobServices/default/containers"
                listed = await self._listed(self._of(subscription, shape.name), path, VERSION)
                containers = sorted(str(one["name"]) for one in listed)
            except CloudError as fault:
                unread = fault.message
        return FoundAccount(
            name=shape.name,
            subscription=subscription,
            resource_group=shape.id.split("/")[4],
            location=shape.location,
            sku=shape.sku,
            kind=shape.kind,
            endpoint=shape.endpoint,
            is_hierarchical=shape.is_hierarchical,
            containers=tuple(containers),
            unread=unread,
        )

    def _of(self, subscription: str, name: str) -> Account:
        return Account(name, "azure", subscription=subscription, credential=self._credential)
