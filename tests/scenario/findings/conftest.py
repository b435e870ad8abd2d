"""The smallest world: one move of two objects."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenario.world import Small


@pytest.fixture
async def small(tmp_path: Path) -> Small:
    made = Small(tmp_path)
    await made.fill(2)
    return made
