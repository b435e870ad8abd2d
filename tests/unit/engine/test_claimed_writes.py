"""Nothing is written to an account on a claim that is older than it may be, however long a blob takes: the check is where
requests are granted, so that no way to write leads round it."""

import inspect

import pytest

from migrator.engine.mover import CLAIM_SECONDS
from migrator.errors import InternalError, LockedError, RouteDisagreement
from migrator.model.moves import Direction, MoveRecord, MoveState
from migrator.model.objects import CREATE, BlobType, ContentHeaders, Listed
from migrator.model.routes import RouteDocument
from migrator.ports.object_store import ObjectStore, Origin, Written
from migrator.transfer.copying import STREAM_BLOCK_BYTES, Copier
from migrator.transfer.limits import AccountLimits
from migrator.transfer.paced import PacedStore
from tests.unit.engine.board import ID, Jumping, before, mover_of

BLOCKS = 3
BIG = Listed("big", "e1", BLOCKS * STREAM_BLOCK_BYTES, BlobType.BLOCK, ContentHeaders("text/plain"))
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
}
ITSELF = {"bind_run", "close"}


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
    board.document = RouteDocument(30, 60, {str(ID): mover.shared.desk.stamped(before())})
    looks = [-1e9]
    right = board.read

    async def read():
        looks.append(clock.monotonic())
        return await right()

    board.read = read
    ends = {name: Account(name, clock, looks) for name in ("src", "dst")}
    limits = {"src": AccountLimits(clock), "dst": AccountLimits(clock, bytes_per_second=STREAM_BLOCK_BYTES / 40)}
    mover.shared.stores = {name: PacedStore(ends[name], limits[name], Uncounted(), clock) for name in ends}
    return mover, board, ends["dst"]


async def streamed(mover):
    copier = Copier(mover.store("src"), mover.store("dst"), mover.world.clock)
    await copier.copy("web", BIG, condition=CREATE, in_fence=False)


async def test_every_block_of_a_slow_blob_is_written_on_a_fresh_claim(slow):
    mover, _, destination = slow
    await streamed(mover)
    assert [name for name, _ in destination.writes] == ["stage_block"] * BLOCKS + ["commit_blocks"]
    assert max(age for _, age in destination.writes) <= CLAIM_SECONDS
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
    members = inspect.getmembers(ObjectStore, inspect.isfunction)
    names = {name for name, _ in members if not name.startswith("_")}
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
