"""What happens is said once: in the journal with what it speaks of, and on the screen after that."""

from __future__ import annotations

import pytest

from migrator.engine import before as steps_before
from migrator.engine import enforcing, runner
from migrator.engine.steps import preflight
from migrator.errors import CloudError, StateError
from migrator.machine.events import Event
from migrator.model.findings import Finding
from migrator.model.happenings.fences import BarrierPassed, FenceBegun
from migrator.model.happenings.soaks import GateJudged, SoakRestarted
from migrator.model.moves import MoveRecord, MoveState, RevokedPolicy, RouteIntent, StoredPolicy
from tests.unit.engine.board import ID, before, fence, mover_of


def soaking():
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.SOAKING, epoch=7, ever_routed=True)
    mover, _, _ = mover_of(record, before("dst"))
    return mover


def test_the_journal_and_the_screen_have_the_same_words_once():
    mover = soaking()
    mover.commit(GateJudged("errors", "failed", 7.0, "too many"))
    (row,) = mover.world.state.journal()
    assert (row.kind, row.happening, row.move, row.wave) == ("verdict", "verdict", ID, "first")
    assert row.evidence == {"gate": "errors", "verdict": "failed", "value": 7.0, "reason": "too many"}
    assert mover.world.reporter.events == [("sample", row.text)] == [("sample", f"{ID}: gate errors failed: too many")]


def test_what_is_not_for_the_screen_is_in_the_journal_alone():
    mover = soaking()
    mover.commit(BarrierPassed(12, 0, 1.0))
    assert [row.text for row in mover.world.state.journal()] == [f"{ID}: 12 objects proved equal (by their contents)"]
    assert mover.world.reporter.events == []


def test_what_is_for_the_screen_alone_is_in_no_journal():
    mover = soaking()
    mover.tell(FenceBegun(8))
    assert list(mover.world.state.journal()) == []
    assert mover.world.reporter.events == [("fence", f"{ID}: fence, writers wait from now on")]


def test_what_could_not_be_written_down_is_not_shown(monkeypatch):
    mover = soaking()

    def busy(changes, *, token):
        raise StateError("cannot write: busy")

    monkeypatch.setattr(mover.world.state, "commit", busy)
    with pytest.raises(StateError):
        mover.save(mover.figures(soak_seconds=0.0), SoakRestarted(60.0, ("errors",)))
    assert mover.world.reporter.events == []


def test_a_state_is_said_after_what_led_to_it_and_stands_before_it_in_the_journal():
    mover = soaking()
    mover.happen(Event.ROLLED_BACK, SoakRestarted(60.0), reason="asked for")
    assert [row.kind for row in mover.world.state.journal()] == ["state-changed", "soak-restarted"]
    assert [kind for kind, _ in mover.world.reporter.events] == ["sample", "state-changed"]


async def test_a_claim_that_releases_an_unexplained_fence_says_so():
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.CATCHING_UP, epoch=7, ever_routed=True)
    mover, board, _ = mover_of(record, fence())
    await preflight.claim(mover)
    assert board.document.routes[str(ID)].mode == "read-write"
    assert mover.world.reporter.events == [("recovery", f"{ID}: a fence that no record explains is released")]


async def test_policies_that_cannot_be_put_back_now_are_said_and_stay_on_record(monkeypatch):
    revoked = (RevokedPolicy("src", "web", StoredPolicy("writers", "rw")),)
    record = MoveRecord(
        ID, "first", "src", "dst", state=MoveState.CATCHING_UP, epoch=6, ever_routed=True, revoked=revoked
    )
    mover, _, _ = mover_of(record, before())

    async def refused(*_):
        raise CloudError("cannot set policies: 503")

    monkeypatch.setattr(enforcing, "_restore_one", refused)
    await enforcing.restore(mover)
    assert mover.record.revoked == revoked
    said = f"{ID}: policies of src/web stay revoked: cannot set policies: 503"
    assert mover.world.reporter.events == [("warning", said)]


async def test_a_release_that_fails_while_the_run_ends_is_said():
    intent = RouteIntent(before(), fence())
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.DRAINING, epoch=7, ever_routed=True, intent=intent)
    mover, board, _ = mover_of(record, fence())
    board.silent_until = 1e9
    await runner._release_on_the_way_out(mover)
    assert mover.record.intent == intent, "the guardian and the next run find it"
    (kind, text) = mover.world.reporter.events[-1]
    assert kind == "warning"
    assert text.startswith(f"{ID}: cannot release {ID}: the route document does not answer")


async def test_a_check_that_warns_before_the_first_copy_is_said(monkeypatch):
    mover, _, _ = mover_of(MoveRecord(ID, "first", "src", "dst", state=MoveState.PREFLIGHT), None)

    async def look(*_):
        return (Finding("warning", "gate-silent", "errors", "gate errors has no answer", "start its source"),)

    monkeypatch.setattr(steps_before, "_look", look)
    await steps_before.first_copy(mover)
    assert mover.world.reporter.events == [("warning", f"{ID}: gate errors has no answer; start its source")]
