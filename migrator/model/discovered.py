"""Storage accounts as they were found, before any plan names them."""

from __future__ import annotations

from migrator.model.values import value


@value(frozen=True, slots=True)
class FoundAccount:
    """``containers``: without the service's own; ``requests_per_minute``: at the busiest minute that was looked at, None where
    nobody knows; ``unread``: why its containers could not be listed."""

    name: str
    subscription: str
    resource_group: str
    location: str
    sku: str
    kind: str
    endpoint: str
    is_hierarchical: bool = False
    containers: tuple[str, ...] = ()
    requests_per_minute: float | None = None
    unread: str = ""
