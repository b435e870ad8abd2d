"""What was sent, or may have been, and what must be remembered of it until it can do nothing any more."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from migrator.errors import ConditionFailed, OutcomeUnknown, Unreachable
from migrator.model.moves import EvidenceRange
from migrator.model.objects import CREATE
from migrator.model.values import replace
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


async def late_create(lab, waits):
    """A create was not answered; a pass saw its name on neither side; then it was applied, and now its time is over."""
    transfer = lab.transfer(bound_seconds=100.0, waits=waits)
    transfer.leave([transfer.unanswered("web", "a", "create", None)])
    await lab.run(bound_seconds=100.0, waits=waits)
    lab.put(lab.target, "a", b"one")
    await asyncio.sleep(100.0)
    assert lab.records().get("a") is None
    assert len(lab.state.outstanding(MOVE)) == 1


async def test_a_late_create_that_could_not_be_kept_is_ours_still(lab):
    """What nobody can tell apart is kept before it goes. A pass that cannot do that leaves the write on record: without it
    our own object would pass for a stranger's."""
    waits = Waits()
    await late_create(lab, waits)
    door = lab.doors["dst"].inner
    right, refused = door.put, []

    async def put(container, name, *facts, **more):
        if len(refused) < 3:
            refused.append(name)
            raise OutcomeUnknown("no answer")
        return await right(container, name, *facts, **more)

    door.put = put
    first = await lab.run(bound_seconds=100.0, waits=waits)
    assert (len(refused), first.deleted, first.is_proof) == (3, 0, False)
    second = await lab.run(bound_seconds=100.0, waits=waits)
    assert (second.deleted, second.foreign) == (1, 0)
    assert not lab.state.outstanding(MOVE)


async def test_a_late_create_whose_delete_came_to_nothing_is_ours_still(lab):
    """Its origin came back between the listing and the delete."""
    waits = Waits()
    await late_create(lab, waits)
    door = lab.doors["src"].inner
    right = door.head

    async def head(container, name):
        lab.put(lab.source, name, b"two")
        door.head = right
        return await right(container, name)

    door.head = head
    first = await lab.run(bound_seconds=100.0, waits=waits)
    assert (first.deleted, first.is_proof) == (0, False)
    second = await lab.run(bound_seconds=100.0, waits=waits)
    assert (second.copied, second.foreign) == (1, 0)
    assert lab.contents(lab.target) == {"a": b"two"}
    assert not lab.state.outstanding(MOVE)


async def test_a_late_copy_that_is_not_done_is_ours_still(lab):
    """The service copies it asynchronously: the pass waits for it, and it has no record."""
    waits = Waits()
    await late_create(lab, waits)
    blob = lab.target.peek("web", "a")
    lab.put(lab.source, "a", b"one")
    done, blob.listed = blob.listed, replace(blob.listed, copy_pending=True)
    first = await lab.run(bound_seconds=100.0, waits=waits)
    assert (first.waiting, first.is_proof) == (1, False)
    blob.listed = done
    second = await lab.run(bound_seconds=100.0, waits=waits)
    assert (second.adopted, second.foreign) == (1, 0)
    assert not lab.state.outstanding(MOVE)


async def test_what_an_earlier_run_announced_is_not_forgotten_while_its_time_runs_out_during_a_pass(lab):
    """The listing may have been read before the late write, and the pass may end after the last moment of such a write."""
    lab.put(lab.source, "a", b"one")
    evidence = Evidence()
    known = lab.source.peek("web", "a").listed
    evidence.put("a", pending(NameCase("a", known, None, None, lab.transfer().direction)))
    lab.erase(lab.source, "a")
    announced = EvidenceRange("web", "", None, evidence.pack(), True)
    lab.state.commit([ReplaceRanges(MOVE, "web", "", None, None, (announced,))], token=lab.token)
    until = lab.clock.monotonic() + 10.0
    door = lab.doors["dst"].inner
    right = door.page

    async def page(*facts, **more):
        found = await right(*facts, **more)
        lab.put(lab.target, "a", b"one")
        await asyncio.sleep(20.0)
        door.page = right
        return found

    door.page = page
    await lab.run(inherited_seconds=lambda: until - lab.clock.monotonic())
    result = await lab.run(inherited_seconds=lambda: until - lab.clock.monotonic())
    assert (result.deleted, result.foreign) == (1, 0)
    assert lab.contents(lab.target) == {}


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
