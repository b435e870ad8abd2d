"""What belongs to a container comes along evenly, and what changes later follows as long as nobody else has a hand in it."""

from __future__ import annotations

import asyncio

import pytest

from migrator.errors import AccessRefused, OutcomeUnknown
from migrator.model import notes
from migrator.model.moves import Direction, StoredPolicy
from migrator.model.names import Area, Selector
from migrator.model.objects import ContainerInfo
from migrator.ports.write_policy import ContainerPolicies
from migrator.testing.simulation.blobs import Container
from migrator.testing.simulation.policies import Policies
from migrator.testing.simulation.store import SimStore
from migrator.transfer.container_shape import difference, reopened, unlike_policies
from migrator.transfer.verify import compare
from migrator.transfer.waits import Waits
from tests.unit.transfer.lab import AREA, MOVE, Lab, VirtualPolicy

BOTH_WAYS = pytest.mark.parametrize("direction", list(Direction))


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    return Lab()


def shape(account, name):
    info = account.containers[name].info
    return dict(info.metadata), info.public_access


def give(account, name, public=None, **metadata):
    held = account.containers.get(name)
    info = ContainerInfo(name, metadata, public)
    if held is None:
        account.containers[name] = Container(info)
    else:
        held.info = info


@pytest.mark.parametrize(("keeps", "made"), [(True, "blob"), (False, None)])
async def test_every_container_is_made_alike(lab, keeps, made):
    """Not only the first in the alphabet."""
    for name in ("web-a", "web-b", "web-c"):
        give(lab.source, name, "blob", team=name)
    await lab.run(keeps_public_access=keeps)
    assert [shape(lab.target, f"web-{one}") for one in "abc"] == [({"team": f"web-{one}"}, made) for one in "abc"]


@BOTH_WAYS
async def test_metadata_that_changes_later_follows(lab, direction):
    await lab.run()
    await lab.run(direction)
    origin, destination = (lab.source, lab.target) if direction is Direction.FORWARD else (lab.target, lab.source)
    give(origin, "web", cost="8")
    first = await lab.run(direction)
    assert (first.marked, first.is_proof) == (1, False)
    assert shape(destination, "web") == ({"cost": "8"}, None)
    assert (await lab.run(direction)).is_proof


async def test_what_somebody_else_gave_a_container_is_left_alone(lab):
    give(lab.target, "web", owner="terraform")
    give(lab.source, "web", cost="7")
    assert (await lab.run()).is_proof
    give(lab.source, "web", cost="8")
    assert (await lab.run()).is_proof
    assert shape(lab.target, "web") == ({"owner": "terraform"}, None)


async def test_what_changed_on_both_sides_is_left_alone(lab):
    await lab.run()
    give(lab.source, "web", cost="8")
    give(lab.target, "web", cost="9")
    assert (await lab.run()).is_proof
    assert shape(lab.target, "web") == ({"cost": "9"}, None)


async def test_a_container_that_several_areas_share_is_not_ours_to_change(lab, monkeypatch):
    monkeypatch.setattr("tests.unit.transfer.lab.AREA", Area("web", (Selector("web", "mine/"),)))
    await lab.run()
    give(lab.source, "web", cost="8")
    await lab.run()
    assert shape(lab.target, "web") == ({}, None)


async def metadata_is_out(lab, monkeypatch, outcome, **options):
    """The container's metadata is being set, and that ends with ``outcome``."""

    async def set_container_metadata(self, container, metadata):
        on_record.append([(one.container, one.name, one.bound_seconds) for one in lab.state.outstanding(MOVE)])
        raise outcome

    async def late_container_write_seconds(self):
        return 5000.0

    on_record = []
    await lab.run(bound_seconds=300.0)
    give(lab.source, "web", cost="8")
    with monkeypatch.context() as patch:
        patch.setattr(SimStore, "set_container_metadata", set_container_metadata)
        patch.setattr(SimStore, "late_container_write_seconds", late_container_write_seconds, raising=False)
        with pytest.raises(type(outcome)):
            await lab.run(bound_seconds=300.0, **options)
    assert on_record == [[("web", "", 5000.0)]]  # before it was sent
    return lab.state.outstanding(MOVE)


