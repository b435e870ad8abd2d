"""The steps of a cut-over, each against the one thing that must stop it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine.context import Halt, Waiting
from migrator.engine.mover import Mover
from migrator.engine.releasing import release
from migrator.engine.steps import carry, cut
from migrator.errors import LockedError, OutcomeUnknown, RouteChanged, StateError, Throttled, Unreachable
from migrator.machine.events import Event
from migrator.machine.waiting import Wait
from migrator.model.happenings.fences import BarrierPassed
from migrator.model.moves import MoveRecord, MoveState, Outstanding, RouteIntent
from migrator.model.routes import READ_ONLY, READ_WRITE
from migrator.ports.state_store import PutOutstanding
from migrator.transfer.result import Acted, PassResult
from tests.unit.engine.board import ID, before, fence, mover_of, switched


def at(state: MoveState, *, intent: RouteIntent | None = None, epoch: int = 7) -> MoveRecord:
    return MoveRecord(ID, "first", "src", "dst", state=state, intent=intent, epoch=epoch, ever_routed=True)


def claimed(record):
    """As the mover's own run has stamped it."""
    return replace(record, run="run-2")


INTENT = RouteIntent(claimed(before()), claimed(fence()))


async def nothing_to_do(mover, *, in_fence=False, after=None) -> PassResult:
    return PassResult()


async def test_the_guardian_watches_before_the_fence_is_sent(monkeypatch):
    mover, board, _ = mover_of(at(MoveState.FENCING, intent=INTENT, epoch=6), INTENT.before)
    modes = []

    async def watch(mover, *records):
        modes.append(board.document.routes[str(ID)].mode)

    monkeypatch.setattr(Mover, "watch_fence", watch)
    assert await cut.fence(mover) is Event.FENCED
    assert modes == [READ_WRITE]
    assert board.document.routes[str(ID)].mode == READ_ONLY


FENCING = (at(MoveState.FENCING, intent=INTENT, epoch=6), INTENT.before)
PROVED = RouteIntent(INTENT.before, INTENT.fence, claimed(switched()))
SWITCHING = (at(MoveState.SWITCHING, intent=PROVED), INTENT.fence)


@pytest.mark.parametrize(
    ("step", "move"), [(cut.fence, FENCING), (cut.switch, SWITCHING)], ids=["the fence", "the switch"]
)
@pytest.mark.parametrize("refusals", [1, 2, 5])
async def test_a_refused_route_document_is_asked_again_inside_the_cut_over(step, move, refusals):
    """Nothing was written then; a release needs the same document."""
    mover, board, clock = mover_of(*move)
    mover.fence_until = 60.0
    board.refusals = refusals
    assert await step(mover) in (Event.FENCED, Event.SWITCHED)
    assert board.refused == refusals
    assert clock.at < 5.0


@pytest.mark.parametrize(("move", "step"), [(FENCING, cut.fence), (SWITCHING, cut.switch)])
async def test_one_that_is_away_for_a_moment_too(move, step):
    mover, board, _ = mover_of(*move)
    mover.fence_until = 60.0
    board.silent_until = 3.0
    assert await step(mover) in (Event.FENCED, Event.SWITCHED)


async def test_a_fence_that_does_not_come_about_soon_is_given_up():
    """Its guardian counts from before it."""
    mover, board, clock = mover_of(*FENCING)
    board.refusals = 1000
    with pytest.raises(Throttled):
        await cut.fence(mover)
    assert clock.at < mover.world.rhythm.guardian_margin_seconds
    assert board.document.routes[str(ID)] == INTENT.before


async def test_a_switch_is_given_up_while_its_guardian_is_still_patient():
    mover, board, clock = mover_of(*FENCING)
    await cut.fence(mover)
    assert 0 < mover.fence_until - clock.at < mover.desk.drain_seconds + 300.0 + 10.0
    mover.record = SWITCHING[0]
    board.silent_until = 1e9
    with pytest.raises(Unreachable):
        await cut.switch(mover)
    assert abs(clock.at - mover.fence_until) < 2.0


async def test_a_run_that_lost_its_lock_asks_no_second_time(monkeypatch):
    mover, board, _ = mover_of(*SWITCHING)
    mover.fence_until = 60.0
    board.refusals = 1

    def lost():
        raise LockedError("cannot go on: another run took the lock over")

    monkeypatch.setattr(mover.shared.session, "check", lost)
    with pytest.raises(LockedError):
        await cut.switch(mover)
    assert board.document.routes[str(ID)] == INTENT.fence


@pytest.fixture
def verifying(monkeypatch):
    """A mover in its fence, whose passes find nothing."""
    monkeypatch.setattr(cut, "one_pass", nothing_to_do)
    return mover_of(at(MoveState.VERIFYING, intent=INTENT), INTENT.fence)


async def test_a_proved_barrier_leads_to_the_switch(verifying):
    mover, _, _ = verifying
    assert await cut.verify(mover) is Event.PROVED


