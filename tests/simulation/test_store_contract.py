"""The simulated store keeps the promises that every object store keeps."""

import asyncio

import pytest

from migrator.testing.simulation.blobs import Account, Sender
from migrator.testing.simulation.loop import Node, SimLoop
from migrator.testing.simulation.store import Wire
from migrator.testing.simulation.weather import Weather
from tests.contract.object_store_suite import ObjectStoreSuite


class TestSimStore(ObjectStoreSuite):
    @pytest.fixture
    def supports_control_characters(self):
        return True

    @pytest.fixture
    async def store_pair(self):
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        node = Node("tool", loop)
        return tuple(
            Wire(loop, Account(name, order="utf-16"), Weather.calm(), name).as_seen_by(node, Sender("tool", True))
            for name in ("source", "target")
        )
