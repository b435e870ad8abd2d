"""Every request of a run goes through a paced store; what it lets pass and what not."""

from math import inf

import pytest

from migrator.adapters.clock import SystemClock
from migrator.errors import CloudError, OutcomeUnknown, Throttled, Unreachable
from migrator.model.objects import CREATE, Listed, ListingPage
from migrator.ports.object_store import NO_SERVER, Origin, Written
from migrator.transfer.limits import AccountLimits
from migrator.transfer.paced import (
    ATTEMPTS,
    HURRIED_SECONDS,
    LONGEST_HURRIED_WAIT_SECONDS,
    TRIES_OF_A_STRANGER,
    PacedStore,
    unclaimed,
)
from tests.unit.engine.board import Jumping


class Ignorant:
    """A service that does not know what a prefix is."""

    account = "odd"
    answered_at = None

    async def page(self, container, *, prefix="", marker=None, limit=5000) -> ListingPage:
        return ListingPage((Listed(".migrate/canary/a", "e1", 1), Listed("customer.json", "e2", 1)), None)


class Uncounted:
    def count(self, account, operation, *, minute, requests=1) -> None: ...


async def test_names_that_were_not_asked_for_are_an_error_and_never_data():
    """A sweep of our own canaries would delete them, a pass over an area would move its neighbour's."""
    clock = SystemClock()
    store = PacedStore(Ignorant(), AccountLimits(clock), Uncounted(), clock)
    with pytest.raises(CloudError, match="names were listed that do not begin with"):
        await store.page("box", prefix=".migrate/canary/")
    assert len((await store.page("box")).entries) == 2


class Copying:
    """A service that copies at once."""

    account = "new"
    answered_at = None

    async def copy(self, origin, container, name, shape, *, condition) -> Written:
        return Written("e2")

    start_copy = copy


@pytest.mark.parametrize("kind", ["copy", "start_copy"])
async def test_a_copy_that_goes_alone_is_charged_its_bytes(kind):
    clock = Jumping()
    old = PacedStore(Ignorant(), AccountLimits(clock), Uncounted(), clock)
    new = PacedStore(Copying(), AccountLimits(clock, bytes_per_second=1_000), Uncounted(), clock, unclaimed)
    for number in range(4):
        origin = Origin(old, "box", str(number), "e1", 5_000)
        await getattr(new, kind)(origin, "box", str(number), None, condition=CREATE)
    assert clock.monotonic() == pytest.approx(15.0, abs=1.0)


class Refused(Copying):
    """A service that could not copy the first time."""

    def __init__(self, side) -> None:
        self.sides = [side]

    async def copy(self, *_, **__) -> Written:
        if self.sides:
            raise Throttled("busy", account_side=self.sides.pop())
        return Written("e2")


@pytest.mark.parametrize(("side", "reads"), [("origin", 2), ("self", 1)])
async def test_an_origin_that_was_too_busy_to_be_copied_from_was_asked_all_the_same(side, reads):
    counted = []

    class Counting:
        def count(self, account, operation, *, minute, requests=1) -> None:
            counted.append((account, operation))

    clock = Jumping()
    old = PacedStore(Ignorant(), AccountLimits(clock), Counting(), clock)
    new = PacedStore(Refused(side), AccountLimits(clock), Counting(), clock, unclaimed)
    await new.copy(Origin(old, "box", "n", "e1", 5), "box", "n", None, condition=CREATE)
    assert (counted.count(("new", "write")), counted.count(("odd", "read"))) == (2, reads)


class Tagged:
    """A service whose tags must be asked for by a request of their own."""

    account = "old"
    answered_at = None

    async def head(self, container, name) -> Listed:
        return Listed(name, "e1", 1, tags={"a": "b"} if name == "tagged" else {})


async def test_tags_are_a_request_of_their_own_in_the_budget_and_in_the_count():
    counted = []

    class Counting:
        def count(self, account, operation, *, minute, requests=1) -> None:
            counted.append((account, operation, requests))

    clock = Jumping()
    limits = AccountLimits(clock, requests_per_minute=60)
    store = PacedStore(Tagged(), limits, Counting(), clock)
    await store.head("box", "plain")
    assert counted == [("old", "read", 1)]
    await store.head("box", "tagged")
    assert counted == [("old", "read", 1)] * 3


