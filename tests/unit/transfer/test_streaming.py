"""Blobs that go through this machine: whole, of one generation, and no more of them in memory than is said."""

import asyncio
import os
import random
from contextlib import asynccontextmanager

import pytest

from migrator.adapters.clock import SystemClock
from migrator.adapters.local import LocalStore
from migrator.errors import AccessRefused, CloudError, NotFound, OutcomeUnknown, SourceChanged, Unsupported
from migrator.model.names import MoveId
from migrator.model.objects import BLOCK_BYTES, CREATE, BlobType, Condition, ContainerInfo, ContentHeaders, Shape
from migrator.model.rhythm import USUAL
from migrator.model.values import replace
from migrator.ports.object_store import Whole
from migrator.transfer import copying
from migrator.transfer.copying import Copier, may_be_in_blocks
from migrator.transfer.saving import save_loser

SHAPE = Shape(BlobType.BLOCK, ContentHeaders("text/plain"), {"owner": "web"}, {"day": "1"}, None)


class Apart:
    """A store whose service cannot copy from the other one; notes how many blocks are being written."""

    def __init__(self, inner) -> None:
        self.inner = inner
        self.staging = self.most = 0
        self.fails_at = None
        self.none_waits = False
        self._enough = asyncio.Event()

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def can_copy_from(self, other) -> bool:
        return False

    async def _others(self) -> None:
        """A slow network: the first blocks are on their way until there are as many as may be."""
        if self.staging == USUAL.sizes.blocks_ahead or self.none_waits:
            self._enough.set()
        await asyncio.wait_for(self._enough.wait(), 10)

    async def stage_block(self, container, name, block_id, body) -> None:
        self.staging += 1
        self.most = max(self.most, self.staging)
        try:
            if block_id.endswith(str(self.fails_at)):
                raise CloudError("cannot stage it: broken off")
            await self._others()
            await self.inner.stage_block(container, name, block_id, body)
        finally:
            self.staging -= 1


class Refusing(Apart):
    """A store whose service promises to copy from the other one, and refuses when it is asked."""

    def __init__(self, inner) -> None:
        super().__init__(inner)
        self.staged = set()
        self.refusal = Unsupported("cannot copy: the source cannot be reached")

    def can_copy_from(self, other) -> bool:
        return True

    async def copy(self, origin, container, name, shape, *, condition):
        raise self.refusal

    stage_block_from = copy

    async def stage_block(self, container, name, block_id, body) -> None:
        self.staged.add(name)
        await self.inner.stage_block(container, name, block_id, body)


