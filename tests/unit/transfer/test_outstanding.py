"""What was sent, or may have been, and what must be remembered of it until it can do nothing any more."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from migrator.errors import ConditionFailed, Unreachable
from migrator.model.moves import EvidenceRange
from migrator.model.objects import CREATE
from migrator.ports.state_store import ReplaceRanges
from migrator.transfer import passes
from migrator.transfer.decide import NameCase, pending
from migrator.transfer.evidence import Evidence
from migrator.transfer.limits import AccountLimits
from migrator.transfer.paced import PacedStore, unclaimed
from migrator.transfer.waits import Waits
from tests.unit.engine.board import Jumping
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    return Lab()


@pytest.mark.parametrize("later", ["replace", "delete"])
async def test_an_unanswered_create_is_not_forgotten_for_a_later_write_of_its_name(lab, later):
    """The create carries no ETag that could be gone: it can be applied for its whole time."""
    transfer = lab.transfer(bound_seconds=100.0)
    transfer.leave([transfer.unanswered("web", "a", "create", None)])
    transfer.leave([transfer.unanswered("web", "a", later, "e1")])
    (write,) = lab.state.outstanding(MOVE)
    assert (write.kind, write.if_match) == ("create", None)


async def test_a_write_that_expires_during_a_pass_stays_on_record_until_a_pass_has_seen_every_name_after_it(lab):
    waits = Waits()
    transfer = lab.transfer(bound_seconds=100.0, waits=waits)
    transfer.leave([transfer.unanswered("web", "a", "create", None)])
    await asyncio.sleep(90.0)
    lab.wires["dst"].delay = lambda *, is_write: 30.0
    await lab.run(bound_seconds=100.0, waits=waits)
    assert len(lab.state.outstanding(MOVE)) == 1
    del lab.wires["dst"].delay
    await lab.run(bound_seconds=100.0, waits=waits)
    assert not lab.state.outstanding(MOVE)


async def test_what_is_at_the_origin_again_is_not_deleted(lab):
    """It came back after both listings: the last word is a look at the name itself."""
    lab.put(lab.source, "a", b"one")
    await lab.run()
    lab.erase(lab.source, "a")
    door = lab.doors["src"].inner
    right = door.head

    async def head(container, name):
        lab.put(lab.source, name, b"two")
        return await right(container, name)

    door.head = head
    result = await lab.run()
    assert (result.deleted, result.superseded) == (0, 1)
    assert lab.contents(lab.target) == {"a": b"one"}


async def test_a_name_that_was_announced_before_stays_announced_when_its_next_write_is_refused(lab):
    """The first write may still arrive; forgotten, it would pass for a stranger's."""
    lab.put(lab.source, "a", b"a")
    evidence = Evidence()
    evidence.put("a", pending(NameCase("a", lab.source.peek("web", "a").listed, None, None, lab.transfer().direction)))
    announced = EvidenceRange("web", "", None, evidence.pack(), True)
    lab.state.commit([ReplaceRanges(MOVE, "web", "", None, None, (announced,))], token=lab.token)

    async def refused(*facts, **more):
        raise ConditionFailed("it is there")

    lab.doors["dst"].inner.copy = refused
    await lab.run()
    record = lab.records().get("a")
    assert record is not None
    assert record.is_pending


async def test_a_container_that_both_sides_lost_leaves_no_evidence(lab):
    lab.put(lab.source, "a", b"a", container="web2")
    await lab.run()
    for account in (lab.source, lab.target):
        del account.containers["web2"]
    await lab.run()
    left = [one for one in lab.state.ranges(MOVE, "web2", "") if one.records]
    assert not left


async def test_tags_of_a_straggler_that_change_again_are_seen_again(lab):
    lab.put(lab.source, "a", b"a")
    await lab.run()
    seen = []
    for tags in ({"late": "1"}, {"late": "1"}, {"late": "2"}):
        lab.retag(lab.source, "a", **tags)
        seen.append((await passes.watch(lab.transfer())).stragglers_new)
    assert seen == [1, 0, 1]


class Deaf:
    """A service that nobody reaches."""

    account = "far"
    answered_at = 0.0

    def __init__(self) -> None:
        self.sent = 0

    async def put(self, *facts, **more):
        self.sent += 1
        raise Unreachable("cannot reach account far: no answer")


class Uncounted:
    def count(self, account, operation, *, minute, requests=1) -> None: ...


async def test_a_write_that_did_not_reach_its_account_is_not_sent_again_by_the_pace():
    """Whoever owns the write knows whether there is time for another one; in a fence there is none."""
    clock, service = Jumping(), Deaf()
    store = PacedStore(service, AccountLimits(clock), Uncounted(), clock, unclaimed)
    with pytest.raises(Unreachable):
        await store.put("box", "a", b"", None, condition=CREATE)
    assert service.sent == 1
    assert clock.monotonic() < inf
