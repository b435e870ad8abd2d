"""Nothing is written to an account on a claim that is older than it may be, however long a blob takes: the check is where
requests are granted, so that no way to write leads round it."""

import asyncio
import inspect
from dataclasses import replace

import pytest

from migrator.engine import enforcing
from migrator.engine.rollcall import Roll
from migrator.engine.steps import cut
from migrator.errors import InternalError, LockedError, RouteDisagreement
from migrator.machine.policies import can_write, without_writing
from migrator.model.moves import Control, Direction, MoveRecord, MoveState, RevokedPolicy, RouteIntent, StoredPolicy
from migrator.model.objects import CREATE, BlobType, ContainerInfo, ContentHeaders, Listed, ListingPage, Survey
from migrator.model.rhythm import USUAL
from migrator.model.routes import READ_ONLY, RouteDocument, RouteRecord
from migrator.ports.object_store import ObjectStore, Origin, Written
from migrator.ports.state_store import SetControl
from migrator.ports.write_policy import ContainerPolicies, PolicyHolder
from migrator.transfer.copying import Copier
from migrator.transfer.limits import AccountLimits
from migrator.transfer.paced import PacedStore
from tests.unit.engine.board import ID, Jumping, before, mover_of

BLOCKS = 3
BLOCK = USUAL.sizes.stream_block_bytes
BIG = Listed("big", "e1", BLOCKS * BLOCK, BlobType.BLOCK, ContentHeaders("text/plain"))
READS = {
    "containers",
    "container",
    "page",
    "head",
    "read",
    "whole",
    "can_copy_from",
    "page_ranges",
    "uncommitted",
    "survey",
    "policies",
}
ITSELF = {"late_write_seconds", "late_container_write_seconds", "bind_run", "close"}


class Uncounted:
    def count(self, account, operation, *, minute, requests=1) -> None: ...


class Account:
    """One large blob to read; notes when it is written to, and how old the newest look at the routes was then."""

    def __init__(self, name, clock, looks) -> None:
        self.account, self.endpoint, self.answered_at = name, f"https://{name}", None
        self.clock, self.looks = clock, looks
        self.writes = []
        self.before_write = lambda: None

    def can_copy_from(self, other) -> bool:
        return False

    def read(self, container, name, *, if_match, offset=0, length=None):
        return _Opened(BIG.size)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)

        async def write(*args, **options):
            self.writes.append((name, self.clock.monotonic() - self.looks[-1]))
            self.before_write()
            return Written("e2")

        return write


class _Opened:
    def __init__(self, size) -> None:
        self.size = size

    async def __aenter__(self):
        return self.chunks()

    async def __aexit__(self, *_) -> None: ...

    async def chunks(self):
        for _ in range(0, self.size, 64 * 1024):
            yield bytes(64 * 1024)


@pytest.fixture
def slow():
    """A mover whose destination takes a block in 40 s, its board, and that destination."""
    record = MoveRecord(ID, "first", MoveState.CATCHING_UP, Direction.FORWARD, epoch=6, ever_routed=True)
    mover, board, clock = mover_of(record, before())
    board.document = RouteDocument(30, 60, {str(ID): mover.desk.stamped(before())})
    looks = [-1e9]
    right = board.read

    async def read(region):
        looks.append(clock.monotonic())
        return await right(region)

    board.read = read
    ends = {name: Account(name, clock, looks) for name in ("src", "dst")}
    limits = {"src": AccountLimits(clock), "dst": AccountLimits(clock, bytes_per_second=BLOCK / 40)}
    mover.shared.stores = {name: PacedStore(ends[name], limits[name], Uncounted(), clock) for name in ends}
    return mover, board, ends["dst"]


async def streamed(mover):
    copier = Copier(mover.store("src"), mover.store("dst"), mover.world.clock)
    await copier.copy("web", BIG, condition=CREATE, in_fence=False)


async def test_every_block_of_a_slow_blob_is_written_on_a_fresh_claim(slow):
    mover, _, destination = slow
    await streamed(mover)
    assert [name for name, _ in destination.writes] == ["stage_block"] * BLOCKS + ["commit_blocks"]
    assert max(age for _, age in destination.writes) <= USUAL.claim_seconds
    assert mover.world.clock.monotonic() > 60


