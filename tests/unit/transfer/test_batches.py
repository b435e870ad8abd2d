"""Batches where the destination's service cannot copy by itself: how much is asked in vain."""

from __future__ import annotations

import asyncio

import pytest

from migrator.errors import Unsupported
from migrator.model.rhythm import USUAL, Rhythm, Sizes
from migrator.ports.executor import BatchAnswer, CopyBatch, Refusal
from migrator.transfer.hands import Hands
from tests.unit.transfer.lab import Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


class Refusing:
    """An executor whose service cannot read from the origin."""

    batches_at_once = 4
    lanes_at_once = 0

    def __init__(self, refusal: Refusal) -> None:
        self.asked = 0
        self.refusal = refusal

    def bind_run(self, token: int) -> None: ...
    def expect(self, copies: int) -> None: ...

    async def copy(self, batch: CopyBatch) -> BatchAnswer:
        self.asked += len(batch.units)
        return BatchAnswer([self.refusal] * len(batch.units))

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal("unsupported", "cannot copy", code="CannotVerifyCopySource"),
        Refusal("access-refused", "not allowed", code="AuthorizationFailure"),
    ],
    ids=["cannot", "may not"],
)
async def test_a_service_that_cannot_or_may_not_copy_is_asked_for_a_few_objects(refusal):
    lab = Lab()
    for number in range(300):
        lab.put(lab.source, f"n{number}", b"%d" % number)
    executor = Refusing(refusal)

    async def admit_until() -> float:
        return lab.clock.monotonic() + 60.0

    result = await lab.run(hands=Hands(executor, lab.clock), admit_until=admit_until)
    assert result.copied == 300
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert executor.asked == USUAL.first_refusals


async def test_ranges_that_go_one_by_one_are_under_way_side_by_side(monkeypatch):
    lab = Lab(rhythm=Rhythm(sizes=Sizes(split_at=4, piece=2, first_piece=2)))
    for number in range(20):
        lab.put(lab.source, f"n{number:02}", b"%d" % number)
    under_way = most = 0
    door = lab.doors["dst"].inner
    right = door.put

    async def put(*what, **how):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(5.0)
        under_way -= 1
        return await right(*what, **how)

    async def admit_until() -> float:
        return lab.clock.monotonic() + 60.0

    async def copy(*what, **how):
        raise Unsupported("cannot copy", code="CannotVerifyCopySource")

    monkeypatch.setattr(door, "put", put)
    monkeypatch.setattr(door, "copy", copy)
    executor = Refusing(Refusal("unsupported", "cannot copy", code="CannotVerifyCopySource"))
    result = await lab.run(hands=Hands(executor, lab.clock), admit_until=admit_until, parallel=5)
    assert result.copied == 20
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert most == 5, "more than a range has, and no more than may be under way at once"
