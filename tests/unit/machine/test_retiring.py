"""When a wave may be retired: all of it has soaked, nobody wants it back, and its sources were still for the whole watch."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from migrator.machine.retiring import no_way_back, watched_until, what_keeps
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.names import MoveId

SOAKED_AT = datetime(2026, 12, 1, tzinfo=UTC)
FIRST, SECOND = MoveId("eu", "web"), MoveId("eu", "mail")


def move(state: MoveState, id: MoveId = FIRST) -> MoveRecord:
    return MoveRecord(id, "first", "core", "web", state, since=SOAKED_AT)


@pytest.mark.parametrize("state", MoveState)
def test_all_of_a_wave_has_soaked_first(state: MoveState) -> None:
    why = what_keeps([move(MoveState.SOAKED), move(state, SECOND)], ())
    if state in (MoveState.SOAKED, MoveState.RETIRING, MoveState.RETIRED):
        assert why == ""
    else:
        assert why == f"eu/mail is {state}, and a wave is retired when all of it has soaked"


def test_nobody_wants_it_back() -> None:
    assert what_keeps([move(MoveState.SOAKED)], {FIRST}) == "a way back of eu/web is on record"
    assert what_keeps([move(MoveState.SOAKED)], {SECOND}) == ""


def test_the_watch_begins_with_the_soaks_end_or_the_last_change() -> None:
    soaked, day = move(MoveState.SOAKED), 86_400.0
    assert watched_until(soaked, day, None) == SOAKED_AT + timedelta(days=1)
    assert watched_until(soaked, day, SOAKED_AT - timedelta(days=3)) == SOAKED_AT + timedelta(days=1)
    assert watched_until(soaked, day, SOAKED_AT + timedelta(days=3)) == SOAKED_AT + timedelta(days=4)


def test_what_is_begun_is_not_watched_any_more_and_has_no_way_back() -> None:
    for state in (MoveState.RETIRING, MoveState.RETIRED):
        assert watched_until(move(state), 1.0, SOAKED_AT) is None
        assert no_way_back(move(state)) == (
            f"cannot roll back eu/web: it is {state}, data of core is deleted, and there is no way back"
        )
