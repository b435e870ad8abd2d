"""The resource manager's door: storage accounts as resources, beside the data in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from migrator.model.estate import AccountShape, BlobSettings, Granted, Provision, Quota
from migrator.model.schedule import Account


class Estate(Protocol):
    """Accounts are the plan's; each must have ``subscription``, ``resource_group`` and ``location``, and its own name in its
    endpoint. What passes by itself is tried again for half a minute before it is raised.

    Raises:
        AccessRefused: the credential or its rights, or another tenant's subscription.
        Throttled, Unreachable: as their names say.
        NotFound: the subscription or the resource group is not there (``what`` is "group").
        CloudError: any other refusal.
    """

    async def shape(self, account: Account) -> AccountShape | None:
        """None: no such account is in its resource group."""

    async def settings(self, account: Account) -> BlobSettings:
        """What the account does to its blobs by itself."""

    async def attached(self, account: Account) -> Mapping[str, int | None]:
        """What hangs on the account beside its blobs, by kind in words, as many as there are; None: nobody told, for want of
        rights for example."""

    async def quota(self, account: Account) -> Quota:
        """Of its subscription in its region."""

    async def is_taken(self, account: Account) -> str:
        """Why its name cannot be had, as the resource manager words it; empty: it is free."""

    async def granted(self, account: Account) -> Granted:
        """To the credential that it is asked with, in the account's resource group."""

    async def skus(self, account: Account) -> frozenset[str]:
        """Those that its subscription may create in its region."""

    async def pair_of(self, account: Account) -> str:
        """The region that its own is paired with; empty: none."""

    async def create(self, account: Account, wanted: Provision, *, public_access: bool, lineage: str) -> AccountShape:
        """Create it and wait until it is ready, with TLS 1.2 at least and the mark of ``lineage``. One that is being created is
        waited for. Never called for an account that is there: the resource manager would change it.

        Raises:
            OutcomeUnknown: no answer came; look again.
        """

    async def set_settings(self, account: Account, settings: BlobSettings) -> None:
        """Give it these settings: rules for browsers, soft delete, versions, change feed, lifecycle rules, which stay off.
        Replication and tasks are not for copying."""

    async def close(self) -> None: ...
