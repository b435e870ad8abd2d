"""An Azure storage account as an object store, through azure-storage-blob.

Decides which request of the service keeps each promise of the port: conditions go with the request itself, ETags come
normalised, a page of a listing brings metadata and tags. Leaves errors to ``errors``, signatures to ``sas``, what a
failed copy means to ``copies``, pacing and retries to the caller: nothing here is sent twice.
Rule: no secret is kept outside the credential and the SDK's client, nor shown.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import BlobBlock
from azure.storage.blob.aio import BlobClient, ContainerClient

from migrator.adapters.azure import shapes
from migrator.adapters.azure.connection import connect
from migrator.adapters.azure.copies import settled_copy
from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.endpoints import refuse_unsafe
from migrator.adapters.azure.errors import Target, code_of, translated
from migrator.adapters.azure.sas import SAS_SECONDS, SourceUrls
from migrator.errors import CloudError, ConditionFailed, NotFound, Unsupported
from migrator.model.objects import (
    BlobType,
    Condition,
    ContainerInfo,
    Features,
    Listed,
    Page,
    Shape,
)
from migrator.model.schedule import Account
from migrator.ports.object_store import ObjectStore, Origin, Written

LISTED = ["metadata", "tags", "copy"]
EVERYTHING = ["snapshots", "versions", "immutabilitypolicy", "legalhold"]


class AzureStore:
    """Implements ObjectStore. Made by ``migrator.adapters.azure.open_store``."""

    def __init__(self, account: Account, credential: Credential, *, cloud: Mapping[str, str]) -> None:
        self.account = account.name
        self._credential = credential
        self._service = connect(account, credential, cloud)
        self._sources = SourceUrls(credential, self._delegation_key)

    def __repr__(self) -> str:
        return f"AzureStore({self.account!r}, {self.endpoint!r})"

    @property
    def endpoint(self) -> str:
        return self._credential.endpoint

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        with self._asking("list containers of"):
            found = self._service.list_containers(name_starts_with=prefix or None, include_metadata=True)
            return sorted([shapes.container_info(one) async for one in found], key=lambda info: info.name)

    async def container(self, name: str) -> ContainerInfo:
        with self._asking("look at", name):
            return shapes.container_info(await self._container(name).get_container_properties())

    async def create_container(self, like: ContainerInfo) -> None:
        with self._writing("create", like.name):
            try:
                await self._container(like.name).create_container(
                    metadata=dict(like.metadata) or None,
                    public_access=like.public_access,
                )
            except ResourceExistsError as there:
                if code_of(there) != "ContainerAlreadyExists":
                    raise  # for one, ContainerBeingDeleted

    async def page(self, container: str, *, prefix: str = "", marker: str | None = None, limit: int = 5000) -> Page:
        with self._asking("list", container):
            blobs = self._container(container).list_blobs(
                name_starts_with=prefix or None, include=LISTED, results_per_page=limit
            )
            pages: Any = blobs.by_page(continuation_token=marker)
            async for page in pages:
                entries = tuple([shapes.listed(blob) async for blob in page])
                return Page(entries, pages.continuation_token or None)
            return Page((), None)

    async def head(self, container: str, name: str) -> Listed:
        with self._asking("look at", container, name):
            blob = self._blob(container, name)
            found = await blob.get_blob_properties()
            tags = await blob.get_blob_tags() if found.tag_count else {}
            return shapes.listed(found, tags=tags)

    @asynccontextmanager
    async def read(
        self, container: str, name: str, *, if_match: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Each chunk is a request of its own and carries the ETag."""
        async with self._settled(container, name):
            with self._asking("read", container, name):
                stream = await self._blob(container, name).download_blob(
                    offset=offset if offset or length is not None else None,
                    length=length,
                    decompress=False,
                    **shapes.matching(if_match),
                )
        yield self._chunks(stream, container, name)

    async def _chunks(self, stream: Any, container: str, name: str) -> AsyncIterator[bytes]:
        with self._asking("read", container, name):
            async for chunk in stream.chunks():
                yield chunk

    def can_copy_from(self, other: ObjectStore) -> bool:
        return isinstance(other, AzureStore)

    async def copy(self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition) -> Written:
        return await self._copy(origin, container, name, shape, condition, requires_sync=True)

    async def start_copy(
        self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition
    ) -> Written:
        return await self._copy(origin, container, name, shape, condition)

    async def _copy(
        self, origin: Origin, container: str, name: str, shape: Shape, condition: Condition, **how: Any
    ) -> Written:
        url = await _source(origin).source_url(origin.container, origin.name)
        async with settled_copy(origin):
            with self._writing("copy into", container, name):
                answer: Mapping[str, Any] = await self._blob(container, name).start_copy_from_url(
                    url,
                    tags=dict(shape.tags) or None,
                    **how,
                    **shapes.source_matching(origin.etag),
                    **shapes.conditions(condition),
                    **shapes.tier_arguments(shape),
                )
        return Written(
            shapes.normal_etag(answer["etag"]), answer.get("copy_id"), answer.get("copy_status") == "pending"
        )

    async def abort_copy(self, container: str, name: str, copy_id: str) -> None:
        try:
            with self._writing("abort the copy into", container, name):
                await self._blob(container, name).abort_copy(copy_id)
        except CloudError as refusal:
            if refusal.code not in ("NoPendingCopyOperation", "CopyIdMismatch", "InvalidOperation"):
                raise

    async def put(self, container: str, name: str, body: bytes, shape: Shape, *, condition: Condition) -> Written:
        """A stored Content-MD5 that does not fit the bytes is a client's claim to be kept: the service refuses it here but
        not on a block list."""
        try:
            with self._writing("write", container, name):
                answer = await self._blob(container, name).upload_blob(
                    body,
                    length=len(body),
                    overwrite=True,
                    **shapes.described(shape),
                    **shapes.conditions(condition),
                    **shapes.tier_arguments(shape),
                )
        except CloudError as refusal:
            if refusal.code != "Md5Mismatch":
                raise
            await self.stage_block(container, name, "migrate-00000000", body)
            return await self.commit_blocks(container, name, ["migrate-00000000"], shape, condition=condition)
        return _written(answer)

    async def stage_block(self, container: str, name: str, block_id: str, body: bytes) -> None:
        with self._writing("stage a block of", container, name):
            await self._blob(container, name).stage_block(block_id, body, length=len(body))

    async def stage_block_from(
        self, origin: Origin, container: str, name: str, block_id: str, *, offset: int, length: int
    ) -> None:
        url = await _source(origin).source_url(origin.container, origin.name)
        async with settled_copy(origin):
            with self._writing("copy a block into", container, name):
                await self._blob(container, name).stage_block_from_url(
                    block_id,
                    url,
                    source_offset=offset,
                    source_length=length,
                    # The SDK has no argument for it here.
                    headers={"x-ms-source-if-match": shapes.quoted_etag(origin.etag)},
                )

    async def commit_blocks(
        self, container: str, name: str, block_ids: Sequence[str], shape: Shape, *, condition: Condition
    ) -> Written:
        with self._writing("commit", container, name):
            return _written(
                await self._blob(container, name).commit_block_list(
                    [BlobBlock(block_id=one) for one in block_ids],
                    **shapes.described(shape),
                    **shapes.conditions(condition),
                    **shapes.tier_arguments(shape),
                )
            )

    async def uncommitted(self, container: str, *, prefix: str = "") -> Sequence[str]:
        """Two listings, as one does not tell an uncommitted name from an empty blob."""
        with self._asking("list", container):
            client = self._container(container)
            wanted = client.list_blobs(name_starts_with=prefix or None, include=["uncommittedblobs"])
            names = {blob.name async for blob in wanted if not blob.size}
            if names:
                names -= {name async for name in client.list_blob_names(name_starts_with=prefix or None)}
            return sorted(names)

    async def create_empty(
        self, container: str, name: str, size: int, shape: Shape, *, condition: Condition
    ) -> Written:
        arguments = {**shapes.described(shape), **shapes.conditions(condition)}
        with self._writing("create", container, name):
            blob = self._blob(container, name)
            if shape.blob_type is BlobType.PAGE:
                return _written(await blob.create_page_blob(size, **arguments, **shapes.tier_arguments(shape)))
            return _written(await blob.create_append_blob(**arguments))

    async def append(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        with self._writing("append to", container, name):
            return _written(
                await self._blob(container, name).append_block(
                    body, length=len(body), appendpos_condition=offset, **shapes.matching(if_match)
                )
            )

    async def put_pages(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        with self._writing("write pages of", container, name):
            return _written(
                await self._blob(container, name).upload_page(
                    body, offset=offset, length=len(body), **shapes.matching(if_match)
                )
            )

    async def set_tags(self, container: str, name: str, tags: Mapping[str, str]) -> None:
        with self._writing("set the tags of", container, name):
            await self._blob(container, name).set_blob_tags(dict(tags))

    async def set_tier(self, container: str, name: str, tier: str) -> None:
        with self._writing("set the tier of", container, name):
            blob = self._blob(container, name)
            if tier.startswith("P"):
                await blob.set_premium_page_blob_tier(shapes.page_tier(tier))
            else:
                await blob.set_standard_blob_tier(shapes.block_tier(tier))

    async def delete(self, container: str, name: str, *, if_match: str) -> None:
        async with self._settled(container, name):
            with self._writing("delete", container, name):
                await self._blob(container, name).delete_blob(delete_snapshots="include", **shapes.matching(if_match))

    async def features(self, container: str, *, prefix: str = "") -> Features:
        counts = dict.fromkeys(Features.__dataclass_fields__, 0)
        with self._asking("list", container):
            found = self._container(container).list_blobs(name_starts_with=prefix or None, include=EVERYTHING)
            async for blob in found:
                for kind in _kept_apart(blob):
                    counts[kind] += 1
        return Features(**counts)

    async def bind_run(self, token: int) -> None:
        """Nothing: an Azure account knows no runs; a takeover waits for ``credential_bound_seconds``."""

    async def credential_bound_seconds(self, now: datetime) -> float:
        """How long a request of this run may still be accepted after ``now`` (aware), its copies' signatures included."""
        with self._asking("sign in to"):
            return max(await self._credential.bound_seconds(now), float(SAS_SECONDS))

    async def source_url(self, container: str, name: str) -> str:
        """A signed address for another account's server-side copy: a secret for five minutes, never shown or stored."""
        refuse_unsafe(name, f"{self.account}/{container}/{name}")
        with self._asking("sign an address of", container, name):
            return await self._sources.url(container, name)

    async def close(self) -> None:
        await self._service.close()
        await self._credential.close()

    async def _delegation_key(self, begin: datetime, end: datetime) -> Any:
        return await self._service.get_user_delegation_key(begin, end)

    @asynccontextmanager
    async def _settled(self, container: str, name: str) -> AsyncIterator[None]:
        """Some services refuse the condition of a request for a blob that is gone: look, and say that it is gone."""
        try:
            yield
        except ConditionFailed as refusal:
            try:
                with self._asking("look at", container, name):
                    await self._blob(container, name).get_blob_properties()
            except NotFound as gone:
                raise gone from refusal
            except CloudError:
                pass  # the look failed too: the refusal is the better answer
            raise

    def _container(self, name: str) -> ContainerClient:
        return self._service.get_container_client(name)

    def _blob(self, container: str, name: str) -> BlobClient:
        refuse_unsafe(name, f"{self.account}/{container}/{name}")
        return self._service.get_blob_client(container, name)

    def _asking(self, doing: str, container: str = "", name: str = "") -> AbstractContextManager[None]:
        return translated(Target(self.account, self.endpoint, doing, "read", container, name))

    def _writing(self, doing: str, container: str, name: str = "") -> AbstractContextManager[None]:
        return translated(Target(self.account, self.endpoint, doing, "write", container, name))


def _source(origin: Origin) -> AzureStore:
    if not isinstance(origin.store, AzureStore):
        raise Unsupported(f"cannot copy from account {origin.store.account} server-side: it is not an Azure account")
    return origin.store


def _written(answer: Mapping[str, Any]) -> Written:
    return Written(shapes.normal_etag(answer["etag"]))


def _kept_apart(blob: Any) -> Iterator[str]:
    """The counts of Features that one listed item adds to."""
    if blob.snapshot:
        yield "snapshots"
        return
    if blob.version_id and not blob.is_current_version:
        yield "versions"
        return
    if blob.lease and blob.lease.state == "leased":
        yield "leased"
    if blob.has_legal_hold or (blob.immutability_policy and blob.immutability_policy.expiry_time):
        yield "immutable"
    if str(getattr(blob.blob_tier, "value", blob.blob_tier)) == "Archive":
        yield "archived"
    if blob.encryption_scope:
        yield "encryption_scoped"


__all__ = ["AzureStore"]
