"""What became of a cut-over that is on record: every state in which it can be, against every route it can meet."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from migrator.engine.recovering import resolve
from migrator.engine.releasing import release
from migrator.errors import CloudError, RouteDisagreement, StateError
from migrator.model.moves import Direction, MoveRecord, MoveState, RouteIntent
from migrator.model.rhythm import USUAL
from migrator.model.routes import READ_ONLY, READ_WRITE
from migrator.ports.state_store import SetNote
from tests.unit.engine.board import ID, before, fence, mover_of, switched

S, FORWARD, REVERSE = MoveState, Direction.FORWARD, Direction.REVERSE

STATES = {
    "fencing": (S.FENCING, False),
    "draining": (S.DRAINING, False),
    "verifying": (S.VERIFYING, False),
    "switching": (S.SWITCHING, True),
    "halted before the switch was sent": (S.HALTED, False),
    "halted after": (S.HALTED, True),
}
"""State, and whether the switch may have been sent."""

ROUTES = {
    "as it was before the fence": (lambda here, there: before(here), "release"),
    "its fence": (lambda here, there: fence(here), "release"),
    "its fence, claimed by another run": (lambda here, there: replace(fence(here), run="run-9"), "release"),
    "released": (lambda here, there: replace(before(here), epoch=8), "released"),
    "released before the fence came": (lambda here, there: replace(before(here), epoch=7), "released"),
    "released long ago": (lambda here, there: replace(before(here), epoch=20), "released"),
    "its switch": (lambda here, there: switched(there), "switched"),
    "its switch, claimed by another run": (lambda here, there: replace(switched(there), run="run-9"), "switched"),
    "gone": (lambda here, there: None, "unexplained"),
    "somebody's later fence": (lambda here, there: replace(fence(here), epoch=9), "unexplained"),
    "a later epoch at the other account": (lambda here, there: replace(switched(there), epoch=9), "unexplained"),
    "a third account": (lambda here, there: replace(before(here), account="else", epoch=8), "unexplained"),
    "another store's": (lambda here, there: replace(before(here), lineage="f" * 16, epoch=8), "unexplained"),
    "an older epoch": (lambda here, there: replace(before(here), epoch=5), "unexplained"),
    "its fence at another address": (lambda here, there: replace(fence(here), endpoint="https://x"), "unexplained"),
}


def record_in(state: MoveState, direction: Direction, sent: bool) -> MoveRecord:
    here, there = ("src", "dst") if direction is FORWARD else ("dst", "src")
    intent = RouteIntent(before(here), fence(here), switched(there) if sent else None)
    halted = state is S.HALTED
    return MoveRecord(
        ID,
        "first",
        "src",
        "dst",
        state=state,
        direction=direction,
        resume_from=S.CATCHING_UP if halted else None,
        reason="why it halted" if halted else "",
        intent=intent,
        epoch=7,
        ever_routed=True,
    )


def assert_said_once(mover, kind: str) -> None:
    """Journal and screen say the same of the end of the fence, the writers' pause included."""
    (row,) = [one for one in mover.world.state.journal() if one.kind == kind]
    pause = mover.record.figures.fence_seconds
    assert pause is not None
    assert row.evidence["fence_seconds"] == pause
    assert row.text.endswith(f"; writers paused {pause:.1f} s")
    assert [text for kind, text in mover.world.reporter.events if kind == "fence"] == [row.text]


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("where", STATES)
async def test_an_open_cut_over_is_released_or_found_switched_or_left_alone(where, route, direction):
    state, sent = STATES[where]
    here, there = ("src", "dst") if direction is FORWARD else ("dst", "src")
    make, expected = ROUTES[route]
    if expected == "switched" and not sent:
        expected = "unexplained"
    found = make(here, there)
    mover, board, _ = mover_of(record_in(state, direction, sent), found)

    await resolve(mover)

    now, after = board.document.routes.get(str(ID)), mover.record
    assert after == mover.world.state.move(ID), "what is in memory is on record"
    if expected == "unexplained":
        assert (after.state, after.resume_from) == (S.HALTED, S.CATCHING_UP)
        assert after.intent == record_in(state, direction, sent).intent, "kept, for whoever explains it"
        assert "--adopt-route" in after.reason
        assert now == found, "nothing is compensated"
    elif expected == "switched":
        assert after.state is (S.SOAKING if direction is FORWARD else S.REVERSED)
        assert (after.intent, after.resume_from, after.epoch) == (None, None, 8)
        assert now == found
        assert any("the switch had happened" in text for _, text in mover.world.reporter.events)
        assert "found so: an earlier run ended in the fence" in str([one.text for one in mover.world.state.journal()])
        assert_said_once(mover, "switched")
    else:
        assert after.state is (S.HALTED if state is S.HALTED else S.CATCHING_UP)
        assert after.resume_from is (S.CATCHING_UP if state is S.HALTED else None)
        assert after.reason == ("why it halted" if state is S.HALTED else "")
        assert (after.intent, after.direction) == (None, direction)
        assert (now.account, now.mode, now.epoch) == (here, "read-write", after.epoch)
        assert now.epoch == (fence(here).epoch + 1 if expected == "release" else found.epoch)
        assert now.epoch > before(here).epoch, "a fence still under way is refused"
        assert_said_once(mover, "fence-released")
    assert now is None or now.mode == "read-write" or expected == "unexplained"


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("where", STATES)
async def test_resolving_twice_changes_nothing_more(where, direction):
    state, sent = STATES[where]
    here = "src" if direction is FORWARD else "dst"
    mover, board, _ = mover_of(record_in(state, direction, sent), fence(here))
    await resolve(mover)
    once, version = mover.record, board.version
    await resolve(mover)
    assert (mover.record, board.version) == (once, version)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize("epoch", [5, 6, 9, 40])
