"""Ranges that look as they did are gone past unread; whatever speaks of one of their names, or is not the same text, is not."""

from itertools import pairwise

import pytest

from migrator.model.looks import Text
from migrator.model.moves import Direction, ExceptionRow, Outstanding
from migrator.model.objects import Listed, ListingPage
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.values import replace
from migrator.ports.state_store import PutException, PutOutstanding, ReplaceRanges
from migrator.testing.simulation.texts import ToldEntries
from migrator.transfer import passes
from migrator.transfer.listing import Bounds, LaneBroken, ReadAhead, SeenSide
from migrator.transfer.order import key_of
from migrator.transfer.sights import has_between
from migrator.transfer.walk import Walk
from tests.unit.transfer.lab import MOVE, Lab, VirtualPolicy

SMALL = replace(USUAL.sizes, split_at=10, piece=10, first_piece=10, lane_names=20, lanes=8)
COUNT = 60


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
def judged(monkeypatch):
    """The names that were decided upon, since this was cleared."""
    names, right = [], Walk._decide
    monkeypatch.setattr(Walk, "_decide", lambda self, case: names.append(case.name) or right(self, case))
    return names


def name(number):
    return f"n{number:04}"


class Story:
    """One move whose passes share what they remember, over services whose pages are texts."""

    def __init__(self, *, page_entries=7, count=COUNT, starts="at", **options):
        self.lab = Lab(rhythm=Rhythm(sizes=SMALL))
        for wire in self.lab.wires.values():
            wire.weather.tells_texts = True
            wire.weather.page_entries = page_entries
            wire.starts.kind = starts
        for number in range(count):
            self.lab.put(self.lab.source, name(number), b"x", kind="a")
        self.transfer = self.lab.transfer(**options)

    async def run(self, **options):
        return await passes.run(self.transfer, **options)

    async def at_rest(self, judged):
        await self.run()
        settled = await self.run()
        assert settled.is_proof
        judged.clear()
        return settled


@pytest.mark.parametrize("page_entries", [7, 10, 20, 5000])
async def test_nothing_is_read_to_see_that_a_range_has_ended(judged, page_entries, monkeypatch):
    """Also where a range ends with its page: half of all pages were read for that."""
    story, read, right = Story(page_entries=page_entries), [], ToldEntries.read
    await story.at_rest(judged)

    def reads(self, at=0):
        found = right(self, at)
        read.extend(one.name for one in found[0])
        return found

    monkeypatch.setattr(ToldEntries, "read", reads)
    assert (await story.run(in_fence=True)).is_proof
    assert read == []


@pytest.mark.parametrize("page_entries", [1, 3, 10, 59, 5000])
@pytest.mark.parametrize("starts", ["at", "ignored"])
async def test_what_is_at_rest_is_not_read_again_and_counts_as_before(judged, page_entries, starts):
    story = Story(page_entries=page_entries, starts=starts)
    before = await story.at_rest(judged)
    for _ in range(3):
        again = await story.run(in_fence=True)
        assert not judged
        figures = ("scanned", "scanned_bytes", "destination_objects", "changes")
        assert [getattr(again, one) for one in figures] == [getattr(before, one) for one in figures]
        assert again.scanned == again.destination_objects == COUNT
        assert again.is_proof
        assert again.acted is not None
        assert not again.acted.ranges


