"""Lanes: what is listed side by side is one listing, or nothing is concluded from it; and how much sooner it has ended."""

import asyncio
from itertools import pairwise

import pytest

from migrator.model.objects import ContainerInfo
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.values import replace
from migrator.testing.simulation.blobs import Container
from migrator.transfer import passes
from migrator.transfer.lanes import Lane, LaneSeen, Looking, partition, sealed
from migrator.transfer.listing import LaneBroken, SeenSide
from migrator.transfer.order import key_of
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy

SMALL = replace(USUAL.sizes, split_at=10, piece=10, first_piece=10, lane_names=10, lanes=8, named_of=1_000)
"""Names are looked at again with their ranges; one by one: test_naming."""
PAGE_SECONDS = 0.2


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


def lab_of(sizes=SMALL, **options) -> Lab:
    lab = Lab(rhythm=Rhythm(sizes=sizes), **options)
    return lab


def slow(lab, seconds=PAGE_SECONDS):
    """Each request takes so long from here on."""
    for wire in lab.wires.values():
        wire.delay = lambda *, is_write: seconds


def filled(lab, count, *, container="web"):
    for number in range(count):
        lab.put(lab.source, f"n{number:06}", b"x", container=container)


async def seconds_of(lab, **options) -> float:
    begun = lab.loop.time()
    result = await lab.run(**options)
    assert result.is_proof
    return lab.loop.time() - begun


def watched(lab):
    """How many pages were asked for at once at most, and which names listings were to begin with."""
    under_way, most, starts = [0], [0], []
    for door in lab.doors.values():
        inner = door.inner

        def listen(right):
            async def page(container, **wishes):
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
                if wishes.get("start") is not None and wishes.get("limit") != 1:
                    starts.append(wishes["start"])
                try:
                    return await right(container, **wishes)
                finally:
                    under_way[0] -= 1

            return page

        inner.page = listen(inner.page)
    return most, starts


class TestTheValueOfALane:
    RANGES = [(b"%03d" % (10 * number), 240) for number in range(1, 20)] + [(None, 240)]

    def test_lanes_tile_the_container_along_stored_ranges(self):
        whole = Lane("web", "", "utf-8")
        lanes = partition(whole, self.RANGES, replace(SMALL, lane_names=30))
        assert lanes[0].above is None
        assert lanes[-1].upto is None
        assert all(one.upto == following.above for one, following in pairwise(lanes))
        assert {lane.upto for lane in lanes} <= {upper for upper, _ in self.RANGES}
        assert sum(lane.records for lane in lanes) == 200
        assert all(lane.records >= 30 for lane in lanes[:-1])

    @pytest.mark.parametrize(("sizes", "records"), [((240, 0), 10), ((240, 0, 0), 210), ((0, 0), 200), ((0,), 0)])
    def test_behind_the_last_name_that_a_pass_has_seen_nothing_is_counted(self, sizes, records):
        """Where hands waited for work, a small container was left in its names and an open end; it is as small as before."""
        uppers = [b"%03d" % number for number in range(1, len(sizes))] + [None]
        lanes = partition(
            Lane("web", "", "utf-8"), list(zip(uppers, sizes, strict=True)), replace(SMALL, lane_names=100)
        )
        assert sum(one.records for one in lanes) == records

    def test_a_container_has_no_more_lanes_than_that(self):
        lanes = partition(Lane("web", "", "utf-8"), self.RANGES, replace(SMALL, lane_names=1, most_lanes=5))
        assert len(lanes) == 5

    def test_what_is_sorted_here_and_what_has_one_range_is_one_lane(self):
        assert [one.is_whole for one in partition(Lane("web", "", "sorted"), self.RANGES, SMALL)] == [True]
        assert [one.is_whole for one in partition(Lane("web", "", "utf-8"), [(None, 2400)], SMALL)] == [True]
        assert [one.is_whole for one in partition(Lane("web", "", "utf-8"), [], SMALL)] == [True]

    def test_a_second_look_has_the_ranges_in_which_something_lies(self):
        stretches = [(b"020", b"030"), (b"030", b"040"), (b"155", b"156")]
        lanes = partition(Lane("web", "", "utf-8"), self.RANGES, replace(SMALL, lane_names=100), stretches)
        assert [(one.above, one.upto) for one in lanes] == [(b"020", b"040"), (b"150", b"160")]
        assert partition(Lane("web", "", "utf-8"), self.RANGES, SMALL, []) == ()
        whole = partition(Lane("web", "", "utf-8"), self.RANGES, replace(SMALL, lane_names=1000), [(None, None)])
        assert [one.is_whole for one in whole] == [True]

    @pytest.mark.parametrize("order", ["utf-16", "utf-8"])
    @pytest.mark.parametrize("name", ["a", "é", "\U0001f389", "\uffee", "a b/ü"])
    def test_it_begins_at_the_name_of_its_bound(self, order, name):
        assert Lane("web", "", order, key_of(order)(name), None).bounds.start == name


