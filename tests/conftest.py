"""What all tests share: the real blob service, one per test process, and the marker of the tests that use it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.azurite import server
from tests.azurite.server import Azurite

settings.register_profile("any-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
"""How long an example takes says how busy the machine is. What something may cost is tested by what it does."""
pytest_plugins = ("tests.children", "tests.produced", "tests.strict_service", "tests.undeclared")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"azurite", "second_azurite"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.azurite)


def _start() -> Iterator[Azurite]:
    reason = server.missing()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (CI=true: tests that need it must not be skipped)", pytrace=False)
    if reason:
        pytest.skip(reason)
    with server.running() as azurite:
        yield azurite


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """The blob service of this test process; take accounts from it (``azurite.take()``)."""
    yield from _start()


@pytest.fixture(scope="session")
def second_azurite() -> Iterator[Azurite]:
    """Another one, which cannot read copy sources of the first."""
    yield from _start()
