"""Lanes that other hands look at: what they are not shown is as the walk would have found it, and half an answer is none."""

import asyncio

import pytest

from migrator.adapters.workers import InlineExecutor
from migrator.adapters.workers.lane_letters import lane_letter, looked_letter, read_order, read_outcome
from migrator.errors import Throttled
from migrator.model.letters import LENGTH_BYTES
from migrator.model.looks import LaneLooked, RangeToLook
from migrator.model.moves import Direction, EvidenceRange, ExceptionRow
from migrator.model.rhythm import USUAL, Rhythm
from migrator.model.values import replace
from migrator.ports.executor import UNSENT, LaneAnswer, Refusal
from migrator.ports.state_store import PutException, ReplaceRanges
from migrator.transfer import looking, passes
from migrator.transfer.evidence import Evidence
from migrator.transfer.hands import LOOK_SECONDS, Hands
from migrator.transfer.order import ORDERS
from migrator.transfer.verify import compare
from tests.unit.transfer.lab import AREA, MOVE, Lab, VirtualPolicy

SIZES = replace(
    USUAL.sizes, split_at=15, piece=10, first_piece=10, lane_names=20, lanes=8, handed_least=1, handed_most=20
)
COUNT = 60
NAMES = [f"n{number:06}" for number in range(COUNT)]


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


class Lookers(InlineExecutor):
    """Hands of another process, as far as letters go: what they get and answer has been a letter."""

    def __init__(self, stores, clock, spoil=lambda answer: answer):
        super().__init__(stores, clock, look=looking.look)
        self.asked, self.answers, self.spoil = [], [], spoil

    async def look(self, lane, **options):
        _, read = read_order(lane_letter(7, lane)[LENGTH_BYTES:])
        assert read == lane
        self.asked.append(lane)
        answer = await super().look(read)
        _, arrived = read_outcome(looked_letter(7, answer)[LENGTH_BYTES:])
        assert arrived == answer
        self.answers.append(answer)
        return self.spoil(arrived)


class World(Lab):
    def __init__(self, **options):
        super().__init__(rhythm=Rhythm(sizes=SIZES), **options)
        for wire in self.wires.values():
            wire.weather.tells_texts = True
        self.lookers = Lookers({name: door.inner for name, door in self.doors.items()}, self.clock)
        self.hands = Hands(self.lookers, self.clock)
        self.subjects = {}

    def subject(self, direction=Direction.FORWARD, **options):
        made = self.transfer(direction, hands=self.hands, admit_until=self._until, **options)
        self.subjects.setdefault(direction, made)
        return self.subjects[direction]

    async def _until(self):
        return self.clock.monotonic() + 5.0

    async def looked(self, **options):
        """One pass; what was shown of all lanes, and the lanes that were asked for."""
        del self.lookers.asked[:], self.lookers.answers[:]
        result = await passes.run(self.subject(), **options)
        shown = [
            name.name
            for answer in self.lookers.answers
            if answer.looked is not None
            for one in answer.looked.ranges
            for name in one.shown
        ]
        return result, shown


@pytest.fixture
async def world():
    world = World()
    for number, name in enumerate(NAMES):
        world.put(world.source, name, b"x%d" % number)
    await passes.run(world.subject())
    return world


