"""A part of the grid with its state in PostgreSQL; all of it by ``make crash STORE=postgres``."""

from __future__ import annotations

import pytest

from tests.crash.conftest import Worlds
from tests.crash.going_on import tell
from tests.crash.stories import FORWARD, HALTS, REVERSE, Story
from tests.postgres.server import needs_postgres

pytestmark = needs_postgres

ROWS = (
    "forward fencing fenced",
    "forward switching switched",
    "reverse verifying verified",
    "forward pending adopted-target",
)
STORIES = list({story.row: story for story in (*HALTS, *REVERSE, *FORWARD) if story.row in ROWS}.values())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_killed_run_loses_nothing_and_the_next_one_ends_the_same(
    world_in_postgres: Worlds, story: Story, when: str
) -> None:
    tell(world_in_postgres, story, when, when == "after")
