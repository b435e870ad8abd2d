"""Passes over two simulated accounts: what is carried over, what is left alone, what is kept."""

from __future__ import annotations

import asyncio
from math import inf

import pytest

from migrator.errors import CloudError, JudgementError, OutcomeUnknown, Unreachable
from migrator.model import notes
from migrator.model.moves import Direction, EvidenceRange
from migrator.model.objects import BlobType
from migrator.model.rhythm import Rhythm, Sizes
from migrator.ports.state_store import ReplaceRanges, SetNote
from migrator.transfer import listing, passes
from migrator.transfer.evidence import UNKNOWN, Evidence, Record, generation_hash, in_sample
from migrator.transfer.waits import Waits
from tests.unit.transfer.lab import CUSTOMER, MOVE, Lab, VirtualPolicy


@pytest.fixture
def event_loop_policy():
    return VirtualPolicy()


@pytest.fixture
async def lab():
    return Lab()


def once_after(account, name, act):
    """Let ``act`` happen right after the tool's next effect on ``name``; customers' own effects do not count."""
    right = account.wrote

    def wrote(account_, sender, container, name_, *facts):
        right(account_, sender, container, name_, *facts)
        if sender is not CUSTOMER and name_ == name:
            account.wrote = right
            act()

    account.wrote = wrote


async def test_a_first_pass_copies_everything_and_a_second_finds_nothing_to_do(lab):
    for number in range(7):
        lab.put(lab.source, f"n{number}", b"%d" % number, i=str(number))
    first = await lab.run()
    assert (first.copied, first.changes) == (7, 7)
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert (await lab.run()).is_proof


async def test_a_write_in_the_same_second_as_the_copy_is_not_lost(lab):
    """The lost update of tools that compare times: the source is written after it was read, in the same second and with the
    same size, so that its new Last-Modified is not later than the copy's."""
    lab.put(lab.source, "hot", b"before")
    now = lab.source.peek("web", "hot").listed.last_modified
    once_after(lab.target, "hot", lambda: lab.put(lab.source, "hot", b"after!", modified=now))
    await lab.run()
    here, there = lab.source.peek("web", "hot").listed, lab.target.peek("web", "hot").listed
    assert (here.size, here.last_modified) == (there.size, there.last_modified)
    assert lab.contents(lab.target) == {"hot": b"before"}
    second = await lab.run()
    assert (second.copied, second.is_proof) == (1, False)
    assert lab.contents(lab.target) == {"hot": b"after!"}
    assert (await lab.run()).is_proof


async def test_a_write_between_the_listing_and_the_copy_is_never_mixed_in(lab):
    lab.put(lab.source, "hot", b"before")
    wire = lab.wires["dst"]
    wire.listed = lambda *facts: lab.put(lab.source, "hot", b"changed")
    result = await lab.run()
    wire.listed = lambda *facts: None
    assert (result.copied, result.superseded) == (0, 1)
    assert lab.contents(lab.target) == {}
    assert not lab.records()
    await lab.run()
    assert lab.contents(lab.target) == {"hot": b"changed"}


@pytest.mark.parametrize("order", ["utf-16", "utf-8"])
async def test_a_refused_marker_means_listing_again_and_going_on_after_the_last_name(order):
    lab = Lab(source_order=order, target_order=order)
    names = ["a", "b", "\U0001f389", "\uffee", "z", "z1", "z2"]
    for name in names:
        lab.put(lab.source, name, name.encode())
    door, refused = lab.doors["src"].inner, []
    right = door.page

    async def page(container, *, prefix="", marker=None, limit=5000):
        if marker is not None and len(refused) < 3:
            refused.append(marker)
            raise CloudError("the marker is refused", code="OutOfRangeInput")
        return await right(container, prefix=prefix, marker=marker, limit=limit)

    door.page = page
    result = await lab.run(page_size=2)
    assert len(refused) == 3
    assert result.scanned == len(names)
    assert lab.contents(lab.target) == lab.contents(lab.source)
    assert (await lab.run(page_size=2)).is_proof


