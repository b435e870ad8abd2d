"""What a reader of the simulated route sees is what stood there when its request was served, however late the answer."""

import pytest

from migrator.errors import RouteChanged
from migrator.model.routes import RouteDocument
from migrator.testing.simulation.blobs import Sender
from migrator.testing.simulation.loop import SimLoop
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
