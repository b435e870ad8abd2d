"""A whole rollout between two real accounts, judged by the plain SDK and none of our code."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path

from azure.storage.blob import BlobServiceClient, ContentSettings, StandardBlobTier

from migrator.adapters.azure import open_store
from migrator.adapters.clock import SystemClock
from migrator.adapters.routing import StoreRouter
from migrator.adapters.state import open_store as open_state
from migrator.adapters.workers import InlineExecutor
from migrator.engine.rollout import Rollout, Run, World
from migrator.model.moves import MoveState
from migrator.model.schedule import Account
from tests.scenario.world import ID, Silent, Small

API = "2026-06-06"
NAMES = [
    "#?% é",
    "no\u00a0break",
    "emoji 🎉",
    "a//b",
    "dots..",
    "[bold]markup[/bold]",
    "percent%20code",
    "\uffee",
    "plain",
]


def service(text: str) -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(text, api_version=API, max_single_put_size=4 * 1024 * 1024)


def fill(client: BlobServiceClient, count: int) -> None:
    web = client.create_container("web")
    for index in range(count):
        name = f"{NAMES[index % len(NAMES)]}-{index}"
        match index % 5:
            case 0:
                web.upload_blob(name, b"", tags={"empty": "yes"})
            case 1:
                packed = gzip.compress(f"body {index}".encode())
                settings = ContentSettings(
                    content_type="text/plain", content_encoding="gzip", cache_control="max-age=60"
                )
                web.upload_blob(name, packed, content_settings=settings, metadata={"Key": "v"})
            case 2:
                blob = web.get_blob_client(name)
                blob.create_append_blob(metadata={"kind": "log"})
                blob.append_block(b"one\n")
                blob.append_block(b"two\n")
            case 3:
                web.get_blob_client(name).upload_blob(bytes(range(256)) * 4, blob_type="PageBlob", length=1024)
            case _:
                web.upload_blob(
                    name, f"v{index}".encode(), standard_blob_tier=StandardBlobTier.COOL, tags={"n": str(index)}
                )
    web.upload_blob("large", os.urandom(20 * 1024 * 1024))


def everything(client: BlobServiceClient) -> dict[str, tuple[object, ...]]:
    web = client.get_container_client("web")
    found = {}
    for listed in web.list_blobs(include=["metadata", "tags"]):
        blob = web.get_blob_client(listed.name)
        settings = listed.content_settings
        found[listed.name] = (
            blob.download_blob(decompress=False).readall(),
            listed.blob_type,
            settings.content_type,
            settings.content_encoding,
            settings.cache_control,
            listed.metadata or {},
            listed.tags or {},
            listed.blob_tier if not listed.blob_tier_inferred else None,
        )
    return found


async def test_blobs_of_all_shapes_arrive_identical(azurite, tmp_path: Path) -> None:
    names = [azurite.take(), azurite.take()]
    texts = [azurite.connection_string(name) for name in names]
    environ = {"SRC": texts[0], "DST": texts[1]}
    source, target = service(texts[0]), service(texts[1])
    fill(source, 200)
    small = Small(tmp_path)
    accounts = {
        key: Account(key, "azure", endpoint=azurite.endpoint(name), credential=f"env:{key.upper()}", api_version=API)
        for key, name in zip(("src", "dst"), names, strict=True)
    }
    schedule = replace(small.schedule, accounts=accounts)
    stores = {key: open_store(account, environ=environ) for key, account in accounts.items()}
    router = StoreRouter(stores["dst"], "routing", "routes.json")
    clock = SystemClock()
    state = open_state(f"sqlite:///{tmp_path}/state/m.db", "s")
    bounds = {name: await store.late_write_seconds(clock.now()) for name, store in stores.items()}
    world = World(stores, router, state, {"m": small.figure}, clock, Silent(), bounds)
    world.executor = InlineExecutor(stores, clock)
    run = Run(clock.nonce(), "tester", "here", os.getpid(), "boot")
    outcome = await Rollout(schedule, world=world, run=run).apply()
    assert outcome.code == "done", outcome
    assert state.move(ID).state is MoveState.SOAKED
    assert everything(target) == everything(source)
    target.get_blob_client("web", "new").upload_blob(b"new")
    target.get_blob_client("web", "plain-8").delete_blob()
    run = Run(clock.nonce(), "tester", "here", os.getpid(), "boot")
    outcome = await Rollout(schedule, world=world, run=run).rollback()
    assert outcome.code == "done", outcome
    assert everything(target) == everything(source)
    for store in stores.values():
        await store.close()
