"""Follow the route of each area from an application: what to read from, what to write to, and when not to write.

    async with Routes.from_url("file:///srv/routing/routes.json") as routes:
        lease = await routes.writable("europe", "email-events", timeout=300)
        times = lease.request().times()
        ...  # write to lease.endpoint; give the service times.timeout_seconds, end the connection after times.end_seconds

``PROTOCOL.md`` beside this file says the same for other languages. The policies for azure-storage-blob clients are loaded
when they are first asked for, so that a reader of a file needs nothing but the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from migrator.client.errors import (
    LeaseError,
    OutcomeUnknown,
    RestartUpload,
    RouteFenced,
    RouteMoved,
    RouteUnpublished,
    RouteUnusable,
)
from migrator.client.follower import Follower, Grant, Resolved, UploadToken
from migrator.client.lease import TryTimes, WriteLease, WriteRequest
from migrator.client.routes import Routes, Upload
from migrator.client.sync import SyncRoutes, SyncUpload

if TYPE_CHECKING:
    from migrator.client.policy import LeasePolicy, SyncLeasePolicy


def __getattr__(name: str) -> Any:
    if name in ("LeasePolicy", "SyncLeasePolicy"):
        from migrator.client import policy

        return getattr(policy, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Follower",
    "Grant",
    "LeaseError",
    "LeasePolicy",
    "OutcomeUnknown",
    "Resolved",
    "RestartUpload",
    "RouteFenced",
    "RouteMoved",
    "RouteUnpublished",
    "RouteUnusable",
    "Routes",
    "SyncLeasePolicy",
    "SyncRoutes",
    "SyncUpload",
    "TryTimes",
    "Upload",
    "UploadToken",
    "WriteLease",
    "WriteRequest",
]
