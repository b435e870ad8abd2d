"""A run dies with its guardian inside a fence, and the plan is edited as no run takes it: writers are freed all the same."""

from __future__ import annotations

import pytest

from tests.crash.conftest import Worlds
from tests.crash.stories import killed_at


@pytest.mark.crash
@pytest.mark.parametrize(("old", "new"), [("core.db", "another.db"), ("web.db", "another.db")])
def test_writers_do_not_wait_for_a_plan_to_be_put_right(world: Worlds, old: str, new: str) -> None:
    folder = world("fresh")
    killed_at("forward fencing fenced", "apply", "p.yaml", "--yes")(folder)
    before = folder.route()
    assert before is not None
    assert before["mode"] == "read-only"
    plan = folder.path / "p.yaml"
    right = plan.read_text()
    plan.write_text(right.replace(old, new, 1))
    said = folder.migrate("apply", "p.yaml", "--yes", expect=1)
    after = folder.route()
    assert after is not None
    assert (after["account"], after["endpoint"]) == (before["account"], before["endpoint"])
    assert after["mode"] == "read-write"
    assert after["epoch"] > before["epoch"]
    assert said.index("an earlier run ended in its fence") < said.index("cannot apply this edit")
    plan.write_text(right)
    folder.migrate("apply", "p.yaml", "--yes", expect=0)