def seen(above, upto, *sides):
    return LaneSeen(Lane("web", "", "utf-8", above, upto), *(SeenSide(begins=b, ends=e) for b, e in sides))


class TestSeams:
    def test_lanes_that_show_the_same_name_at_their_bound_are_one_listing(self):
        first = seen(None, b"m", (b"a", b"m"), (b"b", b"n"))
        sealed([first, seen(b"m", None, (b"m", None), (b"n", None))])

    def test_an_end_of_the_listing_is_no_name(self):
        sealed([seen(None, b"m", (b"a", None), (None, None)), seen(b"m", None, (None, None), (None, None))])

    @pytest.mark.parametrize("begins", [b"p", None])
    @pytest.mark.parametrize("at_origin", [True, False])
    def test_a_name_between_two_lanes_breaks_them(self, begins, at_origin):
        whole = (b"m", None)
        sides = ((begins, None), whole) if at_origin else (whole, (begins, None))
        with pytest.raises(LaneBroken):
            sealed([seen(None, b"m", (b"a", b"m"), (b"a", b"m")), seen(b"m", None, *sides)])

    @pytest.mark.parametrize("begins", [b"p", None])
    @pytest.mark.parametrize("at_origin", [True, False])
    def test_a_lane_without_a_neighbour_shows_the_name_of_its_own_bound(self, begins, at_origin):
        """A second look is of stretches: nobody else would see that the service began too late."""
        whole = (b"m", None)
        sides = ((begins, None), whole) if at_origin else (whole, (begins, None))
        for before in ([], [seen(None, b"c", (b"a", b"c"), (b"a", b"c"))]):
            sealed([*before, seen(b"m", None, whole, whole)])
            with pytest.raises(LaneBroken):
                sealed([*before, seen(b"m", None, *sides)])

    def test_a_container_that_only_some_lanes_saw_is_not_concluded_from(self):
        gone = LaneSeen(Lane("web", "", "utf-8", b"m", None), SeenSide(container_missing=True), SeenSide())
        with pytest.raises(LaneBroken):
            sealed([seen(None, b"m", (b"a", None), (None, None)), gone])


async def test_a_pass_in_lanes_is_the_pass():
    lab = lab_of()
    filled(lab, 200)
    assert (await lab.run()).copied == 200
    most, starts = watched(lab)
    lab.erase(lab.source, "n000050")
    lab.put(lab.source, "n000049", b"changed")
    lab.put(lab.source, "n0001005", b"between")
    lab.put(lab.source, "n9", b"above")
    lab.put(lab.source, "a", b"below")
    result = await lab.run()
    assert (result.copied, result.deleted, result.scanned) == (4, 1, 202)
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert (await lab.run()).is_proof
    assert len(starts) >= 2 * 15
    assert most[0] > 8


@pytest.mark.parametrize("at_bound", [0, -1])
async def test_what_lies_at_the_bounds_is_seen_once(at_bound):
    lab = lab_of()
    filled(lab, 100)
    await lab.run()
    bounds = [key.decode("utf-16-be") for key, _ in lab.state.range_sizes(MOVE, "web", "") if key is not None]
    lab.put(lab.source, bounds[at_bound], b"changed")
    lab.put(lab.source, bounds[3] + "!", b"new")
    lab.erase(lab.source, bounds[4])
    result = await lab.run()
    assert (result.copied, result.deleted) == (2, 1)
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert (await lab.run()).scanned == 100


@pytest.mark.parametrize("kind", ["ignored", "refused", "late"])
@pytest.mark.parametrize("account", ["src", "dst"])
async def test_a_service_that_cannot_begin_with_a_name_is_listed_as_before(kind, account):
    lab = lab_of()
    filled(lab, 100)
    await lab.run()
    lab.wires[account].starts.kind = kind
    transfer = lab.transfer()
    lab.put(lab.source, "n000050", b"changed")
    lab.erase(lab.source, "n000049")
    result = await passes.run(transfer)
    assert (result.copied, result.deleted, result.scanned) == (1, 1, 99)
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert transfer.starts[account] is (kind == "late")


