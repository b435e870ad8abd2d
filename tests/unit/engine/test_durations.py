"""ttl and max_write: what the document promises is bounded by the plan, and nobody's promise is forgotten too early."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.client import follower
from migrator.engine import durations
from migrator.engine.context import Halt
from migrator.engine.fleet import Fleet
from migrator.engine.steps import carry
from migrator.errors import PlanError
from migrator.model import notes
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.schedule import Routing
from tests.unit.engine.board import ID, before, mover_of

READY = MoveRecord(ID, "first", "src", "dst", state=MoveState.READY, epoch=6, ever_routed=True)
CATCHING_UP = replace(READY, state=MoveState.CATCHING_UP)


def promising(ttl: float, max_write: float, record: MoveRecord = READY):
    mover, board, clock = mover_of(record, replace(before(), run="run-2"))
    board.document = replace(board.document, ttl_seconds=ttl, max_write_seconds=max_write)
    return mover, board, clock


@pytest.mark.parametrize(("ttl", "max_write"), [(86_399, 86_399), (31, 60), (30, 61)])
@pytest.mark.parametrize("step", [carry.ready, carry.catch_up])
async def test_no_fence_begins_while_the_document_promises_more_than_the_plan(ttl, max_write, step):
    mover, board, _ = promising(ttl, max_write)
    await durations.publish(Fleet(mover.shared))
    with pytest.raises(Halt) as halt:
        await step(mover)
    assert f"promises ttl {ttl} s and max_write {max_write} s, the plan 30 s and 60 s" in halt.value.reason
    assert "find out who wrote that" in halt.value.reason
    assert board.document.routes[str(ID)].epoch == 6


async def test_a_promise_that_came_and_went_in_this_run_still_stops_it():
    mover, board, _ = promising(86_399, 60)
    await mover.desk.document()
    board.document = replace(board.document, ttl_seconds=30)
    with pytest.raises(Halt):
        await carry.ready(mover)


async def test_once_it_is_put_right_a_later_run_waits_what_clients_may_believe():
    mover, board, _ = promising(86_399, 86_399)
    await mover.desk.document()
    with pytest.raises(Halt):
        await carry.ready(mover)
    note = mover.world.state.note(notes.DURATIONS)
    board.document = replace(board.document, ttl_seconds=30, max_write_seconds=60)

    later, other_board, clock = mover_of(READY, before())
    later.commit(durations.SetNote(notes.DURATIONS, note))
    other_board.document = board.document
    await durations.publish(Fleet(later.shared))
    assert later.shared.fence_from - clock.monotonic() == 300 + 3600 + 5


def test_clients_believe_no_more_than_the_engine_waits_for():
    assert follower.MAX_TTL_SECONDS == durations.MOST_TTL_SECONDS
    assert follower.MAX_WRITE_SECONDS == durations.MOST_WRITE_SECONDS


async def test_an_edit_that_shrinks_what_a_dead_run_published_is_refused_although_the_run_wrote_nothing_after():
    """The run died between the swap and its note; a shorter plan would otherwise meet a document that promises more."""
    mover, board, _ = promising(20, 40)
    right = board.swap

    async def dies(region, document, *, expected_etag):
        await right(region, document, expected_etag=expected_etag)
        raise KeyboardInterrupt

    board.swap = dies
    with pytest.raises(KeyboardInterrupt):
        await durations.publish(Fleet(mover.shared))
    assert (board.document.ttl_seconds, board.document.max_write_seconds) == (30, 60)
    shrunk = replace(mover.routing, ttl_seconds=25)
    with pytest.raises(PlanError, match="durations only grow"):
        durations.require_grown(shrunk, mover.world.state.note(notes.DURATIONS))


async def test_a_wait_that_an_earlier_run_did_not_end_is_not_forgotten_by_another_publishing():
    mover, _, clock = promising(20, 40)
    mover.commit(durations.SetNote(notes.DURATIONS, {"ttl_seconds": 20, "old_drain_seconds": 500.0}))
    await durations.publish(Fleet(mover.shared))
    assert mover.shared.fence_from - clock.monotonic() == 500


async def test_durations_of_the_document_never_shrink_below_what_was_seen():
    mover, board, _ = promising(30, 60)
    desk = mover.desk
    await desk.document()
    board.document = replace(board.document, ttl_seconds=10, max_write_seconds=10)
    found = await desk.record(ID)
    await desk.change(ID, found, desk.fenced(ID, found))
    assert (board.document.ttl_seconds, board.document.max_write_seconds) == (30, 60)
    assert desk.drain_seconds == 95


def test_a_register_that_clients_have_entered_is_not_taken_from_them():
    published = {"ttl_seconds": 30, "max_write_seconds": 60, "clock_margin_seconds": 5, "protocol": 2}
    with pytest.raises(PlanError, match=r"routing\.protocol is 1, but this rollout has published 2"):
        durations.require_grown(Routing("file"), published)
    durations.require_grown(Routing("file", protocol=2), published)
    durations.require_grown(Routing("file", protocol=2), {**published, "protocol": 1})
