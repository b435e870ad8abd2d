"""Batches within both budgets and the claim: what goes out when, and what becomes of what comes back."""

import asyncio
from collections import Counter
from random import Random

import pytest

from migrator.errors import Throttled
from migrator.model.objects import BlobType, Listed
from migrator.model.rhythm import USUAL
from migrator.model.schedule import Budget
from migrator.ports.executor import UNSENT, BatchAnswer, CopyUnit, CutOff, Refusal
from migrator.testing.simulation.loop import SimClock, SimLoop
from migrator.transfer.hands import BATCH, Hands, fits_batch
from migrator.transfer.limits import BURST_SECONDS, HEADROOM, Limits
from migrator.transfer.paced import ATTEMPTS, HURRIED_SECONDS, PacedStore, unclaimed

CLAIM_SECONDS = 5.0


class Account:
    """As much of an object store as pacing asks for."""

    answered_at = None

    def __init__(self, name) -> None:
        self.account = name


class Counting:
    def __init__(self) -> None:
        self.counted = Counter()

    def count(self, account, operation, *, minute, requests=1) -> None:
        self.counted[account, operation] += requests


class Recorder:
    """An executor that notes what it is given and when; ``answer(unit, now)`` says what the service would."""

    batches_at_once = 8
    lanes_at_once = 0

    def __init__(self, clock, answer=lambda unit, now: "etag", seconds=0.01) -> None:
        self.clock = clock
        self.answer = answer
        self.seconds = seconds
        self.batches = []
        self.sent = []

    async def copy(self, batch):
        now = self.clock.monotonic()
        self.batches.append((now, batch))
        answers = []
        for unit in batch.units:
            refused = any(isinstance(one, Refusal) for one in answers)
            answers.append(UNSENT if refused or now > batch.until else self.answer(unit, now))
        self.sent += [(now, unit.name) for unit, one in zip(batch.units, answers, strict=True) if one is not UNSENT]
        await self.clock.sleep(self.seconds)
        return BatchAnswer(tuple(answers), {1: sum(isinstance(one, str) for one in answers)})


class World:
    """Two paced accounts, an executor and virtual time."""

    def __init__(self, answer=lambda unit, now: "etag", **options) -> None:
        self.loop = SimLoop(until=100_000.0)
        self.clock = SimClock(self.loop, "hands", monotonic_zero=1000.0)
        self.limits = Limits(self.clock)
        self.counter = Counting()
        self.origin, self.destination = (
            PacedStore(Account(name), self.limits.account(name), self.counter, self.clock) for name in ("from", "to")
        )
        self.executor = Recorder(self.clock, answer, **options)
        self.hands = Hands(self.executor, self.clock)
        self.settled = {}

    def copy(self, count, *, size=100, meanwhile=None, admit=None) -> float:
        """Copy ``count`` blobs; the seconds it took."""
        units = [CopyUnit(f"{n:06}", "e") for n in range(count)]

        async def admitted():
            return self.clock.monotonic() + CLAIM_SECONDS

        async def work():
            copying = self.hands.copy(
                self.origin,
                self.destination,
                "box",
                units,
                [size] * count,
                admit=admit or admitted,
                settle=self.settled.__setitem__,
            )
            await asyncio.gather(copying, *([meanwhile()] if meanwhile else []))

        begun = self.clock.monotonic()
        try:
            self.loop.run_until_complete(work())
        finally:
            asyncio.set_event_loop(None)
        return self.clock.monotonic() - begun

    def most_in(self, seconds) -> int:
        """The most copies that were sent in any window of so long."""
        times = sorted(at for at, _ in self.executor.sent)
        best = end = 0
        for begin, at in enumerate(times):
            while end < len(times) and times[end] <= at + seconds:
                end += 1
            best = max(best, end - begin)
        return best


