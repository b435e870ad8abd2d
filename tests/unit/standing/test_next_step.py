"""The next safe step, decided from values alone: no store, no plan, no words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from migrator.cli.views.next_step import next_action
from migrator.machine.release import Fate
from migrator.machine.waiting import Wait
from migrator.model.moves import Control, Direction, LockRecord, MoveRecord, MoveState, WaveState
from migrator.model.names import MoveId
from migrator.model.values import replace
from migrator.standing.left_target import Looked
from migrator.standing.next_step import Advice, NextStep, next_step
from migrator.standing.silence import Silent
from migrator.standing.values import MoveStanding, Standing, WaveStanding

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
WEB = MoveId("na", "web")
LOCK = LockRecord("ab12", 1, "run", "ann", "box", 77, "boot", NOW, NOW, 0.0)
SILENT = Silent("errors", NOW, "no route to it", "look at its address")
COPYING: dict[str, Any] = {"state": MoveState.COPYING}


def move(**changes: Any) -> MoveStanding:
    of_record = {key: changes.pop(key) for key in ("state", "direction", "reason") if key in changes}
    record = replace(MoveRecord(WEB, "first", "core", "web"), **of_record)
    return replace(MoveStanding(record, False, None, None), **changes)


def standing(*moves: MoveStanding, waits: tuple[Wait, ...] = (), controls: tuple[Control, ...] = ()) -> Standing:
    return Standing("p", None, False, (WaveStanding("first", WaveState.RUNNING, waits, moves),), controls, NOW)


def hold(scope: str) -> Control:
    return Control("hold", scope, {"on": True}, "ann", NOW)


STORIES: list[tuple[Advice, Standing]] = [
    (Advice.FREE, standing(move(state=MoveState.DRAINING, is_fenced=True), move(state=MoveState.HALTED))),
    (Advice.WRITE_DOWN, standing(move(state=MoveState.SWITCHING, settled=Fate.SWITCHED))),
    (Advice.AGREE, standing(move(state=MoveState.HALTED, reason="they differ: retry --adopt-route"))),
    (Advice.RETRY_OR_ROLL_BACK, standing(move(state=MoveState.HALTED, reason="cannot copy"))),
    (Advice.FINISH_WAY_BACK, standing(move(state=MoveState.CATCHING_UP, direction=Direction.REVERSE))),
    (Advice.BRING_OVER, standing(move(state=MoveState.REVERSED, looked=Looked(NOW, 1.0, 3)))),
    (Advice.BEGIN_AGAIN, standing(move(state=MoveState.REVERSED, looked=Looked(NOW, 1.0, 0)))),
    (Advice.NOTHING, standing(move(state=MoveState.SOAKED))),
    (Advice.BEGIN, standing(move())),
    (Advice.BEGIN, standing()),
    (Advice.RELEASE, standing(move(**COPYING), waits=(Wait("hold", who="ann"),), controls=(hold("wave:first"),))),
    (Advice.LEAVE_PLAN, standing(move(**COPYING), waits=(Wait("hold", who="plan"),))),
    (Advice.UNPAUSE, standing(move(**COPYING), waits=(Wait("pause", who="ann"),))),
    (Advice.UNSTICK, standing(move(state=MoveState.SOAKING, remedy="mend gate errors: it is red"))),
    (Advice.ASK_GATE, standing(move(state=MoveState.READY, silent=(SILENT,)))),
    (Advice.APPROVE, standing(move(state=MoveState.READY), waits=(Wait("approval", who="first"),))),
    (Advice.APPLY, standing(move(**COPYING), waits=(Wait("approval", who="first"),))),
    (Advice.APPLY, standing(move(**COPYING))),
]


@pytest.mark.parametrize(("advice", "here"), STORIES)
def test_without_a_run_at_work(advice: Advice, here: Standing) -> None:
    assert next_step(here).advice is advice
    assert next_step(here).lock is None


@pytest.mark.parametrize(
    ("advice", "here"),
    [
        (Advice.WAIT, standing(move(**COPYING))),
        (Advice.WAIT, standing(move(state=MoveState.DRAINING, is_fenced=True))),
        (Advice.MEND, standing(move(**COPYING), move(state=MoveState.HALTED))),
        (Advice.UNPAUSE, standing(move(**COPYING), waits=(Wait("pause", who="ann"),))),
        (Advice.ASK_GATE, standing(move(state=MoveState.READY, silent=(SILENT,)))),
        (Advice.APPROVE, standing(move(state=MoveState.READY), waits=(Wait("approval", who="first"),))),
        (Advice.WAIT, standing(move(**COPYING), waits=(Wait("approval", who="first"),))),
    ],
)
def test_beside_a_run_at_work(advice: Advice, here: Standing) -> None:
    found = next_step(replace(here, lock=LOCK, is_at_work=True))
    assert (found.advice, found.lock) == (advice, LOCK)


def test_a_lock_whose_run_is_dead_changes_nothing() -> None:
    assert next_step(replace(standing(move(**COPYING)), lock=LOCK)).advice is Advice.APPLY


def test_soaks_that_stand_still_for_one_cause_are_named_together() -> None:
    mail = replace(move(state=MoveState.SOAKING, remedy="a"), record=replace(move().record, id=MoveId("na", "mail")))
    other = replace(mail, remedy="b")
    found = next_step(standing(move(state=MoveState.SOAKING, remedy="a"), mail, other))
    assert (found.moves, found.remedy) == ((WEB, MoveId("na", "mail")), "a")


def test_every_advice_has_a_story_and_words() -> None:
    told = {advice for advice, _ in STORIES} | {Advice.WAIT, Advice.MEND}
    assert told == set(Advice)
    for advice, here in STORIES:
        assert next_action(next_step(here), "p{0}.yaml"), advice
    assert "`migrate release p.yaml --wave first`" in next_action(
        NextStep(Advice.RELEASE, scope="wave:first"), "p.yaml"
    )
    assert "`migrate release p.yaml`" in next_action(NextStep(Advice.RELEASE), "p.yaml")
