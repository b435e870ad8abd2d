"""The strict service for the tests: ``strict`` over http, ``secure_strict`` over https for tokens, both in front of ``azurite``.

A test takes accounts of its own, sets what they are and what goes wrong there, and opens them as a run does. Each test has a
service of its own, so nothing that is set outlives it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from migrator.adapters.azure import open_store
from migrator.adapters.azure.credentials import Credential
from migrator.adapters.azure.object_store import AzureStore
from migrator.model.schedule import Account
from migrator.testing.strict import Faults, Nature, Running, StrictService, running
from tests.azurite.server import Azurite
from tests.certificates import make_certificate


class TokenSource:
    """Tokens of ``who`` that live ``seconds``, each asked for anew."""

    def __init__(self, service: StrictService, who: str, seconds: float) -> None:
        self._service, self._who, self._seconds = service, who, seconds

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        token, end = self._service.token(self._who, seconds=self._seconds)
        return AccessToken(token, int(end))

    async def close(self) -> None: ...


@dataclass
class Strict:
    """A served strict service. ``take`` gives an account that nobody has used; ``open`` and ``sign_in`` open it."""

    azurite: Azurite
    served: Running
    ca_file: Path | None
    opened: list[AzureStore]

    @property
    def service(self) -> StrictService:
        return self.served.service

    def take(self, nature: Nature | None = None, faults: Faults | None = None) -> str:
        own = self.azurite.take()
        self.service.set_nature(own, nature)
        self.service.set_faults(own, faults)
        return own

    def open(self, own: str, *, name: str = "", secret: str = "", api_version: str | None = None) -> AzureStore:
        """By the account's key, or by ``secret``."""
        account = Account(
            name or own, "azure", endpoint=self.served.endpoint(own), credential="env:SECRET", api_version=api_version
        )
        secret = secret or self.served.connection_string(own)
        cloud = {"ca_file": str(self.ca_file)} if self.ca_file else {}
        self.opened.append(open_store(account, environ={"SECRET": secret}, cloud=cloud))
        return self.opened[-1]

    def sign_in(
        self, own: str, *, who: str = "somebody", seconds: float = 24 * 3600.0, api_version: str | None = None
    ) -> AzureStore:
        """By Microsoft Entra ID, with tokens of that life; only over https."""
        endpoint = self.served.endpoint(own)
        credential = Credential("entra", own, endpoint, token_source=TokenSource(self.service, who, seconds))
        account = Account(own, "azure", endpoint=endpoint, api_version=api_version)
        self.opened.append(AzureStore(account, credential, cloud={"ca_file": str(self.ca_file)}))
        return self.opened[-1]

    def behind(self, own: str) -> AzureStore:
        """The same account as Azurite has it, without any rule: to fill it, and to look."""
        account = Account(own, "azure", endpoint=self.azurite.endpoint(own), credential="env:SECRET")
        self.opened.append(open_store(account, environ={"SECRET": self.azurite.connection_string(own)}))
        return self.opened[-1]


@pytest.fixture
def strict_served(azurite: Azurite) -> Iterator[Running]:
    with running(StrictService(azurite.endpoint("").rstrip("/"), azurite.keys)) as served:
        yield served


@pytest.fixture(scope="session")
def strict_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("strict"))


@pytest.fixture
def strict_served_securely(azurite: Azurite, strict_certificate: tuple[Path, Path]) -> Iterator[Running]:
    service = StrictService(azurite.endpoint("").rstrip("/"), azurite.keys)
    with running(service, certificate=strict_certificate) as served:
        yield served


@pytest.fixture
async def strict(azurite: Azurite, strict_served: Running) -> AsyncIterator[Strict]:
    made = Strict(azurite, strict_served, None, [])
    yield made
    for store in made.opened:
        await store.close()


@pytest.fixture
async def secure_strict(
    azurite: Azurite, strict_served_securely: Running, strict_certificate: tuple[Path, Path]
) -> AsyncIterator[Strict]:
    made = Strict(azurite, strict_served_securely, strict_certificate[0], [])
    yield made
    for store in made.opened:
        await store.close()