def refuse_once(door, marker_of):
    """Let ``door`` refuse this marker the first time; the refused ones."""
    right, refused = door.page, []

    async def page(container, *, prefix="", marker=None, limit=5000):
        if marker == marker_of and not refused:
            refused.append(marker)
            raise CloudError("the marker is refused", code="OutOfRangeInput")
        return await right(container, prefix=prefix, marker=marker, limit=limit)

    door.page = page
    return refused


def join_by_code_points(lab):
    lab.state.commit([SetNote(notes.order(MOVE, "web", ""), "utf-8")], token=lab.token)


async def test_a_source_that_is_listed_again_must_rise_as_well(lab):
    """It lists an ideograph before what is only there by code points, so that skipping to the ideograph again skips that."""
    join_by_code_points(lab)
    for name in ("m", "\uffee", "\U00020000"):
        lab.put(lab.source, name)
    refused = refuse_once(lab.doors["src"].inner, "\uffee")
    result = await lab.run(page_size=1)
    assert refused
    assert (result.scanned, lab.contents(lab.target).keys()) == (3, lab.contents(lab.source).keys())


async def test_a_target_that_is_listed_again_must_rise_as_well():
    """The same on the other side: a copy of ours that nobody has seen is not ours no more."""
    lab = Lab(source_order="utf-8", target_order="utf-16")
    for name in ("m", "\uffee", "\U00020000"):
        lab.put(lab.source, name)
    await lab.run(page_size=1)
    lab.erase(lab.source, "\uffee")
    join_by_code_points(lab)
    refused = refuse_once(lab.doors["dst"].inner, "\uffee")
    first = await lab.run(page_size=1)
    second = await lab.run(page_size=1)
    assert refused
    assert (first.deleted + second.deleted, second.foreign) == (1, 0)
    assert lab.contents(lab.target).keys() == lab.contents(lab.source).keys()


async def test_a_listing_that_is_refused_while_it_is_read_again_gives_every_name_once(lab):
    names = [f"n{number}" for number in range(6)]
    for name in names:
        lab.put(lab.source, name)
    door = lab.doors["src"].inner
    right, to_refuse = door.page, ["n4", "n2"]

    async def page(container, *, prefix="", marker=None, limit=5000):
        if to_refuse and marker == to_refuse[0]:
            to_refuse.pop(0)
            raise CloudError("the marker is refused", code="OutOfRangeInput")
        return await right(container, prefix=prefix, marker=marker, limit=limit)

    door.page = page
    result = await lab.run(page_size=1)
    assert not to_refuse
    assert (result.scanned, result.copied) == (6, 6)


async def test_markers_that_are_always_refused_end_the_pass_with_the_services_error(lab):
    for name in "abc":
        lab.put(lab.source, name)
    door, asked = lab.doors["src"].inner, []
    right = door.page

    async def page(container, *, prefix="", marker=None, limit=5000):
        asked.append(marker)
        if marker is not None:
            raise CloudError("the marker is refused", code="OutOfRangeInput")
        return await right(container, prefix=prefix, marker=marker, limit=limit)

    door.page = page
    with pytest.raises(CloudError, match="the marker is refused"):
        await lab.run(page_size=2)
    assert len(asked) <= 2 * (listing.RESTARTS + 2)


async def test_a_read_that_breaks_off_goes_on_where_it_broke(lab):
    """A page blob is streamed inside a fence; its read breaks off after one piece, and the copy is whole all the same."""
    content = bytes(range(256)) * 4 * 1024
    lab.put(lab.source, "page", content, BlobType.PAGE)
    door, asked = lab.doors["src"].inner, []
    right = door.read

    def read(container, name, *, if_match, offset=0, length=None):
        asked.append(offset)
        opened = right(container, name, if_match=if_match, offset=offset, length=length)
        return Breaking(opened, 512 * 1024) if len(asked) == 1 else opened

    door.read = read
    result = await lab.run(in_fence=True)
    assert (result.copied, asked) == (1, [0, 512 * 1024])
    assert lab.contents(lab.target) == {"page": content}


