"""What ``status`` says of the followers in the register: who is silent before a fence, and who has not answered one."""

from __future__ import annotations

import io
from typing import Any

import pytest

from migrator.cli.settings import Settings
from migrator.cli.views import status
from migrator.cli.views.screen import Page
from migrator.model.moves import MoveState, RouteIntent
from migrator.model.register import LEFT, RollEntry
from migrator.model.routes import RouteRecord
from migrator.model.values import replace
from migrator.ports.register import Attendant
from migrator.standing.followers import wants_roll, with_roll
from migrator.standing.values import Followers, Standing
from tests.cli.test_standing import lock, look, running

BEFORE = RouteRecord("core", "e", "read-write", 1, "l", "2026-12-01T11:59:00Z", "r")
FENCE = replace(BEFORE, mode="read-only", epoch=2, updated="2026-12-01T11:59:18Z")


def one(label: str, clear: dict[str, int] | None, age_seconds: float | None = 5.0) -> Attendant:
    entry = None if clear is None else RollEntry(label, 60.0, clear)
    return Attendant(label.rjust(32, "0"), "1", entry, age_seconds)


ROLL = (
    one("pod-1", {"na/web": 2}),
    one("pod-2", {"na/web": 1}),
    one("pod-3", {"na/web": 1}, 240.0),
    one("pod-4", {"na/web": LEFT}, 9_000.0),
    one("pod-5", {"na/mail": 1}, 240.0),
)


def standing(state: MoveState) -> Standing:
    move = {"intent": RouteIntent(BEFORE, FENCE)} if state is not MoveState.READY else {}
    return look(running(state, move=move, lock_record=lock(5)))


def said(seen: Standing) -> str:
    out = io.StringIO()
    status.write(Page(Settings(), out), seen, next_action="wait", rates={})
    return out.getvalue()


def document(seen: Standing) -> Any:
    return status.document(seen)["waves"][0]["moves"][0]["followers"]


def test_who_has_not_answered_is_named_while_a_fence_drains() -> None:
    seen = with_roll(standing(MoveState.DRAINING), ROLL)
    line = "2 of 3 followers have not answered the fence: pod-2, 5 s ago, pod-3, 4 min ago; without them the drain takes its"
    assert line in said(seen)
    assert document(seen) == {
        "entered": 3,
        "silent": ["pod-3, 4 min ago"],
        "awaited": ["pod-2, 5 s ago", "pod-3, 4 min ago"],
    }


def test_who_is_silent_is_named_before_the_fence() -> None:
    seen = with_roll(standing(MoveState.READY), ROLL)
    assert (
        "1 of 3 followers are silent: pod-3, 4 min ago; until they are taken for dead a fence takes its whole"
        in said(seen)
    )
    assert document(seen) == {"entered": 3, "silent": ["pod-3, 4 min ago"], "awaited": None}


def test_what_nobody_can_read_may_be_anybodys() -> None:
    seen = with_roll(standing(MoveState.DRAINING), (one("0", None),))
    assert seen.moves[0].followers == Followers(
        1, ("00000000, which cannot be read",), ("00000000, which cannot be read",)
    )


def test_nothing_is_said_where_all_have_answered() -> None:
    seen = with_roll(standing(MoveState.DRAINING), ROLL[:1])
    assert "followers" not in said(seen)
    assert document(seen) == {"entered": 1, "silent": [], "awaited": []}


@pytest.mark.parametrize("state", [MoveState.COPYING, MoveState.VERIFYING])
def test_nobody_looks_into_the_register_where_no_fence_waits_for_it(state: MoveState) -> None:
    seen = standing(state)
    assert not wants_roll(seen)
    assert document(with_roll(seen, ROLL)) is None
    assert wants_roll(standing(MoveState.READY))
