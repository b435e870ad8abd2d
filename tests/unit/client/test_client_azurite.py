"""The client against the real blob service: routes in a blob, and a whole fence seen by a writer of the stock SDK."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from azure.storage.blob import BlobBlock, BlobClient, BlobServiceClient
from azure.storage.blob import generate_blob_sas as sas_of
from azure.storage.blob.aio import BlobServiceClient as AsyncBlobServiceClient

from migrator.client import (
    LeasePolicy,
    RestartUpload,
    RouteFenced,
    RouteMoved,
    Routes,
    RouteUnusable,
    SyncLeasePolicy,
    SyncRoutes,
)
from migrator.model.routes import READ_ONLY, READ_WRITE, Mode, RouteDocument, RouteRecord
from tests.azurite.server import Azurite

NAME = "a b#?% é/routes.json"


class Routing:
    """A route document in a blob of its own account, and the accounts it may name."""

    def __init__(self, azurite: Azurite) -> None:
        self.azurite = azurite
        self.control, self.old, self.new = azurite.take(), azurite.take(), azurite.take()
        for account in (self.control, self.old, self.new):
            with self.service(account) as client:
                client.create_container("box")
        self.blob = self.service(self.control).get_blob_client("box", NAME)

    def service(self, account: str, **options: Any) -> BlobServiceClient:
        return BlobServiceClient.from_connection_string(self.azurite.connection_string(account), **options)

    def async_service(self, account: str, **options: Any) -> AsyncBlobServiceClient:
        return AsyncBlobServiceClient.from_connection_string(self.azurite.connection_string(account), **options)

    def put(self, account: str, mode: Mode, epoch: int, *, ttl: float = 1) -> None:
        record = RouteRecord(account, self.azurite.endpoint(account), mode, epoch, "lineage", "", "")
        self.blob.upload_blob(RouteDocument(ttl, 20, {"europe/images": record}).encode(), overwrite=True)


@pytest.fixture
def routing(azurite: Azurite) -> Routing:
    found = Routing(azurite)
    found.put(found.old, READ_WRITE, 1)
    return found


def credentials(routing: Routing, kind: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str | None]:
    """Address and credential of the document, in each form that works without Entra ID."""
    text = routing.azurite.connection_string(routing.control)
    monkeypatch.setenv("ROUTES_CONNECTION", text)
    key = routing.azurite.key(routing.control)
    blob: BlobClient = routing.blob
    sas = sas_of(routing.control, "box", NAME, account_key=key, permission="r", expiry="2099-01-01T00:00:00Z")
    return {
        "connection string": (blob.url, text),
        "key": (blob.url, key),
        "sas beside": (blob.url, sas),
        "sas string": (
            blob.url,
            f"BlobEndpoint={routing.azurite.endpoint(routing.control)};SharedAccessSignature={sas}",
        ),
        "sas in the address": (f"{blob.url}?{sas}", None),
        "variable": (blob.url, "env:ROUTES_CONNECTION"),
    }[kind]


@pytest.mark.parametrize(
    "kind", ["connection string", "key", "sas beside", "sas string", "sas in the address", "variable"]
)
async def test_routes_in_a_blob_are_followed(routing: Routing, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url, credential = credentials(routing, kind, monkeypatch)
    async with Routes.from_url(url, credential=credential) as routes:
        assert (await routes.writable("europe", "images", timeout=20)).account == routing.old
        assert "sig=" not in routes.place
    with SyncRoutes.from_url(url, credential=credential) as sync:
        assert sync.resolve("europe", "images").account == routing.old


async def test_a_blob_that_is_not_there_is_no_document(routing: Routing) -> None:
    url = routing.blob.url.replace("routes.json", "none.json")
    key = routing.azurite.key(routing.control)
    with SyncRoutes.from_url(url, credential=key) as sync, pytest.raises(RouteUnusable, match="no route document"):
        sync.write("europe", "images")
    async with Routes.from_url(url, credential=key) as routes:
        with pytest.raises(RouteUnusable, match="no route document"):
            await routes.write("europe", "images")


async def test_a_wrong_credential_fences_and_does_not_leak(routing: Routing) -> None:
    with SyncRoutes.from_url(f"{routing.blob.url}?sv=2024-01-01&sig=c2VjcmV0") as routes:
        with pytest.raises(RouteFenced, match=r"answers with status 403|refuses our credential") as caught:
            routes.write("europe", "images")
    assert "sig" not in str(caught.value)


async def test_a_writer_of_the_stock_sdk_goes_through_a_cut_over(routing: Routing) -> None:
    """Write, be fenced, wait, be sent on, write there; blocks staged before must be staged again."""
    key = routing.azurite.key(routing.control)
    async with Routes.from_url(routing.blob.url, credential=key) as routes:
        policy = LeasePolicy(routes, "europe", "images")
        async with routing.async_service(routing.old, retry_policy=policy) as here:
            blob = here.get_blob_client("box", "a b#?% é")
            await blob.upload_blob(b"one", metadata={"a": "b"})
            await blob.set_blob_tags({"x": "y"})
            await here.get_blob_client("box", "log").create_append_blob()
            await here.get_blob_client("box", "log").append_block(b"line")
            big = here.get_blob_client("box", "big")
            await big.stage_block("0001", b"block")
            routing.put(routing.old, READ_ONLY, 2)
            await asyncio.sleep(1.1)
            with pytest.raises(RouteFenced, match="read-only"):
                await blob.upload_blob(b"two", overwrite=True)
            await big.stage_block("0002", b"block")
            assert await (await blob.download_blob()).readall() == b"one"
            routing.put(routing.new, READ_WRITE, 3)
            lease = await routes.writable("europe", "images", timeout=30)
            assert lease.account == routing.new
            with pytest.raises(RestartUpload):
                await big.commit_block_list([BlobBlock("0001"), BlobBlock("0002")])
            with pytest.raises(RouteMoved) as moved:
                await blob.delete_blob()
            assert moved.value.endpoint == lease.endpoint
        async with routing.async_service(routing.new, retry_policy=LeasePolicy(routes, "europe", "images")) as there:
            await there.get_blob_client("box", "a b#?% é").upload_blob(b"two")
    with routing.service(routing.old) as plain:
        assert plain.get_blob_client("box", "a b#?% é").download_blob().readall() == b"one"
        assert not plain.get_blob_client("box", "big").exists()


def test_the_sync_policy_signs_batches_and_large_uploads_as_well(routing: Routing) -> None:
    with SyncRoutes.from_url(routing.blob.url, credential=routing.azurite.key(routing.control)) as routes:
        with routing.service(
            routing.old,
            retry_policy=SyncLeasePolicy(routes, "europe", "images", wait=10),
            max_single_put_size=1024,
            max_block_size=1024 * 1024,
        ) as client:
            box = client.get_container_client("box")
            box.upload_blob("large", b"x" * 3_000_000)
            box.upload_blob("small", b"x")
            assert box.get_blob_client("large").get_blob_properties().size == 3_000_000
            box.delete_blobs("large", "small")
            assert list(box.list_blob_names()) == []
