"""Recorded ways back: none is written over or thrown away with another, and none waits for a turn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.cli.commands.rollback import operation as rollback_operation
from migrator.engine import rollback
from migrator.engine.rollout import Rollout
from migrator.model.moves import Control, MoveState
from migrator.model.names import MoveId
from migrator.ports.state_store import SetControl
from migrator.testing.simulation.loop import WORLD_BEGINS
from tests.scenario.weeks import HOURS, Weeks

HOUR = timedelta(hours=1)
BAD = WORLD_BEGINS + HOUR
AREAS = ("web", "mail", "files")


@pytest.fixture
def weeks(tmp_path: Path) -> Iterator[Weeks]:
    made = Weeks(tmp_path)
    yield made
    made.end()


def three(weeks: Weeks, **given: object) -> None:
    """Three moves of one wave, which are soaking when all their gates begin to fail."""
    weeks.wave("first", *(f"na/{area}" for area in AREAS), soak_seconds=2 * HOURS, **given)
    weeks.fill()
    weeks.app.figure = lambda at: 9.0 if at >= BAD else 0.0


def states(weeks: Weeks) -> dict[str, MoveState]:
    return {area: weeks.record(f"na/{area}").state for area in AREAS}


def wishes(weeks: Weeks) -> list[Control]:
    return [one for one in weeks.state.controls() if one.kind == "rollback"]


def steer(rollout: Rollout, area: str | None, *, who: str = "anna", on_conflict: str | None = None) -> Control:
    return rollout.steer(wave=None, region=None, area=area, on_conflict=on_conflict, who=who)


def test_moves_that_fail_at_the_same_time_all_go_back(weeks: Weeks) -> None:
    """The ways back of the second and the third are put on record while that of the first is at work."""
    three(weeks, rollback_scope="move")
    outcome = weeks.apply()
    assert outcome is not None
    assert states(weeks) == dict.fromkeys(AREAS, MoveState.REVERSED)
    assert not [text for text in outcome.reasons if "nobody watches it" in text]
    assert len([text for text in outcome.reasons if text.startswith("gate app-errors of")]) == 3
    assert not wishes(weeks)


@pytest.mark.parametrize("scope", ["move", "wave"])
def test_the_way_back_waits_for_no_turn(weeks: Weeks, scope: str) -> None:
    """``max_moves`` is of the way forward; one that is back keeps no turn from the next."""
    three(weeks, rollback_scope=scope, max_moves=1)
    weeks.loop.until = 12 * HOURS
    weeks.apply()
    assert states(weeks) == dict.fromkeys(AREAS, MoveState.REVERSED)


def test_all_that_operators_ask_for_while_a_way_back_is_at_work_is_done(weeks: Weeks) -> None:
    three(weeks)
    weeks.app.figure = lambda at: 0.0
    operator = weeks.rollout()
    for area in AREAS:
        weeks.loop.call_later(1.0 * HOURS, steer, operator, area)
    outcome = weeks.apply()
    assert outcome is not None
    assert outcome.code == "halted"
    assert states(weeks) == dict.fromkeys(AREAS, MoveState.REVERSED)


def test_who_asks_again_for_the_same_has_the_last_word_and_a_gate_never_has_it(weeks: Weeks) -> None:
    three(weeks)
    weeks.apply(until=BAD - 0.5 * HOUR)
    operator = weeks.rollout()
    steer(operator, "web")
    steer(operator, "web", on_conflict="source")
    gate = rollback.decided("first", None, "a gate failed", at=weeks.now())
    weeks.state.commit([SetControl(gate)], token=None)
    (mine,) = [one for one in wishes(weeks) if one.who == "anna"]
    assert mine.value["on_conflict"] == "source"
    assert len(wishes(weeks)) == 2


def test_a_rollback_of_one_move_leaves_what_is_recorded_of_another(weeks: Weeks) -> None:
    three(weeks)
    weeks.app.figure = lambda at: 0.0
    weeks.apply(until=BAD)
    decided = [rollback.decided("first", MoveId("na", area), "it failed", at=weeks.now()) for area in ("web", "mail")]
    weeks.state.commit([SetControl(one) for one in decided], token=None)
    weeks.run(weeks.rollout().rollback(area="web"))
    assert states(weeks) == {"web": MoveState.REVERSED, "mail": MoveState.SOAKING, "files": MoveState.SOAKING}
    assert [one.value["area"] for one in wishes(weeks)] == ["mail"]
    weeks.apply()
    assert states(weeks) == {"web": MoveState.REVERSED, "mail": MoveState.REVERSED, "files": MoveState.SOAKED}


def test_a_command_takes_back_its_own_wish_only(weeks: Weeks) -> None:
    three(weeks)
    weeks.apply(until=BAD - 0.5 * HOUR)
    operator = weeks.rollout()
    mine, other = steer(operator, "web"), steer(operator, "mail", who="ben")
    weeks.state.commit([SetControl(rollback.decided("first", None, "it failed", at=weeks.now()))], token=None)
    rollback_operation._withdraw(operator, mine)
    assert {one.scope for one in wishes(weeks)} == {other.scope, "gate wave:first"}
    rollback_operation._withdraw(operator, mine)
    assert len(wishes(weeks)) == 2