class Cutting:
    """Reads that end a byte too early."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def __getattr__(self, name):
        return getattr(self.inner, name)

    async def whole(self, container, name, **options):
        found = await self.inner.whole(container, name, **options)
        return Whole(found.etag, found.body[:-1])

    @asynccontextmanager
    async def read(self, container, name, *, if_match):
        size = (await self.inner.head(container, name)).size
        async with self.inner.read(container, name, if_match=if_match, length=size - 1) as chunks:
            yield chunks


@pytest.fixture
async def ends(tmp_path):
    stores = [LocalStore(name, tmp_path / f"{name}.db") for name in ("source", "target")]
    for store in stores:
        await store.create_container(ContainerInfo("box"))
    yield stores[0], Apart(stores[1])
    for store in stores:
        await store.close()


async def large(source):
    """A blob of two blocks and a half."""
    parts = [os.urandom(BLOCK_BYTES), os.urandom(BLOCK_BYTES), os.urandom(BLOCK_BYTES // 2)]
    for number, part in enumerate(parts):
        await source.stage_block("box", "big", f"part-{number}", part)
    await source.commit_blocks("box", "big", [f"part-{n}" for n in range(3)], SHAPE, condition=CREATE)
    return await source.head("box", "big"), b"".join(parts)


async def test_a_large_blob_arrives_whole_with_few_blocks_on_their_way_at_a_time(ends):
    source, target = ends
    blob, body = await large(source)
    copied = await Copier(source, target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=False)
    arrived = await target.head("box", "big")
    assert (arrived.etag, arrived.size, dict(arrived.tags)) == (copied.etag, len(body), {"day": "1"})
    async with target.read("box", "big", if_match=copied.etag) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == body
    assert target.most == USUAL.sizes.blocks_ahead


class Losing(Apart):
    """Its lists of blocks are never answered, and committed late."""

    def __init__(self, inner) -> None:
        super().__init__(inner)
        self.none_waits = True
        self.late = []

    async def commit_blocks(self, container, name, block_ids, shape, *, condition):
        self.late.append(list(block_ids))
        raise OutcomeUnknown("cannot tell whether it was committed: no answer")


async def test_a_list_that_is_committed_late_never_meets_the_blocks_of_another_generation(ends):
    source, target = ends
    losing = Losing(target.inner)
    blob, body = await large(source)
    with pytest.raises(OutcomeUnknown):
        await Copier(source, losing, SystemClock()).copy("box", blob, condition=CREATE, in_fence=False)
    await source.delete("box", "big", if_match=blob.etag)
    newer, _ = await large(source)
    with pytest.raises(OutcomeUnknown):
        await Copier(source, losing, SystemClock()).copy("box", newer, condition=CREATE, in_fence=False)
    first, second = losing.late
    assert not set(first) & set(second)
    assert len({len(one) for one in [*first, *second]}) == 1
    late = await target.inner.commit_blocks("box", "big", first, SHAPE, condition=CREATE)
    async with target.read("box", "big", if_match=late.etag) as chunks:
        assert b"".join([chunk async for chunk in chunks]) == body


async def test_a_blob_counts_as_one_in_blocks_before_the_service_refuses_to_copy_it_itself(ends):
    """What may leave blocks behind is written down before the first request; the refusal comes later."""
    source, target = ends[0], Refusing(ends[1].inner)
    blob, _ = await large(source)
    assert may_be_in_blocks(blob, USUAL.sizes)
    await Copier(source, target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=False)
    assert target.staged == {"big"}


@pytest.mark.parametrize("size", [0, 1, 100_000, BLOCK_BYTES, BLOCK_BYTES + 1])
async def test_a_blob_of_any_size_arrives_whole(ends, size):
    source, target = ends
    body = os.urandom(size)
    half = min(size, BLOCK_BYTES)
    for number, part in enumerate((body[:half], body[half:])):
        await source.stage_block("box", "any", f"part-{number}", part)
    await source.commit_blocks("box", "any", ["part-0", "part-1"], SHAPE, condition=CREATE)
    blob, target.none_waits = await source.head("box", "any"), True
    await Copier(source, target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=False)
    assert (await target.whole("box", "any", most_bytes=BLOCK_BYTES)).body == body if size <= BLOCK_BYTES else True
    assert (await target.head("box", "any")).size == size


@pytest.mark.parametrize("size", [100, BLOCK_BYTES + 100])
async def test_fewer_bytes_than_the_generation_has_are_no_copy(ends, size):
    """Something between here and the account that cuts answers off, and says that they are whole."""
    source, target = ends
    await source.stage_block("box", "cut", "part-0", bytes(size // 2))
    await source.stage_block("box", "cut", "part-1", bytes(size - size // 2))
    await source.commit_blocks("box", "cut", ["part-0", "part-1"], SHAPE, condition=CREATE)
    blob, target.none_waits = await source.head("box", "cut"), True
    with pytest.raises(CloudError, match="bytes came of generation"):
        await Copier(Cutting(source), target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=False)
    with pytest.raises(NotFound):
        await target.head("box", "cut")


@pytest.mark.parametrize("block", [0, 1, 2])
async def test_a_block_that_fails_leaves_nothing_visible(ends, block):
    source, target = ends
    blob, _ = await large(source)
    target.fails_at = block
    with pytest.raises(CloudError, match="broken off"):
        await Copier(source, target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=False)
    with pytest.raises(NotFound):
        await target.head("box", "big")
    assert target.staging == 0


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        (
            AccessRefused("no", code="AuthorizationFailure"),
            "may not copy between these accounts (AuthorizationFailure)",
        ),
        (
            Unsupported("no", code="CannotVerifyCopySource"),
            "may not copy between these accounts (CannotVerifyCopySource)",
        ),
        (Unsupported("no", code="CopyAcrossAccountsNotSupported"), "cannot copy between these accounts"),
    ],
)
async def test_a_service_that_may_not_copy_is_left_and_said_to_be(ends, refusal, why):
    source, target = ends[0], Refusing(ends[1].inner)
    target.refusal = refusal
    copier = Copier(source, target, SystemClock())
    await copies(copier, source, 0, USUAL.first_refusals - 1)
    assert copier.is_server_side  # so many may have troubles of their own
    await copies(copier, source, 10, 1)
    assert not copier.is_server_side
    assert why in copier.pair.why
    assert (await target.whole("box", "n10", most_bytes=100)).body == b"small"


async def test_a_right_that_is_lost_in_the_middle_goes_up(ends):
    """A service that has copied for this pair could: streaming would hide what happened."""
    source, target = ends[0], Refusing(ends[1].inner)
    target.refusal = AccessRefused("no", code="AuthorizationFailure")
    await source.put("box", "small", b"small", SHAPE, condition=CREATE)
    copier = Copier(source, target, SystemClock())
    copier.pair.has_copied = True
    with pytest.raises(AccessRefused):
        await copier.copy("box", await source.head("box", "small"), condition=CREATE, in_fence=False)


class Sometimes(Apart):
    """The service refuses the copies whose numbers are in ``refused``."""

    def __init__(self, inner, refused):
        super().__init__(inner)
        self.refused, self.asked, self.streamed = refused, 0, 0

    async def put(self, container, name, body, shape, *, condition):
        self.streamed += 1
        return await self.inner.put(container, name, body, shape, condition=condition)

    def can_copy_from(self, other):
        return True

    async def copy(self, origin, container, name, shape, *, condition):
        self.asked += 1
        number = self.asked
        await asyncio.sleep(0)
        if number in self.refused:
            raise Unsupported("no", code="CannotVerifyCopySource")
        body = await origin.store.whole(container, name, if_match=origin.etag, most_bytes=100)
        return await self.inner.put(container, name, body.body, shape, condition=condition)


class Later(SystemClock):
    """A clock that is put forward by hand."""

    ahead = 0.0

    def monotonic(self):
        return super().monotonic() + self.ahead


async def copies(copier, source, first, count):
    for number in range(first, first + count):
        await source.put("box", f"n{number}", b"small", SHAPE, condition=CREATE)
        blob = await source.head("box", f"n{number}")
        await copier.copy("box", blob, condition=CREATE, in_fence=False)


async def test_one_refused_copy_says_nothing_of_the_others(ends):
    """A signature that was not valid yet, one object's own key: the next copy is the service's again."""
    source, target = ends[0], Sometimes(ends[1].inner, {5})
    copier = Copier(source, target, SystemClock())
    await copies(copier, source, 0, 10)
    assert target.asked == 11  # the fifth was asked for once more
    assert copier.is_server_side
    assert copier.pair.why == ""


async def test_an_object_that_is_refused_again_is_streamed_alone(ends):
    source, target = ends[0], Sometimes(ends[1].inner, {5, 6})
    copier = Copier(source, target, SystemClock())
    await copies(copier, source, 0, 10)
    assert target.asked == 11
    assert copier.is_server_side


async def test_a_service_that_stopped_copying_is_left_and_asked_again_after_a_while(ends):
    source, target, clock = ends[0], Sometimes(ends[1].inner, range(3, 13)), Later()
    copier = Copier(source, target, clock)
    await copies(copier, source, 0, 10)
    assert target.asked == 2 + USUAL.refusals + 1  # what was copied last is refused too
    assert not copier.is_server_side
    assert "may not copy between these accounts" in copier.pair.why
    clock.ahead = USUAL.ask_again_seconds
    asked = target.asked
    await copies(copier, source, 10, 3)
    assert target.asked == asked + 2  # one object and the probe, and left again
    target.refused = ()
    clock.ahead *= 2
    await copies(copier, source, 20, 3)
    assert target.asked == asked + 2 + 3
    assert copier.is_server_side
    assert copier.pair.why == ""


async def test_a_service_that_could_not_copy_for_a_moment_is_asked_again_soon(ends):
    """And ever more seldom, if it cannot for long."""
    source, target, clock = ends[0], Sometimes(ends[1].inner, range(2, 1000)), Later()
    copier = Copier(source, target, clock)
    await copies(copier, source, 0, 10)
    assert not copier.is_server_side
    clock.ahead, pauses, asked = 0.0, [], target.asked
    for number in range(2000):
        clock.ahead += 1.0
        if copier.is_server_side:
            await copies(copier, source, 100 + number, 1)
            pauses.append(clock.ahead - sum(pauses))
            asked, before = target.asked, asked
            assert asked == before + 2
    assert [round(one) for one in pauses[:6]] == [15, 30, 60, 120, 240, 480]
    assert max(pauses) <= USUAL.ask_again_seconds + 1
    target.refused = ()
    clock.ahead += USUAL.ask_again_seconds
    await copies(copier, source, 5000, 1)
    assert copier.pair.why == ""


async def test_many_objects_that_are_refused_at_once_say_nothing_while_a_good_one_is_copied(ends):
    """A signature that was not valid yet, when hundreds of copies were under way: all come back refused."""
    source, target = ends[0], Sometimes(ends[1].inner, range(2, 42))
    copier = Copier(source, target, SystemClock(), probes=".migrate/canary/x/")
    await copies(copier, source, 0, 1)
    many = [f"m{number}" for number in range(40)]
    for name in many:
        await source.put("box", name, b"small", SHAPE, condition=CREATE)
    heads = [await source.head("box", name) for name in many]
    await asyncio.gather(*(copier.copy("box", blob, condition=CREATE, in_fence=False) for blob in heads))
    await copies(copier, source, 50, 100)
    assert copier.is_server_side
    assert copier.pair.why == ""
    assert target.streamed <= 2 * USUAL.refusals
    assert [one.name for one in (await target.page("box", prefix=".migrate/")).entries] == []


async def test_the_first_object_of_all_may_be_the_one_that_is_refused(ends):
    source, target = ends[0], Sometimes(ends[1].inner, {1})
    copier = Copier(source, target, SystemClock())
    await copies(copier, source, 0, 100)
    assert target.asked == 100
    assert target.streamed == 1


async def test_of_an_object_that_changed_meanwhile_nothing_is_concluded(ends):
    source, target = ends[0], Sometimes(ends[1].inner, range(2, 8))
    copier = Copier(source, target, SystemClock())
    await copies(copier, source, 0, 1)
    await source.put("box", "n0", b"newer", SHAPE, condition=Condition((await source.head("box", "n0")).etag))
    await copies(copier, source, 1, 20)
    assert copier.is_server_side


class Weighing(Apart):
    """Counts the bytes that are read and written."""

    def __init__(self, inner):
        super().__init__(inner)
        self.read_bytes = self.written_bytes = 0

    @asynccontextmanager
    async def read(self, container, name, *, if_match, offset=0, length=None):
        async def weighed(chunks):
            async for chunk in chunks:
                self.read_bytes += len(chunk)
                yield chunk

        async with self.inner.read(container, name, if_match=if_match, offset=offset, length=length) as chunks:
            yield weighed(chunks)

    async def put_pages(self, container, name, body, *, offset, if_match):
        self.written_bytes += len(body)
        return await self.inner.put_pages(container, name, body, offset=offset, if_match=if_match)


async def test_of_a_sparse_disk_only_what_was_written_is_read_and_written(ends):
    source, target = Weighing(ends[0]), Weighing(ends[1].inner)
    size, shape = 1 << 40, replace(SHAPE, blob_type=BlobType.PAGE)
    offsets = (0, 5 << 30, (1 << 39) + 512, size - 512)
    written = await source.create_empty("box", "disk", size, shape, condition=CREATE)
    for number, offset in enumerate(offsets):
        page = bytes([number + 1]) * 512
        written = await source.inner.put_pages("box", "disk", page, offset=offset, if_match=written.etag)
    here = await source.head("box", "disk")
    await Copier(source, target, SystemClock()).copy("box", here, condition=CREATE, in_fence=True)
    there = await target.head("box", "disk")
    assert there.size == size
    assert source.read_bytes <= 4 * 1024 * 1024
    assert target.written_bytes == 512 * len(offsets)
    assert await copying.same_content(source, target, "box", here, there)
    changed = await target.inner.put_pages("box", "disk", b"x" * 512, offset=7 << 30, if_match=there.etag)
    assert not await copying.same_content(source, target, "box", here, replace(there, etag=changed.etag))
    zeros = await target.inner.put_pages("box", "disk", bytes(512), offset=7 << 30, if_match=changed.etag)
    assert await copying.same_content(source, target, "box", here, replace(there, etag=zeros.etag))


async def test_a_disk_that_changes_while_its_pages_are_listed_is_another_generation(ends):
    source, target = ends
    made = await source.create_empty("box", "disk", 1024, replace(SHAPE, blob_type=BlobType.PAGE), condition=CREATE)
    here = await source.head("box", "disk")
    await source.put_pages("box", "disk", b"x" * 512, offset=0, if_match=made.etag)
    with pytest.raises(SourceChanged):
        await Copier(source, target, SystemClock()).copy("box", here, condition=CREATE, in_fence=True)
    with pytest.raises(NotFound):
        await target.head("box", "disk")


def test_ranges_with_little_between_them_are_read_together():
    gap = copying.GAP_BYTES
    assert list(copying.joined([])) == []
    assert list(copying.joined([(0, 512), (1024, 512), (1536 + gap, 512)])) == [(0, 2048 + gap)]
    assert list(copying.joined([(512, 512), (1024 + gap + 512, 512)])) == [(512, 512), (1536 + gap, 512)]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_not_zero_is_written_in_whole_pages_and_nothing_else_of_note(seed):
    chance, gap = random.Random(seed), copying.GAP_BYTES
    piece = bytearray(chance.choice((512, gap, 3 * gap + 512, 4 * 1024 * 1024)))
    for _ in range(chance.randrange(6)):
        at = chance.randrange(len(piece) // 512) * 512
        length = chance.choice((1, 511, 512))
        piece[at : at + length] = b"x" * length
    seen, made, written = bytes(piece), bytearray(len(piece)), 0
    for at, pages in copying.not_zero(seen):
        assert at % 512 == len(pages) % 512 == 0
        assert pages
        made[at : at + len(pages)] = pages
        written += len(pages)
    assert made == seen
    held = sum(any(seen[at : at + 512]) for at in range(0, len(seen), 512))
    assert written <= held * 2 * gap


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1])
async def test_a_page_blob_keeps_its_sequence_number(ends, number):
    source, target = ends
    shape = replace(SHAPE, blob_type=BlobType.PAGE, sequence_number=number)
    made = await source.create_empty("box", "disk", 1024, shape, condition=CREATE)
    await source.put_pages("box", "disk", b"x" * 512, offset=512, if_match=made.etag)
    blob = await source.head("box", "disk")
    await Copier(source, target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=False)
    there = await target.head("box", "disk")
    assert (blob.sequence_number, there.sequence_number) == (number, number)
    assert await copying.same_content(source, target, "box", blob, there)
    assert not await copying.same_content(source, target, "box", blob, replace(there, sequence_number=5))


@pytest.mark.parametrize("is_sealed", [True, False])
@pytest.mark.parametrize("body", [b"", b"lines"])
async def test_an_append_blob_that_goes_through_this_machine_keeps_its_seal(ends, is_sealed, body):
    source, target = ends
    etag = (
        await source.create_empty("box", "log", 0, replace(SHAPE, blob_type=BlobType.APPEND), condition=CREATE)
    ).etag
    if body:
        etag = (await source.append("box", "log", body, offset=0, if_match=etag)).etag
    if is_sealed:
        await source.seal("box", "log", size=len(body), if_match=etag)
    blob = await source.head("box", "log")
    copied = await Copier(source, target, SystemClock()).copy("box", blob, condition=CREATE, in_fence=True)
    there = await target.head("box", "log")
    assert (there.etag, there.size, there.is_sealed) == (copied.etag, len(body), is_sealed)
    assert await copying.same_content(source, target, "box", blob, there)
    assert not await copying.same_content(source, target, "box", blob, replace(there, is_sealed=not is_sealed))
    # what was sealed is replaced like anything
    again = await Copier(source, target, SystemClock()).copy(
        "box", blob, condition=Condition(if_match=there.etag), in_fence=True
    )
    assert (await target.head("box", "log")).etag == again.etag != there.etag


@pytest.mark.parametrize("kind", [BlobType.BLOCK, BlobType.PAGE])
async def test_contents_that_are_cut_off_alike_on_both_sides_prove_nothing(ends, kind):
    """Something before both accounts that cuts answers off, and says that they are whole: their ends may be anything."""
    source, target = ends
    for store, last in ((source, b"a"), (target.inner, b"b")):
        if kind is BlobType.BLOCK:
            await store.put("box", "cut", b"x" * 511 + last, SHAPE, condition=CREATE)
        else:
            made = await store.create_empty("box", "cut", 512, replace(SHAPE, blob_type=kind), condition=CREATE)
            await store.put_pages("box", "cut", b"x" * 511 + last, offset=0, if_match=made.etag)
    here, there = await source.head("box", "cut"), await target.head("box", "cut")
    assert not await copying.same_content(source, target, "box", here, there)
    with pytest.raises(CloudError, match="bytes came of generation"):
        await copying.same_content(CuttingParts(source), CuttingParts(target), "box", here, there)


class CuttingParts(Cutting):
    """Of parts, too."""

    @asynccontextmanager
    async def read(self, container, name, *, if_match, offset=0, length=None):
        length = (await self.inner.head(container, name)).size if length is None else length
        async with self.inner.read(container, name, if_match=if_match, offset=offset, length=length - 1) as chunks:
            yield chunks


async def test_what_is_kept_of_a_loser_is_all_of_it(ends):
    source, target = ends
    await source.put("box", "cut", b"x" * 100, SHAPE, condition=CREATE)
    blob = await source.head("box", "cut")
    with pytest.raises(CloudError, match="bytes came of generation"):
        await save_loser(CuttingParts(source), target.inner, "box", blob, MoveId("na", "web"), block_bytes=30)
    assert [one.name for one in (await target.page("box")).entries] == []