async def test_a_fence_that_somebody_writes_into_an_open_one_only_cancels_it(epoch, direction):
    """There and back: an old copy, or the fence again under an epoch that followers obey."""
    here = "src" if direction is FORWARD else "dst"
    found = replace(fence(here), epoch=epoch, run="run-2")
    mover, board, _ = mover_of(record_in(S.DRAINING, direction, sent=False), found)
    await release(mover, "a test")
    now = board.document.routes[str(ID)]
    assert (mover.record.state, mover.record.intent) == (S.CATCHING_UP, None)
    assert (now.account, now.mode, now.epoch) == (here, "read-write", mover.record.epoch)
    assert now.epoch > max(epoch, 7), "followers may have seen both"


@pytest.mark.parametrize(
    ("sent", "change"),
    [
        pytest.param(True, {}, id="after the switch was sent"),
        pytest.param(False, {"run": "run-9"}, id="of another run"),
        pytest.param(False, {"account": "dst"}, id="at the other account"),
        pytest.param(False, {"lineage": "f" * 16}, id="of another store"),
        pytest.param(False, {"endpoint": "https://elsewhere"}, id="at another address"),
    ],
)
async def test_another_fence_than_the_runs_own_is_left_to_a_person(sent, change):
    found = replace(fence(), **{"epoch": 9, "run": "run-2", **change})
    mover, board, _ = mover_of(record_in(S.SWITCHING, FORWARD, sent=sent), found)
    with pytest.raises(RouteDisagreement):
        await release(mover, "a test")
    assert board.document.routes[str(ID)] == found, "nothing is compensated"


async def test_a_route_that_does_not_answer_for_minutes_is_released_when_it_does():
    mover, board, clock = mover_of(record_in(S.DRAINING, FORWARD, sent=False), fence())
    board.silent_until = 400.0
    await release(mover, "a test")
    assert mover.record.state is S.CATCHING_UP
    assert board.document.routes[str(ID)].mode == "read-write"
    assert 400.0 <= clock.at < 410.0
    assert any(kind == "warning" and "does not answer" in text for kind, text in mover.world.reporter.events)


