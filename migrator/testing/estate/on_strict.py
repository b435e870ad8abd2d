"""The strict storage service as the data plane of an estate: an account that is created there is served here from then on.

Azurite learns its accounts when it starts, so their names and keys are given beforehand (``spare``); an account of another name
has no blobs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from migrator.testing.estate.settings import StorageAccount
from migrator.testing.strict import Running
from migrator.testing.strict.identities import Tokens


class StrictAccounts:
    """``served``: the strict service; ``spare``: base64 keys by account name, of accounts that Azurite knows too."""

    def __init__(self, served: Running, spare: Mapping[str, str]) -> None:
        self._served = served
        self._spare = {**spare, **served.service.backend.keys}

    @property
    def tokens(self) -> Tokens:
        return self._served.service.tokens

    def endpoint(self, account: str) -> str:
        return self._served.endpoint(account)

    def key(self, account: str) -> str:
        return self._spare.get(account, "")

    def show(self, account: StorageAccount) -> None:
        service = self._served.service
        if not service.serves(account.name):
            if account.name not in self._spare:
                return
            service.open_account(account.name, self._spare[account.name])
        properties: Mapping[str, Any] = account.document["properties"]
        service.set_nature(
            account.name,
            kind=str(account.document["kind"]),
            sku=str(account.document["sku"]["name"]),
            is_hierarchical=bool(properties.get("isHnsEnabled", False)),
            allows_public_access=bool(properties.get("allowBlobPublicAccess", False)),
            allows_shared_key=bool(properties.get("allowSharedKeyAccess", True)),
            default_tier=str(properties.get("accessTier", "Hot")),
        )

    def transactions(self, account: str) -> Mapping[datetime, Mapping[str, float]]:
        found: dict[datetime, Counter[str]] = defaultdict(Counter)
        for one in list(self._served.service.seen):
            if one.account == account and one.status:
                minute = datetime.fromtimestamp(one.at, UTC).replace(second=0, microsecond=0)
                found[minute][_response_type(one.status)] += 1
        return found


def _response_type(status: int) -> str:
    """Source: Azure "Monitoring data reference for Azure Blob Storage"."""
    if status < 400:
        return "Success"
    return {503: "ServerBusyError", 500: "ServerOtherError"}.get(status, "ClientOtherError")


__all__ = ["StrictAccounts"]
