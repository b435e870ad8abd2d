"""Recorded ways back: none is written over or thrown away with another, and none waits for a turn."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from migrator.cli.commands.rollback import operation as rollback_operation
from migrator.engine import left_target, rollback
from migrator.engine.mover import Mover
from migrator.engine.rollout import Rollout
from migrator.model.moves import Control, Direction, MoveState
from migrator.model.names import MoveId
from migrator.ports.state_store import SaveMove, SetControl
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
    gate = rollback.decided(weeks.waves[0], None, "a gate failed", at=weeks.now())
    weeks.state.commit([SetControl(gate)], token=None)
    (mine,) = [one for one in wishes(weeks) if one.who == "anna"]
    assert mine.value["on_conflict"] == "source"
    assert len(wishes(weeks)) == 2


def test_a_rollback_of_one_move_leaves_what_is_recorded_of_another(weeks: Weeks) -> None:
    three(weeks)
    weeks.app.figure = lambda at: 0.0
    weeks.apply(until=BAD)
    decided = [
        rollback.decided(weeks.waves[0], MoveId("na", area), "it failed", at=weeks.now()) for area in ("web", "mail")
    ]
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
    weeks.state.commit([SetControl(rollback.decided(weeks.waves[0], None, "it failed", at=weeks.now()))], token=None)
    rollback_operation._withdraw(operator, mine)
    assert {one.scope for one in wishes(weeks)} == {other.scope, "gate wave:first"}
    rollback_operation._withdraw(operator, mine)
    assert len(wishes(weeks)) == 2


def dead_in_it(weeks: Weeks, **given: object) -> None:
    """All are taken back by a gate of the wave, and the run dies before the last is back."""
    three(weeks, **given)
    weeks.app.figure = lambda at: 0.0
    weeks.apply(until=BAD)
    weeks.state.commit([SetControl(rollback.decided(weeks.waves[0], None, "it failed", at=weeks.now()))], token=None)


def test_a_move_that_a_person_retried_is_not_taken_back_by_what_was_decided_before(weeks: Weeks) -> None:
    """A wave's way back whose run died stays on record for those that are not back, and for them alone."""
    dead_in_it(weeks)
    weeks.run(weeks.rollout().rollback(area="web"))
    weeks.run(weeks.rollout().retry(area="web", reason="mended", who="anna"))
    weeks.apply()
    assert states(weeks)["mail"] is states(weeks)["files"] is MoveState.REVERSED
    assert states(weeks)["web"] is not MoveState.REVERSED
    assert not wishes(weeks)


def test_a_way_back_is_done_when_its_moves_are_back_one_by_one(weeks: Weeks) -> None:
    dead_in_it(weeks)
    for area in AREAS:
        weeks.run(weeks.rollout().rollback(area=area))
    assert not wishes(weeks)


def test_a_way_back_finds_its_moves_in_a_plan_whose_waves_have_other_names(weeks: Weeks) -> None:
    dead_in_it(weeks)
    weeks.waves = (replace(weeks.waves[0], name="renamed"),)
    weeks.apply()
    assert states(weeks) == dict.fromkeys(AREAS, MoveState.REVERSED)
    assert not wishes(weeks)


def test_a_way_back_of_an_older_version_whose_wave_is_gone_is_no_error(weeks: Weeks) -> None:
    """It named no moves; what fails still is found again by its gates."""
    dead_in_it(weeks)
    (wish,) = wishes(weeks)
    old = {part: said for part, said in wish.value.items() if part != rollback.MOVES}
    weeks.state.commit([SetControl(replace(wish, value=old))], token=None)
    weeks.waves = (replace(weeks.waves[0], name="renamed"),)
    outcome = weeks.apply()
    assert outcome is not None
    assert outcome.code == "halted"
    assert not wishes(weeks)


def test_a_move_that_is_halted_on_its_way_back_stays_in_the_recorded_one(weeks: Weeks) -> None:
    """``retry`` lets it go on the same way, so nobody has said that it shall not go back."""
    dead_in_it(weeks)
    record = replace(weeks.record("na/web"), direction=Direction.REVERSE, state=MoveState.HALTED)
    dead = weeks.state.lock()
    assert dead is not None
    weeks.state.commit([SaveMove(replace(record, resume_from=MoveState.CATCHING_UP))], token=dead.token)
    weeks.run(weeks.rollout().retry(area="web", reason="mended", who="anna"))
    (wish,) = wishes(weeks)
    assert set(wish.value[rollback.MOVES]) == {f"na/{area}" for area in AREAS}
    weeks.apply()
    assert states(weeks) == dict.fromkeys(AREAS, MoveState.REVERSED)


def test_no_way_back_waits_for_a_look_at_a_target_that_was_left(weeks: Weeks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The look lists two whole accounts; whose gate failed as well has customers at a target that fails."""
    three(weeks, rollback_scope="move")
    looked: list[str] = []
    right = left_target.look

    async def look(mover: Mover) -> None:
        if mover.record.state is MoveState.REVERSED and mover.id.area not in looked:
            looked.append(mover.id.area)
            await asyncio.sleep(3 * HOURS)
        await right(mover)

    monkeypatch.setattr(left_target, "look", look)
    weeks.apply(until=BAD + 2 * HOUR)
    assert states(weeks) == dict.fromkeys(AREAS, MoveState.REVERSED)
    weeks.apply()
    assert set(looked) == set(AREAS)


EIGHT = tuple(f"area{number}" for number in range(8))


def seconds_back(folder: Path, areas: tuple[str, ...], how: str) -> float:
    """How long a wave of ``areas`` is on its way back, until the last of its customers are at the source."""
    folder.mkdir()
    weeks = Weeks(folder)
    try:
        scope = "move" if how == "gates of the moves" else "wave"
        weeks.wave("first", *(f"na/{area}" for area in areas), soak_seconds=6 * HOURS, rollback_scope=scope)
        weeks.fill()
        if how.startswith("gate"):
            weeks.app.figure = lambda at: 9.0 if at >= BAD else 0.0
            weeks.apply()
        elif how == "command":
            weeks.apply(until=BAD)
            weeks.run(weeks.rollout().rollback())
        else:
            operator = weeks.rollout()
            for area in areas if how == "wishes" else (None,):
                weeks.loop.call_later(1.0 * HOURS, steer, operator, area)
            weeks.apply()
        rows = [entry for entry in weeks.state.journal() if entry.kind == "state-changed"]
        begun = min(row.at for row in rows if row.evidence["event"] == "rolled-back")
        back = [row.at for row in rows if row.evidence["state"] == "reversed"]
        assert len(back) == len(areas)
        return (max(back) - begun).total_seconds()
    finally:
        weeks.end()


@pytest.mark.parametrize("how", ["command", "wish", "wishes", "gate", "gates of the moves"])
def test_a_wave_of_eight_is_back_about_as_soon_as_one_move(tmp_path: Path, how: str) -> None:
    one, eight = seconds_back(tmp_path / "one", EIGHT[:1], how), seconds_back(tmp_path / "eight", EIGHT, how)
    assert one > 90, "a fence drains"
    assert eight <= 1.5 * one
