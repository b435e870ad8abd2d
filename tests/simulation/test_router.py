"""What a reader of the simulated route sees is what stood there when its request was served, however late the answer."""

import pytest

from migrator.errors import RouteChanged
from migrator.model.routes import READ_ONLY, READ_WRITE, RouteDocument, RouteRecord
from migrator.model.values import replace
from migrator.ports.router import RoutesDamaged
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.damage import HARMS
from migrator.testing.simulation.loop import Node, SimLoop
from migrator.testing.simulation.router import RouteBoard
from migrator.testing.simulation.weather import Weather

BY = Sender("somebody", False)


@pytest.fixture
def board():
    board = RouteBoard(SimLoop(), Weather.calm(), "seed")
    for at, ttl in ((5.0, 30), (5.0, 40), (9.0, 50)):
        board.loop.virtual_now = at
        board.put(RouteDocument(ttl, 60, {}), board.etag, BY, at)
    return board


@pytest.mark.parametrize(
    ("moment", "ttl", "etag"),
    [(4.9, None, None), (5.0, 40, "v2"), (8.9, 40, "v2"), (9.0, 50, "v3"), (1000.0, 50, "v3")],
)
def test_each_moment_has_its_document(board, moment, ttl, etag):
    seen = board.as_of(moment)
    assert (seen.document and seen.document.ttl_seconds, seen.etag) == (ttl, etag)


def test_a_refused_swap_leaves_no_trace(board):
    with pytest.raises(RouteChanged):
        board.put(RouteDocument(60, 60, {}), "v1", BY, 10.0)
    assert (board.as_of(1000.0).etag, board.etag) == ("v3", "v3")


FENCE = RouteRecord("src", "https://src.blob.example", READ_ONLY, 2, "lineage", "", "run-1")


@pytest.fixture
def damaged():
    def made(kind):
        board = RouteBoard(SimLoop(), Weather.calm(), "seed")
        board.loop.virtual_now = 5.0
        board.put(RouteDocument(30, 60, {"eu/x": FENCE, "eu/z": FENCE}), None, BY, 5.0)
        board.loop.virtual_now = 9.0
        board.damage(HARMS[kind], BY)
        return board

    return made


def read(board):
    with pytest.raises(RoutesDamaged) as refused:
        board.as_of(1000.0)
    return refused.value


@pytest.mark.parametrize("kind", HARMS)
def test_a_damaged_document_cannot_be_read_and_a_release_can_be_written(damaged, kind):
    board = damaged(kind)
    assert board.as_of(8.9).document.routes["eu/x"] == FENCE
    fault = read(board)
    assert (fault.etag, fault.damaged.routes["eu/x"]) == ("v2", FENCE)
    released = replace(FENCE, mode=READ_WRITE, epoch=3)

    board.put(fault.damaged.with_record("eu/x", released), fault.etag, BY, 9.0)

    assert read(board).damaged.routes["eu/x"] == released, "it is damaged still"
    board.damage(None, BY)
    assert board.as_of(1000.0).document == RouteDocument(30, 60, {"eu/x": released, "eu/z": FENCE})


def test_a_release_that_changes_what_is_not_its_own_is_found(damaged):
    fault = read(damaged("a record that is none"))
    del fault.damaged._body["routes"]["x/y"]
    with pytest.raises(AssertionError, match="not its own"):
        damaged("a record that is none").put(fault.damaged, fault.etag, BY, 9.0)


def test_the_damaged_document_is_another_version(damaged):
    board = damaged("no durations")
    with pytest.raises(RouteChanged):
        board.put(RouteDocument(30, 60, {}), "v1", BY, 9.0)
    board.edit(lambda document: document.with_record("eu/z", replace(FENCE, epoch=9)), BY)
    assert read(board).damaged.routes["eu/z"].epoch == 9, "another hand leaves it as damaged as it was"


def test_who_reads_a_damaged_document_has_seen_its_whole_records(damaged):
    board, seen = damaged("no durations"), {}
    board.seen = lambda process, document: seen.update({process: document.routes})
    board.loop.virtual_now = 1000.0
    door = board.as_seen_by(Node("engine-1", board.loop), Sender("engine-1", True))

    async def look():
        with pytest.raises(RoutesDamaged):
            await door.read()

    board.loop.run_until_complete(look())
    assert seen["engine-1"]["eu/x"] == FENCE