class TestAPass:
    async def test_of_what_is_at_rest_nothing_is_shown_and_everything_counts(self, world):
        result, shown = await world.looked(in_fence=True)
        assert len(world.lookers.asked) == 3, "lanes of twenty names"
        assert (shown, result.is_proof) == ([], True)
        assert (result.scanned, result.destination_objects) == (COUNT, COUNT)
        assert not result.acted.ranges

    async def test_it_ends_as_one_without_hands(self, world):
        world.put(world.source, "n000007", b"changed")
        world.put(world.source, "n000007a", b"new")
        world.erase(world.source, "n000031")
        world.put(world.target, "strange", b"not ours")
        result, shown = await world.looked(in_fence=True)
        assert sorted(shown) == ["n000007", "n000007a", "n000031", "strange"]
        assert (result.copied, result.deleted, result.foreign) == (2, 1, 1)
        assert result.scanned == COUNT
        assert world.contents(world.target)["n000007"] == b"changed"
        again, shown = await world.looked(in_fence=True)
        assert (again.changes, again.foreign, shown) == (0, 1, ["strange"])
        without = await passes.run(world.transfer(), in_fence=True)
        assert (without.changes, without.foreign, without.scanned) == (0, 1, COUNT)

    async def test_what_looks_as_it_did_is_gone_past_unread(self, world):
        await world.looked()
        known = dict(world.subject().sights.known)
        await world.looked()
        sights = [one.sight for lane in world.lookers.asked for one in lane.ranges]
        assert len(known) == len([one for one in sights if one is not None]) == len(sights)

    async def test_a_record_that_neither_side_shows_is_dropped_at_the_end(self, world):
        for account in (world.source, world.target):
            world.erase(account, "n000011")
        before = len(world.records())
        result, shown = await world.looked()
        assert (result.changes, shown) == (0, [])
        assert len(world.records()) == before - 1

    async def test_a_name_that_is_spoken_of_is_shown_whatever_it_is(self, world):
        row = ExceptionRow("web", "n000012", "failed", None, None, "a fault", "", world.clock.now())
        world.state.commit([PutException(MOVE, row)], token=world.token)
        _, shown = await world.looked()
        assert shown == ["n000012"]
        assert not world.state.exceptions(MOVE), "it is at rest, and the row says nothing any more"

    async def test_a_name_whose_write_was_announced_is_shown(self, world):
        (first, *_) = world.state.ranges(MOVE, "web", "")
        evidence = Evidence.unpack(first.records)
        evidence.put("n000002", replace(evidence.get("n000002"), is_pending=True))
        pending = EvidenceRange("web", "", first.upper, evidence.pack(), True)
        world.state.commit([ReplaceRanges(MOVE, "web", "", None, first.upper, (pending,))], token=world.token)
        _, shown = await world.looked()
        assert shown == ["n000002"]

    async def test_what_must_be_proved_by_content_is_shown(self, world):
        world.subject().prove_share = 1.0
        result, shown = await world.looked()
        assert (sorted(shown), result.proved) == (NAMES, COUNT)
        result, shown = await world.looked()
        assert (shown, result.proved) == ([], 0)

    async def test_the_watch_shows_what_is_news_on_the_still_side_alone(self, world):
        world.put(world.target, "n000003", b"a customer's, after the switch")
        world.put(world.source, "n000005", b"a straggler's")
        world.erase(world.source, "n000040")
        del world.lookers.asked[:], world.lookers.answers[:]
        result = await passes.watch(world.subject())
        assert world.lookers.asked
        assert result.stragglers_new == 2
        assert {row.name for row in world.state.exceptions(MOVE)} == {"n000005", "n000040"}

    async def test_a_first_copy_hands_no_lane_out(self):
        world = World()
        for name in NAMES:
            world.put(world.source, name, b"x")
        result, _ = await world.looked()
        assert (result.copied, world.lookers.asked) == (COUNT, [])


def spoiled(answer, **changes):
    return replace(answer, looked=replace(answer.looked, **changes))


def first_range(answer, **changes):
    first, *others = answer.looked.ranges
    return spoiled(answer, ranges=(replace(first, **changes), *others))


SPOILS = {
    "a hand that died": lambda answer: LaneAnswer(answer.number, None, Refusal("unknown", "the hand died")),
    "unsent": lambda answer: LaneAnswer(answer.number, None, UNSENT),
    "of another look": lambda answer: replace(answer, number=answer.number - 1),
    "a range too few": lambda answer: spoiled(answer, ranges=answer.looked.ranges[:-1]),
    "a name too few": lambda answer: first_range(answer, at_rest=9, on_record=9),
    "a name too many": lambda answer: first_range(answer, at_rest=11, on_record=11),
    "a record nobody has": lambda answer: first_range(answer, at_rest=9, on_record=9, unshown=(5,)),
    "nothing at all": lambda answer: replace(
        answer, looked=LaneLooked(answer.looked.origin, answer.looked.destination, ())
    ),
    "counts of another lane": lambda answer: spoiled(answer, origin=replace(answer.looked.origin, objects=19)),
}


