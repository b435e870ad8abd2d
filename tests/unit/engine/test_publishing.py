"""The first record of every move is there before any wave begins, and is made once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.engine import edits
from migrator.engine.fleet import Fleet
from migrator.engine.preparing import prepare
from migrator.engine.publishing import publish
from migrator.engine.recovering import recover
from migrator.errors import OutcomeUnknown
from migrator.model.moves import MoveRecord, MoveState
from migrator.model.names import Area, MoveId, Selector
from migrator.model.routes import READ_WRITE
from migrator.model.schedule import PlannedMove
from tests.unit.engine.board import ADDRESS, ID, LINEAGE, before, mover_of

LATER = MoveId("europe", "mail")


def fleet_of(record: MoveRecord, route=None):
    """Two moves, each in a wave of its own."""
    mover, board, _ = mover_of(record, route)
    schedule = mover.shared.schedule
    later = PlannedMove(LATER, Area("mail", (Selector("mail"),)), "src", "dst")
    waves = (*schedule.waves, replace(schedule.waves[0], name="second", moves=(later,)))
    mover.shared.schedule = replace(schedule, waves=waves)
    fleet = Fleet(mover.shared)
    prepare(fleet, "")
    return fleet, board


PENDING = MoveRecord(ID, "first", "src", "dst")


def told(fleet) -> str:
    return "; ".join(text for _, text in fleet.world.reporter.events)


async def test_every_move_gets_its_record_at_its_source_in_one_swap():
    fleet, board = fleet_of(PENDING)
    version = board.version
    assert await publish(fleet) == (str(LATER), str(ID))
    assert board.version == version + 1
    for move in (ID, LATER):
        route, record = board.document.routes[str(move)], fleet.world.state.move(move)
        assert (route.account, route.endpoint, route.mode, route.epoch) == ("src", ADDRESS["src"], READ_WRITE, 1)
        assert (route.lineage, route.run) == (LINEAGE, "run-2")
        assert (record.state, record.ever_routed, record.epoch) == (MoveState.PENDING, True, 1)
    (entry,) = [one for one in fleet.world.state.journal() if one.kind == "routes-published"]
    assert entry.evidence["moves"] == [str(LATER), str(ID)]


async def test_a_move_that_ever_had_one_never_gets_another():
    fleet, board = fleet_of(PENDING)
    await publish(fleet)
    board.document = replace(board.document, routes={str(LATER): board.document.routes[str(LATER)]})
    assert await publish(fleet) == ()
    assert str(ID) not in board.document.routes


async def test_nothing_is_made_for_a_move_that_has_begun_without_one():
    fleet, board = fleet_of(replace(PENDING, state=MoveState.PREFLIGHT))
    assert await publish(fleet) == (str(LATER),)
    assert str(ID) not in board.document.routes


async def test_a_run_that_died_before_it_wrote_its_records_down_is_followed_by_one_that_does():
    fleet, board = fleet_of(PENDING, replace(before(), epoch=1))
    assert await publish(fleet) == (str(LATER),)
    assert board.document.routes[str(ID)] == replace(before(), epoch=1), "found, not made again"
    assert fleet.world.state.move(ID).ever_routed


async def test_a_swap_that_was_not_answered_is_looked_at_and_not_repeated():
    fleet, board = fleet_of(PENDING)
    right, swaps = board.swap, []

    async def swap(region, document, *, expected_etag):
        swaps.append(await right(region, document, expected_etag=expected_etag))
        raise OutcomeUnknown("no answer")

    board.swap = swap
    assert await publish(fleet) == (str(LATER), str(ID))
    assert len(swaps) == 1
    assert fleet.world.state.move(LATER).ever_routed


@pytest.mark.parametrize(
    "strange", [{"lineage": "f" * 16}, {"account": "dst", "endpoint": ADDRESS["dst"]}, {"endpoint": "https://evil"}]
)
async def test_a_record_that_is_not_ours_is_left_and_said_and_hinders_no_other(strange):
    route = replace(before(), **strange)
    fleet, board = fleet_of(PENDING, route)
    assert await publish(fleet) == (str(LATER),)
    assert board.document.routes[str(ID)] == route
    assert not fleet.world.state.move(ID).ever_routed
    assert "route and state disagree" in told(fleet)


async def test_a_later_run_claims_a_published_record_only_when_its_move_begins():
    fleet, board = fleet_of(PENDING)
    await publish(fleet)
    board.document = board.document.with_record(
        str(LATER), replace(board.document.routes[str(LATER)], lineage="f" * 16)
    )
    version = board.version
    await recover(fleet)
    assert board.version == version, "nothing is written for what has not begun, and no run ends for it"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"source": "dst", "target": "src"}, "the route of europe/mail was published at src"),
        ({"target": "dst", "area": Area("mail", (Selector("post"),))}, None),
    ],
)
async def test_an_edit_leaves_the_source_of_a_published_route_alone(changed, says):
    fleet, _ = fleet_of(PENDING)
    await publish(fleet)
    schedule = fleet.schedule
    later = replace(schedule.waves[1].moves[0], **changed)
    edited = replace(schedule, waves=(schedule.waves[0], replace(schedule.waves[1], moves=(later,))))
    found = [str(fault) for _, fault in edits.refusals(edited, fleet.world.state)]
    assert [one for one in found if says and says in one] == found
    assert bool(found) is bool(says)


async def test_another_route_document_is_refused_once_a_route_was_published():
    fleet, _ = fleet_of(PENDING)
    await publish(fleet)
    edited = replace(fleet.schedule, routing=replace(fleet.schedule.routing, path="other.json"))
    found = [str(fault) for _, fault in edits.refusals(edited, fleet.world.state)]
    assert "the route of europe/web is published, and the route document was" in found[0]
