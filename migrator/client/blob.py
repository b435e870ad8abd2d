"""Reading the route document from a blob: the only place of the client that needs the Azure SDK for itself.

Decides how an address and a credential become a client, and which answers ask for another try. Rule: one request, no retry here,
no secondary endpoint, no cache.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient
from azure.storage.blob.aio import BlobClient as AsyncBlobClient

from migrator.client.errors import Unfetched
from migrator.client.opened import AsyncOpened, SyncOpened
from migrator.client.waiting import BUSY
from migrator.errors import UsageError
from migrator.model.addresses import is_loopback_host
from migrator.model.routes import MAX_DOCUMENT_BYTES

_READ: dict[str, Any] = {
    "length": MAX_DOCUMENT_BYTES + 1,
    "offset": 0,
    "headers": {"Cache-Control": "no-cache"},
    "decompress": False,
}


@dataclass(frozen=True, slots=True)
class BlobAddress:
    """``place`` is for people and holds no query; ``secret`` is what the SDK takes: a key, a SAS, a credential or None."""

    url: str = field(repr=False)
    place: str
    secret: Any = field(repr=False)

    @classmethod
    def parse(cls, url: str, credential: Any) -> BlobAddress:
        """Raises UsageError; its text never holds the query."""
        parts = urlsplit(url)
        place = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"cannot follow {place}: not a file and not the address of a blob")
        if parts.scheme == "http" and not is_loopback_host(parts.hostname):
            raise UsageError(f"cannot follow {place}: only https is safe there")
        names_account = is_loopback_host(parts.hostname)  # such a service carries the account in the path
        path = parts.path.strip("/").split("/", 2 if names_account else 1)
        if len(path) < 2 or not all(path) or (names_account and len(path) < 3):
            raise UsageError(f"cannot follow {place}: the address needs a container and a blob name")
        return cls(url, place, _secret(credential, place))

    def parts(self) -> tuple[str, str, str]:
        """The path before the container (on loopback the account is in it), the container, and the blob's name, unescaped."""
        parts = urlsplit(self.url)
        path = parts.path.strip("/").split("/", 2 if is_loopback_host(parts.hostname or "") else 1)
        return "".join(f"/{one}" for one in path[:-2]), path[-2], unquote(path[-1])

    def client(self, kind: type[Any], token: Any, *, timeout_seconds: float) -> Any:
        """A BlobClient of ``kind``; ``token`` makes the default credential where nothing else is given."""
        options: dict[str, Any] = {
            "retry_total": 0,
            "connection_timeout": timeout_seconds,
            "read_timeout": timeout_seconds,
            "permit_redirects": False,
        }
        try:
            secret = self.secret
            if secret is None and not urlsplit(self.url).query and self.url.startswith("https:"):
                secret = token()
            return kind.from_blob_url(self.url, credential=secret, **options)
        except ValueError as fault:
            raise UsageError(f"cannot follow {self.place}: its credential cannot be used") from fault


class SyncBlobSource(SyncOpened):
    def __init__(self, url: str, *, credential: Any, timeout_seconds: float) -> None:
        address = BlobAddress.parse(url, credential)
        self.place = address.place
        super().__init__()
        self._client = address.client(BlobClient, self._default, timeout_seconds=timeout_seconds)
        self._closing.append(self._client)

    def fetch(self) -> bytes | None:
        try:
            return bytes(self._client.download_blob(**_READ).readall())
        except ResourceNotFoundError:
            return None
        except AzureError as fault:
            return _answer(fault, self.place)


class AsyncBlobSource(AsyncOpened):
    def __init__(self, url: str, *, credential: Any, timeout_seconds: float) -> None:
        address = BlobAddress.parse(url, credential)
        self.place = address.place
        super().__init__()
        self._client = address.client(AsyncBlobClient, self._default, timeout_seconds=timeout_seconds)
        self._closing.append(self._client)

    async def fetch(self) -> bytes | None:
        try:
            return bytes(await (await self._client.download_blob(**_READ)).readall())
        except ResourceNotFoundError:
            return None
        except AzureError as fault:
            return _answer(fault, self.place)


def _answer(fault: AzureError, place: str) -> bytes:
    """An empty blob (416 on a range) is an empty document; everything else was no answer about it."""
    if isinstance(fault, HttpResponseError) and fault.status_code == 416:
        return b""
    if isinstance(fault, ClientAuthenticationError):
        raise Unfetched(f"{place} refuses our credential") from fault
    if isinstance(fault, HttpResponseError) and fault.status_code:
        status = fault.status_code
        raise Unfetched(f"{place} answers with status {status}", is_busy=status in BUSY) from fault
    raise Unfetched(f"{place} cannot be reached") from fault


def _secret(credential: Any, place: str) -> Any:
    """Follow ``env:NAME``, and take the key or SAS out of a connection string: the address says where, not the string."""
    if isinstance(credential, str) and credential.startswith("env:"):
        name = credential.removeprefix("env:")
        credential = os.environ.get(name)
        if not credential:
            raise UsageError(f"cannot follow {place}: the variable {name} is not set")
    if not isinstance(credential, str) or ("Endpoint=" not in credential and "AccountName=" not in credential):
        return _sas(credential)
    parts = dict(part.split("=", 1) for part in credential.split(";") if "=" in part)
    if "AccountKey" in parts:
        return {"account_name": parts["AccountName"], "account_key": parts["AccountKey"]}
    return _sas(parts.get("SharedAccessSignature"))


def _sas(credential: Any) -> Any:
    """A SAS may come with the question mark of its address."""
    return credential.removeprefix("?") if isinstance(credential, str) else credential
