"""Azure storage accounts, and Azurite. Microsoft's SDKs are imported for a token of Microsoft Entra ID, and only then."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from migrator.model.schedule import Account

if TYPE_CHECKING:
    from migrator.adapters.azure.object_store import AzureStore


def open_store(account: Account, *, environ: Mapping[str, str], cloud: Mapping[str, str] | None = None) -> AzureStore:
    """Open ``account`` without sending anything; close the store when done.

    Args:
        environ: where ``credential: env:NAME`` looks its variable up.
        cloud: the plan's ``cloud``: ``authority``, ``audience``, ``ca_file``.
    Raises:
        AccessRefused: the variable is missing, or holds nothing that opens this account.
        Unsupported: ``api_version`` is too old, or none.
    """
    from migrator.adapters.azure.credentials import open_credential
    from migrator.adapters.azure.object_store import AzureStore

    return AzureStore(account, open_credential(account, environ=environ, cloud=cloud or {}), cloud=cloud or {})


__all__ = ["open_store"]