async def test_nothing_more_of_a_blob_is_written_once_another_run_has_the_route(slow):
    mover, board, destination = slow

    def lose():
        board.document = RouteDocument(30, 60, {str(ID): before()})

    destination.before_write = lose
    with pytest.raises(RouteDisagreement):
        await streamed(mover)
    assert [name for name, _ in destination.writes] == ["stage_block"]


async def test_nothing_more_of_a_blob_is_written_once_the_lock_is_lost(slow):
    mover, _, destination = slow
    destination.before_write = lambda: setattr(mover.shared.session, "_lost", "another run took it over")
    with pytest.raises(LockedError):
        await streamed(mover)
    assert [name for name, _ in destination.writes] == ["stage_block"]


def writes_of_the_port():
    """Of every door to an account that the engine has."""
    members = [
        *inspect.getmembers(ObjectStore, inspect.isfunction),
        *inspect.getmembers(PolicyHolder, inspect.isfunction),
    ]
    names = {name for name, _ in members if not name.startswith("_")}
    assert {"set_policies", "accepts", "put"} <= names
    return sorted(names - READS - ITSELF)


@pytest.mark.parametrize("name", writes_of_the_port())
async def test_no_method_of_an_account_writes_without_a_claim(name):
    """A method that comes to the port later is either named among the reads here or asks for a claim."""
    clock = Jumping()
    inner = Account("dst", clock, [0.0])
    store = PacedStore(inner, AccountLimits(clock), Uncounted(), clock)
    method = getattr(store, name)
    given = {
        parameter.name: Origin(store, "web", "a", "e1") if parameter.name == "origin" else b""
        for parameter in inspect.signature(method).parameters.values()
    }
    with pytest.raises(InternalError, match="claim"):
        await method(**given)
    assert inner.writes == []


WRITERS = StoredPolicy("writers", "racwdl", "", "2030-01-01T00:00:00Z")
POLICIES = (RevokedPolicy("src", "web", WRITERS),)


class Container(Account):
    """An account with one container, whose writers' policy is revoked or not."""

    can_prove_policies = True

    def __init__(self, clock, now) -> None:
        super().__init__("src", clock, [0.0])
        self.now = now
        self.after_read = self.while_setting = lambda: None

    async def containers(self, prefix=""):
        return [ContainerInfo("web")]

    async def survey(self, container, *, prefix="", marker=None):
        return Survey(0)

    async def page(self, container, *, prefix="", marker=None, limit=5000):
        return ListingPage((), None)

    async def policies(self, container):
        found = ContainerPolicies((self.now,))
        self.after_read()
        return found

    async def set_policies(self, container, policies, *, public_access):
        self.while_setting()
        self.now = policies[0]

    async def accepts(self, container, policy, name):
        return can_write(self.now)


def enforced(record: MoveRecord, route: RouteRecord, now: StoredPolicy):
    mover, board, clock = mover_of(record, route)
    inner = Container(clock, now)
    counted = Counted()
    mover.shared.stores = {**mover.shared.stores, "src": PacedStore(inner, AccountLimits(clock), counted, clock)}
    mover.wave = replace(mover.wave, cutover=replace(mover.wave.cutover, fence="access-policy"))
    return mover, board, inner, counted


class Counted:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def count(self, account, operation, *, minute, requests=1) -> None:
        self.seen += [operation] * requests


def released(**changed):
    record = MoveRecord(
        ID, "first", "src", "dst", state=MoveState.CATCHING_UP, epoch=6, ever_routed=True, revoked=POLICIES
    )
    return enforced(record, replace(before(), run="run-2", **changed), without_writing(WRITERS))


async def test_policies_are_put_back_within_the_budget_and_counted():
    mover, _, inner, counted = released()
    await enforcing.restore(mover)
    assert inner.now == WRITERS
    assert counted.seen == ["read", "write"]
    assert mover.record.revoked == ()


