"""The route document as a blob of a real account: the same promises, on what the accounts really do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas

from migrator.adapters.azure import open_store
from migrator.adapters.local import LocalStore
from migrator.adapters.routing import StoreRouter
from migrator.errors import AccessRefused, NotFound
from migrator.model.objects import CREATE, EMPTY, BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.model.schedule import Account
from migrator.ports.object_store import ObjectStore
from migrator.ports.router import Router
from tests.azurite.server import Azurite
from tests.contract.router_suite import EMPTY as EMPTY_DOCUMENT
from tests.contract.router_suite import SharedRouterSuite

PLAIN = Shape(BlobType.BLOCK, ContentHeaders(), EMPTY, EMPTY, None)

OPENING = """
from pathlib import Path
from migrator.adapters.local import LocalStore
from migrator.adapters.routing import StoreRouter
def open_router():
    return StoreRouter(LocalStore("control", Path({path!r})), "routing", "routes.json")
"""


async def overwrite(store: ObjectStore, raw: bytes) -> None:
    """Put ``raw`` in the document's place whatever is there."""
    await store.create_container(ContainerInfo("routing"))
    condition = CREATE
    with suppress(NotFound):
        condition = Condition(if_match=(await store.head("routing", "routes.json")).etag)
    await store.put("routing", "routes.json", raw, PLAIN, condition=condition)


class TestStoreRouterOnLocalAccount(SharedRouterSuite):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.path = tmp_path / "control.db"
        self.store = LocalStore("control", self.path)

    def open(self) -> Router:
        return StoreRouter(self.store, "routing", "routes.json")

    async def overwrite(self, raw: bytes) -> None:
        await overwrite(self.store, raw)

    def opening(self) -> str:
        return OPENING.format(path=str(self.path))


AZURE_OPENING = """
from migrator.adapters.azure import open_store
from migrator.adapters.routing import StoreRouter
from migrator.model.schedule import Account
def open_router():
    account = Account("control", "azure", endpoint={endpoint!r}, credential="env:K")
    return StoreRouter(open_store(account, environ={{"K": {key!r}}}), "routing", "routes.json")
"""


class TestStoreRouterOnAzureAccount(SharedRouterSuite):
    @pytest.fixture(autouse=True)
    async def place(self, azurite: Azurite) -> AsyncIterator[None]:
        own = azurite.take()
        self.endpoint, self.key = azurite.endpoint(own), azurite.key(own)
        account = Account("control", "azure", endpoint=self.endpoint, credential="env:K")
        self.store = open_store(account, environ={"K": self.key})
        yield
        await self.store.close()

    def open(self) -> Router:
        return StoreRouter(self.store, "routing", "routes.json")

    async def overwrite(self, raw: bytes) -> None:
        await overwrite(self.store, raw)

    def opening(self) -> str:
        return AZURE_OPENING.format(endpoint=self.endpoint, key=self.key)

    async def test_a_signature_that_may_only_read_cannot_write_the_routes(self, azurite: Azurite) -> None:
        await self.open().swap("europe", EMPTY_DOCUMENT, expected_etag=None)
        own = self.endpoint.rstrip("/").rpartition("/")[2]
        ends = datetime.now(UTC) + timedelta(hours=1)
        may = AccountSasPermissions(read=True, list=True)
        kinds = ResourceTypes(service=True, container=True, object=True)
        sas = generate_account_sas(own, azurite.key(own), kinds, may, ends)
        account = Account("control", "azure", endpoint=self.endpoint, credential="env:K")
        store = open_store(account, environ={"K": sas})
        try:
            router = StoreRouter(store, "routing", "routes.json")
            assert (await router.read("europe")).document is not None
            with pytest.raises(AccessRefused):
                await router.prove_writable("europe")
        finally:
            await store.close()
