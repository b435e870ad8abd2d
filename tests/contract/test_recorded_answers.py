"""What real accounts answered, played on loopback to our own client: every answer means what it says.

The recordings lie beside the checkout, in ``../shared/azure-answers``, and stay there. What an answer must come to is read
here from the recording itself, by the standard library, so that recordings nobody has seen yet can be put beside them. They
are played by kind: what the request was decides which verb of the store is asked. Rule: none is passed over without a reason
in ``NOT_OURS``.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import pytest
from aiohttp import web

from migrator.adapters.azure import listing, open_store
from migrator.adapters.azure.object_store import AzureStore
from migrator.adapters.azure.requests import Method
from migrator.adapters.azure.shapes import OWN_SCOPE
from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    MigrateError,
    NotFound,
    OutcomeUnknown,
    SourceChanged,
)
from migrator.model.objects import CREATE, BlobType
from migrator.model.schedule import Account
from migrator.ports.troubles import TROUBLES, Whose
from migrator.testing.strict.call import Call
from migrator.testing.strict.operations import operation_of
from tests.contract.object_store_suite import PLAIN

FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "azure-answers"
KEY = "bm90IGEga2V5IG9mIGFueWJvZHkgYXQgYWxsLCBqdXN0IGJ5dGVz"
NOT_OURS = {
    "Blob Batch": "nothing is sent in batches",
    "Other of the account": "settings and statistics of the service are not read",
    "Snapshot Blob": "no snapshot is made",
    "Undelete Blob": "nothing is undeleted",
    "Lease Blob": "no lease is taken",
    "Lease Container": "no lease is taken",
    "Get Account Information": "its headers are read by who asks for it",
}
"""Successes that no verb of the store reads. Their refusals are played like any."""


@dataclass
class Exchange:
    """One request and the answer that a real account gave."""

    file: str
    number: int
    method: Method
    url: str
    status: int
    headers: dict[str, str]
    body: str
    operation: str = ""
    container: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        target = f"/account{parts.path}" + (f"?{parts.query}" if parts.query else "")
        call = Call(self.method, target, [])
        is_lake = ".dfs." in parts.netloc
        self.operation = f"Data Lake {self.method}" if is_lake else operation_of(call).name
        self.container, self.name = call.container, call.name
        self.headers = {name.lower(): value for name, value in self.headers.items()}

    def __str__(self) -> str:
        return f"{self.file}[{self.number}] {self.method} {self.url} -> {self.status}"

    @property
    def code(self) -> str:
        return self.headers.get("x-ms-error-code", "")

    @property
    def xml(self) -> ElementTree.Element:
        return ElementTree.fromstring(self.body.lstrip("\ufeff"))

    @property
    def etag(self) -> str:
        return self.headers["etag"].strip('"')


def recorded() -> list[Exchange]:
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        for number, one in enumerate(json.loads(file.read_text())):
            body = one["body"] if isinstance(one["body"], str) else ""
            found.append(Exchange(file.stem, number, one["method"], one["url"], one["status"], one["headers"], body))
    return found


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    found = recorded() if FOLDER.is_dir() else []
    if not found:
        reason = "no recorded answers of a real account are beside the checkout (../shared/azure-answers)"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{reason} (CI=true: this must not be skipped)", pytrace=False)
        pytest.skip(reason)
    return found


@dataclass
class Player:
    """Answers each request with the next of ``answers``; then with 404."""

    store: AzureStore
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)

    def put(self, *played: Exchange | tuple[int, dict[str, str], bytes]) -> AzureStore:
        self.answers[:] = [
            (one.status, one.headers, one.body.encode()) if isinstance(one, Exchange) else one for one in played
        ]
        return self.store

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        await request.content.read()
        status, headers, body = self.answers.pop(0) if self.answers else (404, {}, b"")
        has_none = request.method == "HEAD" or status in (204, 304)
        response = web.Response(status=status, body=None if has_none else body)
        response.headers.pop("Content-Type", None)
        for name, value in headers.items():
            if name == "content-length" and request.method != "HEAD":
                continue
            if name not in ("transfer-encoding", "connection", "date"):
                response.headers.add(name, value)
        return response


@pytest.fixture
async def player() -> AsyncIterator[Player]:
    made: list[Player] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        return await made[0].handle(request)

    runner = web.ServerRunner(web.Server(handle, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    account = Account(
        "real", "azure", endpoint=f"http://127.0.0.1:{runner.addresses[0][1]}/account", credential="env:KEY"
    )
    made.append(Player(open_store(account, environ={"KEY": KEY})))
    yield made[0]
    await made[0].store.close()
    await runner.cleanup()


# Refusals


def meaning(one: Exchange) -> type[MigrateError] | None:
    """What a refusal is, by its status and code alone; None where only a table of troubles says it."""
    if one.code in ("BlobNotFound", "ContainerNotFound", "ResourceNotFound"):
        return NotFound
    if TROUBLES.get(one.code) is not None:
        return None
    if one.code in ("SourceConditionNotMet", "CopySourceConditionNotMet"):
        return SourceChanged
    if one.status in (304, 412) or one.code == "BlobAlreadyExists":
        return ConditionFailed
    if one.status in (401, 403):
        return AccessRefused
    if one.status >= 500 and one.method not in ("GET", "HEAD"):
        return OutcomeUnknown
    return CloudError


async def test_every_refusal_means_what_it_says(exchanges: list[Exchange], player: Player) -> None:
    played = 0
    for one in exchanges:
        if one.status < 300:
            continue
        store = player.put(one)
        send = store._requests.send(one.method, "ask", one.container, one.name or None)
        with pytest.raises(MigrateError) as caught:
            await send
        refusal, expected = caught.value, meaning(one)
        assert isinstance(refusal, CloudError), one
        if expected is None:
            assert TROUBLES[one.code].whose is not Whose.ACCOUNT, one
            assert type(refusal) is CloudError, one
            assert refusal.code == one.code, one
        else:
            assert type(refusal) is expected, one
            assert refusal.code in ("", one.code, str(one.status)), one
        if isinstance(refusal, NotFound):
            assert refusal.what == ("container" if one.code == "ContainerNotFound" else "blob"), one
        assert "sig=" not in f"{refusal}{refusal.__cause__}", one
        assert one.headers.get("x-ms-request-id", "") in f"{refusal.__cause__}", one
        played += 1
    assert played >= 100


async def test_a_missing_blob_and_a_missing_container_are_told_apart_without_a_body(
    exchanges: list[Exchange], player: Player
) -> None:
    heads = [one for one in exchanges if one.method == "HEAD" and one.status == 404 and one.name]
    assert heads
    for one in heads:
        with pytest.raises(NotFound) as caught:
            await player.put(one).head(one.container, one.name)
        assert (caught.value.code, caught.value.what) == (one.code, "container" if "Cont" in one.code else "blob"), one


# Listings


def text(node: ElementTree.Element, path: str) -> str:
    return node.findtext(path) or ""


def tagged(node: ElementTree.Element, path: str) -> dict[str, str]:
    return {text(tag, "Key"): text(tag, "Value") for tag in node.findall(path)}


def name_of(node: ElementTree.Element) -> str:
    found = node.find("Name")
    assert found is not None
    return unquote(found.text or "") if found.get("Encoded") == "true" else found.text or ""


def is_live(node: ElementTree.Element) -> bool:
    """Neither a snapshot, an older version, deleted, nor without a commit."""
    return not (text(node, "Snapshot") or text(node, "Deleted") == "true" or text(node, "IsCurrentVersion") == "false")


async def test_every_page_of_blobs_is_read_as_it_was_written(exchanges: list[Exchange], player: Player) -> None:
    rows = 0
    for one in exchanges:
        if one.operation != "List Blobs" or one.status != 200 or "delimiter" in one.url:
            continue
        blobs = one.xml.findall("Blobs/Blob")
        if not all(is_live(node) and text(node, "Properties/Etag") for node in blobs):
            continue  # no listing of ours asks for those
        page = await player.put(one).page(one.container)
        assert (page.marker or "") == text(one.xml, "NextMarker"), one
        assert [entry.name for entry in page.entries] == [name_of(node) for node in blobs], one
        for entry, node in zip(page.entries, blobs, strict=True):
            said = node.find("Properties")
            assert said is not None
            assert entry.etag == text(said, "Etag").strip('"'), one
            assert entry.size == int(text(said, "Content-Length")), one
            assert entry.blob_type is BlobType(text(said, "BlobType")), one
            assert entry.last_modified == parsedate_to_datetime(text(said, "Last-Modified")), one
            assert (entry.headers.content_type or "") == text(said, "Content-Type"), one
            assert (entry.headers.cache_control or "") == text(said, "Cache-Control"), one
            assert (entry.tier or "") == text(said, "AccessTier"), one
            assert entry.copy_pending == (text(said, "CopyStatus") == "pending"), one
            assert entry.is_sealed == (text(said, "Sealed") == "true"), one
            assert entry.sequence_number == int(text(said, "x-ms-blob-sequence-number") or 0), one
            assert {**entry.metadata} == {item.tag: item.text or "" for item in node.findall("Metadata/*")}, one
            assert {**entry.tags} == tagged(node, "Tags/TagSet/Tag"), one
            rows += 1
    assert rows >= 30


async def test_every_listing_is_surveyed(exchanges: list[Exchange], player: Player) -> None:
    """With snapshots, versions and deleted ones: those count, and are no blobs."""
    surveyed = 0
    for one in exchanges:
        if one.operation != "List Blobs" or one.status != 200 or "delimiter" in one.url:
            continue
        nodes = one.xml.findall("Blobs/Blob")
        survey = await player.put(one, one).survey(one.container)  # the first one asks whether tags may be seen
        assert (survey.marker or "") == text(one.xml, "NextMarker"), one
        assert survey.features.snapshots == sum(bool(text(node, "Snapshot")) for node in nodes), one
        old = sum(text(node, "IsCurrentVersion") != "true" and bool(text(node, "VersionId")) for node in nodes)
        assert survey.features.versions <= old, one
        surveyed += 1
    assert surveyed >= 25


async def test_every_page_of_containers_is_read_as_it_was_written(exchanges: list[Exchange], player: Player) -> None:
    end = (
        200,
        {"content-type": "application/xml"},
        b"<EnumerationResults><Containers/><NextMarker/></EnumerationResults>",
    )
    for one in exchanges:
        if one.operation != "List Containers" or one.status != 200:
            continue
        found = await player.put(one, end).containers()
        nodes = {name_of(node): node for node in one.xml.findall("Containers/Container")}
        assert [info.name for info in found] == sorted(nodes), one
        for info in found:
            said = nodes[info.name].find("Properties")
            assert said is not None
            assert info.etag == text(said, "Etag").strip('"'), one
            assert (info.public_access or "") == text(said, "PublicAccess"), one
            assert info.has_immutability == (text(said, "HasImmutabilityPolicy") == "true"), one
            assert info.has_legal_hold == (text(said, "HasLegalHold") == "true"), one


# One blob, one container


async def test_every_look_at_a_blob_is_read_as_it_was_written(exchanges: list[Exchange], player: Player) -> None:
    looked = sealed = counted = 0
    tags = (200, {}, b"<Tags><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tags>")
    for one in exchanges:
        if one.operation != "Get Blob Properties" or one.method != "HEAD" or one.status != 200:
            continue
        said, blob = one.headers, await player.put(one, tags).head(one.container, one.name)
        assert (blob.name, blob.etag, blob.size) == (one.name, one.etag, int(said["content-length"])), one
        assert blob.blob_type is BlobType(said["x-ms-blob-type"]), one
        assert (blob.tier, blob.tier_inferred) == (
            said.get("x-ms-access-tier"),
            said.get("x-ms-access-tier-inferred", "true" if "x-ms-access-tier" not in said else "") == "true",
        ), one
        assert blob.copy_pending == (said.get("x-ms-copy-status") == "pending"), one
        assert blob.copy_id == said.get("x-ms-copy-id"), one
        meta = {name.removeprefix("x-ms-meta-"): value for name, value in said.items() if name.startswith("x-ms-meta-")}
        assert {**blob.metadata} == meta, one
        assert {**blob.tags} == ({"k": "v"} if said.get("x-ms-tag-count", "0") != "0" else {}), one
        assert blob.headers.content_type == said.get("content-type"), one
        assert blob.sequence_number == int(said.get("x-ms-blob-sequence-number", "0")), one
        assert blob.is_sealed == (said.get("x-ms-blob-sealed") == "true"), one
        sealed, counted = sealed + blob.is_sealed, counted + bool(blob.sequence_number)
        looked += 1
    assert looked >= 100
    assert sealed >= 1
    assert counted >= 1


async def test_every_container_is_read_as_it_was_written(exchanges: list[Exchange], player: Player) -> None:
    looked = 0
    for one in exchanges:
        if one.operation != "Get Container Properties" or one.status != 200:
            continue
        info = await player.put(one).container(one.container)
        assert (info.name, info.etag) == (one.container, one.etag), one
        assert (info.public_access or "") == one.headers.get("x-ms-blob-public-access", ""), one
        scope = one.headers.get("x-ms-default-encryption-scope", OWN_SCOPE)
        assert (info.encryption_scope or OWN_SCOPE) == scope, one
        assert info.has_immutability == (one.headers.get("x-ms-has-immutability-policy") == "true"), one
        looked += 1
    assert looked >= 20


async def test_content_tags_policies_and_keys_are_read(exchanges: list[Exchange], player: Player) -> None:
    kinds: set[str] = set()
    for one in exchanges:
        if one.status not in (200, 206):
            continue
        if one.operation == "Get Blob" and len(one.body.encode()) == int(one.headers.get("content-length", "-1")):
            whole = await player.put(one).whole(one.container, one.name, most_bytes=10_000_000)
            assert (whole.etag, whole.body) == (one.etag, one.body.encode()), one
        elif one.operation == "Get Blob Tags":
            assert listing.read_tags(one.body.encode()) == tagged(one.xml, "TagSet/Tag"), one
        elif one.operation == "Get Container ACL":
            held = await player.put(one).policies(one.container)
            assert [policy.id for policy in held.policies] == [node.text for node in one.xml.findall("*/Id")], one
            assert (held.public_access or "") == one.headers.get("x-ms-blob-public-access", ""), one
        elif one.operation == "Get User Delegation Key":
            now = datetime.now(UTC)
            key = await player.put(one)._delegation_key(now, now)
            parts = (key.object_id, key.tenant_id, key.start, key.expiry, key.service, key.version, key.value)
            assert parts == tuple(text(one.xml, name) for name in DELEGATION), one
        else:
            continue
        kinds.add(one.operation)
    assert kinds >= {"Get Blob", "Get Blob Tags", "Get Container ACL", "Get User Delegation Key"}


DELEGATION = ("SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion", "Value")


# Writes


async def test_every_write_tells_its_generation(exchanges: list[Exchange], player: Player) -> None:
    verbs: dict[str, Any] = {
        "Put Blob": lambda store, box, name: store.put(box, name, b"", PLAIN, condition=CREATE),
        "Put Block List": lambda store, box, name: store.commit_blocks(box, name, [], PLAIN, condition=CREATE),
        "Append Block": lambda store, box, name: store.append(box, name, b"x", offset=0, if_match="e"),
        "Put Page": lambda store, box, name: store.put_pages(box, name, b"x" * 512, offset=0, if_match="e"),
        "Seal Append Blob": lambda store, box, name: store.seal(box, name, size=0, if_match="e"),
        "Set Blob Tags": lambda store, box, name: store.set_tags(box, name, {}),
        "Set Blob Tier": lambda store, box, name: store.set_tier(box, name, "Cool"),
        "Put Block": lambda store, box, name: store.stage_block(box, name, "b", b"x"),
        "Delete Blob": lambda store, box, name: store.delete(box, name, if_match="e"),
    }
    played: dict[str, int] = {}
    for one in exchanges:
        if one.status not in (200, 201, 202, 204) or one.operation not in verbs:
            continue
        written = await verbs[one.operation](player.put(one), one.container, one.name)
        if written is not None:
            assert written.etag == one.etag, one
        played[one.operation] = played.get(one.operation, 0) + 1
    assert set(played) == set(verbs)
    assert sum(played.values()) >= 150


def test_every_success_is_read_or_has_a_reason(exchanges: list[Exchange]) -> None:
    kinds = {one.operation for one in exchanges if one.status < 300 and not one.operation.startswith("Data Lake")}
    read = {
        *(
            "List Blobs",
            "List Containers",
            "Get Blob Properties",
            "Get Container Properties",
            "Get Blob",
            "Get Blob Tags",
        ),
        *("Get Container ACL", "Get User Delegation Key", "Put Blob", "Put Block List", "Append Block", "Put Page"),
        *("Set Blob Tags", "Set Blob Tier", "Put Block", "Delete Blob", "Seal Append Blob"),
    }
    plain = {
        *("Create Container", "Delete Container", "Set Container ACL", "Set Container Metadata", "Set Blob Metadata"),
        *("Set Blob Properties", "Other of a blob"),
    }
    """Writes of which only the status is looked at."""
    assert kinds - read - plain - set(NOT_OURS) == set()
