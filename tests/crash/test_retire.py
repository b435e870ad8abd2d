"""SIGKILL before and after each commit that begins and ends the emptying of a source: the next command ends the same."""

from __future__ import annotations

import asyncio
import json
import os

import pytest

from tests.crash.conftest import Worlds
from tests.crash.going_on import ALL, PAIRS
from tests.crash.killed import Order
from tests.crash.world import Folder, read_all

RETIRE_ROWS = ("forward soaked let-go", "forward retiring retired")
RETIRE = ("retire", "p.yaml", "--wave", "first", "--reads-unproved")


def counted(folder: Folder) -> tuple[int, int]:
    """Objects of the wave that would go, and those of web-tracking among them."""
    said = folder.migrate(*RETIRE, "--dry-run", "--json", expect=0)
    found = json.loads(said[said.index("{") :])
    return found["objects"], sum(one["objects"] for one in found["moves"] if one["area"] == "web-tracking")


def left(folder: Folder) -> set[tuple[str, str]]:
    return {
        (container, name) for container, name in asyncio.run(read_all("core", folder.path)) if container != "events"
    }


@pytest.mark.crash
@pytest.mark.parametrize(
    ("row", "when", "group"),
    [
        (row, *one)
        for row, pair in zip(RETIRE_ROWS, PAIRS, strict=True)
        for one in (ALL if os.environ.get("CRASH") == "all" else pair)
    ],
)
def test_a_killed_retirement_is_gone_on_with_and_ends_the_same(world: Worlds, row: str, when: str, group: bool) -> None:
    folder = world("soaked")
    plan = folder.path / "p.yaml"
    plan.write_text(plan.read_text() + "retire: {watch: 1ms}\n")
    folder.look_at_route()
    folder.write_something("before")
    total, equal = counted(folder)
    assert equal > 0
    before, stays = left(folder), len(left(folder)) - equal
    typed = f"delete {total} objects of wave first"
    folder.migrate_until_killed(Order(row, when, group), *RETIRE, typed=typed)
    assert (left(folder) == before) is (row == RETIRE_ROWS[0]), folder.story()
    again = folder.migrate(*RETIRE, expect=0, typed=f"delete {counted(folder)[0]} objects of wave first")
    assert "Traceback" not in again
    assert len(left(folder)) == stays, folder.story()
    folder.judge(web="web", state="forward retired")
    assert "there is no way back" in folder.migrate("rollback", "p.yaml", "--yes", "--wave", "first", expect=4)
