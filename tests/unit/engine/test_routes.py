"""The desk that writes the route document: which versions it explains, and which epochs it may use."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine.context import Halt
from migrator.engine.routes import RouteDesk
from migrator.engine.steps import cut, preflight
from migrator.errors import InternalError, OutcomeUnknown, RouteChanged, RouteDisagreement
from migrator.model.moves import MoveRecord, MoveState, RouteIntent
from migrator.model.names import MoveId
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument
from migrator.model.schedule import Routing
from tests.unit.engine.board import ADDRESS, ID, LINEAGE, Board, Jumping, before, fence, mover_of

OTHER = MoveId("europe", "mail")


async def fenced() -> tuple[RouteDesk, Board]:
    clock = Jumping()
    board = Board(clock)
    board.document = RouteDocument(30, 60, {str(ID): before(), str(OTHER): before()})
    desk = RouteDesk(board, clock, Routing("file"), lineage=LINEAGE, run="run-1")
    found = await desk.record(ID)
    assert found is not None
    await desk.change(ID, found, desk.fenced(ID, found))
    return desk, board


async def edit(board: Board, move: MoveId, **changed: object) -> None:
    """Somebody else's swap."""
    seen = await board.read("europe")
    assert seen.document is not None
    record = replace(seen.document.routes[str(move)], **changed)
    await board.swap("europe", seen.document.with_record(str(move), record), expected_etag=seen.etag)


async def switch(desk: RouteDesk) -> int:
    found = await desk.record(ID)
    assert found is not None
    switched = desk.switched(ID, found, "dst", ADDRESS["dst"])
    await desk.change(ID, found, switched)
    return switched.epoch


async def test_a_fence_that_nobody_touched_is_switched_under_the_next_epoch():
    desk, _ = await fenced()
    assert await switch(desk) == 8


@pytest.mark.parametrize(
    "there",
    [{"mode": READ_WRITE}, {"mode": READ_WRITE, "epoch": 8}, {"account": "dst"}, {}],
    ids=["opened", "opened under the next epoch", "sent elsewhere", "written again as it is"],
)
async def test_a_version_that_came_and_went_unseen_forbids_the_switch(there):
    desk, board = await fenced()
    was = board.document.routes[str(ID)]
    await edit(board, ID, **there)
    await edit(board, ID, account=was.account, mode=was.mode, epoch=was.epoch)
    assert board.document.routes[str(ID)] == was
    with pytest.raises(RouteChanged, match="somebody else wrote the route document"):
        await switch(desk)
    assert board.document.routes[str(ID)].mode == READ_ONLY


async def test_an_edit_of_another_record_forbids_it_too_for_nobody_knows_what_came_before():
    desk, board = await fenced()
    await edit(board, OTHER, updated="by hand")
    with pytest.raises(RouteChanged):
        await switch(desk)


async def test_moves_of_one_run_do_not_break_each_others_fences():
    desk, _ = await fenced()
    other = await desk.record(OTHER)
    await desk.change(OTHER, other, desk.fenced(OTHER, other))
    other = await desk.record(OTHER)
    await desk.change(OTHER, other, desk.released(OTHER, other))
    assert await switch(desk) == 8


async def test_a_swap_of_our_own_that_was_not_answered_is_not_taken_for_our_own_later():
    desk, board = await fenced()
    right = board.swap

    async def silent(region, document, *, expected_etag):
        await right(region, document, expected_etag=expected_etag)
        raise OutcomeUnknown("no answer")

    other = await desk.record(OTHER)
    board.swap = silent
    with pytest.raises(OutcomeUnknown):
        await desk.change(OTHER, other, desk.stamped(other))
    board.swap = right
    with pytest.raises(RouteChanged):
        await switch(desk)


async def test_the_release_of_a_broken_fence_steps_over_what_was_seen_and_what_was_not():
    desk, board = await fenced()
    await edit(board, ID, mode=READ_WRITE, epoch=11)
    await desk.document()
    await edit(board, ID, mode=READ_ONLY, epoch=7)
    found = await desk.record(ID)
    await desk.change(ID, found, desk.released(ID, found))
    assert board.document.routes[str(ID)].epoch == 13


async def test_what_was_broken_is_whole_again_once_a_later_epoch_is_written():
    desk, board = await fenced()
    await edit(board, ID, updated="by hand")
    found = await desk.record(ID)
    assert desk.is_broken(ID)
    await desk.change(ID, found, desk.released(ID, found))
    found = await desk.record(ID)
    await desk.change(ID, found, desk.fenced(ID, found))
    await switch(desk)
    assert board.document.routes[str(ID)].account == "dst"


@pytest.mark.parametrize("write", ["fenced", "released", "switched", "adopted"])
async def test_every_epoch_that_is_written_is_above_every_one_that_was_seen(write):
    desk, board = await fenced()
    found = await desk.record(ID)
    await edit(board, ID, epoch=40)
    await desk.document()
    await edit(board, ID, epoch=7)
    await desk.document()
    make = {
        "fenced": lambda: desk.fenced(ID, found),
        "released": lambda: desk.released(ID, found),
        "switched": lambda: desk.switched(ID, found, "dst", ADDRESS["dst"]),
        "adopted": lambda: desk.adopted(ID, found, epoch=9),
    }[write]
    assert make().epoch > 40


