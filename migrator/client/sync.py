"""``SyncRoutes``: follow the route document from threads. The same page as ``routes``; a change there is made here.

Decides which thread fetches: the one that needs it first; threads whose record is still good go on meanwhile. Rule: one
fetch at a time, and the moment of sending is taken after the right to fetch was won.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

from migrator.client.book import Book
from migrator.client.errors import RouteFenced, RouteUnpublished, Unfetched
from migrator.client.follower import Follower, Refresh, Resolved, UploadToken
from migrator.client.lease import Clock, WriteLease, monotonic
from migrator.client.sources import SyncSource, sync_source, trusted_hosts
from migrator.client.waiting import FETCH_SECONDS, RetryPauses
from migrator.model.hosts import Hosts


class SyncRoutes:
    """Where each area lives now, for threads.

    >>> def store_event(body: bytes) -> None:
    ...     with SyncRoutes.from_url("file:///srv/routing/routes.json") as routes:
    ...         times = (lease := routes.writable("europe", "email-events", timeout=300)).request().times()
    ...         put(lease.endpoint, body, timeout=times.timeout_seconds, end_after=times.end_seconds)

    One object serves all areas and all threads of a process; make a new one after a fork.
    """

    def __init__(
        self,
        source: SyncSource,
        *,
        hosts: Hosts | None = None,
        clock: Clock = monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._source = source
        self._book = Book(source.place, Hosts.of() if hosts is None else hosts)
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._fetching = threading.Lock()

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        credential: Any = None,
        hosts: Iterable[str] | None = None,
        accounts: Mapping[str, str] | None = None,
        timeout_seconds: float = FETCH_SECONDS,
    ) -> SyncRoutes:
        """As ``Routes.from_url``; credential objects are the sync kind."""
        source = sync_source(url, credential=credential, timeout_seconds=timeout_seconds)
        return cls(source, hosts=trusted_hosts(url, hosts, accounts))

    @property
    def hosts(self) -> Hosts:
        """What may be given credentials."""
        return self._book.hosts

    @property
    def place(self) -> str:
        """Where the document is, for people; never with a secret."""
        return self._book.place

    @property
    def clock(self) -> Clock:
        """The clock of all leases."""
        return self._clock

    def resolve(self, region: str, area: str) -> Resolved:
        """As ``Routes.resolve``."""
        follower = self._book.follower(region, area)
        self._refresh(lambda: self._book.read_refresh(follower, self._clock()))
        return self._book.resolve(follower, self._clock())

    def write(self, region: str, area: str) -> WriteLease:
        """As ``Routes.write``."""
        follower = self._book.follower(region, area)
        self._refresh(lambda: self._book.write_refresh(follower, self._clock()))
        return WriteLease(self._book.lease(follower, self._clock()), self._clock)

    def look_again(self) -> None:
        """As ``Routes.look_again``."""
        with self._fetching:
            self._fetch()

    def writable(self, region: str, area: str, *, timeout: float | None = None) -> WriteLease:
        """As ``Routes.writable``."""
        wait = RetryPauses(f"{region}/{area}", self._clock, self._chance, timeout)
        while True:
            try:
                return self.write(region, area)
            except (RouteFenced, RouteUnpublished) as fenced:
                self._sleep(wait.next_delay(fenced))

    def upload(self, region: str, area: str, *, timeout: float | None = None) -> SyncUpload:
        """As ``Routes.upload``."""
        return SyncUpload(self, region, area, self.writable(region, area, timeout=timeout))

    def renew(self, lease: WriteLease) -> WriteLease:
        """As ``Routes.renew``."""
        region, _, area = lease.key.partition("/")
        return self.write(region, area)

    def follower(self, region: str, area: str) -> Follower:
        """The pure follower behind this object, for tests and simulations."""
        return self._book.follower(region, area)

    def close(self) -> None:
        """Stop reading. Leases in hand stay what they are."""
        with self._fetching:
            self._source.close()

    def __enter__(self) -> SyncRoutes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refresh(self, urgency: Callable[[], Refresh]) -> None:
        wanted = urgency()
        if wanted is Refresh.NO or not self._fetching.acquire(blocking=wanted is Refresh.MUST):
            return
        try:
            if urgency() is not Refresh.NO:  # another thread may have fetched while we waited
                self._fetch()
        finally:
            self._fetching.release()

    def _fetch(self) -> None:
        sent_at = self._clock()
        try:
            raw = self._source.fetch()
        except Unfetched as fault:
            self._book.fail(str(fault), self._clock())
        except Exception as fault:  # whatever a transport raises, readers go on and leases in hand run their time
            self._book.fail(f"{self.place} cannot be read ({type(fault).__name__})", self._clock())
        else:
            self._book.take(raw, sent_at)


class SyncUpload:
    """As ``Upload``."""

    def __init__(self, routes: SyncRoutes, region: str, area: str, lease: WriteLease) -> None:
        self._routes = routes
        self._region = region
        self._area = area
        self.token: UploadToken = lease.upload_token

    @property
    def endpoint(self) -> str:
        return self.token.endpoint

    @property
    def account(self) -> str:
        return self.token.account

    def commit(self, *, timeout: float | None = None) -> WriteLease:
        """As ``Upload.commit``."""
        lease = self._routes.writable(self._region, self._area, timeout=timeout)
        lease.check_upload(self.token)
        return lease
