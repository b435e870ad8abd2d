"""Async tests of this folder run in virtual time."""

import asyncio

import pytest

from migrator.testing.simulation.loop import SimLoop


class VirtualPolicy(asyncio.DefaultEventLoopPolicy):
    def new_event_loop(self):
        return SimLoop()


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()
