"""A service that does not copy between two accounts: said once in the journal, kept for status, and taken back."""

import pytest

from migrator.errors import StateError
from migrator.model import notes
from migrator.model.moves import Direction, MoveRecord, MoveState
from migrator.model.rhythm import USUAL
from migrator.model.values import replace
from migrator.standing.streamed import streamed_of
from migrator.transfer import passes
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy

RECORD = MoveRecord(MOVE, "first", "src", "dst", state=MoveState.COPYING)
FEW = USUAL.first_refusals + 1


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


def some(lab, first, count):
    for number in range(first, first + count):
        lab.put(lab.source, f"n{number:03}", b"x")


def kinds(lab):
    return [row.kind for row in lab.state.journal() if row.kind.startswith("streams")]


async def test_what_goes_through_this_machine_is_told_once_and_kept():
    lab = Lab()
    lab.wires["dst"].copies_from = set()
    some(lab, 0, FEW)
    transfer = lab.transfer()
    await passes.run(transfer)
    said = streamed_of(lab.state, RECORD)
    assert said is not None
    assert (said.origin, said.destination) == ("src", "dst")
    assert "the service cannot copy between these accounts" in str(said)
    assert streamed_of(lab.state, replace(RECORD, direction=Direction.REVERSE)) is None
    assert streamed_of(lab.state, replace(RECORD, state=MoveState.SOAKED)) is None
    some(lab, 100, FEW)
    await lab.run()  # another run knows it from the store
    assert kinds(lab) == ["streams"]
    lab.wires["dst"].copies_from = None
    some(lab, 200, 1)
    await lab.run()
    assert streamed_of(lab.state, RECORD) is None
    assert lab.state.note(notes.streamed(MOVE)) is None
    assert kinds(lab) == ["streams", "streams-no-more"]


async def test_a_busy_store_keeps_nothing_up_and_is_told_later():
    lab = Lab()
    lab.wires["dst"].copies_from = set()
    some(lab, 0, 2 * FEW)
    transfer = lab.transfer()
    right, told = transfer.commit, []

    def commit(changes, tally):
        if any(getattr(one, "key", "") == notes.streamed(MOVE) for one in changes):
            told.append(1)
            if len(told) == 1:
                raise StateError("busy")
        right(changes, tally)

    transfer.commit = commit
    result = await passes.run(transfer)
    assert result.copied == 2 * FEW
    lab.loop.call_later(USUAL.ask_again_seconds, lambda: None)
    await lab.clock.sleep(USUAL.ask_again_seconds)
    some(lab, 100, 1)
    await passes.run(transfer)
    assert streamed_of(lab.state, RECORD) is not None
    assert kinds(lab) == ["streams"]