@pytest.mark.parametrize("side", ["from", "to"])
@pytest.mark.parametrize("per_minute", [600, 6_000, 120_000])
def test_no_ten_seconds_hold_more_than_a_sixth_of_the_budget_and_a_twentieth(side, per_minute):
    world = World()
    world.limits.set(side, Budget(requests_per_minute=per_minute))
    seconds = world.copy(per_minute // 2)
    assert world.most_in(10.0) <= per_minute / 6 * 1.05
    assert seconds <= 30.0 / 0.9


def test_bytes_are_granted_too():
    world = World()
    world.limits.set("from", Budget(bytes_per_second=1_000_000))
    seconds = world.copy(2_000, size=10_000)
    assert 19.0 <= seconds <= 22.0
    assert world.most_in(10.0) * 10_000 <= 10_000_000 * 1.05


def test_a_large_blob_waits_for_its_bytes_alone():
    world = World()
    world.limits.set("to", Budget(bytes_per_second=1_000_000))
    assert 7.5 <= world.copy(5, size=2_000_000) <= 10.5
    assert all(len(batch.units) == 1 for _, batch in world.executor.batches)


def test_without_a_budget_batches_are_full():
    world = World()
    world.copy(10 * BATCH)
    assert [len(batch.units) for _, batch in world.executor.batches] == [BATCH] * 10
    assert world.counter.counted == {("to", "write"): 10 * BATCH, ("from", "read"): 10 * BATCH}


def test_no_batch_may_be_sent_longer_than_the_claim_lasts():
    """Also where the grants take longer than a claim."""
    world = World()
    world.limits.set("to", Budget(requests_per_minute=6))
    world.copy(8)
    assert len(world.settled) == 8
    for at, batch in world.executor.batches:
        assert at < batch.until <= at + CLAIM_SECONDS


def test_what_comes_back_throttled_or_unsent_goes_out_again():
    world = World(lambda unit, now: "etag" if now > 1005 else Refusal("throttled", "cannot: busy"))
    world.copy(1_000)
    assert set(world.settled.values()) == {"etag"}
    assert len(world.settled) == 1_000
    assert world.destination.limits.throttled_count > 0
    assert world.origin.limits.throttled_count == 0


def test_a_refusal_of_the_origin_slows_the_origin_down():
    world = World(lambda unit, now: "etag" if now > 1001 else Refusal("throttled", "cannot: busy", is_origin=True))
    world.copy(100)
    assert (world.origin.limits.throttled_count > 0, world.destination.limits.throttled_count) == (True, 0)


@pytest.mark.parametrize(
    ("refusal", "slower"),
    [
        (Refusal("unknown", "?", code="OperationTimedOut"), "to"),
        (Refusal("unknown", "?", code="503"), "to"),
        (Refusal("unknown", "?", code="CannotVerifyCopySource"), "from"),
        (Refusal("unsupported", "cannot", code="CannotVerifyCopySource"), ""),
        (Refusal("unknown", "?"), ""),
    ],
)
def test_an_unanswered_copy_that_says_who_is_slow_slows_that_one_down(refusal, slower):
    world = World(lambda unit, now: refusal if unit.name == "000050" else "etag")
    world.copy(100)
    slowed = {side.account for side in (world.origin, world.destination) if side.limits.throttled_count}
    assert slowed == ({slower} if slower else set())


def test_nothing_is_sent_before_the_service_wants_to_be_asked_again():
    first = []

    def answer(unit, now):
        if not first:
            first.append(now)
            return Refusal("throttled", "cannot: busy", retry_after_seconds=7.0)
        return "etag"

    world = World(answer)
    world.executor.batches_at_once = 1
    world.hands = Hands(world.executor, world.clock)
    world.copy(600)
    later = [at for at, _ in world.executor.sent if at > first[0]]
    assert min(later) >= first[0] + 7.0
    assert len(world.settled) == 600


def test_the_rate_falls_while_the_service_refuses_and_recovers_after_it():
    def answer(unit, now):
        return Refusal("throttled", "cannot: busy") if 1010 < now < 1013 else "etag"

    world = World(answer)
    world.limits.set("to", Budget(requests_per_minute=60_000))
    world.copy(60_000)
    sent = Counter(int(at) for at, _ in world.executor.sent)
    assert sent[1009] >= 900
    assert max(sent[second] for second in (1012, 1013, 1014)) <= 600
    assert max(sent[second] for second in range(1040, 1060)) >= 900
    assert set(world.settled.values()) == {"etag"}


def test_a_service_that_refuses_for_ever_is_given_up():
    world = World(lambda unit, now: Refusal("throttled", "cannot: busy"))
    world.copy(3)
    assert [type(one.as_error()) for one in world.settled.values()] == [Throttled] * 3
    assert len(world.executor.batches) == ATTEMPTS * len({batch.units for _, batch in world.executor.batches})


class Waits:
    """Patience without an end, as a move has it outside a fence."""

    is_hurried = False

    async def keep_trying(self, account, fault, attempt):
        return True

    def answered(self, account):
        pass


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_of_many_copies_of_which_a_share_is_always_refused_none_is_given_up(share):
    """Tries are not counted: 0.3 to the eighth is one copy in 15,000."""
    chance = Random(7)
    refused = Refusal("throttled", "cannot: busy", is_origin=True)
    world = World(lambda unit, now: refused if chance.random() < share else "etag")
    for side in ("origin", "destination"):
        setattr(world, side, getattr(world, side).claimed(unclaimed, Waits()))
    world.copy(2_000)
    assert Counter(world.settled.values()) == {"etag": 2_000}


class Fenced(Waits):
    """Writers wait."""

    is_hurried = True

    async def keep_trying(self, account, fault, attempt):
        return isinstance(fault, Throttled)


@pytest.mark.parametrize("seconds", [15.0, 1_000.0])
def test_in_a_fence_what_cannot_be_reached_is_tried_for_a_time(seconds):
    world = World(lambda unit, now: Refusal("unreachable", "cannot: gone") if now < 1000.0 + seconds else "etag")
    for side in ("origin", "destination"):
        setattr(world, side, getattr(world, side).claimed(unclaimed, Fenced()))
    took = world.copy(3)
    if seconds < HURRIED_SECONDS:
        assert set(world.settled.values()) == {"etag"}
    else:
        assert {one.kind for one in world.settled.values()} == {"unreachable"}
        assert HURRIED_SECONDS <= took < HURRIED_SECONDS + 10.0


def test_every_other_refusal_is_settled_at_once():
    world = World(lambda unit, now: Refusal("condition-failed", "cannot: there") if unit.name == "000007" else "etag")
    world.copy(8)
    assert world.settled[7].kind == "condition-failed"
    assert len(world.executor.batches) == 1


def test_a_refused_admission_ends_everything():
    world = World()

    async def admit():
        raise PermissionError("the claim is lost")

    with pytest.raises(PermissionError):
        world.copy(1_000, admit=admit)
    assert world.executor.batches == []


def test_a_new_budget_counts_for_those_who_wait_already():
    world = World()
    world.limits.set("to", Budget(requests_per_minute=6))

    async def operator():
        await world.clock.sleep(15.0)
        world.limits.set("to", Budget(requests_per_minute=60_000))

    seconds = world.copy(1_000, meanwhile=operator)
    assert 15.0 < seconds < 19.0
    assert sum(at < 1015.0 for at, _ in world.executor.sent) <= 4


def test_a_run_remembers_that_the_service_had_asked_for_less():
    world = World()
    limits = world.limits.account("to")
    limits.set(Budget(requests_per_minute=60_000))
    limits.remembered(10.0, age_seconds=0.0)
    assert limits.pace_per_second == pytest.approx(10.0)
    assert limits.brake == "service"
    limits.remembered(10.0, age_seconds=61.0)
    assert limits.pace_per_second == pytest.approx(10.0)


def test_idling_saves_no_more_than_a_burst():
    world = World()
    world.limits.set("to", Budget(requests_per_minute=6_000))
    world.copy(1)
    world.loop.run_until_complete(world.clock.sleep(60.0))
    world.executor.sent.clear()
    world.copy(500)
    assert world.most_in(1.0) <= (1.0 + BURST_SECONDS + 0.1) * 100 * HEADROOM + 1


def test_what_cannot_go_in_one_request_goes_one_by_one():
    small = Listed("a", "e", 10)
    assert fits_batch(small, USUAL.sizes)
    assert not fits_batch(Listed("a", "e", 257 * 1024 * 1024), USUAL.sizes)
    assert not fits_batch(Listed("a", "e", 10, BlobType.APPEND), USUAL.sizes)
    assert not fits_batch(Listed("a", "e", 10, is_archived=True), USUAL.sizes)


@pytest.mark.parametrize("knows", [True, False])
def test_of_what_is_cut_off_only_copies_that_may_have_been_sent_are_lost(knows):
    """Those that wait for their turn were never sent; of those that are out the executor may know."""
    world, lost = World(), []
    units = [CopyUnit(f"{n:06}", "e") for n in range(4 * BATCH)]

    class Stuck(Recorder):
        batches_at_once = 1
        lanes_at_once = 0

        async def copy(self, batch):
            try:
                await asyncio.Future()
            except asyncio.CancelledError:
                if not knows:
                    raise
                known = ["etag"] * (BATCH - 3) + [Refusal("unknown")] * 2 + [UNSENT]
                raise CutOff(BatchAnswer(known)) from None

    hands = Hands(Stuck(world.clock), world.clock)

    async def admitted():
        return world.clock.monotonic() + CLAIM_SECONDS

    async def work():
        arguments = (world.origin, world.destination, "box", units, [1] * len(units))
        copying = [
            asyncio.ensure_future(
                hands.copy(*arguments, admit=admitted, settle=world.settled.__setitem__, lost=lost.extend)
            )
            for _ in range(3)
        ]
        await world.clock.sleep(1.0)
        for one in copying:
            one.cancel()
        await asyncio.gather(*copying, return_exceptions=True)

    world.loop.run_until_complete(work())
    assert lost == ([BATCH - 3, BATCH - 2] if knows else list(range(BATCH)))
    assert world.settled == {}
