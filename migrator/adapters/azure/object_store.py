"""An Azure storage account as an object store, in requests of its REST interface.

Decides which request of the service keeps each promise of the port: conditions go with the request itself, ETags come
normalised, a page of a listing brings metadata and tags. Leaves sending to ``requests``, words of headers to ``shapes``,
of listings to ``listing``, signatures of copies to ``sas``, what a failed copy means to ``copies``, pacing and retries to
the caller: nothing here is sent twice. Rule: no secret is kept outside the credential and its signers, nor shown.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any

from migrator.adapters.azure import shapes
from migrator.adapters.azure.copies import UNVERIFIED, look_again, source_was_slow
from migrator.adapters.azure.credentials import SAS_BOUND_SECONDS, Credential
from migrator.adapters.azure.describing import described
from migrator.adapters.azure.errors import SOURCE_SIGNATURE
from migrator.adapters.azure.policies import Policies
from migrator.adapters.azure.reading import CONTAINER, TAGS, AzureReadings
from migrator.adapters.azure.requests import SOURCE_PATH_BYTES, Requests, token_failures
from migrator.adapters.azure.sas import (
    COPY_SECONDS,
    SAS_SECONDS,
    DelegationKey,
    DelegationKeys,
    Signatures,
    WriteSigners,
    utc,
)
from migrator.adapters.azure.signing import HeaderPairs, Query
from migrator.adapters.azure.wire import Answer, Timeouts, WireLimits
from migrator.adapters.azure.xml_reader import Node, escaped, read_xml
from migrator.errors import AccessRefused, CloudError, ConditionFailed, NotFound, Unsupported
from migrator.model.moves import StoredPolicy
from migrator.model.names import block_name
from migrator.model.objects import BlobType, Condition, ContainerInfo, Shape
from migrator.model.schedule import Account
from migrator.ports.diagnosis import Description, Examination
from migrator.ports.object_store import NO_SIGNATURE, ObjectStore, Origin, Written
from migrator.ports.write_policy import ContainerPolicies

XML = '<?xml version="1.0" encoding="utf-8"?>'
BINARY, TEXT = ("Content-Type", "application/octet-stream"), ("Content-Type", "application/xml")
HASHED_BESIDE_BYTES = 512 * 1024
"""Some milliseconds of hashing would hold up every other request of the process."""


class AzureStore(AzureReadings):
    """Implements ObjectStore. Made by ``migrator.adapters.azure.open_store``."""

    def __init__(
        self,
        account: Account,
        credential: Credential,
        *,
        cloud: Mapping[str, str],
        limits: WireLimits | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.account = account.name
        self._credential, self._opened_by = credential, (account, cloud)
        super().__init__(Requests(account, credential, cloud=cloud, limits=limits, timeouts=timeouts))
        self._policies = Policies(self._requests, credential)
        keys = DelegationKeys(self._delegation_key)
        version, now = self._requests.api_version, self._requests.dates.now
        self._signatures = Signatures(credential, keys, version=version, now=now)
        self._long_signatures = Signatures(
            credential,
            keys,
            version=version,
            now=now,
            life_seconds=COPY_SECONDS,
            renew_seconds=COPY_SECONDS - SAS_SECONDS,
        )
        if credential.kind == "entra":
            self._requests.sign_writes_with(WriteSigners(credential, keys, version=version, now=now))

    def __repr__(self) -> str:
        return f"AzureStore({self.account!r}, {self.endpoint!r})"

    @property
    def endpoint(self) -> str:
        return self._credential.endpoint

    @property
    def answered_at(self) -> float | None:
        return self._requests.dates.newest

    # Containers and copies

    async def create_container(self, like: ContainerInfo) -> None:
        headers = shapes.metadata_headers(like.metadata)
        if like.public_access:
            headers.append(("x-ms-blob-public-access", like.public_access))
        try:
            await self._requests.send("PUT", "create", like.name, query=CONTAINER, headers=headers)
        except CloudError as refusal:
            if refusal.code != "ContainerAlreadyExists":
                raise  # for one, ContainerBeingDeleted

    async def set_container_metadata(self, container: str, metadata: Mapping[str, str]) -> None:
        query = [("comp", "metadata"), ("restype", "container")]
        headers = shapes.metadata_headers(metadata)
        await self._requests.send("PUT", "set the metadata of", container, query=query, headers=headers)

    def can_copy_from(self, other: ObjectStore) -> bool:
        """Not from an account that is opened with the operator's own signature: it is shown to nobody else."""
        return isinstance(other, AzureStore) and other._signatures.are_lent

    def copy(
        self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition
    ) -> Coroutine[Any, Any, Written]:
        return self._copy(origin, container, name, shape, condition, is_sync=True)

    def start_copy(
        self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition
    ) -> Coroutine[Any, Any, Written]:
        return self._copy(origin, container, name, shape, condition, is_sync=False)

    async def _copy(
        self, origin: Origin, container: str, name: str, shape: Shape, condition: Condition, *, is_sync: bool
    ) -> Written:
        headers = [
            ("x-ms-source-if-match", f'"{origin.etag}"'),
            shapes.conditions(condition),
        ]
        if is_sync:
            headers.append(("x-ms-requires-sync", "true"))
        elif shape.is_sealed:
            headers.append(("x-ms-seal-blob", "true"))
        if shape.tags:
            headers += shapes.tagged(shape)
        if shape.tier is not None:
            headers += shapes.tiered(shape)
        try:
            answer = await self._from_source(origin, "copy into", container, name, (), headers, in_its_time=not is_sync)
        except CloudError as refusal:
            await look_again(origin, refusal)
            raise
        return self._written(
            answer,
            "copy into",
            container,
            name,
            copy_id=answer.text(b"x-ms-copy-id") or None,
            pending=answer.headers.get(b"x-ms-copy-status") == b"pending",
        )

    async def abort_copy(self, container: str, name: str, copy_id: str) -> None:
        query = [("comp", "copy"), ("copyid", copy_id)]
        headers = [("x-ms-copy-action", "abort")]
        try:
            await self._requests.send("PUT", "abort the copy into", container, name, query=query, headers=headers)
        except CloudError as refusal:
            if refusal.code not in ("NoPendingCopyOperation", "CopyIdMismatch", "InvalidOperation"):
                raise

    async def stage_block_from(
        self, origin: Origin, container: str, name: str, block_id: str, *, offset: int, length: int
    ) -> None:
        headers = [
            ("x-ms-source-if-match", f'"{origin.etag}"'),
            ("x-ms-source-range", f"bytes={offset}-{offset + length - 1}"),
        ]
        try:
            await self._from_source(origin, "copy a block into", container, name, _block(block_id), headers)
        except CloudError as refusal:
            meant = source_was_slow(origin, refusal)
            await look_again(origin, meant)
            if meant is refusal:
                raise
            raise meant from refusal

    async def _from_source(
        self,
        origin: Origin,
        doing: str,
        container: str,
        name: str,
        query: Query,
        headers: HeaderPairs,
        *,
        in_its_time: bool = False,
    ) -> Answer:
        """Where the source says that it did not accept our signature, a new one is tried at once: nothing was copied."""
        if not isinstance(origin.store, AzureStore):
            raise Unsupported(
                f"cannot copy from account {origin.store.account} server-side: it is not an Azure account"
            )
        source, is_first = origin.store, True
        signatures = source._long_signatures if in_its_time else source._signatures
        while True:
            url = source._url_at_hand(origin.container, origin.name, signatures)
            if url is None:
                url = await source._source_url(origin.container, origin.name, signatures)
            try:
                return await self._requests.send(
                    "PUT", doing, container, name, query=query, headers=[("x-ms-copy-source", url), *headers]
                )
            except CloudError as refusal:
                if refusal.code not in (UNVERIFIED, SOURCE_SIGNATURE):
                    raise
                is_renewed = signatures.renew(origin.container, url.partition("?")[2])
                if refusal.code == UNVERIFIED or not is_first or not is_renewed:
                    raise  # the next copy from there is signed anew: the old signature may be what was not believed
                is_first = False

    # Writing

    async def put(self, container: str, name: str, body: bytes, shape: Shape, *, condition: Condition) -> Written:
        """A stored Content-MD5 that does not fit the bytes is a client's claim to be kept: the service refuses it here but
        not on a block list."""
        try:
            return await self._write(
                "write", container, name, (), [("x-ms-blob-type", "BlockBlob"), BINARY], body, shape, condition
            )
        except CloudError as refusal:
            if refusal.code != "Md5Mismatch":
                raise
        block_id = block_name(_md5(body)[:6])
        await self.stage_block(container, name, block_id, body)
        return await self.commit_blocks(container, name, [block_id], shape, condition=condition)

    async def stage_block(self, container: str, name: str, block_id: str, body: bytes) -> None:
        """With its MD5, so that the service refuses a block that changed on the way; a large one is hashed beside the loop."""
        digest = _md5(body) if len(body) < HASHED_BESIDE_BYTES else await asyncio.to_thread(_md5, body)
        headers = [BINARY, ("Content-MD5", base64.b64encode(digest).decode())]
        await self._requests.send(
            "PUT", "stage a block of", container, name, query=_block(block_id), headers=headers, body=body
        )

    async def commit_blocks(
        self, container: str, name: str, block_ids: Sequence[str], shape: Shape, *, condition: Condition
    ) -> Written:
        blocks = "".join([f"<Latest>{_coded(block_id)}</Latest>" for block_id in block_ids])
        body = f"{XML}<BlockList>{blocks}</BlockList>".encode()
        query = [("comp", "blocklist")]
        return await self._write("commit", container, name, query, [TEXT], body, shape, condition)

    async def create_empty(
        self, container: str, name: str, size: int, shape: Shape, *, condition: Condition
    ) -> Written:
        headers = [("x-ms-blob-type", "AppendBlob")]
        if shape.blob_type is BlobType.PAGE:
            headers = [("x-ms-blob-type", "PageBlob"), ("x-ms-blob-content-length", str(size))]
            if shape.sequence_number:
                headers.append(("x-ms-blob-sequence-number", str(shape.sequence_number)))
        return await self._write("create", container, name, (), headers, b"", shape, condition)

    async def _write(
        self,
        doing: str,
        container: str,
        name: str,
        query: Query,
        headers: HeaderPairs,
        body: bytes,
        shape: Shape,
        condition: Condition,
    ) -> Written:
        """A write that sets everything in ``shape``."""
        headers = [*headers, shapes.conditions(condition), *shapes.described(shape), *shapes.tiered(shape)]
        answer = await self._requests.send("PUT", doing, container, name, query=query, headers=headers, body=body)
        return self._written(answer, doing, container, name)

    async def append(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        headers = [("x-ms-blob-condition-appendpos", str(offset)), shapes.matching(if_match), BINARY]
        return await self._add("append to", container, name, "appendblock", headers, body)

    async def seal(self, container: str, name: str, *, size: int, if_match: str) -> Written:
        headers = [("x-ms-blob-condition-appendpos", str(size)), shapes.matching(if_match)]
        return await self._add("seal", container, name, "seal", headers, b"")

    async def put_pages(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        pages = f"bytes={offset}-{offset + len(body) - 1}"
        headers = [("x-ms-page-write", "update"), ("x-ms-range", pages), shapes.matching(if_match), BINARY]
        return await self._add("write pages of", container, name, "page", headers, body)

    async def _add(
        self, doing: str, container: str, name: str, comp: str, headers: HeaderPairs, body: bytes
    ) -> Written:
        answer = await self._requests.send(
            "PUT", doing, container, name, query=[("comp", comp)], headers=headers, body=body
        )
        return self._written(answer, doing, container, name)

    def _written(
        self, answer: Answer, doing: str, container: str, name: str, copy_id: str | None = None, pending: bool = False
    ) -> Written:
        try:
            return Written(shapes.told_etag(answer), copy_id, pending)
        except (KeyError, ValueError):
            raise self._requests.misunderstood("PUT", doing, container, name) from None

    async def set_tags(self, container: str, name: str, tags: Mapping[str, str]) -> None:
        pairs = [f"<Tag><Key>{escaped(k)}</Key><Value>{escaped(v)}</Value></Tag>" for k, v in tags.items()]
        body = f"{XML}<Tags><TagSet>{''.join(pairs)}</TagSet></Tags>".encode()
        await self._requests.send("PUT", "set the tags of", container, name, query=TAGS, headers=[TEXT], body=body)

    async def set_tier(self, container: str, name: str, tier: str) -> None:
        headers = [shapes.tier_header(tier, is_page=tier in shapes.PAGE_TIERS)]
        query = [("comp", "tier")]
        await self._requests.send("PUT", "set the tier of", container, name, query=query, headers=headers)

    async def delete(self, container: str, name: str, *, if_match: str, with_snapshots: bool = True) -> None:
        headers = [shapes.matching(if_match)]
        if with_snapshots:  # without the header the service refuses where there is one
            headers.append(("x-ms-delete-snapshots", "include"))
        try:
            await self._requests.send("DELETE", "delete", container, name, headers=headers)
        except ConditionFailed as refusal:
            await self._raise_if_gone(container, name, refusal)
            raise

    # The account itself

    async def bind_run(self, token: int) -> None:
        """Nothing: an Azure account knows no runs; a takeover waits for ``late_write_seconds``."""

    async def late_write_seconds(self, now: datetime) -> float:
        """As long as what signs a write is accepted, and the service may take for it."""
        with token_failures(self._requests.about("GET", "sign in to", "", None, None)):
            return max(await self._credential.bound_seconds(now), SAS_BOUND_SECONDS)

    async def late_container_write_seconds(self) -> float:
        """Under Microsoft Entra ID as long as the token lives: no signature of a run's own can write to a container itself."""
        late = await self._requests.late_token_write_seconds(self._requests.about("GET", "sign in to", "", None, None))
        return max(late, SAS_BOUND_SECONDS)

    @property
    def can_prove_policies(self) -> bool:
        return self._policies.can_prove

    async def policies(self, container: str) -> ContainerPolicies:
        return await self._policies.get(container)

    async def set_policies(
        self, container: str, policies: Sequence[StoredPolicy], *, public_access: str | None
    ) -> None:
        await self._policies.set(container, policies, public_access=public_access)

    async def accepts(self, container: str, policy: StoredPolicy, name: str) -> bool:
        return await self._policies.accepts(container, policy, name)

    async def examine(self, now: datetime) -> Examination:
        """One listing of at most one container: the answer's Date is the service's clock."""
        answer = await self._requests.send("GET", "list containers of", query=[("comp", "list"), ("maxresults", "1")])
        service_time = shapes.parsed_date(answer.text(b"date"))
        words = {"entra": "Microsoft Entra ID", "key": "account key", "sas": "shared access signature"}
        bound = await self.late_write_seconds(now)
        return Examination(words[self._credential.kind], bound, service_time)

    async def describe(self) -> Description:
        query = [("comp", "properties"), ("restype", "account")]
        answer = await self._requests.send("GET", "ask for the kind of", query=query)
        with self._requests.understanding("ask for the kind of"):
            return described(answer)

    async def source_url(self, container: str, name: str) -> str:
        """A signed address for another account's server-side copy: a secret for five minutes, never shown or stored."""
        return await self._source_url(container, name, self._signatures)

    def _url_at_hand(self, container: str, name: str, signatures: Signatures) -> str | None:
        """As ``_source_url``, where nothing is to be asked or said; most of them."""
        signature, path = signatures.at_hand(container), self._requests.url_of(container, name)
        is_sure = signature is not None and len(path) <= SOURCE_PATH_BYTES and signatures.are_lent
        return f"{path}?{signature}" if is_sure else None

    async def _source_url(self, container: str, name: str, signatures: Signatures) -> str:
        path = self._requests.url_of(container, name)
        if len(path) > SOURCE_PATH_BYTES:
            raise Unsupported(
                f"cannot copy {self.account}/{container}/{name} server-side: its address is too long for a source"
            )
        if not signatures.are_lent:
            raise Unsupported(
                f"cannot copy from {self.account} server-side: its shared access signature is shown to no other account",
                code=NO_SIGNATURE,
            )
        try:
            signature = signatures.at_hand(container) or await signatures.signature(container)
        except AccessRefused as refusal:
            # It reads what it may read all the same, and its objects go through this machine.
            raise Unsupported(
                f"cannot copy from {self.account} server-side: {refusal.message}", hint=refusal.hint, code=NO_SIGNATURE
            ) from refusal
        return f"{path}?{signature}"

    async def _delegation_key(self, begin: datetime, end: datetime) -> DelegationKey:
        doing = "ask for a signing key of"
        body = f"{XML}<KeyInfo><Start>{utc(begin)}</Start><Expiry>{utc(end)}</Expiry></KeyInfo>".encode()
        query = [("comp", "userdelegationkey"), ("restype", "service")]
        answer = await self._requests.send("POST", doing, query=query, headers=[TEXT], body=body, effect="read")
        found: list[Node] = []
        with self._requests.understanding(doing):
            read_xml(answer.body, {"UserDelegationKey": found.append})
            said = dict(found[0].pairs())
            return DelegationKey(
                said["SignedOid"],
                said["SignedTid"],
                said["SignedStart"],
                said["SignedExpiry"],
                said["SignedService"],
                said["SignedVersion"],
                said["Value"],
            )

    # What it can prove

    async def remove_container(self, container: str) -> None:
        try:
            await self._requests.send("DELETE", "delete", container, query=CONTAINER)
        except NotFound:
            return

    def own_proofs(self) -> Mapping[str, Callable[[str, str], Awaitable[str]]]:
        from migrator.adapters.azure.proofs import AzureProofs

        return AzureProofs(self, self._delegation_key, *self._opened_by).asked()

    async def close(self) -> None:
        self._requests.close()
        await self._credential.close()


def _md5(body: bytes) -> bytes:
    return hashlib.md5(body, usedforsecurity=False).digest()


def _coded(block_id: str) -> str:
    return base64.b64encode(block_id.encode()).decode()


def _block(block_id: str) -> Query:
    return [("blockid", _coded(block_id)), ("comp", "block")]


__all__ = ["AzureStore"]
