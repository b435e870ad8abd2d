"""Storage accounts as they were found, before any plan names them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from migrator.model.values import value


@value(frozen=True, slots=True)
class Holding:
    """What an account, or a container of it, holds ``at`` that time."""

    objects: int
    bytes: int
    at: datetime


@value(frozen=True, slots=True)
class Quiet:
    """The quietest hours of a day: from ``begin``, an hour of UTC, for ``hours``; ``share`` of the usual traffic is then
    there."""

    begin: int
    hours: int
    share: float


@value(frozen=True, slots=True)
class FoundTraffic:
    """Requests a minute of an account over ``hours``: ``peak`` in the busiest of them, which began at ``peak_begin``,
    ``typical`` in the one in the middle; ``quiet`` is None where the meter saw less than two days."""

    peak: float
    peak_begin: datetime
    typical: float
    hours: int
    quiet: Quiet | None = None


@value(frozen=True, slots=True)
class FoundAccount:
    """``containers``: without the service's own; ``traffic`` and ``holds``: None where nobody knows; ``counted``: by
    container, where they were listed; ``unread``: why its containers could not be listed."""

    name: str
    subscription: str
    resource_group: str
    location: str
    sku: str
    kind: str
    endpoint: str
    is_hierarchical: bool = False
    containers: tuple[str, ...] = ()
    traffic: FoundTraffic | None = None
    holds: Holding | None = None
    counted: Mapping[str, Holding] | None = None
    unread: str = ""
