"""The desk that writes the route document: what it remembers of durations, and whose record it takes the place of."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from migrator.engine.routes import RouteDesk
from migrator.errors import RouteChanged, RouteDisagreement, Throttled, Unreachable
from migrator.machine.agreement import highest_epoch
from migrator.machine.release import is_fence_of
from migrator.model.moves import MoveRecord, MoveState, RouteIntent
from migrator.model.routes import MAX_EPOCH, RouteDocument
from migrator.model.schedule import Routing
from tests.unit.engine.board import ID, LINEAGE, Board, Jumping, before, fence, switched

PLAN = Routing("file", ttl_seconds=20.0, max_write_seconds=40.0, clock_margin_seconds=5.0)


def a_desk(*, ttl: float = 30.0, max_write: float = 60.0, succeed=lambda run: None) -> tuple[RouteDesk, Board]:
    board = Board(Jumping())
    board.document = RouteDocument(ttl, max_write, {str(ID): before()})
    return RouteDesk(board, board.clock, PLAN, lineage=LINEAGE, run="run-2", succeed=succeed), board


@pytest.mark.parametrize(("ttl", "max_write"), [(300.0, 60.0), (30.0, 300.0)])
async def test_a_longer_duration_that_was_seen_once_counts_for_the_life_of_the_run(ttl, max_write):
    """Clients may have read it then; who made it shorter again took nothing back from them."""
    desk, board = a_desk(ttl=ttl, max_write=max_write)
    await desk.document()
    board.document = replace(board.document, ttl_seconds=1.0, max_write_seconds=1.0)
    await desk.document()
    assert desk.drain_seconds == max(ttl, 20.0) + max(max_write, 40.0) + 5.0


@pytest.mark.parametrize(("ttl", "max_write"), [(300.0, 10.0), (10.0, 300.0)])
async def test_what_the_document_says_is_never_made_shorter(ttl, max_write):
    desk, board = a_desk(ttl=ttl, max_write=max_write)
    await desk.publish_durations()
    assert (board.document.ttl_seconds, board.document.max_write_seconds) == (max(ttl, 20.0), max(max_write, 40.0))
    await desk.change(ID, before(), desk.stamped(before()))
    assert (board.document.ttl_seconds, board.document.max_write_seconds) == (max(ttl, 20.0), max(max_write, 40.0))


@pytest.mark.parametrize("found", [{"epoch": 7}, {"mode": "read-only"}, {"lineage": "f" * 16}, {"run": "run-9"}])
async def test_a_record_that_differs_in_anything_from_the_expected_one_is_left_alone(found):
    desk, board = a_desk()
    board.document = board.document.with_record(str(ID), replace(before(), **found))
    with pytest.raises(RouteChanged, match="changed under us"):
        await desk.change(ID, before(), fence())
    assert board.document.routes[str(ID)] == replace(before(), **found)


async def test_a_run_whose_record_is_replaced_is_told_of_and_this_run_itself_is_not():
    told = []
    desk, _ = a_desk(succeed=told.append)
    mine = desk.stamped(before())
    await desk.change(ID, before(), mine)
    assert told == ["run-1"]
    await desk.change(ID, mine, desk.fenced(ID, mine))
    assert told == ["run-1"]


@pytest.mark.parametrize("refusals", [1, 3])
async def test_whatever_writes_the_document_waits_out_a_refusal_for_a_while(refusals):
    """Nothing was written: only what was not answered goes up at once."""
    desk, board = a_desk(ttl=1.0, max_write=1.0)
    board.refusals = refusals
    assert await desk.publish_durations() is not None
    board.refusals = refusals
    await desk.change(ID, before(), desk.stamped(before()))
    board.refusals = refusals
    await desk.publish({"europe/other": desk.first("src", "https://src")})
    board.refusals = refusals
    assert await desk.publish_register("a" * 32, instead_of=None)
    assert board.refused == 4 * refusals


async def test_a_document_that_is_away_for_long_is_not_waited_for_by_the_desk():
    desk, board = a_desk()
    board.silent_until = 1e9
    with pytest.raises(Unreachable):
        await desk.change(ID, before(), desk.stamped(before()))
    assert 55.0 < board.clock.at < 65.0


async def test_a_release_has_a_patience_of_its_own():
    desk, board = a_desk()
    board.refusals = 1
    with pytest.raises(Throttled):
        await desk.change(ID, before(), desk.stamped(before()), is_release=True)


async def test_who_waits_for_the_document_keeps_nobody_from_releasing():
    desk, board = a_desk()
    board.silent_until = 30.0
    waiting = asyncio.create_task(desk.change(ID, before(), fence()))
    await board.clock.sleep(5.0)
    board.silent_until = -1.0
    async with asyncio.timeout(1.0):
        await desk.change(ID, before(), desk.stamped(before()), is_release=True)
    with pytest.raises(RouteChanged):
        await waiting


async def test_an_adopted_record_is_above_what_the_store_knew_and_what_the_route_says():
    desk, _ = a_desk()
    assert desk.adopted(ID, before(), epoch=40).epoch == 41
    assert desk.adopted(ID, replace(before(), epoch=50), epoch=40).epoch == 51


async def test_a_fence_that_steps_over_epochs_is_one_that_a_guardian_watches():
    """A record that was put back by hand had shown a later epoch meanwhile."""
    desk, board = a_desk()
    board.document = board.document.with_record(str(ID), replace(before(), epoch=40))
    await desk.document()
    board.document = board.document.with_record(str(ID), before())
    fenced = desk.fenced(ID, before())
    assert fenced.epoch > 40
    assert is_fence_of(fenced, before())


@pytest.mark.parametrize("epoch", [MAX_EPOCH - 2**20, MAX_EPOCH - 1, MAX_EPOCH])
async def test_an_epoch_that_leaves_none_for_the_release_is_not_fenced(epoch):
    desk, _ = a_desk()
    with pytest.raises(RouteDisagreement, match="the epochs of its route are used up"):
        desk.fenced(ID, replace(before(), epoch=epoch))


async def test_the_last_epochs_written_into_an_open_fence_leave_it_one_to_be_released_under():
    desk, board = a_desk()
    mine = desk.stamped(before())
    await desk.change(ID, before(), mine)
    closed = desk.fenced(ID, replace(mine, epoch=MAX_EPOCH - 2**20 - 1))
    board.document = board.document.with_record(str(ID), replace(mine, epoch=MAX_EPOCH - 2**20 - 1))
    await desk.change(ID, replace(mine, epoch=MAX_EPOCH - 2**20 - 1), closed)
    board.document = board.document.with_record(str(ID), replace(closed, mode="read-write", epoch=MAX_EPOCH))
    await desk.document()
    board.document = board.document.with_record(str(ID), closed)
    await desk.document()
    released = desk.released(ID, closed)
    await desk.change(ID, closed, released, is_release=True)
    assert board.document.routes[str(ID)].epoch == MAX_EPOCH
    assert RouteDocument.decode(board.document.encode()) == board.document


def test_the_epochs_of_a_cut_over_on_record_count_as_seen():
    """Its fence may have been sent, and released by its guardian; its switch may have been sent."""
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.SWITCHING, epoch=6, ever_routed=True)
    assert highest_epoch(record) == 6
    assert highest_epoch(replace(record, intent=RouteIntent(before(), fence()))) == 8
    later = replace(switched(), epoch=12)
    assert highest_epoch(replace(record, intent=RouteIntent(before(), fence(), later))) == 12
