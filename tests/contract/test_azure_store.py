"""An Azure account keeps the object store's promises, against the real blob service of npm's azurite."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from migrator.adapters.azure import open_store
from migrator.adapters.azure.object_store import AzureStore
from migrator.model.schedule import Account
from tests.azurite.server import Azurite
from tests.contract.object_store_suite import ObjectStoreSuite

OpenStore = Callable[..., AzureStore]


@pytest.fixture
async def open_account(azurite: Azurite) -> AsyncIterator[OpenStore]:
    """Open accounts of Azurite by connection string; they are closed at the end."""
    opened: list[AzureStore] = []

    def make(name: str, server: Azurite = azurite) -> AzureStore:
        own = server.take()
        account = Account(name, "azure", endpoint=server.endpoint(own), credential=f"env:{server.variable(own)}")
        opened.append(open_store(account, environ=server.environ([own])))
        return opened[-1]

    yield make
    for store in opened:
        await store.close()


class TestAzureStore(ObjectStoreSuite):
    @pytest.fixture
    def store_pair(self, open_account: OpenStore) -> tuple[AzureStore, AzureStore]:
        return open_account("source"), open_account("target")
