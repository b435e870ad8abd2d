"""SIGKILL before and after every commit into a halt and out of it; a person mends the cause and goes on."""

from __future__ import annotations

import pytest

from tests.crash.conftest import Worlds
from tests.crash.going_on import cases, tell
from tests.crash.stories import HALTS, Story


@pytest.mark.crash
@pytest.mark.parametrize(("story", "when", "group"), cases(HALTS))
def test_a_run_killed_at_a_halt_loses_nothing_and_goes_on_when_it_is_mended(
    world: Worlds, story: Story, when: str, group: bool
) -> None:
    tell(world, story, when, group)
