"""``verify`` in lanes: contents are read along stored ranges side by side, by as many readers as ever, and nothing is missed."""

import asyncio

import pytest

from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.values import replace
from migrator.transfer import verify
from migrator.transfer.order import ORDERS
from migrator.transfer.proofs import Proofs
from migrator.transfer.verify import READERS, Proving, compare
from tests.unit.transfer.lab import AREA, MOVE, Lab, VirtualPolicy

SIZES = replace(USUAL.sizes, split_at=10, piece=10, first_piece=10, lane_names=10, lanes=8)
COUNT = 200


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    """Copied, so that there is evidence in twenty ranges."""
    lab = Lab(rhythm=Rhythm(sizes=SIZES))
    for number in range(COUNT):
        lab.put(lab.source, f"n{number:06}", b"x%d" % number)
    await lab.run()
    return lab


def compared(lab, level, **options):
    def stored(container, prefix):
        return ORDERS[0], lab.state.range_sizes(MOVE, container, prefix)

    return compare(lab.doors["src"], lab.doors["dst"], AREA, level=level, stored=stored, sizes=SIZES, **options)


def reading(monkeypatch):
    """Names in the order in which they were read, and how many were under way at once at most."""
    names, under_way, most, right = [], [0], [0], verify.same_content

    async def same(source, target, container, here, there):
        names.append(here.name)
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        await asyncio.sleep(1.0)
        under_way[0] -= 1
        return await right(source, target, container, here, there)

    monkeypatch.setattr(verify, "same_content", same)
    return names, most


@pytest.mark.parametrize("level", ["attributes", "content"])
async def test_every_name_is_compared_once(lab, level, monkeypatch):
    names, most = reading(monkeypatch)
    found = await compared(lab, level)
    assert found.is_equal
    assert (found.proved, found.alike) == ((COUNT, 0) if level == "content" else (0, COUNT))
    assert len(names) == len(set(names)) == found.proved
    assert most[0] <= READERS, "of all lanes together"


async def test_lanes_are_read_side_by_side(lab, monkeypatch):
    names, most = reading(monkeypatch)
    await compared(lab, "content")
    assert most[0] == READERS
    first = {int(name[1:]) // 20 for name in names[:READERS]}
    assert len(first) > 1, "of several lanes"


async def test_content_that_differs_in_the_middle_of_a_lane_is_named(lab, monkeypatch):
    right = verify.same_content

    async def same(source, target, container, here, there):
        return here.name != "n000111" and await right(source, target, container, here, there)

    monkeypatch.setattr(verify, "same_content", same)
    found = await compared(lab, "content")
    assert (found.changed, found.proved) == (1, COUNT - 1)
    assert found.named == [("changed", "web", "n000111", "content")]


async def test_what_was_proved_in_the_same_lanes_is_not_read_again(lab, monkeypatch):
    first = Proofs()
    await compared(lab, "content", proving=Proving(first))
    names, _ = reading(monkeypatch)
    again = Proofs(first.note(is_complete=True))
    found = await compared(lab, "content", proving=Proving(again))
    assert (found.proved, names) == (COUNT, [])


@pytest.mark.parametrize("level", ["attributes", "content"])
@pytest.mark.parametrize("accounts", [("src",), ("dst",), ("src", "dst")])
async def test_lanes_that_do_not_join_up_are_compared_as_one(lab, level, accounts):
    """Services that begin behind the name that they are asked for."""
    for account in accounts:
        lab.wires[account].starts.kind = "late"
    found = await compared(lab, level)
    assert (found.proved + found.alike, found.is_equal) == (COUNT, True)