@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
async def test_a_lane_of_which_not_everything_was_seen_is_walked_here(world, spoil):
    world.put(world.source, "n000001", b"changed")
    world.lookers.spoil = spoil
    result, _ = await world.looked(in_fence=True)
    assert world.lookers.asked
    assert (result.copied, result.scanned) == (1, COUNT)
    assert world.contents(world.target)["n000001"] == b"changed"


async def test_a_sight_of_another_evidence_is_none(world):
    world.lookers.spoil = lambda answer: first_range(
        answer, sight=replace(answer.looked.ranges[0].sight, evidence=b"another's")
    )
    await world.looked()
    await passes.run(world.subject())
    sights = world.subject().sights.known.values()
    assert all(one.evidence != b"another's" for one in sights)


async def test_a_hand_that_does_not_answer_is_waited_for_once(world):
    class Stopped(Lookers):
        async def look(self, lane, **options):
            self.asked.append(lane)
            await asyncio.sleep(1e9)

    world.hands.executor = stopped = Stopped(world.lookers._stores, world.clock)
    begun = world.clock.monotonic()
    result, _ = await world.looked(in_fence=True)
    assert result.is_proof
    assert LOOK_SECONDS < world.clock.monotonic() - begun < 2 * LOOK_SECONDS
    asked = len(stopped.asked)
    await world.looked(in_fence=True)
    assert len(stopped.asked) == asked, "and not asked again for a while"


async def test_no_page_is_asked_for_after_the_time_of_a_lane(world):
    await world.looked()
    lane = replace(world.lookers.asked[0], until=world.clock.monotonic() - 1.0)
    answer = await InlineExecutor(world.lookers._stores, world.clock, look=looking.look).look(lane)
    assert (answer.looked, answer.answered, answer.refusal.kind) == (None, (), "unreachable")


async def test_a_service_that_asks_for_less_slows_its_own_account_down(world):
    class Busy(Lookers):
        async def look(self, lane, **options):
            fault = Throttled("busy", retry_after_seconds=2.0, account_side="origin")
            return LaneAnswer(lane.number, None, Refusal.of(fault), (("src", 5, 1),))

    world.hands.executor = Busy(world.lookers._stores, world.clock)
    result, _ = await world.looked()
    assert result.scanned == COUNT
    assert (world.doors["src"].limits.throttled_count, world.doors["dst"].limits.throttled_count) == (3, 0)


async def test_a_lane_is_never_asked_for_more_pages_than_it_may_be(world):
    await world.looked()
    lane = replace(world.lookers.asked[0], pages=1, page_size=3)
    answer = await looking.look(world.doors["src"].inner, world.doors["dst"].inner, lane, world.clock, lambda: True)
    assert (answer.looked, answer.refusal.code) == (None, looking.UNFIT)
    assert all(pages == 1 for _, _, pages in answer.answered)


async def test_too_much_to_show_is_left_to_whoever_asked(world):
    await world.looked()
    lane = replace(world.lookers.asked[0], most_shown=2, ranges=(RangeToLook(None),), above=None)
    answer = await looking.look(world.doors["src"].inner, world.doors["dst"].inner, lane, world.clock, lambda: True)
    assert (answer.looked, answer.refusal.code) == (None, looking.UNFIT)


class TestVerify:
    async def compared(self, world, hands):
        def stored(container, prefix):
            return ORDERS[0], world.state.range_sizes(MOVE, container, prefix)

        ends = world.doors["src"], world.doors["dst"]
        return await compare(*ends, AREA, level="attributes", stored=stored, sizes=SIZES, hands=hands)

    async def test_it_finds_with_hands_what_it_finds_without(self, world):
        world.put(world.source, "n000001", b"changed, and longer")
        world.put(world.target, "n000001a", b"extra")
        world.erase(world.target, "n000050")
        there = await self.compared(world, None)
        del world.lookers.asked[:]
        found = await self.compared(world, world.hands)
        assert {lane.rule for lane in world.lookers.asked} == {"attributes"}
        assert found == there
        assert (found.alike, found.changed, found.extra, found.missing) == (COUNT - 2, 1, 1, 1)

    async def test_no_evidence_leaves_the_house_for_it(self, world):
        await self.compared(world, world.hands)
        assert all(one.records == b"" for lane in world.lookers.asked for one in lane.ranges)