@pytest.mark.parametrize(("answered_at", "minute"), [(1795608059.0, 29926800), (1795608060.0, 29926801), (None, None)])
async def test_an_answer_is_counted_in_the_services_minute(answered_at, minute):
    """A metric has the service's minutes, whatever the clock of this machine says; without them ours must do."""
    counted = []

    class Counting:
        def count(self, account, operation, *, minute, requests=1) -> None:
            counted.append(minute)

    class Dated(Tagged):
        pass

    Dated.answered_at = answered_at
    clock = Jumping()
    await PacedStore(Dated(), AccountLimits(clock), Counting(), clock).head("box", "plain")
    assert counted == [minute if minute is not None else int(clock.now().timestamp()) // 60]


class Away:
    """A service that serves nothing for so many tries."""

    account = "old"
    answered_at = None

    def __init__(self, tries: int, fault: CloudError) -> None:
        self.left, self.fault = tries, fault

    async def head(self, container, name) -> Listed:
        if self.left:
            self.left -= 1
            raise self.fault
        return Listed(name, "e1", 1)

    async def delete(self, container, name, *, if_match) -> None:
        await self.head(container, name)


class Wait:
    """Patience that is written down."""

    is_hurried = False

    def __init__(self, most: float = inf) -> None:
        self.most = most
        self.asked: list[int] = []
        self.over: list[str] = []

    async def keep_trying(self, account, fault, attempt) -> bool:
        assert (account, fault.account) == ("old", "old")
        self.asked.append(attempt)
        return attempt < self.most

    def answered(self, account) -> None:
        self.over.append(account)


@pytest.mark.parametrize("fault", [Throttled("busy"), Unreachable("gone")])
async def test_who_is_patient_is_served_whenever_the_service_is_back(fault):
    clock, wait = Jumping(), Wait()
    store = PacedStore(Away(100, fault), AccountLimits(clock), Uncounted(), clock).claimed(unclaimed, wait)
    assert (await store.head("box", "n")).name == "n"
    assert wait.asked == list(range(ATTEMPTS, 101))
    assert wait.over == ["old"]


@pytest.mark.parametrize("fault", [Throttled("busy"), Unreachable("gone")])
async def test_whose_patience_ends_gets_the_fault_with_the_account_in_it(fault):
    clock, wait = Jumping(), Wait(20)
    store = PacedStore(Away(100, fault), AccountLimits(clock), Uncounted(), clock).claimed(unclaimed, wait)
    with pytest.raises(type(fault)) as caught:
        await store.head("box", "n")
    assert caught.value.account == "old"
    assert store.inner.left == 100 - 20
    assert not wait.over


async def test_a_write_that_was_never_sent_is_sent_by_whoever_has_the_time_and_nobody_repeats_an_unanswered_one():
    clock = Jumping()
    plain = PacedStore(Away(1, Unreachable("gone")), AccountLimits(clock), Uncounted(), clock, unclaimed)
    with pytest.raises(Unreachable):
        await plain.delete("box", "n", if_match="e1")
    patient = PacedStore(Away(1, Unreachable("gone")), AccountLimits(clock), Uncounted(), clock)
    await patient.claimed(unclaimed, Wait()).delete("box", "n", if_match="e1")
    lost = PacedStore(Away(1, OutcomeUnknown("?")), AccountLimits(clock), Uncounted(), clock).claimed(unclaimed, Wait())
    with pytest.raises(OutcomeUnknown):
        await lost.delete("box", "n", if_match="e1")


class Fenced(Wait):
    """Writers wait for it."""

    is_hurried = True

    async def keep_trying(self, account, fault, attempt) -> bool:
        await super().keep_trying(account, fault, attempt)
        return isinstance(fault, Throttled)


class Slow(Away):
    """Each answer, or none, takes its time."""

    def __init__(self, left, fault, clock, seconds):
        super().__init__(left, fault)
        self._clock, self._seconds = clock, seconds

    async def head(self, container, name):
        await self._clock.sleep(self._seconds)
        return await super().head(container, name)


@pytest.mark.parametrize("seconds", [0.0, 0.5, 10.0])
@pytest.mark.parametrize("operation", ["head", "delete"])
async def test_in_a_fence_an_account_that_is_away_is_asked_for_a_time_and_not_so_often(operation, seconds):
    """Whatever a try takes; a write too that was never sent."""
    clock, ended = Jumping(), []
    for left in (2, 10_000):
        begun = clock.at
        slow = Slow(left, Unreachable("gone"), clock, seconds)
        store = PacedStore(slow, AccountLimits(clock), Uncounted(), clock).claimed(unclaimed, Fenced())
        call = store.head("box", "n") if operation == "head" else store.delete("box", "n", if_match="e1")
        if left == 2:
            await call
            continue
        with pytest.raises(Unreachable):
            await call
        ended.append(clock.at - begun)
    assert HURRIED_SECONDS <= ended[0] < HURRIED_SECONDS + seconds + 1.5 * LONGEST_HURRIED_WAIT_SECONDS


async def test_in_a_fence_one_that_asks_for_less_is_asked_soon_and_for_as_long_as_the_fence_lasts():
    clock = Jumping()
    store = PacedStore(Away(60, Throttled("busy")), AccountLimits(clock), Uncounted(), clock)
    await store.claimed(unclaimed, Fenced()).head("box", "n")
    assert 60.0 < clock.at < 60 * 1.5 * LONGEST_HURRIED_WAIT_SECONDS


@pytest.mark.parametrize(("code", "is_slower"), [("OperationTimedOut", True), ("503", True), ("", False)])
async def test_a_write_that_timed_out_at_the_service_slows_down(code, is_slower):
    clock = Jumping()
    limits = AccountLimits(clock, requests_per_minute=6000)
    before = limits.pace_per_second
    store = PacedStore(Away(1, OutcomeUnknown("?", code=code)), limits, Uncounted(), clock, unclaimed)
    with pytest.raises(OutcomeUnknown):
        await store.delete("box", "n", if_match="e1")
    assert (limits.pace_per_second < before) is is_slower


class Nowhere:
    """An address at which nothing listens; after ``answered_at`` something did."""

    account = "typo"

    def __init__(self, code, answered_at=None):
        self.code, self.answered_at, self.asked = code, answered_at, 0

    async def containers(self, prefix=""):
        self.asked += 1
        raise Unreachable("cannot reach account typo: nothing listens there", code=self.code)


@pytest.mark.parametrize(
    ("nowhere", "tries"),
    [(Nowhere(NO_SERVER), TRIES_OF_A_STRANGER), (Nowhere(NO_SERVER, 1.0), ATTEMPTS), (Nowhere(""), ATTEMPTS)],
    ids=["nobody ever answered", "it has answered before", "a weak network"],
)
async def test_an_address_that_is_wrong_is_said_at_once(nowhere, tries):
    clock = Jumping()
    store = PacedStore(nowhere, AccountLimits(clock), Uncounted(), clock)
    with pytest.raises(Unreachable):
        await store.containers()
    assert nowhere.asked == tries
