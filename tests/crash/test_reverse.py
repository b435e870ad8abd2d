"""SIGKILL before and after every commit on the way back."""

from __future__ import annotations

import pytest

from tests.crash.conftest import Worlds
from tests.crash.going_on import cases, tell
from tests.crash.stories import REVERSE, Story


@pytest.mark.crash
@pytest.mark.parametrize(("story", "when", "group"), cases(REVERSE))
def test_a_killed_rollback_loses_nothing_and_the_next_one_ends_the_same(
    world: Worlds, story: Story, when: str, group: bool
) -> None:
    tell(world, story, when, group)