@pytest.mark.parametrize("outcome", [OutcomeUnknown("no answer"), asyncio.CancelledError()], ids=["unanswered", "dead"])
async def test_a_containers_metadata_counts_as_long_as_its_own_credential(lab, monkeypatch, outcome):
    (left,) = await metadata_is_out(lab, monkeypatch, outcome)
    assert (left.container, left.name, left.kind, left.bound_seconds) == ("web", "", "create", 5000.0)
    waits = Waits()
    await lab.run(bound_seconds=300.0, waits=waits)  # sets it
    assert shape(lab.target, "web") == ({"cost": "8"}, None)
    assert len(lab.state.outstanding(MOVE)) == 1  # the one before may still come
    await lab.clock.sleep(5001.0)
    await lab.run(bound_seconds=300.0, waits=waits)
    assert lab.state.outstanding(MOVE) == []


async def test_a_containers_metadata_that_was_answered_leaves_nothing_behind(lab, monkeypatch):
    assert await metadata_is_out(lab, monkeypatch, AccessRefused("no")) == []
    await lab.run(bound_seconds=300.0)
    assert lab.state.outstanding(MOVE) == []


async def test_verify_compares_containers_too(lab):
    await lab.run()
    assert (await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes")).is_equal
    give(lab.source, "web", "blob", cost="8")
    found = await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes")
    assert (found.changed, found.is_equal) == (1, False)
    assert found.named == [("changed", "web", "", "of the container itself: metadata and public access")]
    give(lab.source, "web", "blob")
    dropped = await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes", keeps_public_access=False)
    assert dropped.is_equal


def test_a_difference_is_named():
    plain, other = ContainerInfo("a"), ContainerInfo("a", {"x": "1"}, "container")
    assert difference(plain, plain) == ""
    assert difference(plain, other) == "metadata and public access"
    assert difference(plain, other, keeps_public_access=False) == "metadata"


@BOTH_WAYS
async def test_who_may_read_both_sides_is_remembered_while_they_are_alike(lab, direction):
    give(lab.source, "web-a", "blob")
    give(lab.source, "web-b")
    give(lab.target, "web-b", "container")
    await lab.run()
    await lab.run()
    alike = {"web": "", "web2": "", "web-a": "blob"}
    assert lab.state.note(notes.container_access(MOVE)) == alike
    give(lab.source, "web-a")
    await lab.run(direction)
    assert lab.state.note(notes.container_access(MOVE)) == alike
    here, there = ({name: one.info for name, one in side.containers.items()} for side in (lab.source, lab.target))
    assert reopened(alike, here, there) == ["web-a"]
    assert shape(lab.target, "web-a") == ({}, "blob"), "whom to let in is a person's decision"


async def test_where_public_access_is_dropped_nothing_is_remembered(lab):
    give(lab.source, "web-a")
    await lab.run(keeps_public_access=False)
    assert lab.state.note(notes.container_access(MOVE)) is None


class Holder:
    """A store's policies alone."""

    can_prove_policies = False

    def __init__(self, held, fault=None):
        self.held, self.fault = held, fault

    async def policies(self, container):
        if self.fault:
            raise self.fault
        return ContainerPolicies(tuple(StoredPolicy(name, more) for name, more in self.held.get(container, ())))


async def test_policies_are_compared_by_their_names():
    """What they permit an enforced fence changes."""
    here = Holder({"web": [("readers", "r"), ("writers", "rw")], "same": [("writers", "rw")]})
    there = Holder({"web": [("readers", "r"), ("others", "r")], "same": [("writers", "")]})
    found = await unlike_policies(here, there, ["none", "same", "web"])
    assert found == [("web", "stored access policies (writers only at the source; others only at the target)")]
    assert await unlike_policies(here, object(), ["web"]) == []


async def test_verify_compares_policies_and_says_where_nobody_may_read_them(lab):
    assert (await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes")).is_equal
    for wire, names in zip(lab.wires.values(), (["writers"], []), strict=True):
        wire.policies = Policies("lab")
        wire.policies.put("web", [StoredPolicy(name, "rw") for name in names], 0.0)
    apart = await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes")
    assert [(kind, container) for kind, container, _, _ in apart.named] == [("changed", "web")]
    assert "writers only at the source" in apart.named[0][3]
    assert not apart.not_compared
    lab.doors["src"].inner.policies = Holder({}, AccessRefused("cannot read them")).policies
    unread = await compare(lab.doors["src"], lab.doors["dst"], AREA, level="attributes")
    assert (unread.is_equal, unread.not_compared) == (
        True,
        "stored access policies were not compared: cannot read them",
    )
