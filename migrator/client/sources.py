"""Where a client reads the route document: a file, a blob, a key of App Configuration or what a command prints. Small readers of
their own; the engine is not needed.

Decides how an address is understood and how a failed read is worded, never with its secret. Leaves caching (there is
none), decoding and patience to the callers. Rule: one ``fetch`` is one read of the primary endpoint, past every cache.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

from migrator.client.errors import Unfetched
from migrator.errors import UsageError
from migrator.model.hosts import LOOPBACK, Address, Hosts
from migrator.model.routes import MAX_DOCUMENT_BYTES

CONFIGURATION: Final = "appconfig+"
"""What the address of an App Configuration store begins with; there each region has a document of its own."""


class AsyncSource(Protocol):
    place: str

    async def fetch(self) -> bytes | None:
        """The document's bytes now, or None if there is none. Unfetched if that cannot be known."""
        ...

    async def close(self) -> None: ...


class SyncSource(Protocol):
    place: str

    def fetch(self) -> bytes | None:
        """As ``AsyncSource.fetch``."""
        ...

    def close(self) -> None: ...


class FileSource:
    """The document in a file, as ``FileRouter`` of the engine writes it."""

    def __init__(self, path: str) -> None:
        self.place = path

    def fetch(self) -> bytes | None:
        try:
            with open(self.place, "rb") as file:
                return file.read(MAX_DOCUMENT_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise Unfetched(f"{self.place} cannot be read ({(fault.strerror or 'unknown cause').lower()})") from fault

    def close(self) -> None:
        """Nothing stays open."""


def file_path(url: str) -> str | None:
    """The absolute path a ``file:`` URL or a plain path names; None for any other address."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc not in ("", "localhost"):
            raise UsageError(f"cannot follow {url}: a file address begins with file:///")
        return os.path.abspath(unquote(parts.path))
    if parts.scheme in ("http", "https") or "://" in url:
        return None
    return os.path.abspath(url)


def trusted_hosts(url: str, hosts: Iterable[str] | None, accounts: Mapping[str, str] | None) -> Hosts:
    """What the records of the document at ``url`` may name. Raises UsageError."""
    url = url.removeprefix(CONFIGURATION)
    try:
        if accounts is not None:
            if hosts is not None:
                raise ValueError("give hosts or accounts, not both")
            return Hosts.of_accounts(accounts)
        address = None if file_path(url) is not None else Address.read("/".join(url.split("/", 3)[:3]))
        return Hosts.of(
            hosts, is_local=file_path(url) is not None or (address is not None and address.host in LOOPBACK)
        )
    except ValueError as fault:
        raise UsageError(f"cannot follow the routes: {fault}") from fault


def sync_source(url: str, *, credential: Any, timeout_seconds: float) -> SyncSource:
    """Raises UsageError for an address that nobody of ``PLACES`` reads."""
    return _place(url).sync(url, credential, timeout_seconds)


def async_source(url: str, *, credential: Any, timeout_seconds: float) -> AsyncSource:
    """Raises UsageError for an address that nobody of ``PLACES`` reads."""
    return _place(url).unblocking(url, credential, timeout_seconds)


class RoutePlace(ABC):
    """A kind of place that routes are read from."""

    @abstractmethod
    def takes(self, url: str) -> bool:
        """Is this one of its addresses?"""

    @abstractmethod
    def sync(self, url: str, credential: Any, timeout_seconds: float) -> SyncSource: ...

    @abstractmethod
    def unblocking(self, url: str, credential: Any, timeout_seconds: float) -> AsyncSource: ...


class _File(RoutePlace):
    def takes(self, url: str) -> bool:
        return file_path(url) is not None

    def sync(self, url: str, credential: Any, timeout_seconds: float) -> SyncSource:
        return FileSource(file_path(url) or "")

    def unblocking(self, url: str, credential: Any, timeout_seconds: float) -> AsyncSource:
        return _Threaded(FileSource(file_path(url) or ""))


class _Blob(RoutePlace):
    """It takes what nobody else does, and says why where it is no blob."""

    def takes(self, url: str) -> bool:
        return True

    def sync(self, url: str, credential: Any, timeout_seconds: float) -> SyncSource:
        from migrator.client.blob import SyncBlobSource

        return SyncBlobSource(url, credential=credential, timeout_seconds=timeout_seconds)

    def unblocking(self, url: str, credential: Any, timeout_seconds: float) -> AsyncSource:
        from migrator.client.blob import AsyncBlobSource

        return AsyncBlobSource(url, credential=credential, timeout_seconds=timeout_seconds)


PLACES: Final[list[RoutePlace]] = [_File(), _Blob()]
"""Of the places that take an address, the first reads it."""


def _place(url: str) -> RoutePlace:
    return next(place for place in PLACES if place.takes(url))


class _Threaded:
    """A sync source in a thread: a mounted directory that hangs must not stop the application's loop."""

    def __init__(self, source: SyncSource) -> None:
        self._source = source
        self.place = source.place

    async def fetch(self) -> bytes | None:
        import asyncio

        return await asyncio.to_thread(self._source.fetch)

    async def close(self) -> None:
        self._source.close()
