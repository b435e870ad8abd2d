"""The strict service gives what the port promises: the suite of every object store passes there, by key and by token."""

from __future__ import annotations

import pytest

from migrator.adapters.azure.object_store import AzureStore
from tests.contract.object_store_suite import SERVICE_NAMES, ObjectStoreSuite
from tests.contract.test_azure_store import TieredCopies
from tests.strict_service import Strict


class AsTheService(TieredCopies, ObjectStoreSuite):
    @pytest.fixture
    def kept_names(self) -> tuple[str, ...]:
        return SERVICE_NAMES

    @pytest.fixture
    def knows_seals(self) -> bool:
        return True


class TestStrictService(AsTheService):
    """By the accounts' keys."""

    @pytest.fixture
    def store_pair(self, strict: Strict) -> tuple[AzureStore, AzureStore]:
        return strict.open(strict.take()), strict.open(strict.take())


class TestStrictServiceWithTokens(AsTheService):
    """By tokens of 24 hours, with copies on user-delegation signatures."""

    @pytest.fixture
    def store_pair(self, secure_strict: Strict) -> tuple[AzureStore, AzureStore]:
        return secure_strict.sign_in(secure_strict.take()), secure_strict.sign_in(secure_strict.take())