async def test_lanes_that_break_again_and_again_are_not_tried_for_ever():
    lab = lab_of()
    filled(lab, 100)
    await lab.run()
    lab.wires["dst"].starts.kind = "late"
    transfer = lab.transfer()
    for _ in range(USUAL.lane_attempts):
        assert (await passes.run(transfer)).is_proof
    _, starts = watched(lab)
    assert (await passes.run(transfer)).is_proof
    assert not starts


async def test_a_writer_at_a_seam_makes_the_container_be_listed_as_one():
    """Between two lanes a name was made: the second one shows it, the first one did not."""
    lab = lab_of()
    filled(lab, 100)
    await lab.run()
    bounds = [key.decode("utf-16-be") for key, _ in lab.state.range_sizes(MOVE, "web", "") if key is not None]
    door = lab.doors["src"].inner
    right, written = door.page, []

    async def page(container, **wishes):
        if wishes.get("start") == bounds[5] and wishes.get("limit") != 1 and not written:
            written.append(bounds[5])
            await asyncio.sleep(1.0)  # the lane before has ended
            lab.erase(lab.source, bounds[5])
        return await right(container, **wishes)

    door.page = page
    result = await lab.run()
    assert written
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert result.deleted == 1
    assert (await lab.run()).is_proof


async def test_a_lane_that_fails_ends_the_pass_and_all_others():
    lab = lab_of()
    filled(lab, 100)
    await lab.run()
    door = lab.doors["dst"].inner
    right = door.page

    async def page(container, **wishes):
        if wishes.get("start") is not None and wishes.get("limit") != 1 and wishes["start"] > "n00005":
            raise ZeroDivisionError
        return await right(container, **wishes)

    door.page = page
    before = len(asyncio.all_tasks())
    with pytest.raises(ZeroDivisionError):
        await lab.run()
    assert len(asyncio.all_tasks()) == before


async def test_the_watch_looks_in_lanes_too():
    lab = lab_of()
    filled(lab, 200)
    await lab.run()
    slow(lab)
    lab.put(lab.source, "n000123", b"late")
    lab.erase(lab.source, "n000007")
    begun = lab.loop.time()
    result = await passes.watch(lab.transfer())
    assert result.stragglers_new == 2
    assert lab.loop.time() - begun < 12 * PAGE_SECONDS


async def test_two_hundred_small_containers_are_looked_at_in_seconds():
    """One after the other they took 80 s and more, at 0.2 s a page and both sides in turn."""
    lab = lab_of(USUAL.sizes)
    for number in range(200):
        for account in (lab.source, lab.target):
            account.containers[f"web-{number}"] = Container(ContainerInfo(f"web-{number}"))
        filled(lab, 10, container=f"web-{number}")
    await lab.run()
    slow(lab)
    most, _ = watched(lab)
    assert await seconds_of(lab, in_fence=True) <= 10 * PAGE_SECONDS
    assert most[0] <= 2 * USUAL.sizes.lanes


async def test_one_large_container_is_looked_at_in_seconds():
    """A hundred pages of a side, one after the other, were 20 s."""
    sizes = replace(USUAL.sizes, split_at=100, piece=100, first_piece=100, lane_names=100)
    lab = lab_of(sizes)
    filled(lab, 5_000)
    await lab.run(page_size=50)
    slow(lab)
    assert await seconds_of(lab, in_fence=True, page_size=50) <= 12 * PAGE_SECONDS


async def test_few_full_lanes_or_many_short_ones_are_under_way():
    sizes = replace(USUAL.sizes, lanes=64, names_listed=320_000)
    looking = Looking(sizes, 128)
    assert looking.weight(Lane("web", "", "utf-8", None, None, 10_000), 5_000, is_known=True) == 20_000
    assert looking.weight(Lane("web", "", "utf-8", None, None, 10), 5_000, is_known=True) == 5_000
    assert looking.weight(Lane("web", "", "utf-8"), 5_000, is_known=False) == 20_000
    assert looking.weight(Lane("web", "", "utf-8"), 500_000, is_known=False) == 320_000


async def test_no_more_names_are_held_than_there_is_room_for():
    sizes = replace(SMALL, lanes=4, names_listed=4 * 40, most_lanes=64)
    lab = lab_of(sizes)
    filled(lab, 400)
    await lab.run(page_size=10)
    slow(lab)
    most, _ = watched(lab)
    assert (await lab.run(page_size=10)).is_proof
    assert most[0] <= 2 * 8  # of a lane that needs 20 names, two sides have one page under way each


