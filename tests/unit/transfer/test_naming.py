"""The second look inside a fence at names one by one: what it may leave out, and what it must not."""

import pytest

from migrator.errors import ConditionFailed
from migrator.model.moves import Direction
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.schedule import Budget
from migrator.model.values import replace
from migrator.transfer import passes
from migrator.transfer.evidence import knows_marks, marks_hash
from migrator.transfer.result import Touched
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy

SMALL = replace(USUAL.sizes, split_at=20, piece=20, first_piece=20, lane_names=20, lanes=8)
ALL = tuple(f"n{number:06}" for number in range(200))


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


async def copied(sizes=SMALL, **options) -> Lab:
    lab = Lab(rhythm=Rhythm(sizes=sizes))
    for name in ALL:
        lab.put(lab.source, name, b"x")
    await lab.run(**options)
    return lab


def heard(lab) -> dict[str, list[str]]:
    """Names that are asked for, and containers that are listed, at each account from here on."""
    asked = {"src": [], "dst": [], "listed": []}
    for account, door in lab.doors.items():
        head, page = door.inner.head, door.inner.page

        async def asks(container, name, *, right=head, account=account):
            asked[account].append(name)
            return await right(container, name)

        async def lists(container, *, right=page, **wishes):
            asked["listed"].append(wishes.get("start"))
            return await right(container, **wishes)

        door.inner.head, door.inner.page = asks, lists
    return asked


async def again(lab, first, **options):
    return await passes.run(lab.transfer(**options), in_fence=True, after=first.acted)


def named(result) -> list[str]:
    return sorted(name for _, acted in result.acted.ranges.values() for one in acted for name in one.names or ())


class TestNames:
    async def test_a_few_names_that_were_copied_are_asked_for_on_both_sides_and_nothing_is_listed(self):
        lab = await copied()
        for name in ("n000055", "n000123", "n000199"):
            lab.put(lab.source, name, b"changed")
        first = await lab.run(in_fence=True)
        assert named(first) == ["n000055", "n000123", "n000199"]
        asked = heard(lab)
        second = await again(lab, first)
        assert second.is_proof
        assert (second.scanned, second.acted.ranges) == (3, {})
        assert sorted(asked["src"]) == sorted(asked["dst"]) == named(first)
        assert asked["listed"] == []

    @pytest.mark.parametrize("side", ["source", "target"])
    @pytest.mark.parametrize("what", ["written", "deleted", "tagged"])
    async def test_a_name_that_is_not_at_rest_is_looked_at_with_its_range(self, side, what):
        lab = await copied()
        lab.put(lab.source, "n000055", b"changed")
        lab.put(lab.source, "n000123", b"changed")
        first = await lab.run(in_fence=True)
        account = getattr(lab, side)
        match what:
            case "written":
                lab.put(account, "n000055", b"by a stranger")
            case "deleted":
                lab.erase(account, "n000055")
            case "tagged":
                lab.retag(account, "n000055", by="a stranger")
        asked = heard(lab)
        second = await again(lab, first)
        assert not second.is_proof
        assert asked["listed"], "only a listing carries over, or says that somebody else wrote"
        assert second.scanned <= 2 + 2 * 20
        if (side, what) != ("target", "written"):
            assert (await again(lab, second)).is_proof
            assert lab.contents(lab.source) == lab.contents(lab.target)

    async def test_what_rests_on_an_absence_or_was_not_done_is_listed(self):
        lab = await copied()
        lab.erase(lab.source, "n000055")
        lab.put(lab.source, "n000123", b"changed")
        right = lab.doors["dst"].inner.copy

        async def refuses(*where, **how):
            raise ConditionFailed("not now", code="ConditionNotMet")

        lab.doors["dst"].inner.copy = refuses
        first = await lab.run(in_fence=True)
        lab.doors["dst"].inner.copy = right
        assert (first.deleted, first.superseded) == (1, 1)
        assert named(first) == []
        second = await again(lab, first)
        assert second.copied == 1
        assert (await again(lab, second)).is_proof

    async def test_where_many_of_a_range_were_written_to_it_is_listed(self):
        lab = await copied()
        for name in ALL[40:43]:  # of twenty, more than one in ten
            lab.put(lab.source, name, b"changed")
        first = await lab.run(in_fence=True)
        assert named(first) == []
        asked = heard(lab)
        assert (await again(lab, first)).is_proof
        assert asked["src"] == []
        assert asked["listed"]

    async def test_more_names_than_the_budget_lets_be_asked_for_soon_are_listed(self):
        lab = await copied()
        for name in ALL[::20]:
            lab.put(lab.source, name, b"changed")
        first = await lab.run(in_fence=True)
        assert len(named(first)) == 10
        lab.doors["src"].limits.set(Budget(requests_per_minute=60.0))
        asked = heard(lab)
        assert (await again(lab, first)).is_proof
        assert asked["src"] == []

    async def test_with_contents_to_be_proved_ranges_are_listed(self):
        lab = await copied(prove_share=1.0)
        lab.put(lab.source, "n000055", b"changed")
        first = await lab.run(in_fence=True, prove_share=1.0)
        assert named(first) == []
        second = await again(lab, first, prove_share=1.0)
        assert second.is_proof
        assert all(record.is_proved for _, record in lab.records().records())

    async def test_an_order_that_was_sorted_out_meanwhile_has_no_such_ranges(self):
        lab = await copied()
        lab.put(lab.source, "n000055", b"changed")
        first = await lab.run(in_fence=True)
        (order, (one,)) = first.acted.ranges["web", ""]
        other = replace(first.acted, ranges={("web", ""): (order, (Touched((one.stretch[0], b"\0x"), one.names),))})
        asked = heard(lab)
        second = await passes.run(lab.transfer(), in_fence=True, after=other)
        assert second.is_proof
        assert asked["listed"]

    async def test_tags_and_tier_that_a_copy_brought_along_are_known_for_sure_afterwards(self):
        lab = await copied()
        lab.put(lab.target, "n000055", b"changed", by="us")
        first = await lab.run(Direction.REVERSE, in_fence=True)
        assert knows_marks(lab.records().get("n000055"), {"by": "us"}, "Cool")
        assert (await again(lab, first, direction=Direction.REVERSE)).is_proof
        record = lab.records().get("n000055")
        assert record.marks == marks_hash({"by": "us"}, None)
        assert not knows_marks(record, {"by": "us"}, "Cool")

    async def test_on_the_way_back_it_is_the_same(self):
        lab = await copied()
        lab.put(lab.target, "n000055", b"changed")
        first = await lab.run(Direction.REVERSE, in_fence=True)
        assert named(first) == ["n000055"]
        second = await passes.run(lab.transfer(Direction.REVERSE), in_fence=True, after=first.acted)
        assert second.is_proof
        assert lab.state.exceptions(MOVE) == []
