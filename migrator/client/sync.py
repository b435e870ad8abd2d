"""``SyncRoutes``: follow the route document from threads. The same page as ``routes``; a change there is made here.

Decides which thread fetches: the one that needs it first; threads whose record is still good go on meanwhile. Rule: one
fetch at a time, one writing at a time, and the moment of sending is taken after the right to send was won.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from migrator.client.book import Book
from migrator.client.entries import SyncEntries, sync_entries
from migrator.client.errors import RouteFenced, RouteUnpublished, Unfetched, Unwritten
from migrator.client.follower import Follower, Refresh, Resolved, UploadToken
from migrator.client.lease import Clock, WriteLease, monotonic
from migrator.client.presence import Letter
from migrator.client.sources import CONFIGURATION, SyncSource, sync_source, trusted_hosts
from migrator.client.waiting import FETCH_SECONDS, RetryPauses, busy_pause, default_label
from migrator.errors import UsageError
from migrator.model.hosts import Hosts


class SyncRoutes:
    """Where each area lives now, for threads.

    >>> def store_event(body: bytes) -> None:
    ...     with SyncRoutes.from_url("file:///srv/routing/routes.json") as routes:
    ...         with routes.writable("europe", "email-events", timeout=300) as lease, lease.request() as request:
    ...             times = request.times()
    ...             put(lease.endpoint, body, timeout=times.timeout_seconds, end_after=times.end_seconds)

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
        entries: Callable[[], SyncEntries] | None = None,
        label: str = "",
    ) -> None:
        self._source = source
        self._wake = threading.Event()
        self._book = Book(source.place, Hosts.of() if hosts is None else hosts, label=label, wake=self._wake.set)
        self._open_entries = entries
        self._entries: SyncEntries | None = None
        self._writing = threading.Lock()
        self._attending: threading.Thread | None = None
        self._starting = threading.Lock()
        self._is_closed = False
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
        register: str | None = None,
        label: str | None = None,
    ) -> SyncRoutes:
        """As ``Routes.from_url``; credential objects are the sync kind."""
        if url.startswith(CONFIGURATION):
            return cls._in_configuration(
                url,
                credential=credential,
                hosts=trusted_hosts(url, hosts, accounts),
                timeout_seconds=timeout_seconds,
                label=default_label() if label is None else label,
            )
        source = sync_source(url, credential=credential, timeout_seconds=timeout_seconds)

        def entries() -> SyncEntries:
            return sync_entries(url, register, credential=credential, timeout_seconds=timeout_seconds)

        return cls(
            source,
            hosts=trusted_hosts(url, hosts, accounts),
            entries=entries,
            label=default_label() if label is None else label,
        )

    @classmethod
    def from_command(
        cls,
        argv: Sequence[str],
        *,
        env: Iterable[str] = (),
        hosts: Iterable[str] | None = None,
        accounts: Mapping[str, str] | None = None,
        timeout_seconds: float = FETCH_SECONDS,
    ) -> SyncRoutes:
        """As ``Routes.from_command``."""
        from migrator.client.commands import REGION, PrintedSource

        trusted = trusted_hosts("https://command", hosts, accounts)

        def of_region(region: str) -> SyncRoutes:
            source = PrintedSource(argv, region, env=env, timeout_seconds=timeout_seconds)
            return cls(source, hosts=trusted)

        if not any(REGION in word for word in argv):
            return of_region("")
        from migrator.client.regions import SyncRegionalRoutes

        return SyncRegionalRoutes(f"command {' '.join(argv)}", trusted, of_region)

    @classmethod
    def _in_configuration(
        cls, url: str, *, credential: Any, hosts: Hosts, timeout_seconds: float, label: str
    ) -> SyncRoutes:
        from migrator.client.configuration import StoreAddress, SyncConfigurationSource
        from migrator.client.regions import SyncRegionalRoutes

        address = StoreAddress.parse(url, credential)

        def of_region(region: str) -> SyncRoutes:
            source = SyncConfigurationSource(url, region, credential=credential, timeout_seconds=timeout_seconds)
            return cls(source, hosts=hosts, label=label)

        return SyncRegionalRoutes(address.place("..."), hosts, of_region)

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
        if self._book.want(follower, self._clock()):
            if self._book.must_enter(follower, self._clock()):
                self._write_letters()
                self._refresh(lambda: self._book.write_refresh(follower, self._clock()))
            self._attend()
        grant, counted = self._book.lease(follower, self._clock())
        return WriteLease(grant, self._clock, counted)

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
                is_watching = self._book.is_watching(self.follower(region, area), self._clock())
                self._sleep(wait.next_delay(fenced, is_watching=is_watching))

    def upload(self, region: str, area: str, *, timeout: float | None = None) -> SyncUpload:
        """As ``Routes.upload``."""
        with self.writable(region, area, timeout=timeout) as lease:
            return SyncUpload(self, region, area, lease)

    def renew(self, lease: WriteLease) -> WriteLease:
        """As ``Routes.renew``."""
        region, _, area = lease.key.partition("/")
        return self.write(region, area)

    def follower(self, region: str, area: str) -> Follower:
        """The pure follower behind this object, for tests and simulations."""
        return self._book.follower(region, area)

    def close(self) -> None:
        """Stop reading, and leave the register. Leases in hand stay what they are, but none is renewed."""
        with self._starting:
            self._is_closed = True
        self._wake.set()
        with self._writing:
            for letter in self._book.farewells(self._clock()):
                self._send(letter)
            if self._entries is not None:
                self._entries.close()
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
        try:
            sent_at, raw = self._read()
        except Unfetched as fault:
            self._book.fail(str(fault), self._clock())
        except Exception as fault:  # whatever a transport raises, readers go on and leases in hand run their time
            self._book.fail(f"{self.place} cannot be read ({type(fault).__name__})", self._clock())
        else:
            self._book.take(raw, sent_at)

    def _read(self) -> tuple[float, bytes | None]:
        """When the request was sent that was answered, and the document. Unfetched."""
        attempt = 0
        while True:
            sent_at = self._clock()
            try:
                return sent_at, self._source.fetch()
            except Unfetched as fault:
                pause = busy_pause(fault, attempt, self._chance)
                if pause is None:
                    raise
            attempt += 1
            self._sleep(pause)

    # The register.

    def _attend(self) -> None:
        if self._attending is not None and self._attending.is_alive():
            return
        with self._starting:
            if self._is_closed or (self._attending is not None and self._attending.is_alive()):
                return
            self._attending = threading.Thread(target=self._attend_on, name="migrate-routes", daemon=True)
            self._attending.start()

    def _attend_on(self) -> None:
        """Until nobody asks for leases any more."""
        while True:
            self._wake.clear()
            self._write_letters()
            turn, pause = self._book.next_turn(self._clock(), share=1 - 0.3 * self._chance())
            match turn:
                case "rest":
                    with self._starting:  # whoever asks from now on begins another thread
                        if self._book.next_turn(self._clock(), share=1)[0] == "rest" or self._is_closed:
                            self._attending = None
                            return
                case "look":
                    with self._fetching:
                        if self._is_closed:
                            return
                        if self._book.next_turn(self._clock(), share=1 - 0.3 * self._chance())[0] == "look":
                            self._fetch()
                case "wait":
                    self._wake.wait(pause)
            if self._is_closed:
                return

    def _write_letters(self) -> None:
        """All that are due."""
        with self._writing:
            while not self._is_closed and (letter := self._book.letter(self._clock())) is not None:
                self._send(letter)

    def _send(self, letter: Letter) -> None:
        sent_at = self._clock()
        try:
            entries = self._opened()
            if letter.text is None:
                entries.take_back(letter.generation, letter.id)
            else:
                entries.put(letter.generation, letter.id, letter.text, is_new=letter.is_new)
        except Unwritten as fault:
            self._book.unwritten(letter, str(fault), self._clock(), is_gone=fault.is_gone)
        except Exception as fault:  # whatever a transport raises: who is not entered gets no lease, and is told why
            self._book.unwritten(letter, f"the register cannot be written ({type(fault).__name__})", self._clock())
        else:
            self._book.written(letter, sent_at, self._clock())

    def _opened(self) -> SyncEntries:
        if self._open_entries is None:
            raise Unwritten("nobody said where it is")
        if self._entries is None:
            try:
                self._entries = self._open_entries()
            except UsageError as fault:
                raise Unwritten(fault.message) from fault
        return self._entries


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