async def second_look(lab, first, **options):
    """The pass that follows ``first`` in its fence, and the (container, name to begin with) of its listings."""
    asked = []
    door = lab.doors["src"].inner
    right = door.page

    async def page(container, **wishes):
        if wishes.get("limit") != 1:
            asked.append((container, wishes.get("start")))
        return await right(container, **wishes)

    door.page = page
    result = await passes.run(lab.transfer(**options), in_fence=True, after=first.acted)
    door.page = right
    return result, asked


class TestOneScan:
    async def test_only_ranges_in_which_the_first_look_acted_are_looked_at_again(self):
        lab = lab_of()
        filled(lab, 200)
        filled(lab, 50, container="web2")
        await lab.run()
        lab.put(lab.source, "n000055", b"changed")
        lab.erase(lab.source, "n000123")
        first = await lab.run(in_fence=True)
        assert (first.copied, first.deleted, first.is_proof) == (1, 1, False)
        result, asked = await second_look(lab, first)
        assert result.is_proof
        assert 0 < result.scanned <= 20
        assert {container for container, _ in asked} == {"web"}
        assert len(asked) == 2

    async def test_a_look_that_changed_nothing_leaves_nothing_to_be_looked_at(self):
        lab = lab_of()
        filled(lab, 50)
        await lab.run()
        first = await lab.run(in_fence=True)
        assert first.is_proof
        result, asked = await second_look(lab, first)
        assert result.is_proof
        assert asked == []

    @pytest.mark.parametrize("starts", ["ignored", "refused", "late"])
    async def test_without_lanes_the_container_is_looked_at_again_and_no_other(self, starts):
        lab = lab_of()
        lab.wires["src"].starts.kind = starts
        filled(lab, 100)
        filled(lab, 50, container="web2")
        await lab.run()
        lab.put(lab.source, "n000055", b"changed")
        result, asked = await second_look(lab, await lab.run(in_fence=True))
        assert result.is_proof
        # What did not join up was looked at once more in the first pass, after it had acted.
        assert {container for container, _ in asked} == (set() if starts == "late" else {"web"})
        assert result.scanned == (0 if starts == "late" else 100)

    async def test_what_is_not_done_is_looked_at_until_it_is(self):
        lab = lab_of()
        filled(lab, 100)
        await lab.run()
        lab.put(lab.source, "n000055", b"changed")
        lab.wires["dst"].listed = lambda *facts: lab.put(lab.source, "n000055", b"again")  # a writer without a lease
        first = await lab.run(in_fence=True)
        lab.wires["dst"].listed = lambda *facts: None
        assert first.superseded == 1
        second, _ = await second_look(lab, first)
        assert (second.copied, second.is_proof) == (1, False)
        third, asked = await second_look(lab, second)
        assert third.is_proof
        assert len(asked) == 1
        assert lab.contents(lab.target) == lab.contents(lab.source)

    async def test_containers_that_are_not_those_of_the_first_look_are_looked_at_as_a_whole(self):
        lab = lab_of()
        filled(lab, 50)
        filled(lab, 50, container="web2")
        await lab.run()
        first = await lab.run(in_fence=True)
        lab.source.containers["web3"] = Container(ContainerInfo("web3"))
        lab.put(lab.source, "new", b"x", container="web3")
        lab.target.containers["web2"].info = replace(lab.target.containers["web2"].info, etag="another")
        result, asked = await second_look(lab, first)
        assert result.copied == 1
        assert {container for container, _ in asked} == {"web2", "web3"}
        assert result.scanned == 51

    async def test_ranges_that_are_split_meanwhile_are_looked_at_in_all_their_parts(self):
        lab = lab_of()
        filled(lab, 20)
        await lab.run()
        for number in range(40):
            lab.put(lab.source, f"n000005-{number:02}", b"new")
        first = await lab.run(in_fence=True)
        assert first.copied == 40
        result, _ = await second_look(lab, first)
        assert result.is_proof
        assert result.scanned >= 50
        assert lab.contents(lab.target) == lab.contents(lab.source)

    async def test_the_cap_of_deletes_is_a_share_of_all_objects(self):
        lab = lab_of(replace(SMALL, min_delete_cap=1))
        filled(lab, 200)
        await lab.run()
        lab.put(lab.source, "n000055", b"changed")
        first = await lab.run(in_fence=True, max_delete_ratio=0.01)
        lab.erase(lab.source, "n000055")
        lab.erase(lab.source, "n000056")
        second, _ = await second_look(lab, first, max_delete_ratio=0.01)
        assert second.deleted == 2

    async def test_outside_a_fence_nothing_is_left_out(self):
        lab = lab_of()
        filled(lab, 20)
        assert (await lab.run()).acted is None
