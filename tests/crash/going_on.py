"""One story from its beginning to the judgement, and which moments of it are tried.

``make crash`` tries everything: each row before and after its commit, with the engine alone and with its whole process group
killed. Elsewhere each story runs twice, so that every pair of (row, moment), (row, victims) and (moment, victims) is there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from migrator.machine.transitions import FENCE_STATES
from tests.crash.conftest import Worlds
from tests.crash.stories import RETRY, Story
from tests.crash.world import Folder

GUARDIAN_SECONDS = 5.0
ALL = [(when, group) for when in ("before", "after") for group in (False, True)]
PAIRS = ([ALL[0], ALL[3]], [ALL[1], ALL[2]])


def cases(stories: Sequence[Story]) -> list[object]:
    """Parameters (story, when, group)."""
    chosen = []
    for number, story in enumerate(stories):
        for when, group in ALL if os.environ.get("CRASH") == "all" else PAIRS[number % 2]:
            victims = "group" if group else "engine"
            chosen.append(pytest.param(story, when, group, id=f"{story.name}-{when}-{victims}"))
    return chosen


def tell(world: Worlds, story: Story, when: str, group: bool) -> None:
    """Kill a run as the story says, write as customers do, go on, and judge."""
    folder = world(story.world)
    for act in story.first:
        act(folder)
    folder.look_at_route()
    folder.write_something("before")
    folder.migrate_until_killed(story.order(when, group), *story.kill)
    for name in story.wrote:
        folder.know(name, name.encode())
    was_fenced = _is_fenced(folder)
    number = folder.last_number()
    if was_fenced and not group and not _is_edited(folder):
        folder.wait_until_writable(GUARDIAN_SECONDS)
    folder.write_something("between")
    said = _go_on(folder, story, when)
    folder.judge(web=story.live_account, state=story.goal)
    decisions = {entry.kind for entry in folder.journal_after(number)}
    assert "takeover" in decisions, folder.story()
    if was_fenced:
        assert decisions & {"fence-released", "switched"} or story.is_halt, folder.story()
        assert "an earlier run ended in its fence" in said, folder.story()


def _go_on(folder: Folder, story: Story, when: str) -> str:
    """What the operator does; everything the commands said."""
    said = []
    commands = story.on or (story.kill,)
    if story.is_halt:
        said.append(folder.migrate(*story.kill, expect=4))
        assert story.mend is not None
        story.mend(folder)
        commands = story.on or (RETRY, story.kill)
    elif story.kill[0] == "retry":  # what the first one did before it died, the second one does not find any more
        said.append(folder.migrate(*story.kill, expect=None))
    said += [folder.migrate(*words, expect=0) for words in commands]
    return "\n".join(said)


def _is_fenced(folder: Folder) -> bool:
    move = folder.move()
    return move is not None and move.state in FENCE_STATES


def _is_edited(folder: Folder) -> bool:
    record = folder.route()
    return record is not None and record["account"] == "elsewhere"
