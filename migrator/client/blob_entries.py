"""Entries of the register as blobs: empty, the entry in their metadata, so that one listing brings the engine all of them.

Decides which container that is. Rule: one request, no retry, no secondary endpoint, no redirect.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import ContainerClient
from azure.storage.blob.aio import ContainerClient as AsyncContainerClient

from migrator.client.blob import BlobAddress
from migrator.client.errors import Unwritten
from migrator.client.opened import AsyncOpened, SyncOpened
from migrator.errors import UsageError
from migrator.model.register import ENTRY_METADATA, register_container, register_path


class _Address:
    """The container of the register, and the document's name, below which its entries lie."""

    def __init__(self, url: str, register: str | None, credential: Any) -> None:
        document = BlobAddress.parse(url, credential)
        parts = urlsplit(document.url)
        place = urlsplit(document.place)
        before, container, self.document = document.parts()
        if register is None:
            try:
                beside = register_container(container)
            except ValueError as fault:
                raise UsageError(
                    f"cannot enter a register: {fault}", hint="name its container with register="
                ) from fault
            register = urlunsplit((parts.scheme, parts.netloc, f"{before}/{beside}", parts.query, ""))
        named = urlsplit(register)
        if named.scheme != "https" and (named.scheme, named.hostname) != ("http", place.hostname):
            raise UsageError(
                f"cannot enter the register at {named.scheme}://{named.hostname}: only https is safe there"
            )
        self.url = register
        self.place = urlunsplit((named.scheme, named.netloc.rpartition("@")[2], named.path, "", ""))
        self.secret = document.secret

    def client(self, kind: type[Any], token: Any, *, timeout_seconds: float) -> Any:
        options: dict[str, Any] = {
            "retry_total": 0,
            "connection_timeout": timeout_seconds,
            "read_timeout": timeout_seconds,
            "permit_redirects": False,
        }
        secret = self.secret
        if secret is None and not urlsplit(self.url).query and self.url.startswith("https:"):
            secret = token()
        try:
            return kind.from_container_url(self.url, credential=secret, **options)
        except ValueError as fault:
            raise UsageError(
                f"cannot enter the register at {self.place}: its address or credential cannot be used"
            ) from fault

    def blob(self, generation: str, id: str) -> str:
        return f"{register_path(self.document, generation)}/{id}"


class SyncBlobEntries(SyncOpened):
    def __init__(self, url: str, register: str | None, *, credential: Any, timeout_seconds: float) -> None:
        self._address = _Address(url, register, credential)
        self.place = self._address.place
        super().__init__()
        self._client = self._address.client(ContainerClient, self._default, timeout_seconds=timeout_seconds)
        self._closing.append(self._client)

    def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        blob = self._client.get_blob_client(self._address.blob(generation, id))
        try:
            blob.upload_blob(b"", length=0, overwrite=True, metadata={ENTRY_METADATA: text})
        except AzureError as fault:
            raise _unwritten(fault, self.place) from fault

    def take_back(self, generation: str, id: str) -> None:
        try:
            self._client.get_blob_client(self._address.blob(generation, id)).delete_blob()
        except ResourceNotFoundError:
            return
        except AzureError as fault:
            raise _unwritten(fault, self.place) from fault


class AsyncBlobEntries(AsyncOpened):
    def __init__(self, url: str, register: str | None, *, credential: Any, timeout_seconds: float) -> None:
        self._address = _Address(url, register, credential)
        self.place = self._address.place
        super().__init__()
        self._client = self._address.client(AsyncContainerClient, self._default, timeout_seconds=timeout_seconds)
        self._closing.append(self._client)

    async def put(self, generation: str, id: str, text: str, *, is_new: bool) -> None:
        blob = self._client.get_blob_client(self._address.blob(generation, id))
        try:
            await blob.upload_blob(b"", length=0, overwrite=True, metadata={ENTRY_METADATA: text})
        except AzureError as fault:
            raise _unwritten(fault, self.place) from fault

    async def take_back(self, generation: str, id: str) -> None:
        try:
            await self._client.get_blob_client(self._address.blob(generation, id)).delete_blob()
        except ResourceNotFoundError:
            return
        except AzureError as fault:
            raise _unwritten(fault, self.place) from fault


def _unwritten(fault: AzureError, place: str) -> Unwritten:
    if isinstance(fault, ClientAuthenticationError):
        return Unwritten(f"{place} refuses our credential")
    if isinstance(fault, HttpResponseError) and fault.status_code:
        return Unwritten(f"{place} answers with status {fault.status_code}")
    return Unwritten(f"{place} cannot be reached")