@pytest.mark.parametrize("page_entries", [1, 7, 5000])
@pytest.mark.parametrize("at", [0, 9, 10, 59])
@pytest.mark.parametrize("change", ["write", "tag", "erase", "before", "behind", "erase there"])
async def test_a_range_with_a_change_is_judged_and_the_others_are_not(judged, page_entries, at, change):
    story = Story(page_entries=page_entries)
    lab = story.lab
    await story.at_rest(judged)
    match change:
        case "write":
            lab.put(lab.source, name(at), b"y", kind="a")
        case "tag":
            lab.retag(lab.source, name(at), kind="b")
        case "erase":
            lab.erase(lab.source, name(at))
        case "before":
            lab.put(lab.source, name(at)[:-1] + "!" + name(at)[-1], b"new")
        case "behind":
            lab.put(lab.source, name(at) + "!", b"new")
        case "erase there":
            lab.erase(lab.target, name(at))
    result = await story.run()
    assert result.changes == 1
    assert 0 < len(judged) <= 2 * SMALL.piece
    assert lab.contents(lab.source) == lab.contents(lab.target)
    assert (await story.run()).is_proof
    assert (await story.run(in_fence=True)).is_proof
    assert len(list(lab.records())) == len(lab.contents(lab.source))


async def test_a_name_that_comes_behind_the_last_one_of_its_range_is_seen(judged):
    """The name of the bound went, so that a text ends before its range does."""
    story = Story(page_entries=7)
    lab = story.lab
    await story.at_rest(judged)
    bounds = [name(number) for number in range(COUNT) if _is_bound(lab, name(number))]
    assert bounds
    for bound in bounds:
        lab.erase(lab.source, bound)
        await story.run()
        for _ in range(2):  # its record goes at the end of the first
            assert (await story.run()).is_proof
        lab.put(lab.source, bound[:-1] + chr(ord(bound[-1]) - 1) + "!", b"behind the last")
        assert (await story.run()).copied == 1
        assert lab.contents(lab.source) == lab.contents(lab.target)


def _is_bound(lab, name):
    return any(one.upper == key_of("utf-16")(name) for one in lab.state.ranges(MOVE, "web", ""))


async def test_many_changes_in_many_passes_end_equal(judged):
    story = Story(page_entries=7)
    lab = story.lab
    await story.at_rest(judged)
    for turn in range(12):
        for number in range(turn, COUNT, 17 + turn):
            if number % 3:
                lab.put(lab.source, name(number), b"%d" % turn)
            elif name(number) in lab.contents(lab.source):
                lab.erase(lab.source, name(number))
        await story.run()
        assert (await story.run()).is_proof
        assert lab.contents(lab.source) == lab.contents(lab.target)
        assert len(list(lab.records())) == len(lab.contents(lab.source))


@pytest.mark.parametrize("kind", ["kept", "failed", "straggler"])
async def test_a_name_with_an_exception_is_judged(judged, kind):
    story = Story()
    await story.at_rest(judged)
    row = ExceptionRow("web", name(15), kind, "e", None, "because", "-/-", story.lab.clock.now())
    story.lab.state.commit([PutException(MOVE, row)], token=story.lab.token)
    await story.run()
    assert name(15) in judged
    assert name(25) not in judged


async def test_a_name_with_an_unanswered_write_is_judged(judged):
    story = Story()
    await story.at_rest(judged)
    write = Outstanding("target", "web", name(15), "create", None, story.lab.clock.now(), 1e9)
    story.lab.state.commit([PutOutstanding(MOVE, write)], token=story.lab.token)
    await story.run()
    assert name(15) in judged
    assert name(25) not in judged


async def test_a_range_with_other_evidence_is_judged(judged):
    story = Story()
    await story.at_rest(judged)
    first = next(story.lab.state.ranges(MOVE, "web", ""))
    story.lab.state.commit(
        [ReplaceRanges(MOVE, "web", "", None, first.upper, (replace(first, records=first.records[24:]),))],
        token=story.lab.token,
    )
    assert not (await story.run()).is_proof
    assert judged


async def test_a_watch_does_not_read_what_its_side_says_as_before(judged, monkeypatch):
    story = Story()
    lab = story.lab
    await story.at_rest(judged)
    lab.put(lab.target, name(3), b"a customer's")  # where customers are now
    settled = []
    right = Walk._settle
    monkeypatch.setattr(Walk, "_settle", lambda self, *facts: settled.append(facts[2]) or right(self, *facts))
    assert (await passes.watch(story.transfer)).stragglers_new == 0
    assert not any(settled)
    lab.put(lab.source, name(33), b"a straggler")
    lab.erase(lab.source, name(44))
    assert (await passes.watch(story.transfer)).stragglers_new == 2
    assert (await passes.watch(story.transfer)).stragglers_new == 0


