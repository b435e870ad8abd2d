"""``Routes`` and ``SyncRoutes`` where each region has a document of its own: each is opened when its region is first asked for.

Decides nothing about a record. Rule: an application of one region reads that region's document and no other.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from migrator.client.follower import Follower, Resolved
from migrator.client.lease import Clock, WriteLease, monotonic
from migrator.client.routes import Routes
from migrator.client.sync import SyncRoutes
from migrator.model.hosts import Hosts


class RegionalRoutes(Routes):
    """As ``Routes``, of several documents."""

    def __init__(
        self, place: str, hosts: Hosts, open_region: Callable[[str], Routes], clock: Clock = monotonic
    ) -> None:
        """``open_region``: of the document of a region."""
        self._place = place
        self._hosts = hosts
        self._open_region = open_region
        self._regions: dict[str, Routes] = {}
        self._clock = clock

    @property
    def hosts(self) -> Hosts:
        return self._hosts

    @property
    def place(self) -> str:
        return self._place

    def of(self, region: str) -> Routes:
        """The routes of one region."""
        found = self._regions.get(region)
        if found is None:
            found = self._regions[region] = self._open_region(region)
        return found

    async def resolve(self, region: str, area: str) -> Resolved:
        return await self.of(region).resolve(region, area)

    async def write(self, region: str, area: str) -> WriteLease:
        return await self.of(region).write(region, area)

    async def writable(self, region: str, area: str, *, timeout: float | None = None) -> WriteLease:
        return await self.of(region).writable(region, area, timeout=timeout)

    async def look_again(self) -> None:
        await asyncio.gather(*(routes.look_again() for routes in self._regions.values()))

    def follower(self, region: str, area: str) -> Follower:
        return self.of(region).follower(region, area)

    async def close(self) -> None:
        for routes in self._regions.values():
            await routes.close()


class SyncRegionalRoutes(SyncRoutes):
    """As ``SyncRoutes``, of several documents."""

    def __init__(
        self, place: str, hosts: Hosts, open_region: Callable[[str], SyncRoutes], clock: Clock = monotonic
    ) -> None:
        """``open_region``: of the document of a region."""
        self._place = place
        self._hosts = hosts
        self._open_region = open_region
        self._regions: dict[str, SyncRoutes] = {}
        self._opening = threading.Lock()
        self._clock = clock

    @property
    def hosts(self) -> Hosts:
        return self._hosts

    @property
    def place(self) -> str:
        return self._place

    def of(self, region: str) -> SyncRoutes:
        """The routes of one region."""
        found = self._regions.get(region)
        if found is None:
            with self._opening:
                found = self._regions.get(region)
                if found is None:
                    found = self._regions[region] = self._open_region(region)
        return found

    def resolve(self, region: str, area: str) -> Resolved:
        return self.of(region).resolve(region, area)

    def write(self, region: str, area: str) -> WriteLease:
        return self.of(region).write(region, area)

    def writable(self, region: str, area: str, *, timeout: float | None = None) -> WriteLease:
        return self.of(region).writable(region, area, timeout=timeout)

    def look_again(self) -> None:
        for routes in list(self._regions.values()):
            routes.look_again()

    def follower(self, region: str, area: str) -> Follower:
        return self.of(region).follower(region, area)

    def close(self) -> None:
        for routes in list(self._regions.values()):
            routes.close()
