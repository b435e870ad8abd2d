"""The first copy of a container in lanes: parted where an inventory says, whatever that is worth by now."""

import asyncio

import pytest

from migrator.engine.inventory import MOST_SEAMS, Seams, sample, survey
from migrator.model import notes
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.values import replace
from migrator.ports.state_store import SetNote
from migrator.transfer import beginning
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy
from tests.unit.transfer.test_lanes import PAGE_SECONDS, slow

SMALL = replace(USUAL.sizes, split_at=10, piece=10, first_piece=10, lane_names=10, lanes=8)
NAMES = tuple(f"n{number:06}" for number in range(160))
TENTHS = NAMES[19::20]


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


def parted(names=TENTHS, *, container="web", prefix="", **options) -> Lab:
    lab = Lab(rhythm=Rhythm(sizes=SMALL), **options)
    lab.state.commit([SetNote(notes.seams(MOVE, "src"), [[container, prefix, list(names)]])], token=None)
    for name in NAMES:
        lab.put(lab.source, name, b"x")
    return lab


def listed(lab, side) -> list[str | None]:
    """Where listings of the container begin at ``side``, from here on."""
    starts, door = [], lab.doors[side].inner
    right = door.page

    async def page(container, **wishes):
        if container == "web" and wishes.get("marker") is None and wishes.get("limit") != 1:
            starts.append(wishes.get("start"))
        return await right(container, **wishes)

    door.page = page
    return starts


async def seconds_of_the_first_copy(lab) -> float:
    slow(lab)
    begun = lab.loop.time()
    result = await lab.run(page_size=10)
    assert result.copied == len(NAMES)
    assert lab.contents(lab.source) == lab.contents(lab.target)
    return lab.loop.time() - begun