def draining(*, epoch: int = 7) -> MoveRecord:
    intent = RouteIntent(before(), fence())
    return MoveRecord(ID, "first", "src", "dst", state=MoveState.DRAINING, intent=intent, epoch=epoch, ever_routed=True)


async def test_a_drain_sees_within_seconds_that_its_fence_was_opened_and_closed_again():
    mover, board, clock = mover_of(draining(), before())
    await mover.desk.change(ID, before(), fence())
    right, edits = clock.sleep, []

    async def sleep(seconds: float) -> None:
        await right(seconds)
        if clock.at > 10 and not edits:
            edits.append(clock.at)
            await edit(board, ID, mode=READ_WRITE)
            await edit(board, ID, mode=READ_ONLY)

    clock.sleep = sleep
    with pytest.raises(RouteChanged):
        await cut.drain(mover)
    assert edits[0] <= clock.at < edits[0] + 2


async def test_a_drain_outlasts_a_document_that_does_not_answer_for_a_while():
    mover, board, clock = mover_of(draining(), before())
    await mover.desk.change(ID, before(), fence())
    board.silent_until = 20.0
    await cut.drain(mover)
    assert clock.at >= mover.desk.drain_seconds


async def test_a_claim_that_was_long_in_coming_is_asked_for_again():
    """What the route said when the question was sent may be another thing by the time that something is written."""
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.CATCHING_UP, epoch=before().epoch, ever_routed=True)
    mover, board, clock = mover_of(record, replace(before(), run="run-2"))
    board.silent_until = 8.0
    until = await mover.admit_until()
    assert clock.at >= 8.0
    assert until > clock.at


async def test_an_old_fence_of_this_run_that_was_put_back_by_hand_is_opened_again():
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.CATCHING_UP, epoch=8, ever_routed=True)
    mover, board, _ = mover_of(record, replace(fence(), run="run-2"))
    found = await mover.check_claim()
    assert (found.account, found.mode, found.epoch) == ("src", READ_WRITE, 9)
    assert mover.record.epoch == 9 == mover.world.state.move(ID).epoch
    assert board.document.routes[str(ID)] == found


async def test_a_record_that_sends_clients_elsewhere_is_never_written_again():
    clock = Jumping()
    board = Board(clock)
    board.document = RouteDocument(30, 60, {str(ID): replace(before(), endpoint="https://evil.example")})
    desk = RouteDesk(board, clock, Routing("file"), lineage=LINEAGE, run="run-1", addresses=ADDRESS)
    found = await desk.record(ID)
    assert found is not None
    for write in (desk.fenced(ID, found), desk.released(ID, found), desk.adopted(ID, found, epoch=9)):
        assert write.endpoint == ADDRESS["src"]
    with pytest.raises(InternalError, match="evil"):
        await desk.change(ID, found, desk.stamped(found))


@pytest.mark.parametrize("changed", [{}, {"epoch": 7}, {"mode": READ_ONLY}, {"mode": READ_ONLY, "epoch": 7}])
async def test_a_run_claims_and_writes_nothing_while_clients_are_sent_elsewhere(changed):
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.CATCHING_UP, epoch=6, ever_routed=True)
    evil = replace(before(), endpoint="https://evil.example", run="run-2", **changed)
    mover, board, _ = mover_of(record, evil)
    with pytest.raises(RouteDisagreement, match=r"evil\.example"):
        await mover.check_claim()
    with pytest.raises(Halt, match=r"sends its customers to https://evil\.example instead of https://src"):
        await preflight.claim(mover)
    assert board.document.routes[str(ID)] == evil


async def test_an_adoption_uses_no_epoch_of_the_store_or_the_document_again():
    desk, _ = await fenced()
    found = await desk.record(ID)
    assert found is not None
    assert desk.adopted(ID, found, epoch=9).epoch == 10, "above what the store knows"
    assert desk.adopted(ID, found, epoch=3).epoch == 8, "above what the document says"


@pytest.mark.parametrize("is_answered", [True, False])
async def test_the_run_whose_record_is_replaced_is_succeeded_before_the_swap(is_answered):
    clock = Jumping()
    board = Board(clock)
    board.document = RouteDocument(30, 60, {str(ID): replace(before(), run="run-0")})
    succeeded: list[str] = []
    desk = RouteDesk(board, clock, Routing("file"), lineage=LINEAGE, run="run-1", succeed=succeeded.append)
    right, seen = board.swap, []

    async def swap(region, document, *, expected_etag):
        seen.append(list(succeeded))
        await right(region, document, expected_etag=expected_etag)
        if not is_answered:
            raise OutcomeUnknown("no answer")
        return str(board.version)

    board.swap = swap
    found = await desk.record(ID)
    if is_answered:
        await desk.change(ID, found, desk.stamped(found))
    else:
        with pytest.raises(OutcomeUnknown):
            await desk.change(ID, found, desk.stamped(found))
    assert seen == [["run-0"]], "its requests are waited for, whatever became of the swap"
