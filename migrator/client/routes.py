"""``Routes``: follow the route document from asyncio code.

Decides when to fetch (urgency of the follower), that fetches never overlap, and how ``writable`` waits. Where the document names
a register, a task of its own enters this process there, looks at the document and answers a fence, whether anybody asks or not.
Leaves what an observation allows to ``follower``, what is written to ``presence``, and the bytes to ``sources`` and ``entries``.
Rule: the moment of sending is taken before anything of the request happens. ``sync`` is the same page for threads: a change here
is made there.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

from migrator.client.book import Book
from migrator.client.entries import AsyncEntries, async_entries
from migrator.client.errors import RouteFenced, RouteUnpublished, Unfetched, Unwritten
from migrator.client.follower import Follower, Refresh, Resolved, UploadToken
from migrator.client.lease import Clock, WriteLease, monotonic
from migrator.client.presence import Letter
from migrator.client.sources import CONFIGURATION, AsyncSource, async_source, trusted_hosts
from migrator.client.waiting import FETCH_SECONDS, RetryPauses, busy_pause, default_label
from migrator.errors import UsageError
from migrator.model.hosts import Hosts


class Routes:
    """Where each area lives now, for asyncio.

    >>> async def store_event(body: bytes) -> None:
    ...     async with Routes.from_url("https://control.blob.core.windows.net/routing/routes.json") as routes:
    ...         with await routes.writable("europe", "email-events", timeout=300) as lease, lease.request() as request:
    ...             times = request.times()
    ...             async with asyncio.timeout(times.end_seconds):
    ...                 await put(lease.endpoint, body, timeout=times.timeout_seconds)

    One object serves all areas and all tasks of one event loop; it reads the document again every half ``ttl`` while it
    is used, and not at all while it is not.
    """

    def __init__(
        self,
        source: AsyncSource,
        *,
        hosts: Hosts | None = None,
        clock: Clock = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        timeout_seconds: float = FETCH_SECONDS,
        entries: Callable[[], AsyncEntries] | None = None,
        label: str = "",
    ) -> None:
        self._source = source
        self._wake = asyncio.Event()
        self._book = Book(source.place, Hosts.of() if hosts is None else hosts, label=label, wake=self._wake.set)
        self._open_entries = entries
        self._entries: AsyncEntries | None = None
        self._writing = asyncio.Lock()
        self._attending: asyncio.Task[None] | None = None
        self._clock = clock
        self._sleep = sleep
        self._chance = chance
        self._timeout_seconds = timeout_seconds
        self._flight: asyncio.Task[None] | None = None

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
    ) -> Routes:
        """Follow the document at ``url``.

        Args:
            url: a path, ``file:///path``, ``appconfig+https://store.azconfig.io?name=routes`` (``name`` as in the plan), or
                ``https://account.blob.core.windows.net/container/name``, with or without a SAS; for a private test service also ``http://127.0.0.1:10000/account/container/name``.
            credential: for a blob without SAS: a connection string, an account key, a SAS, ``env:NAME`` of a variable
                that holds one of them, or a credential object of azure-identity (the async kind); of an App Configuration
                store: its connection string, ``env:NAME``, or such an object. None: without SAS, ``DefaultAzureCredential``.
            hosts: what records of the document may name: ``name.blob.core.windows.net``, ``*.blob.example.org`` (a star is one
                label), ``127.0.0.1:8443``, ``local:`` for embedded accounts. None: Azure's public and sovereign blob services; if
                the document lies on this machine, also embedded accounts and ``http`` on loopback.
            accounts: instead, the address of each account by the name that the plan gives it. Nothing else is followed.
            timeout_seconds: of one read of the document, and of one writing of an entry.
            register: the container of the register, with or without a SAS, where it is not the one beside the document's:
                ``https://account.blob.core.windows.net/routing-register`` for a document in ``routing``.
            label: what the operator sees of this process in the register; its host and number if it is None.
        Raises:
            UsageError: the address, the credential, or a host cannot be used.
        """
        if url.startswith(CONFIGURATION):
            return cls._in_configuration(
                url,
                credential=credential,
                hosts=trusted_hosts(url, hosts, accounts),
                timeout_seconds=timeout_seconds,
                label=default_label() if label is None else label,
            )
        source = async_source(url, credential=credential, timeout_seconds=timeout_seconds)

        def entries() -> AsyncEntries:
            return async_entries(url, register, credential=credential, timeout_seconds=timeout_seconds)

        return cls(
            source,
            hosts=trusted_hosts(url, hosts, accounts),
            timeout_seconds=timeout_seconds,
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
    ) -> Routes:
        """Follow what the plan's command prints (``docs/routing.md``).

        Args:
            argv: as in the plan; with ``$region`` in it, each region has a document of its own.
            env: variables that it gets beside PATH, HOME, LANG and TZ.
            hosts, accounts, timeout_seconds: as ``from_url``.
        Raises:
            UsageError: a host cannot be used.
        """
        from migrator.client.commands import REGION, AsyncPrintedSource, PrintedSource

        trusted = trusted_hosts("https://command", hosts, accounts)

        def of_region(region: str) -> Routes:
            source = PrintedSource(argv, region, env=env, timeout_seconds=timeout_seconds)
            return cls(AsyncPrintedSource(source), hosts=trusted, timeout_seconds=timeout_seconds)

        if not any(REGION in word for word in argv):
            return of_region("")
        from migrator.client.regions import RegionalRoutes

        return RegionalRoutes(f"command {' '.join(argv)}", trusted, of_region)

    @classmethod
    def _in_configuration(
        cls, url: str, *, credential: Any, hosts: Hosts, timeout_seconds: float, label: str
    ) -> Routes:
        from migrator.client.configuration import AsyncConfigurationSource, StoreAddress
        from migrator.client.regions import RegionalRoutes

        address = StoreAddress.parse(url, credential)

        def of_region(region: str) -> Routes:
            source = AsyncConfigurationSource(url, region, credential=credential, timeout_seconds=timeout_seconds)
            return cls(source, hosts=hosts, timeout_seconds=timeout_seconds, label=label)

        return RegionalRoutes(address.place("..."), hosts, of_region)

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

    async def resolve(self, region: str, area: str) -> Resolved:
        """Where to read. Never stopped by a fence or an unreachable document once a record is known.

        Raises:
            RouteUnusable: no record was ever read.
        """
        follower = self._book.follower(region, area)
        match self._book.read_refresh(follower, self._clock()):
            case Refresh.MUST:
                await self._refresh()
            case Refresh.SOON if self._flight is None:
                await self._refresh()
        return self._book.resolve(follower, self._clock())

    async def write(self, region: str, area: str) -> WriteLease:
        """A lease for writing, now.

        Raises:
            RouteFenced: the route is read-only or could not be read in time, or this process could not enter the register;
                nothing was sent. See ``writable``.
            RouteUnusable: the document contradicts what was seen, has no record of the area, or names a host that may not be
                given credentials.
        """
        follower = self._book.follower(region, area)
        await self._freshen(follower)
        if self._book.want(follower, self._clock()):
            if self._book.must_enter(follower, self._clock()):
                await self._write_letters()
                for _ in range(2):  # a fetch that was under way already was sent too early to count
                    await self._freshen(follower)
            self._attend()
        grant, counted = self._book.lease(follower, self._clock())
        return WriteLease(grant, self._clock, counted)

    async def look_again(self) -> None:
        """Read the document by a request that is sent now. A failure shows in what is asked next, as always."""
        if self._flight is not None:
            await asyncio.shield(self._flight)
        await self._refresh()

    async def writable(self, region: str, area: str, *, timeout: float | None = None) -> WriteLease:
        """Wait until the route lets us write: for the end of a fence, and for a record that is not published yet.

        Args:
            timeout: seconds to wait at most; None waits for ever, but not for a record that never was there.
        Raises:
            RouteFenced: still fenced after ``timeout``.
            RouteUnpublished: still no record after ``timeout``.
            RouteUnusable: as ``write``; waiting does not help.
        """
        wait = RetryPauses(f"{region}/{area}", self._clock, self._chance, timeout)
        while True:
            try:
                return await self.write(region, area)
            except (RouteFenced, RouteUnpublished) as fenced:
                is_watching = self._book.is_watching(self.follower(region, area), self._clock())
                await self._sleep(wait.next_delay(fenced, is_watching=is_watching))

    async def upload(self, region: str, area: str, *, timeout: float | None = None) -> Upload:
        """Begin an upload of any length: blocks may be staged at its ``endpoint`` without a lease."""
        with await self.writable(region, area, timeout=timeout) as lease:
            return Upload(self, region, area, lease)

    async def renew(self, lease: WriteLease) -> WriteLease:
        """``write`` for the same record: a lease that may be of a later epoch or of another account."""
        region, _, area = lease.key.partition("/")
        return await self.write(region, area)

    def follower(self, region: str, area: str) -> Follower:
        """The pure follower behind this object, for tests and simulations."""
        return self._book.follower(region, area)

    async def close(self) -> None:
        """Stop reading, and leave the register. Leases in hand stay what they are, but none is renewed."""
        for task in (self._attending, self._flight):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        for letter in self._book.farewells(self._clock()):
            await self._send(letter)
        if self._entries is not None:
            await self._entries.close()
        await self._source.close()

    async def __aenter__(self) -> Routes:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _freshen(self, follower: Follower) -> None:
        match self._book.write_refresh(follower, self._clock()):
            case Refresh.MUST:
                await self._refresh()
            case Refresh.SOON if self._flight is None:
                await self._refresh()

    async def _refresh(self) -> None:
        """Join the fetch under way or begin one; a caller that is cancelled does not take it from the others."""
        if self._flight is None:
            self._flight = asyncio.create_task(self._fetch())
            self._flight.add_done_callback(self._landed)
        await asyncio.shield(self._flight)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                sent_at, raw = await self._read()
        except Unfetched as fault:
            self._book.fail(str(fault), self._clock())
        except TimeoutError:
            self._book.fail(f"no answer within {self._timeout_seconds:g} s", self._clock())
        except Exception as fault:  # whatever a transport raises, readers go on and leases in hand run their time
            self._book.fail(f"{self.place} cannot be read ({type(fault).__name__})", self._clock())
        else:
            self._book.take(raw, sent_at)

    async def _read(self) -> tuple[float, bytes | None]:
        """When the request was sent that was answered, and the document. Unfetched."""
        attempt = 0
        while True:
            sent_at = self._clock()
            try:
                return sent_at, await self._source.fetch()
            except Unfetched as fault:
                pause = busy_pause(fault, attempt, self._chance)
                if pause is None:
                    raise
            attempt += 1
            await self._sleep(pause)

    # The register.

    def _attend(self) -> None:
        if self._attending is None or self._attending.done():
            self._attending = asyncio.create_task(self._attend_on())

    async def _attend_on(self) -> None:
        """Until nobody asks for leases any more."""
        while True:
            self._wake.clear()
            await self._write_letters()
            turn, pause = self._book.next_turn(self._clock(), share=1 - 0.3 * self._chance())
            match turn:
                case "rest":
                    return
                case "look":
                    await self._refresh()
                case "wait":
                    with suppress(TimeoutError):
                        async with asyncio.timeout(pause):
                            await self._wake.wait()

    async def _write_letters(self) -> None:
        """All that are due; a caller that is cancelled leaves its letter unanswered."""
        async with self._writing:
            while (letter := self._book.letter(self._clock())) is not None:
                await self._send(letter)

    async def _send(self, letter: Letter) -> None:
        sent_at = self._clock()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await _put(self._opened(), letter)
        except Unwritten as fault:
            self._book.unwritten(letter, str(fault), self._clock(), is_gone=fault.is_gone)
        except TimeoutError:
            self._book.unwritten(letter, f"no answer within {self._timeout_seconds:g} s", self._clock())
        except Exception as fault:  # whatever a transport raises: who is not entered gets no lease, and is told why
            self._book.unwritten(letter, f"the register cannot be written ({type(fault).__name__})", self._clock())
        else:
            self._book.written(letter, sent_at, self._clock())

    def _opened(self) -> AsyncEntries:
        if self._open_entries is None:
            raise Unwritten("nobody said where it is")
        if self._entries is None:
            try:
                self._entries = self._open_entries()
            except UsageError as fault:
                raise Unwritten(fault.message) from fault
        return self._entries


async def _put(entries: AsyncEntries, letter: Letter) -> None:
    if letter.text is None:
        await entries.take_back(letter.generation, letter.id)
    else:
        await entries.put(letter.generation, letter.id, letter.text, is_new=letter.is_new)


class Upload:
    """An upload in blocks. They lie in the account of ``endpoint`` and only there can they be committed.

    >>> async def store(routes: Routes) -> None:
    ...     upload = await routes.upload("europe", "images")
    ...     await stage_blocks(upload.endpoint)             # may take hours, needs no lease
    ...     with await upload.commit() as lease, lease.request() as request:  # RestartUpload: stage them again, elsewhere
    ...         await commit_blocks(lease.endpoint, timeout=request.timeout_seconds)
    """

    def __init__(self, routes: Routes, region: str, area: str, lease: WriteLease) -> None:
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

    async def commit(self, *, timeout: float | None = None) -> WriteLease:
        """Wait for a lease to commit under.

        Raises:
            RestartUpload: the route has left the account; its ``endpoint`` says where to begin again.
            RouteFenced: still fenced after ``timeout`` seconds.
        """
        lease = await self._routes.writable(self._region, self._area, timeout=timeout)
        lease.check_upload(self.token)
        return lease
