"""What the estate is: plain values, given before or while it serves.

Leaves what they mean for a request to the rooms beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ANYBODY = "*"
SKUS = (
    "Standard_LRS",
    "Standard_ZRS",
    "Standard_GRS",
    "Standard_RAGRS",
    "Standard_GZRS",
    "Standard_RAGZRS",
    "Premium_LRS",
)
PAIRS = {
    **{"eastus2": "centralus", "centralus": "eastus2", "westeurope": "northeurope", "northeurope": "westeurope"},
    **{"southeastasia": "eastasia", "eastasia": "southeastasia", "eastus": "westus", "westus": "eastus"},
}
"""Each region and the one it is paired with. Source: Azure "Cross-region replication"."""
Role = Literal["Reader", "Contributor", "Monitoring Reader", "Storage Blob Data Owner"]
BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
PERMISSIONS: Mapping[Role, Mapping[str, list[str]]] = {
    "Reader": {"actions": ["*/read"], "dataActions": []},
    "Contributor": {"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"], "dataActions": []},
    "Monitoring Reader": {"actions": ["*/read"], "dataActions": []},
    "Storage Blob Data Owner": {"actions": ["Microsoft.Storage/*/read"], "dataActions": [f"{BLOBS}/*"]},
}
"""Source: Azure "Azure built-in roles"."""


@dataclass(frozen=True)
class Right:
    """One assignment of a role. ``who``: an object id, or anybody; ``scope``: the beginning of resource ids, empty for all."""

    role: Role
    who: str = ANYBODY
    scope: str = ""


@dataclass(frozen=True)
class Application:
    """Somebody who can sign in to one tenant. ``who``: its object id; ``secret``: empty where it has none."""

    tenant: str
    client_id: str
    who: str
    secret: str = field(default="", repr=False)


@dataclass
class Subscription:
    """One subscription of a tenant.

    Args:
        groups: its resource groups, by name, with their regions.
        most_accounts: storage accounts that it may have in one region.
        skus: by region, those that it may create there; a region that is not named has all.
        registered: is the resource provider of storage registered?
        denied: why a policy of the organisation forbids every new account; empty: none does.
    """

    id: str
    tenant: str
    groups: dict[str, str] = field(default_factory=dict)
    most_accounts: int = 250
    skus: dict[str, tuple[str, ...]] = field(default_factory=dict)
    registered: bool = True
    denied: str = ""


@dataclass(frozen=True)
class Faults:
    """What goes wrong at the resource manager, until others are set. Shares are of 1.

    Args:
        throttled: share of requests that are refused with 429.
        retry_after: what such a refusal wishes, in seconds.
        failing: share of requests that are answered 503.
        create_seconds: how long an account is being created; ``poll_after``: the seconds between two looks that it wishes.
        reach_seconds: after that, how long its data cannot be reached yet: its name is not known everywhere.
        failed_creates: names whose creation ends as failed, with the code.
        cut: share of writes that are done, and whose connection ends without an answer.
    """

    throttled: float = 0.0
    retry_after: int = 1
    failing: float = 0.0
    create_seconds: float = 0.0
    poll_after: int = 1
    reach_seconds: float = 0.0
    failed_creates: Mapping[str, str] = field(default_factory=dict)
    cut: float = 0.0


@dataclass
class StorageAccount:
    """An account as the resource manager has it.

    Args:
        document: sku, kind, tags, properties: as it is shown.
        parts: what hangs on it, by the path below it: ``managementPolicies/default``.
        ready_at: when it has been created, as Unix time.
        failure: the code with which its creation ended.
    """

    name: str
    subscription: str
    group: str
    document: dict[str, Any]
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)
    ready_at: float = 0.0
    failure: str = ""
    operation: str = ""

    @property
    def id(self) -> str:
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}/providers/Microsoft.Storage"
            f"/storageAccounts/{self.name}"
        )

    @property
    def location(self) -> str:
        return str(self.document["location"])


__all__ = [
    "ANYBODY",
    "PAIRS",
    "PERMISSIONS",
    "SKUS",
    "Application",
    "Faults",
    "Right",
    "Role",
    "StorageAccount",
    "Subscription",
]