async def test_pages_that_are_no_texts_are_read(judged):
    story = Story()
    story.lab.wires["dst"].weather.tells_texts = False
    await story.at_rest(judged)
    assert (await story.run()).is_proof
    assert len(judged) == COUNT


async def test_a_refused_marker_forgets_nothing(judged):
    story = Story(page_entries=3)
    await story.at_rest(judged)
    for wire in story.lab.wires.values():
        wire.weather.marker_refused_chance = 0.3
    again = await story.run()
    assert again.is_proof
    assert again.scanned == COUNT


async def test_another_direction_remembers_nothing_of_this_one(judged):
    story = Story()
    await story.at_rest(judged)
    back = story.lab.transfer(Direction.REVERSE)
    assert (await passes.run(back)).is_proof
    assert len(judged) == COUNT


class OnePage:
    account = "one"

    def __init__(self, *names):
        self.entries = ToldEntries([Listed(each, "e", 1) for each in names])

    async def page(self, container, *, prefix="", marker=None, limit=5000, start=None):
        return ListingPage(self.entries, None)


def stream_of(*names, bounds=None):
    return ReadAhead(OnePage(*names), "web", "", "utf-8", SeenSide(), bounds=bounds or Bounds())


class TestAStream:
    async def test_a_lane_that_is_never_read_shows_where_it_began_and_ended(self):
        key = key_of("utf-8")
        bounds = Bounds(key("b"), key("d"), "b")
        stream = stream_of("b", "c", "d", "e", bounds=bounds)
        assert [entry.name for _, entry in await stream.next()] == ["c", "d"]
        text = stream.cut(2)
        again = stream_of("b", "c", "d", "e", bounds=bounds)
        landing = await again.lands(text, is_end=False)
        assert again.go_past(landing, 0, key("d"), 2, 2) is None
        assert await again.next() == []
        assert (again.seen, stream.seen) == (SeenSide(2, 2, False, key("b"), key("d")),) * 2

    async def test_a_lane_that_begins_before_its_bound_is_broken(self):
        with pytest.raises(LaneBroken):
            await stream_of("a", "b", bounds=Bounds(b"b", None, "b")).lands(Text(0, b""), is_end=False)

    async def test_a_text_is_all_there_is_where_the_listing_must_end(self):
        stream = stream_of("a", "b")
        assert len(await stream.next()) == 2
        assert await stream.next() == []
        text = stream.cut(0)
        assert await stream_of("a", "b").lands(text, is_end=True) is not None
        assert await stream_of("a", "b", "c").lands(text, is_end=True) is None
        assert await stream_of("a", "b", "c").lands(text, is_end=False) is not None
        assert await stream_of("a", "c").lands(text, is_end=True) is None
        assert await stream_of("a").lands(text, is_end=True) is None

    async def test_what_was_read_already_is_counted_once(self):
        stream = stream_of("a", "b", "c", "d")
        await stream.next()
        first = stream.cut(2)
        second = stream.cut(4)
        again = stream_of("a", "b", "c", "d")
        await again.next()
        assert again.cut(2) == first
        assert again.go_past(await again.lands(second, is_end=True), 2, b"d", 2, 2) == 4
        assert again.seen.objects == again.seen.bytes == 4


def test_between_is_above_and_up_to():
    keys = [b"c", b"f"]
    assert [has_between(keys, *pair) for pair in pairwise([None, b"b", b"c", b"e", b"f", None])] == [
        False,
        True,
        False,
        True,
        False,
    ]
    assert not has_between([], None, None)
