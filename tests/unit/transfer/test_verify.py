"""Both ends compared: what each level finds, what it cannot prove, and what it need not read twice."""

from contextlib import asynccontextmanager

import pytest

from migrator.adapters.local import LocalStore
from migrator.errors import AccessRefused, CloudError, SourceChanged
from migrator.model.names import Area, Selector
from migrator.model.objects import CREATE, BlobType, Condition, ContainerInfo, ContentHeaders, Listed, Shape
from migrator.model.values import replace
from migrator.transfer import proofs, verify
from migrator.transfer.proofs import Proofs
from migrator.transfer.verify import Proving, compare

AREA = Area("web", (Selector("box"),))
SHAPE = Shape(BlobType.BLOCK, ContentHeaders("text/plain"), {"owner": "web"}, {"day": "1"}, None)
NAMES = [f"{n:03}" for n in range(40)]


class Reads:
    """A store that counts what is read, and may fail to."""

    def __init__(self, inner) -> None:
        self.inner = inner
        self.names = []
        self.faults = {}

    def __getattr__(self, name):
        return getattr(self.inner, name)

    @asynccontextmanager
    async def read(self, container, name, **options):
        self.names.append(name)
        if name in self.faults:
            raise self.faults[name]
        async with self.inner.read(container, name, **options) as chunks:
            yield chunks


@pytest.fixture
async def ends(tmp_path):
    stores = [Reads(LocalStore(name, tmp_path / f"{name}.db")) for name in ("source", "target")]
    for store in stores:
        await store.create_container(ContainerInfo("box"))
        for name in NAMES:
            await store.put("box", name, f"body of {name}".encode(), SHAPE, condition=CREATE)
    yield stores
    for store in stores:
        await store.close()


async def overwrite(store, name, body, shape=SHAPE) -> None:
    etag = (await store.head("box", name)).etag
    await store.put("box", name, body, shape, condition=Condition(etag))


async def test_attributes_are_compared_without_reading(ends):
    source, target = ends
    found = await compare(source, target, AREA, level="attributes")
    assert (found.alike, found.proved, found.is_equal) == (40, 0, True)
    assert source.names == target.names == []


async def test_each_kind_of_difference_is_counted_and_named(ends):
    source, target = ends
    await target.delete("box", "000", if_match=(await target.head("box", "000")).etag)
    await source.delete("box", "001", if_match=(await source.head("box", "001")).etag)
    await overwrite(target, "002", b"longer than the body it was")
    await target.set_tags("box", "003", {"day": "2"})
    await overwrite(target, "004", b"BODY OF 004")
    found = await compare(source, target, AREA, level="attributes")
    assert (found.missing, found.extra, found.changed, found.alike) == (1, 1, 2, 36)
    assert {(kind, name): why for kind, _, name, why in found.named} == {
        ("missing", "000"): "only at the source",
        ("extra", "001"): "only at the target",
        ("changed", "002"): "size",
        ("changed", "003"): "tags",
    }
    found = await compare(source, target, AREA, level="content")
    assert (found.missing, found.extra, found.changed, found.proved, found.alike) == (1, 1, 3, 35, 0)
    assert ("changed", "box", "004", "content") in found.named


async def test_what_cannot_be_read_is_unproved_and_not_different(ends):
    source, target = ends
    source.faults = {"005": SourceChanged("it changed"), "006": CloudError("cannot read box/006: broken off")}
    found = await compare(source, target, AREA, level="content")
    assert (found.unproved, found.changed, found.proved, found.is_equal) == (2, 0, 38, False)


async def test_an_archived_blob_is_unproved(ends):
    source, target = ends
    for store in ends:
        await store.set_tier("box", "007", "Archive")
    found = await compare(source, target, AREA, level="content")
    assert (found.unproved, found.proved) == (1, 39)
    assert ("unproved", "box", "007", "it is archived") in found.named


async def test_an_interrupted_comparison_reads_only_the_rest(ends, monkeypatch):
    source, target = ends
    monkeypatch.setattr(proofs, "GROUP", 4)
    kept = []
    record = Proofs()
    proving = Proving(record, lambda: kept.append(record.note(is_complete=False)))
    target.faults = {NAMES[-1]: AccessRefused("cannot read: the right ended")}
    with pytest.raises(AccessRefused):
        await compare(source, target, AREA, level="content", proving=proving)
    source.names.clear()
    target.faults = {}
    again = Proofs(kept[-1])
    found = await compare(source, target, AREA, level="content", proving=Proving(again))
    assert (found.proved, found.is_equal) == (40, True)
    assert 0 < len(source.names) < 20


async def test_a_change_since_is_read_again_and_only_its_group(ends, monkeypatch):
    source, target = ends
    monkeypatch.setattr(proofs, "GROUP", 4)
    record = Proofs()
    await compare(source, target, AREA, level="content", proving=Proving(record))
    await overwrite(target, "020", b"BODY OF 020")
    await source.put("box", "0205", b"new", SHAPE, condition=CREATE)
    source.names.clear()
    again = Proofs(record.note(is_complete=True))
    found = await compare(source, target, AREA, level="content", proving=Proving(again))
    assert (found.changed, found.missing, found.proved) == (1, 1, 39)
    assert "020" in source.names
    assert len(source.names) < 20
    assert len(again.note(is_complete=True)) < len(record.note(is_complete=True))


async def test_a_sample_is_proved_and_the_rest_only_alike(ends):
    source, target = ends
    record = Proofs()
    found = await compare(source, target, AREA, level="content", proving=Proving(record, sample=0.5))
    assert found.proved + found.alike == 40
    assert 5 < found.proved < 35
    whole = await compare(source, target, AREA, level="content", proving=Proving(Proofs(record.note(is_complete=True))))
    assert whole.proved == 40


def test_seals_and_sequence_numbers_are_compared():
    """What each side of a listing shows is enough for both levels."""
    one = Listed("n", "0x1", 512, BlobType.PAGE)
    assert verify.difference(one, replace(one, sequence_number=7)) == "sequence number"
    assert verify.difference(replace(one, sequence_number=7), replace(one, sequence_number=7)) == ""
    log = Listed("n", "0x1", 5, BlobType.APPEND)
    assert verify.difference(log, replace(log, is_sealed=True)) == "seal"
    assert verify.difference(log, log) == ""