async def test_a_route_that_never_answers_leaves_the_fence_on_record_for_the_next_run():
    mover, board, clock = mover_of(record_in(S.DRAINING, FORWARD, sent=False), fence())
    board.silent_until = 1e9
    with pytest.raises(CloudError, match="does not answer") as caught:
        await release(mover, "a test")
    assert "migrate apply" in caught.value.hint
    assert clock.at >= USUAL.release_seconds
    assert mover.record == record_in(S.DRAINING, FORWARD, sent=False)
    assert board.document.routes[str(ID)].mode == READ_ONLY

    def rows():
        return [one for one in mover.world.state.journal() if one.kind == "fence-overdue"]

    assert [one.evidence["epoch"] for one in rows()] == [fence().epoch]
    with pytest.raises(CloudError, match="does not answer"):
        await release(mover, "another try, perhaps of the next run")
    assert len(rows()) == 1


@pytest.mark.parametrize("is_own", [True, False])
async def test_only_a_fence_that_lasts_longer_than_it_may_is_put_on_record(is_own):
    """A hiccup is said on the screen alone, whoever sent the fence."""
    for silent_seconds, is_told in ((20.0, False), (450.0, True)):
        mover, board, clock = mover_of(record_in(S.DRAINING, FORWARD, sent=False), fence())
        clock.at = 1.0
        if is_own:
            mover.fence_begun, mover.fence_until = 1.0, 301.0
        board.silent_until = silent_seconds
        await release(mover, "a test")
        rows = [one for one in mover.world.state.journal() if one.kind == "fence-overdue"]
        assert bool(rows) is is_told
        assert all(row.evidence["fence_seconds"] < silent_seconds for row in rows)


@pytest.mark.parametrize("refused", ["note", "commit"])
async def test_a_store_that_is_away_keeps_no_release_back(refused):
    mover, board, _ = mover_of(record_in(S.DRAINING, FORWARD, sent=False), fence())
    board.silent_until = 500.0
    plain = getattr(mover.world.state, refused)

    def refuses(what, **options):
        if refused == "note" or any(isinstance(one, SetNote) for one in what):
            raise StateError("cannot reach the state store: the server closed the connection")
        return plain(what, **options)

    setattr(mover.world.state, refused, refuses)
    await release(mover, "a test")
    assert mover.record.state is S.CATCHING_UP
    assert board.document.routes[str(ID)].mode == READ_WRITE
    assert any("longer than their fence may last" in text for _, text in mover.world.reporter.events)


async def test_reading_the_record_waits_for_a_document_that_is_silent_for_a_moment():
    mover, board, clock = mover_of(record_in(S.DRAINING, FORWARD, sent=False), fence())
    board.silent_until = 20.0
    assert await mover.desk.record(ID) == fence()
    assert clock.at < 25.0


GUARDIAN = {
    "the guardian of the dead run, at once": (lambda begun: (begun + timedelta(seconds=6)).isoformat(), 6.0),
    "before the fence came": (lambda begun: (begun - timedelta(seconds=6)).isoformat(), 0.0),
    "a clock that is ahead": (lambda begun: (begun + timedelta(days=2)).isoformat(), 86_400.0),
    "a hand without a time": (lambda begun: "yesterday", 86_400.0),
    "a hand without a zone": (lambda begun: "2026-01-01T00:00:00", 86_400.0),
}
"""Who released, what the record says of when, and how long writers waited if nobody looks for a day."""


@pytest.mark.parametrize("who", GUARDIAN)
async def test_writers_waited_until_they_were_released_and_not_until_somebody_looked(who):
    says, waited = GUARDIAN[who]
    begun = datetime.fromisoformat(fence("src").updated)
    released = replace(before("src"), epoch=8, updated=says(begun))
    mover, _, clock = mover_of(record_in(S.DRAINING, FORWARD, False), released)
    clock.at = 86_400.0

    await resolve(mover)

    assert mover.record.state is S.CATCHING_UP
    assert mover.record.figures.fence_seconds == pytest.approx(waited, abs=1.0)
    assert_said_once(mover, "fence-released")