class TestTheFirstPass:
    async def test_it_lists_in_lanes_and_takes_a_part_of_the_time(self):
        lab, other = parted(), parted(())
        at_source, at_target = listed(lab, "src"), listed(lab, "dst")
        in_lanes, as_one = await seconds_of_the_first_copy(lab), await seconds_of_the_first_copy(other)
        assert set(at_source) == {None, *TENTHS}
        assert at_target == [None], "our own copies would come and go at the seams"
        assert as_one - in_lanes > 10 * PAGE_SECONDS

    async def test_it_leaves_what_a_pass_over_everything_leaves(self):
        lab = parted()
        await lab.run()
        assert len(lab.records()) == len(NAMES)
        bounds = [one.upper for one in lab.state.ranges(MOVE, "web", "")]
        assert bounds[-1] is None
        assert bounds[:-1] == sorted(bounds[:-1])
        assert (await lab.run(in_fence=True)).is_proof

    @pytest.mark.parametrize(
        "names",
        [("n000079x",), ("a", "zz"), ("n", "n0", "n00008"), ("n000080", "n000080"), ("\U0001f389", "\uffee"), ("",)],
    )
    async def test_names_that_are_none_do_no_harm(self, names):
        lab = parted(names)
        assert (await lab.run()).copied == len(NAMES)
        assert (await lab.run()).is_proof
        assert lab.contents(lab.source) == lab.contents(lab.target)

    async def test_names_of_another_container_or_prefix_part_nothing(self):
        for lab in (parted(container="web2"), parted(prefix="logs/")):
            starts = listed(lab, "src")
            assert (await lab.run()).copied == len(NAMES)
            assert starts == [None]

    @pytest.mark.parametrize("starts", ["ignored", "refused", "late"])
    async def test_a_service_that_cannot_begin_in_the_middle_is_listed_as_a_whole(self, starts):
        lab = parted()
        lab.wires["src"].starts.kind = starts
        assert (await lab.run()).copied == len(NAMES)
        assert lab.contents(lab.source) == lab.contents(lab.target)
        assert (await lab.run()).is_proof

    async def test_what_lies_at_the_destination_is_listed_there_and_stays(self):
        lab = parted()
        lab.put(lab.target, "n000100", b"another's")
        lab.put(lab.target, "stranger", b"another's")
        result = await lab.run()
        assert (result.copied, result.foreign) == (len(NAMES) - 1, 2)
        assert lab.contents(lab.target)["n000100"] == b"another's"

    async def test_what_comes_to_the_destination_meanwhile_is_not_written_over(self):
        lab = parted()
        right = beginning.is_empty

        async def is_empty(store, container, prefix):
            found = await right(store, container, prefix)
            if container == "web":
                lab.put(lab.target, "n000100", b"another's")
            return found

        beginning.is_empty = is_empty
        try:
            first = await lab.run()
        finally:
            beginning.is_empty = right
        assert (first.copied, first.superseded) == (len(NAMES) - 1, 1)
        assert (await lab.run()).foreign == 1
        assert lab.contents(lab.target)["n000100"] == b"another's"

    async def test_reserved_names_do_not_count_as_something(self):
        lab = parted()
        lab.put(lab.target, ".migrate/canary/1", b"ours")
        at_target = listed(lab, "dst")
        await lab.run()
        assert at_target == [None]

    async def test_a_customer_at_a_seam_makes_it_be_listed_as_a_whole_and_loses_nothing(self):
        lab = parted()
        slow(lab)
        written = []

        def write(*facts):
            if len(written) < 20:
                written.append(TENTHS[3] + f"-{20 - len(written):02}")
                lab.put(lab.source, written[-1], b"new")

        lab.wires["src"].listed = write
        await lab.run(page_size=10)
        lab.wires["src"].listed = lambda *facts: None
        await lab.run()
        assert (await lab.run()).is_proof
        assert len(written) == 20
        assert lab.contents(lab.source) == lab.contents(lab.target)

    async def test_one_that_is_broken_off_goes_on_in_lanes(self):
        lab = parted()
        slow(lab)
        first = asyncio.create_task(lab.run(page_size=10))
        await asyncio.sleep(2.0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert 0 < len(lab.contents(lab.target)) < len(NAMES)
        starts = listed(lab, "src")
        await lab.run(page_size=10)
        assert len(set(starts)) > 1
        assert (await lab.run()).is_proof
        assert lab.contents(lab.source) == lab.contents(lab.target)

    async def test_a_watch_makes_no_ranges(self):
        lab = parted()
        beginning_ranges = list(lab.state.ranges(MOVE, "web", ""))
        from migrator.transfer import passes

        await passes.watch(lab.transfer())
        assert list(lab.state.ranges(MOVE, "web", "")) == beginning_ranges == []


class TestSeams:
    def test_about_as_many_objects_lie_between_two_whatever_the_pages_are(self):
        seams = Seams()
        for number in range(50):
            seams.passed(f"n{number:03}", 5_000 if number % 2 else 4_000)
        assert seams.names[:2] == ["n002", "n005"]

    def test_they_never_become_more_than_are_kept(self):
        seams = Seams()
        for number in range(100_000):
            seams.passed(f"n{number:06}", 5_000)
        assert MOST_SEAMS // 2 <= len(seams.names) <= MOST_SEAMS
        gaps = {int(b[1:]) - int(a[1:]) for a, b in zip(seams.names, seams.names[1:], strict=False)}
        assert max(gaps) <= 2 * min(gaps)

    async def test_an_inventory_finds_them_whole_or_by_sample(self):
        lab, seams = parted(), Seams(_each=20)

        class Pages:
            account = "src"

            async def survey(self, container, *, prefix="", marker=None):
                from migrator.model.objects import Features, Survey

                at = int(marker or 0)
                return Survey([1] * 10, Features(), str(at + 10) if at + 10 < 160 else None, last=NAMES[at + 9])

        await survey(Pages(), "web", "", now=lambda: 0.0, counted=lambda objects: None, seams=seams)
        assert tuple(seams.names) == TENTHS
        for number in range(12_000):
            lab.put(lab.source, f"x/{number:06}", b"x", container="web2")
        found = Seams()
        await sample(lab.doors["src"].inner, "web2", "", now=lambda: 0.0, chance=lambda: 0.5, seams=found)
        assert found.names == sorted(found.names)
        assert {"x/005"} <= set(found.names) or {"x/01"} <= set(found.names)
