"""A part of the grid with its state in PostgreSQL; all of it by ``make crash STORE=postgres``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from tests.crash.conftest import Worlds
from tests.crash.going_on import tell
from tests.crash.killed import Order
from tests.crash.shelf import Databases
from tests.crash.stories import FORWARD, HALTS, REVERSE, Story
from tests.postgres.proxy import Proxy
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


def _fails_over(proxy: Proxy) -> None:
    proxy.refuses = True
    proxy.cut()
    threading.Timer(3.0, lambda: setattr(proxy, "refuses", False)).start()


def _goes_silent(proxy: Proxy) -> None:
    proxy.silence()
    threading.Timer(3.0, proxy.speak).start()


def _loses_answers(proxy: Proxy) -> None:
    proxy.cuts_commits = 3


@pytest.mark.parametrize("trouble", [_fails_over, _goes_silent, _loses_answers])
def test_what_befalls_the_database_is_waited_out_in_a_copy_and_in_a_fence(
    world_in_postgres: Worlds, databases: Databases, trouble: Callable[[Proxy], None]
) -> None:
    """One command, from the first copy to the end; and customers wrote between."""
    rows = ("forward preflight checked", "forward fencing fenced")
    folder = world_in_postgres("fresh")
    order = Order("never", acts=dict.fromkeys(rows, "call-trouble"))
    called = folder.path / "trouble"
    with Proxy(databases.port) as proxy:
        before, databases.port = databases.port, proxy.port
        try:
            process = folder.start("apply", "p.yaml", "--yes", order=order)
        finally:
            databases.port = before
        calls = 0
        until = time.monotonic() + 60
        while process.poll() is None:
            assert time.monotonic() < until, "it hangs"
            if called.exists():
                trouble(proxy)
                calls += 1
                called.unlink()
            time.sleep(0.01)
        out, err = process.communicate()
    assert process.returncode == 0, out + err
    assert calls >= len(rows)
    folder.judge(web="web", state="forward soaked")