async def test_a_write_that_is_cut_off_is_on_record_until_it_cannot_be_applied_any_more(lab):
    """The pass is cancelled while a copy is under way; the service applies it long after nobody waits for it."""
    lab.put(lab.source, "slow", b"slow")
    lab.wires["dst"].delay = lambda *, is_write: 200.0 if is_write else 0.01
    lab.wires["dst"].random.random = lambda: 0.9  # applied after 180 s
    task = asyncio.ensure_future(lab.run(bound_seconds=300.0))
    await asyncio.sleep(1.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    (write,) = lab.state.outstanding(MOVE)
    assert (write.name, write.kind, write.bound_seconds) == ("slow", "create", 300.0)
    del lab.wires["dst"].delay
    waits = Waits()
    early = await lab.run(bound_seconds=300.0, waits=waits)
    assert len(lab.state.outstanding(MOVE)) == 1
    await asyncio.sleep(310.0)
    await lab.run(bound_seconds=300.0, waits=waits)
    assert not lab.state.outstanding(MOVE)
    assert lab.contents(lab.target) == {"slow": b"slow"}
    assert early.changes


async def test_a_write_that_is_not_answered_again_stays_on_record_when_the_older_one_expires(lab):
    lab.put(lab.source, "a", b"a")
    door = lab.doors["dst"].inner

    async def copy(*facts, **more):
        raise OutcomeUnknown("no answer")

    door.copy = copy
    waits = Waits()
    await lab.run(bound_seconds=100.0, waits=waits)
    (first,) = lab.state.outstanding(MOVE)
    await asyncio.sleep(150.0)
    await lab.run(bound_seconds=100.0, waits=waits)
    (second,) = lab.state.outstanding(MOVE)
    assert second.at > first.at


async def test_a_failing_name_leaves_the_writes_beside_it_on_record(lab):
    """One copy is refused for good, which ends the pass; the others were sent and nobody waits for them any more."""
    for name in "abc":
        lab.put(lab.source, name, b"x")
    door = lab.doors["dst"].inner
    right = door.copy

    async def copy(origin, container, name, *facts, **more):
        if name == "b":
            await asyncio.sleep(0.1)
            raise CloudError("refused for good")
        await asyncio.sleep(60.0)
        return await right(origin, container, name, *facts, **more)

    door.copy = copy
    with pytest.raises(CloudError, match="refused for good"):
        await lab.run(bound_seconds=300.0)
    assert {write.name for write in lab.state.outstanding(MOVE)} == {"a", "c"}


async def test_the_cap_counts_all_containers_before_the_first_delete(lab):
    """Neither container alone is above it."""
    for number in range(8):
        lab.put(lab.source, f"n{number}", container="web" if number % 2 else "web2")
    await lab.run()
    for number in range(6):
        lab.erase(lab.source, f"n{number}", container="web" if number % 2 else "web2")
    lab.rhythm = Rhythm(sizes=Sizes(min_delete_cap=5))
    with pytest.raises(JudgementError, match="6 objects of eu/web vanished from src, more than 5"):
        await lab.run()
    assert sum(len(one.blobs) for one in lab.target.containers.values()) == 8
    assert (await lab.run(deletes_accepted=6)).deleted == 6
    lab.erase(lab.source, "n6", container="web2")
    with pytest.raises(JudgementError, match="7 objects"):  # the deletes of earlier passes count
        await lab.run(deletes_accepted=6, deletes_counted=6)


class Died(Exception):
    """The process is gone: nothing it would have said afterwards was said."""


class Breaking:
    """A read that gives so many bytes and then no more."""

    def __init__(self, opened, first):
        self.opened, self.first = opened, first

    async def __aenter__(self):
        return self._chunks(await self.opened.__aenter__())

    async def __aexit__(self, *fault):
        return await self.opened.__aexit__(*fault)

    async def _chunks(self, chunks):
        async for chunk in chunks:
            yield chunk[: self.first]
            raise Unreachable("the connection broke")


@pytest.mark.parametrize("direction", Direction)
async def test_what_a_comparison_replaces_is_kept_and_the_journal_says_where(lab, direction):
    """The run died with a write of ours announced; meanwhile somebody else wrote that name at the destination."""
    origin, destination = (lab.source, lab.target) if direction is Direction.FORWARD else (lab.target, lab.source)
    lab.put(origin, "hot", b"ours")

    door = lab.doors[destination.name].inner
    right = door.copy

    async def copy(*facts, **more):
        await right(*facts, **more)
        raise Died

    door.copy = copy
    with pytest.raises(Died):
        await lab.run(direction)
    door.copy = right
    lab.put(destination, "hot", b"theirs")
    etag = destination.peek("web", "hot").listed.etag
    await lab.run(direction)
    assert lab.contents(destination) == {"hot": b"ours"}
    kept = f".migrate/saved/eu/web/{etag}/hot"
    assert lab.contents(destination, with_kept=True)[kept] == b"theirs"
    assert any(kept in text and etag in text for text in lab.journal())
    assert (await lab.run(direction)).is_proof


async def test_a_name_that_was_not_announced_is_a_strangers(lab):
    lab.put(lab.source, "hot", b"ours")
    lab.put(lab.target, "hot", b"theirs")
    result = await lab.run()
    assert (result.foreign, result.copied) == (1, 0)
    assert lab.contents(lab.target) == {"hot": b"theirs"}


SMALL_BLOCKS = Rhythm(sizes=Sizes(sync_copy_limit_bytes=8, server_block_bytes=8, parallel_blocks=1))
"""Objects of a few bytes are copied in blocks of eight."""


@pytest.mark.parametrize("was_there", [False, True])
async def test_blocks_of_a_copy_that_lost_its_origin_are_swept_before_the_fence(lab, monkeypatch, was_there):
    """``was_there``: it had been copied before, and somebody deleted it at the target; so its name is on record."""
    lab.rhythm = SMALL_BLOCKS
    lab.put(lab.source, "large", b"0123456789abcdef")
    if was_there:
        await lab.run()
        lab.erase(lab.target, "large")
    door = lab.doors["dst"].inner
    right = door.stage_block_from

    async def stage(origin, container, name, block_id, **where):
        await right(origin, container, name, block_id, **where)
        lab.erase(lab.source, "large")

    door.stage_block_from = stage
    first = await lab.run()
    assert (first.superseded, first.is_proof) == (1, False)
    assert not await lab.doors["dst"].uncommitted("web")
    assert lab.contents(lab.target) == {}
    assert (await lab.run()).is_proof


async def test_blocks_of_a_run_that_died_are_finished_by_the_next_one(lab, monkeypatch):
    lab.rhythm = SMALL_BLOCKS
    lab.put(lab.source, "large", b"0123456789abcdef")
    door = lab.doors["dst"].inner
    right = door.commit_blocks

    async def commit(*facts, **more):
        raise Died

    door.commit_blocks = commit
    with pytest.raises(Died):
        await lab.run()
    assert await lab.doors["dst"].uncommitted("web") == ["large"]
    door.commit_blocks = right
    assert (await lab.run()).copied == 1
    assert lab.contents(lab.target) == {"large": b"0123456789abcdef"}
    assert (await lab.run()).is_proof


async def test_contents_are_read_once_where_the_plan_wants_them_proved(lab):
    for name in "abc":
        lab.put(lab.source, name, name.encode() * 3)
    await lab.run(prove_share=1.0)
    proving = await lab.run(prove_share=1.0)
    assert (proving.proved, proving.is_proof) == (3, True)
    again = await lab.run(prove_share=1.0)
    assert (again.proved, again.is_proof) == (0, True)
    lab.retag(lab.source, "a", k="v")
    await lab.run(prove_share=1.0)
    assert (await lab.run(prove_share=1.0)).proved == 0  # tags change nothing about the content
    lab.put(lab.source, "b", b"new")
    assert not (await lab.run(prove_share=1.0)).is_proof
    assert (await lab.run(prove_share=1.0)).proved == 1


async def test_a_sample_of_contents_is_the_same_in_every_pass_and_no_more_is_read(lab):
    names = [f"n{number}" for number in range(200)]
    for name in names:
        lab.put(lab.source, name, name.encode())
    await lab.run()
    sampled = sum(in_sample(name, 0.2) for name in names)
    assert 20 < sampled < 60
    assert (await lab.run(prove_share=0.2)).proved == sampled
    assert (await lab.run(prove_share=0.2)).proved == 0
    assert (await lab.run(prove_share=1.0)).proved == len(names) - sampled


async def test_contents_that_differ_under_the_etags_of_one_record_are_found_and_mended(lab):
    """A bit flipped at the target behind the service's back: no ETag changed."""
    lab.put(lab.source, "a", b"aaa")
    await lab.run()
    lab.target.peek("web", "a").content = b"aab"
    found = await lab.run(prove_share=1.0)
    assert (found.proved, found.is_proof) == (0, False)
    await lab.run(prove_share=1.0)
    assert lab.contents(lab.target) == {"a": b"aaa"}
    assert (await lab.run(prove_share=1.0)).is_proof


async def test_a_tier_that_was_set_at_the_target_alone_goes_with_a_new_copy(lab):
    lab.put(lab.source, "a", b"a")
    await lab.run()
    lab.target.set_tier(CUSTOMER, "web", "a", "Cool", sent_at=0.0)
    assert (await lab.run()).copied == 1
    assert (await lab.run()).is_proof


async def test_metadata_set_between_the_end_of_a_copy_and_the_look_at_it_is_not_taken_for_the_copy(lab):
    """The copy's id stays with the blob, so its HEAD shows success - under the ETag of a stranger's generation."""
    lab.put(lab.source, "log", b"x" * 512, BlobType.APPEND)
    wire = lab.wires["dst"]
    wire.weather.async_pending_chance, wire.weather.async_seconds = 1.0, 0.1
    right = lab.target.wrote

    def wrote(account, sender, container, name, before, after, sent_at, kind):
        right(account, sender, container, name, before, after, sent_at, kind)
        if kind == "copied":
            modified = lab.clock.now()
            account.set_metadata(CUSTOMER, container, name, {"by": "stranger"}, sent_at=sent_at, modified=modified)

    lab.target.wrote = wrote
    result = await lab.run()
    assert (result.copied, result.superseded) == (0, 1)
    record = lab.records().get("log")
    assert record is None or record.is_pending


async def test_a_page_blob_is_never_left_to_the_service_s_own_time(lab):
    """Pages written directly after its end would look like the copy: same size, same headers, same id."""
    lab.put(lab.source, "page", b"x" * 512, BlobType.PAGE)
    kinds = []
    right = lab.target.wrote

    def wrote(account, sender, container, name, before, after, sent_at, kind):
        right(account, sender, container, name, before, after, sent_at, kind)
        kinds.append(kind)

    lab.target.wrote = wrote
    result = await lab.run()
    assert result.copied == 1
    assert kinds == ["create", "pages"]


async def test_a_delete_is_not_sent_on_a_claim_that_was_lost_while_the_origin_was_asked(lab):
    lab.put(lab.source, "gone", b"x")
    await lab.run()
    lab.erase(lab.source, "gone")
    transfer = lab.transfer()
    right, is_lost = transfer.origin.head, False

    async def head(container, name):
        nonlocal is_lost
        is_lost = True
        return await right(container, name)

    async def claim():
        if is_lost:
            raise JudgementError("cannot go on: the claim is lost")
        return inf

    transfer.origin.head, transfer.target = head, transfer.target.claimed(claim)
    with pytest.raises(JudgementError, match="the claim is lost"):
        await passes.run(transfer)
    assert lab.contents(lab.target) == {"gone": b"x"}


@pytest.mark.parametrize("then", ["nothing", "another tier", "another write", "a delete"])
async def test_a_tier_set_between_the_listing_and_the_copy_back_is_no_conflict(lab, then):
    """The copy names no tier, since the listing showed none, and the service takes over the one that the blob has by now:
    on the source it looks like a stranger's."""
    lab.source.carries_tiers = True
    lab.put(lab.source, "a", b"first")
    await lab.run()
    lab.put(lab.target, "a", b"second")

    def retier(tier="Cool"):
        lab.target.set_tier(CUSTOMER, "web", "a", tier, sent_at=lab.loop.time())

    wire = lab.wires["src"]
    wire.listed = lambda *facts: retier()
    back = await lab.run(Direction.REVERSE)
    wire.listed = lambda *facts: None
    assert back.copied == 1
    assert lab.source.peek("web", "a").listed.explicit_tier == "Cool"
    if then == "another tier":
        retier("Hot")
    elif then == "another write":
        lab.put(lab.target, "a", b"third")
    elif then == "a delete":
        lab.erase(lab.target, "a")
    again = await lab.run(Direction.REVERSE)
    assert (again.conflicts, again.held) == (0, 0)
    assert again.is_proof is (then == "nothing")
    assert (await lab.run(Direction.REVERSE)).is_proof
    here, there = lab.source.peek("web", "a"), lab.target.peek("web", "a")
    assert (here is None) is (there is None)
    if here is not None and there is not None:
        assert (here.content, here.listed.explicit_tier) == (there.content, there.listed.explicit_tier)


async def test_a_tier_that_a_stranger_sets_at_the_source_after_the_copy_back_was_seen_is_kept(lab):
    lab.put(lab.source, "a", b"first")
    await lab.run()
    lab.put(lab.target, "a", b"second")
    await lab.run(Direction.REVERSE)
    await lab.run(Direction.REVERSE)
    lab.source.set_tier(CUSTOMER, "web", "a", "Cool", sent_at=lab.loop.time())
    assert (await lab.run(Direction.REVERSE)).held == 1


@pytest.mark.parametrize("seconds", [100.0, 0.0])
async def test_a_create_announced_by_a_run_that_died_is_waited_for_although_its_origin_is_gone(lab, seconds):
    """The customer deleted it in between, so neither side has the name; the dead run's request comes last of all."""
    evidence = Evidence.unpack(b"")
    evidence.put("late", Record(generation_hash("late", "0x1"), UNKNOWN, 0, is_pending=True))
    announced = EvidenceRange("web", "", None, evidence.pack(), is_open=True)
    lab.state.commit([ReplaceRanges(MOVE, "web", "", None, None, (announced,))], token=lab.token)
    lab.put(lab.source, "other", b"stays")
    await lab.run(inherited_seconds=lambda: seconds)
    lab.put(lab.target, "late", b"by the dead run")
    for _ in range(2):
        result = await lab.run(inherited_seconds=lambda: 0.0)
    assert result.foreign == (0 if seconds else 1)
    assert ("late" in lab.contents(lab.target)) is not bool(seconds)


async def test_a_create_that_is_sent_once_more_after_a_death_leaves_the_first_one_outstanding(lab):
    """Whoever deletes the object before the dead run's request comes would see it rise again."""
    evidence = Evidence.unpack(b"")
    lab.put(lab.source, "twice", b"x")
    etag = lab.source.peek("web", "twice").listed.etag
    evidence.put("twice", Record(generation_hash("twice", etag), UNKNOWN, 0, is_pending=True))
    announced = EvidenceRange("web", "", None, evidence.pack(), is_open=True)
    lab.state.commit([ReplaceRanges(MOVE, "web", "", None, None, (announced,))], token=lab.token)
    assert (await lab.run(inherited_seconds=lambda: 100.0)).copied == 1
    assert [(one.name, one.kind, one.bound_seconds) for one in lab.state.outstanding(MOVE)] == [
        ("twice", "create", 100.0)
    ]