async def test_policies_are_put_back_although_an_operator_pauses_and_a_guardian_released():
    """Nobody may be shut out because nobody may copy; and the record is not this run's own yet."""
    mover, _, inner, _ = released(epoch=9)
    mover.commit(SetControl(Control("pause", "", {"on": True}, "operator", mover.world.clock.now())))
    assert mover.shared.is_wished("pause", "first")
    await enforcing.restore(mover)
    assert inner.now == WRITERS


async def test_a_run_that_lost_its_lock_between_reading_and_setting_sets_nothing():
    mover, _, inner, _ = released()
    inner.after_read = lambda: setattr(mover.shared.session, "_lost", "another run took it over")
    with pytest.raises(LockedError):
        await enforcing.restore(mover)
    assert inner.now == without_writing(WRITERS)
    assert mover.record.revoked == POLICIES


async def test_policies_stay_revoked_while_another_run_has_fenced():
    mover, board, inner, _ = released()
    board.document = RouteDocument(30, 60, {str(ID): replace(before(), mode=READ_ONLY, epoch=7, run="run-3")})
    await enforcing.restore(mover)
    assert inner.now == without_writing(WRITERS)
    assert mover.record.revoked == POLICIES, "whoever looks next finds them"


async def test_a_run_that_is_stopped_while_it_puts_policies_back_waits_for_what_it_sent():
    mover, _, inner, _ = released()
    mover.world.write_bounds = {"src": 300.0, "dst": 0.0}

    def stop():
        raise asyncio.CancelledError

    inner.while_setting = stop
    with pytest.raises(asyncio.CancelledError):
        await enforcing.restore(mover)
    assert mover.shared.session.lingering.seconds == 300.0


def draining():
    """A move in its drain, and the fence that this run has claimed."""
    fence = replace(before(), mode=READ_ONLY, epoch=7, run="run-2")
    intent = RouteIntent(before(), fence)
    record = MoveRecord(ID, "first", "src", "dst", state=MoveState.DRAINING, epoch=7, ever_routed=True, intent=intent)
    return record, fence


@pytest.mark.parametrize(
    ("route", "error"),
    [
        ({"run": "run-2"}, None),
        ({"run": "run-3"}, RouteDisagreement),
        ({"run": "run-2", "epoch": 9}, RouteDisagreement),
    ],
)
async def test_policies_are_revoked_on_the_claim_of_the_fence_alone(route, error):
    record, fence = draining()
    mover, _, inner, counted = enforced(record, replace(fence, **route), WRITERS)
    if error is None:
        await enforcing.revoke(mover)
        assert not can_write(inner.now)
        assert counted.seen.count("write") == 2, "one to revoke, one to see it refused"
    else:
        with pytest.raises(error):
            await enforcing.revoke(mover)
        assert inner.now == WRITERS


async def test_the_drain_of_an_enforced_fence_ends_a_write_and_the_propagation_after_the_last_refusal():
    record, fence = draining()
    mover, _, inner, _ = enforced(record, fence, WRITERS)
    set_at = []
    inner.while_setting = lambda: set_at.append(mover.world.clock.monotonic())
    until = await enforcing.revoke(mover)
    assert until == set_at[0] + USUAL.policy_propagation_seconds + mover.routing.max_write_seconds


class AllAnswered:
    """A roll-call in which every follower has answered at once."""

    register = object()

    async def until_answered(self, move, epoch, *, after):
        return Roll(followers=2)

    def roll(self, move, epoch, *, asked_after):
        return Roll(followers=2)


@pytest.mark.parametrize(("policy", "is_early"), [("route", True), ("access-policy", False)])
async def test_no_roll_ends_the_drain_of_an_enforced_fence(policy, is_early):
    """Policies bind writers whom no roll names: they may be writing still when every follower has answered."""
    record, fence = draining()
    mover, _, _, _ = enforced(
        record, fence, without_writing(WRITERS)
    )  # nothing is revoked: no policy lets anybody write
    mover.wave = replace(mover.wave, cutover=replace(mover.wave.cutover, fence=policy))
    mover.shared.rolls = AllAnswered()
    begun = mover.world.clock.monotonic()
    await cut.drain.__wrapped__(mover)
    lasted = mover.world.clock.monotonic() - begun
    assert (lasted < mover.desk.drain_seconds) is is_early, lasted