async def test_a_second_pass_looks_where_the_first_acted(verifying, monkeypatch):
    """And what was proved equal is what the first one has scanned, not the little that was looked at again."""
    mover, _, _ = verifying
    acted = [Acted({}, {("web", ""): ("utf-8", ((None, b"m"),))}, 90), Acted({}, {}, 90)]
    results = [PassResult(scanned=100, copied=3, held=2, acted=acted[0]), PassResult(scanned=5, acted=acted[1])]
    looked = []

    async def one_pass(mover, *, in_fence, after):
        looked.append((in_fence, after))
        return results.pop(0)

    monkeypatch.setattr(cut, "one_pass", one_pass)
    assert await cut.verify(mover) is Event.PROVED
    assert looked == [(True, None), (True, acted[0])]
    barrier = next(one for one in mover.take_pending()[0] if isinstance(one, BarrierPassed))
    assert (barrier.scanned, barrier.held) == (100, 2)


async def test_a_fence_after_a_cancelled_one_begins_with_everything(verifying, monkeypatch):
    mover, _, _ = verifying
    looked, results = [], [PassResult(scanned=100, copied=3, acted=Acted({}, {}, 90))]

    async def cancelled(mover, *, in_fence, after):
        looked.append(after)
        if results:
            return results.pop()
        raise OutcomeUnknown("cannot tell what became of a write")

    monkeypatch.setattr(cut, "one_pass", cancelled)
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await cut.verify(mover)
    assert looked[0] is None
    assert looked[1] is not None
    assert looked[2] is None


async def test_no_switch_while_a_write_of_ours_may_still_be_applied(verifying):
    mover, _, clock = verifying
    write = Outstanding("target", "web", "a", "create", None, clock.now(), 300.0)
    mover.world.state.commit([PutOutstanding(ID, write)], token=mover.shared.session.token)
    with pytest.raises(OutcomeUnknown, match="may still be applied"):
        await cut.verify(mover)


async def test_no_switch_outside_its_time(verifying, monkeypatch):
    mover, _, _ = verifying
    monkeypatch.setattr(cut, "cut_over_waits", lambda mover, *, begun: (Wait("freeze"),))
    with pytest.raises(OutcomeUnknown, match="outside its time"):
        await cut.verify(mover)


@pytest.mark.parametrize("changed", [{"mode": READ_WRITE}, {"mode": READ_WRITE, "epoch": 8}, {"epoch": 9}])
async def test_no_switch_out_of_a_fence_that_is_not_there_any_more(verifying, monkeypatch, changed):
    mover, _, _ = verifying
    other = replace(INTENT.fence, **changed)

    async def claim(mover):
        return other

    monkeypatch.setattr(Mover, "check_claim", claim)
    with pytest.raises(RouteChanged, match="its fence is gone"):
        await cut.verify(mover)


async def test_every_cancelled_fence_is_counted():
    mover, _, _ = mover_of(at(MoveState.DRAINING, intent=INTENT), INTENT.fence)
    await release(mover, "a test")
    assert mover.record.figures.cancelled_fences == 1
    assert mover.record.state is MoveState.CATCHING_UP


@pytest.fixture
def ready():
    """A mover that is ready, with a fresh pass behind it, in a run that does not wait."""
    mover, _, clock = mover_of(at(MoveState.READY, epoch=6), claimed(before()))
    mover.is_patient = False
    mover.passes_here, mover.passed_at = 1, clock.monotonic()
    return mover, clock


async def test_a_pass_whose_result_could_not_be_written_down_is_no_fresh_one(ready, monkeypatch):
    """What it found may need a person: nobody looked at that, and a fence would find it while writers wait."""
    mover, clock = ready
    await clock.sleep(mover.world.rhythm.fresh_seconds + 1)
    made = []

    async def run(transfer, **how):
        made.append(clock.monotonic())
        return PassResult(failed=1, named=["web/a: it is leased"])

    def refuse(*_):
        raise StateError("cannot tell whether the state store was written")

    monkeypatch.setattr(carry.passes, "run", run)
    with monkeypatch.context() as once:
        once.setattr(Mover, "save", refuse)
        with pytest.raises(StateError):
            await carry.ready(mover)
    with pytest.raises(Halt, match="cannot be carried over"):
        await carry.ready(mover)
    assert len(made) == 2


async def test_no_fence_while_requests_of_an_earlier_run_may_still_arrive(ready):
    mover, _ = ready
    mover.shared.session.linger(100.0)
    with pytest.raises(Waiting, match="earlier run's requests may still be under way for 100 s"):
        await carry.ready(mover)


async def test_no_fence_while_clients_may_follow_the_durations_of_before(ready):
    mover, clock = ready
    mover.shared.fence_from = clock.monotonic() + 50.0
    with pytest.raises(Waiting, match="shorter durations of before for 50 s"):
        await carry.ready(mover)


async def test_no_fence_while_a_write_is_unanswered(ready):
    mover, clock = ready
    write = Outstanding("target", "web", "a", "create", None, clock.now(), 300.0)
    mover.world.state.commit([PutOutstanding(ID, write)], token=mover.shared.session.token)
    with pytest.raises(Waiting, match="unanswered writes may still be applied for 300 s"):
        await carry.ready(mover)
