"""SIGKILL before and after every commit on the way to the new accounts; and the count of all rows."""

from __future__ import annotations

import pytest

from migrator.machine.transitions import ROWS
from tests.crash.conftest import Worlds
from tests.crash.going_on import cases, tell
from tests.crash.stories import FORWARD, HALTS, OUT_OF_REACH, REVERSE, Story
from tests.crash.test_retire import RETIRE_ROWS


def test_every_row_of_the_law_has_a_story_or_a_reason() -> None:
    rows = {f"{row.direction} {row.state} {row.event}" for row in ROWS}
    told = set(RETIRE_ROWS) | {story.row for story in (*FORWARD, *REVERSE, *HALTS) if not story.leaves_halt}
    assert told | set(OUT_OF_REACH) == rows
    assert not told & set(OUT_OF_REACH)


@pytest.mark.crash
@pytest.mark.parametrize(("story", "when", "group"), cases(FORWARD))
def test_a_killed_run_loses_nothing_and_the_next_one_ends_the_same(
    world: Worlds, story: Story, when: str, group: bool
) -> None:
    tell(world, story, when, group)
