"""What every object store keeps to, as tests: one class, a subclass per adapter.

A subclass gives the fixture ``store_pair`` - (source, target), two accounts that may copy from each other - and may
override ``supports_control_characters``. Nothing here asks for more than a real service gives: headers that a service adds
by itself, its order of names and its default tier are left open.
"""

import asyncio
import gzip
import hashlib
import itertools
import os
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from migrator.errors import AccessRefused, CloudError, ConditionFailed, MigrateError, NotFound, SourceChanged, Throttled
from migrator.model.objects import (
    BLOCK_BYTES,
    CREATE,
    BlobType,
    Condition,
    ContainerInfo,
    ContentHeaders,
    Listed,
    Shape,
)
from migrator.ports.object_store import TOO_LARGE, ObjectStore, Origin

HEADERS = ContentHeaders(
    content_type="text/csv; charset=utf-8",
    content_encoding="identity",
    content_language="de-AT",
    content_disposition='attachment; filename="x y.csv"',
    cache_control="max-age=60",
)
PLAIN = Shape(BlobType.BLOCK, ContentHeaders(content_type="text/plain"), {}, {}, None)
RICH = Shape(BlobType.BLOCK, HEADERS, {"owner": "web team", "batch": "7"}, {"area": "web", "day": "2026-11-24"}, "Cool")
STALE = Condition(if_match="0x8DFFFFFFFFFFFFFF")
NAMES = (
    "#?% é",
    "%2Fcode+plus ",
    "a//b",
    "a/b/c.json",
    "dots...",
    "carriage\rreturn",
    "new\nline",
    "tab\tbed",
    "[bold red]markup[/]",
    "<&>\"'",
    "emoji \U0001f389",
    "\uffee after every emoji in UTF-8 only by code point",
    "z",
)
SERVICE_NAMES = tuple(name for name in NAMES if name.isprintable() and not name.endswith("."))
"""Those that a real storage service keeps: it refuses control characters, and drops a dot at the end of a path's segment."""
CONTROL_NAMES = ("bell \x07", "clear \x1b[2J", "nul \x00 in the middle", "delete \x7f", "c1 \x9b31m", "odd \ufffe")


@dataclass(frozen=True)
class Pair:
    """Two accounts, each with the fresh container ``box``."""

    source: ObjectStore
    target: ObjectStore
    box: str

    async def put(self, name="n", body=b"first", shape=PLAIN) -> Origin:
        written = await self.source.put(self.box, name, body, shape, condition=CREATE)
        return Origin(self.source, self.box, name, written.etag)


async def content(store: ObjectStore, box: str, name: str, **part) -> bytes:
    blob = await store.head(box, name)
    async with store.read(box, name, if_match=blob.etag, **part) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def listed(store: ObjectStore, box: str, *, prefix="", limit=5000, **start) -> list[Listed]:
    found, marker = [], None
    while True:
        page = await store.page(box, prefix=prefix, marker=marker, limit=limit, **start)
        found += page.entries
        assert len(page.entries) <= limit
        if page.marker is None:
            return found
        marker = page.marker


async def names(store: ObjectStore, box: str, **options) -> list[str]:
    return [blob.name for blob in await listed(store, box, **options)]


def same_headers(one: ContentHeaders, other: ContentHeaders) -> bool:
    """A service may add a Content-MD5 of its own."""
    return replace(one, md5=None) == replace(other, md5=None)


def rises(found: list[str], encoding: str) -> bool:
    keys = [name.encode(encoding, "surrogatepass") for name in found]
    return all(one < other for one, other in itertools.pairwise(keys))


async def state(store: ObjectStore, box: str, name: str) -> tuple[Listed, bytes]:
    return await store.head(box, name), await content(store, box, name)


class ObjectStoreSuite:
    kind: str
    """The kind of account (``migrator.kinds``) that is held to its promises."""

    @pytest.fixture
    def kept_names(self) -> tuple[str, ...]:
        """What an object may be called there."""
        return NAMES

    @pytest.fixture
    def supports_control_characters(self) -> bool:
        return False

    @pytest.fixture
    def knows_seals(self) -> bool:
        return True

    @pytest.fixture
    async def pair(self, store_pair):
        source, target = store_pair
        box = f"box-{uuid.uuid4().hex[:12]}"
        for store in (source, target):
            await store.create_container(ContainerInfo(box))
        return Pair(source, target, box)

    # Containers

    async def test_a_container_is_listed_by_prefix_with_its_metadata(self, pair):
        await pair.source.create_container(ContainerInfo(f"{pair.box}-b", {"team": "web"}))
        await pair.source.create_container(ContainerInfo(f"{pair.box}-a"))
        found = await pair.source.containers(pair.box)
        assert [one.name for one in found] == [pair.box, f"{pair.box}-a", f"{pair.box}-b"]
        assert dict(found[2].metadata) == {"team": "web"}
        assert dict((await pair.source.container(f"{pair.box}-b")).metadata) == {"team": "web"}

    async def test_creating_a_container_again_changes_nothing(self, pair):
        name = f"{pair.box}-again"
        await pair.source.create_container(ContainerInfo(name, {"team": "web"}))
        await pair.source.create_container(ContainerInfo(name, {"team": "other"}))
        assert dict((await pair.source.container(name)).metadata) == {"team": "web"}

    async def test_the_etag_of_a_container_is_another_once_its_properties_are_set_and_only_then(self, pair):
        name, source = f"{pair.box}-etag", pair.source
        await source.create_container(ContainerInfo(name))
        first = (await source.container(name)).etag
        await source.create_container(ContainerInfo(name))
        await source.put(name, "n", b"", PLAIN, condition=CREATE)
        assert first == (await source.container(name)).etag == (await source.containers(name))[0].etag != ""
        await source.set_container_metadata(name, {"team": "web"})
        assert (await source.container(name)).etag not in (first, "")

    async def test_a_missing_container_is_never_an_empty_one(self, pair):
        gone, source = f"{pair.box}-gone", pair.source
        for request in (
            source.container(gone),
            source.page(gone),
            source.head(gone, "n"),
            source.put(gone, "n", b"", PLAIN, condition=CREATE),
            source.delete(gone, "n", if_match="0x1"),
            source.uncommitted(gone),
            source.survey(gone),
            source.stage_block(gone, "n", "b1", b"x"),
        ):
            with pytest.raises(NotFound) as refusal:
                await request
            assert refusal.value.what == "container"

    # Whole blobs

    async def test_a_blob_keeps_everything_it_was_put_with(self, pair):
        written = await pair.source.put(pair.box, "n", b"a,b\n", RICH, condition=CREATE)
        blob = await pair.source.head(pair.box, "n")
        assert (blob.name, blob.etag, blob.size, blob.blob_type) == ("n", written.etag, 4, BlobType.BLOCK)
        assert same_headers(blob.headers, HEADERS)
        assert dict(blob.metadata) == RICH.metadata
        assert dict(blob.tags) == RICH.tags
        assert blob.explicit_tier == "Cool"
        assert blob.last_modified is not None
        assert blob.last_modified.microsecond == 0
        assert await content(pair.source, pair.box, "n") == b"a,b\n"

    async def test_a_listing_shows_what_a_head_shows(self, pair):
        await pair.put("n", b"12", RICH)
        (entry,) = await listed(pair.source, pair.box)
        blob = await pair.source.head(pair.box, "n")
        assert replace(entry, headers=replace(entry.headers, md5=blob.headers.md5)) == blob

    async def test_an_etag_is_normalised_and_never_given_twice(self, pair):
        first = await pair.put("n")
        second = await pair.source.put(pair.box, "n", b"first", PLAIN, condition=Condition(if_match=first.etag))
        assert first.etag != second.etag
        assert '"' not in first.etag
        assert not first.etag.startswith("W/")

    async def test_an_empty_blob_is_a_blob(self, pair):
        await pair.put("empty", b"")
        assert (await pair.source.head(pair.box, "empty")).size == 0
        assert await content(pair.source, pair.box, "empty") == b""

    async def test_a_tier_that_nobody_set_is_not_explicit(self, pair):
        await pair.put("n")
        assert (await pair.source.head(pair.box, "n")).explicit_tier is None
        assert (await listed(pair.source, pair.box))[0].explicit_tier is None

    # Conditions

    async def test_a_create_over_a_blob_is_refused_and_changes_nothing(self, pair):
        origin = await pair.put("n", b"first", RICH)
        await pair.target.put(pair.box, "n", b"other", PLAIN, condition=CREATE)
        before = await state(pair.target, pair.box, "n")
        for write in self._writes(pair, origin):
            with pytest.raises(ConditionFailed):
                await write(CREATE)
            assert await state(pair.target, pair.box, "n") == before

    async def test_a_replace_of_another_generation_is_refused_and_changes_nothing(self, pair):
        origin = await pair.put("n", b"first", RICH)
        await pair.target.put(pair.box, "n", b"other", PLAIN, condition=CREATE)
        before = await state(pair.target, pair.box, "n")
        for write in self._writes(pair, origin):
            with pytest.raises(ConditionFailed):
                await write(STALE)
            assert await state(pair.target, pair.box, "n") == before

    async def test_a_replace_of_what_is_not_there_creates_nothing(self, pair):
        origin = await pair.put("n")
        for write in self._writes(pair, origin):
            with pytest.raises((ConditionFailed, NotFound)):
                await write(STALE)
            assert await names(pair.target, pair.box) == []

    async def test_a_replace_of_the_known_generation_replaces_everything(self, pair):
        origin = await pair.put("n", b"first", RICH)
        etag = (await pair.target.put(pair.box, "n", b"other", PLAIN, condition=CREATE)).etag
        seen = {etag}
        for write in self._writes(pair, origin):
            etag = (await write(Condition(if_match=etag))).etag
            assert etag not in seen
            seen.add(etag)
            blob = await pair.target.head(pair.box, "n")
            assert (blob.etag, dict(blob.metadata), dict(blob.tags)) == (etag, RICH.metadata, RICH.tags)
            assert same_headers(blob.headers, HEADERS)

    def _writes(self, pair, origin):
        """Every request that makes a whole block blob ``n`` at the target, to be called with a condition."""
        target, box = pair.target, pair.box

        async def put(condition):
            return await target.put(box, "n", b"new", RICH, condition=condition)

        async def commit(condition):
            await target.stage_block(box, "n", "b1", b"new")
            return await target.commit_blocks(box, "n", ["b1"], RICH, condition=condition)

        async def copy(condition):
            return await target.copy(origin, box, "n", RICH, condition=condition)

        async def start_copy(condition):
            return await self._finished(target, box, target.start_copy(origin, box, "n", RICH, condition=condition))

        return [put, commit, *([copy, start_copy] if target.can_copy_from(pair.source) else [])]

    async def _finished(self, store, box, request, name="n"):
        written = await request
        while written.pending:
            await asyncio.sleep(0.05)
            now = await store.head(box, name)
            assert now.copy_id == written.copy_id
            written = replace(written, etag=now.etag, pending=now.copy_pending)
        return written

    async def test_of_many_creates_at_once_one_wins(self, pair):
        async def create(number):
            try:
                return await pair.source.put(pair.box, "n", b"%d" % number, PLAIN, condition=CREATE)
            except ConditionFailed:
                return None

        answers = await asyncio.gather(*(create(number) for number in range(8)))
        (winner,) = [number for number, written in enumerate(answers) if written is not None]
        assert await content(pair.source, pair.box, "n") == b"%d" % winner

    async def test_an_error_names_account_container_and_blob(self, pair):
        with pytest.raises(NotFound) as refusal:
            await pair.source.head(pair.box, "some-name")
        for word in (pair.source.account, pair.box, "some-name"):
            assert word in refusal.value.message

    # Reading

    async def test_a_read_gives_exactly_the_range_that_was_asked_for(self, pair):
        body = os.urandom(100_000)
        await pair.put("n", body)
        for offset, length in ((0, None), (0, 1), (17, 40_000), (99_999, None), (99_999, 1), (50_000, 80_000)):
            end = None if length is None else offset + length
            assert await content(pair.source, pair.box, "n", offset=offset, length=length) == body[offset:end]

    async def test_a_read_of_another_generation_is_refused(self, pair):
        old = await pair.put("n")
        await pair.source.put(pair.box, "n", b"second", PLAIN, condition=Condition(if_match=old.etag))
        with pytest.raises(ConditionFailed):
            async with pair.source.read(pair.box, "n", if_match=old.etag) as chunks:
                [chunk async for chunk in chunks]

    async def test_a_look_at_nothing_says_so_in_the_services_own_word(self, pair):
        """A 404 of whatever stands in between says nothing of a blob: no delete follows from it."""
        for box, what, word in (
            (pair.box, "blob", "BlobNotFound"),
            (f"{pair.box}-gone", "container", "ContainerNotFound"),
        ):
            with pytest.raises(NotFound) as refusal:
                await pair.source.head(box, "gone")
            assert (refusal.value.what, refusal.value.code) == (what, word)

    async def test_a_read_of_nothing_is_not_found(self, pair):
        for box, what in ((pair.box, "blob"), (f"{pair.box}-gone", "container")):
            with pytest.raises(NotFound) as refusal:
                async with pair.source.read(box, "gone", if_match="0x1") as chunks:
                    [chunk async for chunk in chunks]
            assert refusal.value.what == what

    async def test_a_small_blob_is_read_whole_with_its_generation(self, pair):
        for body in (b"", b"one", os.urandom(100_000)):
            blob = await pair.put("n", body)
            for etag in (blob.etag, None):
                found = await pair.source.whole(pair.box, "n", if_match=etag, most_bytes=max(1, len(body)))
                assert (found.etag, found.body) == (blob.etag, body)
            await pair.source.delete(pair.box, "n", if_match=blob.etag)

    async def test_a_whole_read_of_another_generation_or_of_nothing_is_refused(self, pair):
        old = await pair.put("n")
        await pair.source.put(pair.box, "n", b"second", PLAIN, condition=Condition(if_match=old.etag))
        with pytest.raises(ConditionFailed):
            await pair.source.whole(pair.box, "n", if_match=old.etag, most_bytes=100)
        for box, what in ((pair.box, "blob"), (f"{pair.box}-gone", "container")):
            for etag in ("0x1", None):
                with pytest.raises(NotFound) as refusal:
                    await pair.source.whole(box, "gone", if_match=etag, most_bytes=100)
                assert refusal.value.what == what

    async def test_a_blob_that_is_larger_than_was_thought_is_not_held(self, pair):
        await pair.put("n", bytes(1001))
        with pytest.raises(CloudError) as refusal:
            await pair.source.whole(pair.box, "n", most_bytes=1000)
        assert refusal.value.code == TOO_LARGE

    async def test_bytes_are_read_as_they_are_stored(self, pair):
        body = gzip.compress(b"hello" * 1000)
        await pair.put("n", body, replace(PLAIN, headers=ContentHeaders("application/json", "gzip")))
        assert await content(pair.source, pair.box, "n") == body

    async def test_chunks_are_at_most_4_mib(self, pair):
        await pair.put("n", bytes(BLOCK_BYTES))
        blob = await pair.source.head(pair.box, "n")
        async with pair.source.read(pair.box, "n", if_match=blob.etag) as chunks:
            sizes = [len(chunk) async for chunk in chunks]
        assert sum(sizes) == BLOCK_BYTES
        assert max(sizes) <= 4 * 1024 * 1024

    # Listing

    async def test_any_name_is_listed_and_found_unchanged(self, pair, kept_names, supports_control_characters):
        every = (*kept_names, *CONTROL_NAMES) if supports_control_characters else kept_names
        for name in every:
            await pair.put(name, name.encode(), PLAIN)
        found = await names(pair.source, pair.box)
        assert sorted(found) == sorted(every)
        for name in every:
            assert (await pair.source.head(pair.box, name)).name == name
            assert await content(pair.source, pair.box, name) == name.encode()

    async def test_names_rise_strictly_in_one_order(self, pair, kept_names):
        for name in kept_names:
            await pair.put(name)
        found = await names(pair.source, pair.box, limit=3)
        assert rises(found, "utf-8") or rises(found, "utf-16-be")

    @pytest.mark.parametrize("limit", [1, 2, 5, 7, 5000])
    async def test_pages_show_every_name_once_whatever_their_size(self, pair, limit):
        every = [f"n{number}" for number in range(7)]
        for name in every:
            await pair.put(name)
        assert await names(pair.source, pair.box, limit=limit) == every

    async def test_a_marker_goes_on_behind_its_page_though_that_was_deleted(self, pair):
        for name in ("a", "b", "c"):
            await pair.put(name)
        first = await pair.source.page(pair.box, limit=2)
        for blob in first.entries:
            await pair.source.delete(pair.box, blob.name, if_match=blob.etag)
        rest = await pair.source.page(pair.box, limit=2, marker=first.marker)
        assert [blob.name for blob in rest.entries][-1:] == ["c"]

    @pytest.mark.parametrize(
        ("start", "shown"),
        [
            ("b/1", ["b/1", "b/2", "b/3", "c", "\u00e9 1%2F"]),
            ("b/10", ["b/2", "b/3", "c", "\u00e9 1%2F"]),
            ("", ["a", "b/1", "b/2", "b/3", "c", "\u00e9 1%2F"]),
            ("\u00e9 1%2F", ["\u00e9 1%2F"]),
            ("\u00eb", []),
        ],
    )
    @pytest.mark.parametrize("limit", [1, 2, 5000])
    async def test_a_listing_may_begin_with_a_name_whether_it_is_there_or_not(self, pair, start, shown, limit):
        for name in ("a", "b/1", "b/2", "b/3", "c", "\u00e9 1%2F"):
            await pair.put(name)
        assert await names(pair.source, pair.box, limit=limit, start=start) == shown

    async def test_a_listing_that_begins_with_a_name_keeps_to_its_prefix(self, pair):
        for name in ("a", "b/1", "b/2", "b/3", "c"):
            await pair.put(name)
        assert await names(pair.source, pair.box, prefix="b/", start="b/2") == ["b/2", "b/3"]
        assert await names(pair.source, pair.box, prefix="b/", start="a") == ["b/1", "b/2", "b/3"]
        assert await names(pair.source, pair.box, prefix="b/", start="c") == []

    async def test_a_container_that_is_not_there_is_none_that_begins_with_a_name(self, pair):
        with pytest.raises(NotFound):
            await pair.source.page("nowhere", start="a")

    async def test_a_prefix_is_taken_literally(self, pair):
        for name in ("a/1", "a/2", "a", "a0", "b/a/", "a%2F3", "A/4"):
            await pair.put(name)
        assert await names(pair.source, pair.box, prefix="a/") == ["a/1", "a/2"]
        assert await names(pair.source, pair.box, prefix="a%") == ["a%2F3"]
        assert await names(pair.source, pair.box, prefix="nothing") == []

    async def test_an_empty_container_is_one_empty_page(self, pair):
        assert await listed(pair.source, pair.box) == []

    # Tags and tier

    async def test_tags_replace_tags_and_leave_the_generation_alone(self, pair):
        origin = await pair.put("n", b"x", RICH)
        for tags in ({"area": "email", "new": "1"}, {}):
            await pair.source.set_tags(pair.box, "n", tags)
            blob = await pair.source.head(pair.box, "n")
            assert (dict(blob.tags), blob.etag) == (tags, origin.etag)
            assert dict((await listed(pair.source, pair.box))[0].tags) == tags

    async def test_a_tier_leaves_the_generation_alone(self, pair):
        origin = await pair.put("n")
        await pair.source.set_tier(pair.box, "n", "Cool")
        blob = await pair.source.head(pair.box, "n")
        assert (blob.explicit_tier, blob.etag) == ("Cool", origin.etag)
        await pair.put("hot", b"more")
        assert dict((await pair.source.survey(pair.box)).tiered) == {"Cool": 5}

    async def test_an_archived_blob_is_seen_counted_and_not_read(self, pair):
        origin = await pair.put("in/n")
        await pair.put("out/n")
        await pair.source.set_tier(pair.box, "in/n", "Archive")
        assert (await pair.source.head(pair.box, "in/n")).is_archived
        assert [blob.is_archived for blob in await listed(pair.source, pair.box)] == [True, False]
        survey = await pair.source.survey(pair.box)
        assert (survey.features.archived, dict(survey.tiered)) == (1, {"Archive": 5})
        assert (await pair.source.survey(pair.box, prefix="out/")).features.archived == 0
        with pytest.raises(CloudError):
            await content(pair.source, pair.box, "in/n")
        if pair.target.can_copy_from(pair.source):
            with pytest.raises(CloudError):
                await pair.target.copy(origin, pair.box, "n", PLAIN, condition=CREATE)

    async def test_tags_and_tier_of_nothing_are_not_found(self, pair):
        for request in (
            pair.source.set_tags(pair.box, "gone", {"a": "1"}),
            pair.source.set_tier(pair.box, "gone", "Cool"),
        ):
            with pytest.raises(NotFound) as refusal:
                await request
            assert refusal.value.what == "blob"

    # Blocks

    async def test_20_mib_arrive_whole_in_blocks(self, pair):
        blocks = [os.urandom(BLOCK_BYTES), os.urandom(BLOCK_BYTES), os.urandom(4 * 1024 * 1024)]
        for number in (1, 0, 2):
            await pair.source.stage_block(pair.box, "n", f"block-{number}", blocks[number])
        ids = [f"block-{number}" for number in range(3)]
        written = await pair.source.commit_blocks(pair.box, "n", ids, RICH, condition=CREATE)
        blob = await pair.source.head(pair.box, "n")
        assert (blob.size, blob.etag) == (20 * 1024 * 1024, written.etag)
        assert (dict(blob.metadata), dict(blob.tags), blob.explicit_tier) == (RICH.metadata, RICH.tags, RICH.tier)
        assert same_headers(blob.headers, HEADERS)
        digest = hashlib.sha256()
        async with pair.source.read(pair.box, "n", if_match=blob.etag) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
        assert digest.digest() == hashlib.sha256(b"".join(blocks)).digest()
        edge = BLOCK_BYTES - 3
        assert await content(pair.source, pair.box, "n", offset=edge, length=6) == blocks[0][-3:] + blocks[1][:3]

    async def test_staged_blocks_are_invisible_until_they_are_committed(self, pair):
        await pair.source.stage_block(pair.box, "a/n", "b1", b"x")
        await pair.source.stage_block(pair.box, "b/n", "b1", b"x")
        await pair.put("live")
        await pair.source.stage_block(pair.box, "live", "b1", b"x")
        assert await names(pair.source, pair.box) == ["live"]
        assert list(await pair.source.uncommitted(pair.box)) == ["a/n", "b/n"]
        assert list(await pair.source.uncommitted(pair.box, prefix="b/")) == ["b/n"]
        with pytest.raises(NotFound) as refusal:
            await pair.source.head(pair.box, "a/n")
        assert refusal.value.what == "blob"
        await pair.source.commit_blocks(pair.box, "a/n", ["b1"], PLAIN, condition=CREATE)
        assert list(await pair.source.uncommitted(pair.box)) == ["b/n"]
        assert await content(pair.source, pair.box, "live") == b"first"

    async def test_a_block_staged_again_replaces_itself(self, pair):
        await pair.source.stage_block(pair.box, "n", "b1", b"old")
        await pair.source.stage_block(pair.box, "n", "b1", b"new")
        await pair.source.stage_block(pair.box, "n", "b2", b"unused")
        await pair.source.commit_blocks(pair.box, "n", ["b1"], PLAIN, condition=CREATE)
        assert await content(pair.source, pair.box, "n") == b"new"

    async def test_a_commit_of_a_block_that_is_not_there_changes_nothing(self, pair):
        origin = await pair.put("n")
        with pytest.raises(CloudError):
            await pair.source.commit_blocks(pair.box, "n", ["zz"], PLAIN, condition=Condition(if_match=origin.etag))
        assert (await pair.source.head(pair.box, "n")).etag == origin.etag
        assert await content(pair.source, pair.box, "n") == b"first"

    async def test_a_commit_of_no_blocks_is_an_empty_blob(self, pair):
        await pair.source.stage_block(pair.box, "n", "b1", b"left over")
        await pair.source.commit_blocks(pair.box, "n", [], PLAIN, condition=CREATE)
        assert await content(pair.source, pair.box, "n") == b""
        assert list(await pair.source.uncommitted(pair.box)) == []

    # Append and page blobs

    async def test_an_append_blob_grows_at_its_end_only(self, pair):
        shape = replace(RICH, blob_type=BlobType.APPEND, tier=None)
        made = await pair.source.create_empty(pair.box, "n", 0, shape, condition=CREATE)
        one = await pair.source.append(pair.box, "n", b"one\n", offset=0, if_match=made.etag)
        two = await pair.source.append(pair.box, "n", b"two\n", offset=4, if_match=one.etag)
        assert len({made.etag, one.etag, two.etag}) == 3
        for offset, etag in ((4, two.etag), (12, two.etag), (8, one.etag)):
            with pytest.raises(ConditionFailed):
                await pair.source.append(pair.box, "n", b"lost", offset=offset, if_match=etag)
        blob = await pair.source.head(pair.box, "n")
        assert (blob.blob_type, blob.size, blob.etag) == (BlobType.APPEND, 8, two.etag)
        assert (dict(blob.metadata), dict(blob.tags), blob.explicit_tier) == (RICH.metadata, RICH.tags, None)
        assert await content(pair.source, pair.box, "n") == b"one\ntwo\n"
        assert (await listed(pair.source, pair.box))[0].blob_type is BlobType.APPEND

    async def test_a_page_blob_is_zeros_until_pages_are_written(self, pair):
        shape = replace(RICH, blob_type=BlobType.PAGE, tier=None)
        size = 3 * 1024 * 1024
        made = await pair.source.create_empty(pair.box, "n", size, shape, condition=CREATE)
        page, cross = os.urandom(512), os.urandom(2048)
        one = await pair.source.put_pages(pair.box, "n", page, offset=512, if_match=made.etag)
        two = await pair.source.put_pages(pair.box, "n", cross, offset=1024 * 1024 - 1024, if_match=one.etag)
        over = os.urandom(1024)
        three = await pair.source.put_pages(pair.box, "n", over, offset=0, if_match=two.etag)
        assert len({made.etag, one.etag, two.etag, three.etag}) == 4
        with pytest.raises(ConditionFailed):
            await pair.source.put_pages(pair.box, "n", page, offset=0, if_match=two.etag)
        wanted = bytearray(size)
        wanted[:1024] = over
        wanted[1024 * 1024 - 1024 : 1024 * 1024 + 1024] = cross
        blob = await pair.source.head(pair.box, "n")
        assert (blob.blob_type, blob.size, dict(blob.tags)) == (BlobType.PAGE, size, RICH.tags)
        assert await content(pair.source, pair.box, "n") == bytes(wanted)
        ranges = await pair.source.page_ranges(pair.box, "n", if_match=three.etag)
        assert sum(length for _, length in ranges) < size
        told, end = bytearray(size), 0
        for offset, length in ranges:
            assert offset >= end
            assert offset % 512 == length % 512 == 0
            end = offset + length
            told[offset:end] = wanted[offset:end]
        assert told == wanted
        with pytest.raises(ConditionFailed):
            await pair.source.page_ranges(pair.box, "n", if_match=two.etag)
        with pytest.raises(NotFound):
            await pair.source.page_ranges(pair.box, "nothing", if_match=two.etag)

    async def test_a_page_blob_begins_with_the_sequence_number_that_it_is_given(self, pair):
        for name, number in (("none", 0), ("some", 7), ("many", 2**53 - 1)):
            shape = replace(PLAIN, blob_type=BlobType.PAGE, sequence_number=number)
            made = await pair.source.create_empty(pair.box, name, 512, shape, condition=CREATE)
            await pair.source.put_pages(pair.box, name, os.urandom(512), offset=0, if_match=made.etag)
            assert (await pair.source.head(pair.box, name)).sequence_number == number
        assert [blob.sequence_number for blob in await listed(pair.source, pair.box)] == [2**53 - 1, 0, 7]

    async def test_a_sealed_append_blob_takes_nothing_more(self, pair, knows_seals):
        if not knows_seals:
            pytest.skip("this service knows no seals")
        shape = replace(RICH, blob_type=BlobType.APPEND, tier=None, is_sealed=True)
        made = await pair.source.create_empty(pair.box, "n", 0, shape, condition=CREATE)
        one = await pair.source.append(pair.box, "n", b"one", offset=0, if_match=made.etag)
        assert not (await pair.source.head(pair.box, "n")).is_sealed
        for size, etag in ((3, made.etag), (2, one.etag)):
            with pytest.raises(ConditionFailed):
                await pair.source.seal(pair.box, "n", size=size, if_match=etag)
        two = await pair.source.seal(pair.box, "n", size=3, if_match=one.etag)
        blob = await pair.source.head(pair.box, "n")
        assert (blob.etag, blob.size, blob.is_sealed) == (two.etag, 3, True)
        assert (dict(blob.metadata), dict(blob.tags)) == (RICH.metadata, RICH.tags)
        assert two.etag != one.etag
        assert [entry.is_sealed for entry in await listed(pair.source, pair.box)] == [True]
        with pytest.raises(CloudError) as caught:
            await pair.source.append(pair.box, "n", b"two", offset=3, if_match=two.etag)
        assert caught.value.code == "BlobIsSealed"
        assert await content(pair.source, pair.box, "n") == b"one"
        await pair.source.create_empty(pair.box, "n", 0, shape, condition=Condition(if_match=two.etag))
        assert not (await pair.source.head(pair.box, "n")).is_sealed

    async def test_a_containers_metadata_is_replaced_whole(self, pair):
        await pair.source.set_container_metadata(pair.box, {"team": "web", "cost": "8"})
        assert dict((await pair.source.container(pair.box)).metadata) == {"team": "web", "cost": "8"}
        await pair.source.set_container_metadata(pair.box, {"cost": "9"})
        listed_there = [info for info in await pair.source.containers() if info.name == pair.box]
        assert [dict(info.metadata) for info in listed_there] == [{"cost": "9"}]
        with pytest.raises(NotFound):
            await pair.source.set_container_metadata("no-such-box", {"cost": "9"})

    async def test_a_page_blob_that_nobody_wrote_to_has_no_ranges(self, pair):
        shape = replace(PLAIN, blob_type=BlobType.PAGE)
        made = await pair.source.create_empty(pair.box, "n", 1024 * 1024, shape, condition=CREATE)
        assert list(await pair.source.page_ranges(pair.box, "n", if_match=made.etag)) == []

    async def test_an_empty_blob_of_either_type_obeys_its_condition(self, pair):
        for kind, size in ((BlobType.APPEND, 0), (BlobType.PAGE, 512)):
            shape = replace(PLAIN, blob_type=kind)
            made = await pair.source.create_empty(pair.box, kind, size, shape, condition=CREATE)
            for condition in (CREATE, STALE):
                with pytest.raises(ConditionFailed):
                    await pair.source.create_empty(pair.box, kind, size, shape, condition=condition)
            again = await pair.source.create_empty(pair.box, kind, size, shape, condition=Condition(if_match=made.etag))
            assert again.etag != made.etag

    # Server-side copies

    @pytest.fixture
    def copying(self, pair):
        if not pair.target.can_copy_from(pair.source):
            pytest.skip("these accounts do not copy from each other")
        return pair

    async def test_a_copy_has_the_origins_headers_and_metadata_and_the_shapes_tags_and_tier(self, copying):
        origin = await copying.put("n", b"body", replace(RICH, tier=None))
        shape = replace(RICH, tags={"copied": "yes"}, tier="Cool")
        written = await copying.target.copy(origin, copying.box, "n", shape, condition=CREATE)
        blob = await copying.target.head(copying.box, "n")
        assert (blob.etag, dict(blob.metadata), dict(blob.tags)) == (written.etag, RICH.metadata, {"copied": "yes"})
        assert same_headers(blob.headers, HEADERS)
        assert (blob.explicit_tier, blob.copy_pending) == ("Cool", False)
        assert await content(copying.target, copying.box, "n") == b"body"

    async def test_a_copy_reaches_any_name_and_size(self, copying, kept_names):
        for name, body in ((NAMES[0], b""), (NAMES[-3], b"x"), (kept_names[4], os.urandom(BLOCK_BYTES))):
            origin = await copying.put(name, body)
            await copying.target.copy(origin, copying.box, name, PLAIN, condition=CREATE)
            assert await content(copying.target, copying.box, name) == body

    async def test_a_changed_origin_is_not_copied(self, copying):
        old = await copying.put("n")
        await copying.source.put(copying.box, "n", b"second", PLAIN, condition=Condition(if_match=old.etag))
        box, target = copying.box, copying.target
        for request in (
            target.copy(old, box, "n", PLAIN, condition=CREATE),
            target.start_copy(old, box, "n", PLAIN, condition=CREATE),
            target.stage_block_from(old, box, "n", "b1", offset=0, length=2),
        ):
            with pytest.raises(SourceChanged):
                await request
        assert await names(target, box) == []
        assert list(await target.uncommitted(box)) == []

    async def test_a_vanished_origin_is_not_found(self, copying):
        old = await copying.put("n")
        await copying.source.delete(copying.box, "n", if_match=old.etag)
        for request in (
            copying.target.copy(old, copying.box, "n", PLAIN, condition=CREATE),
            copying.target.stage_block_from(old, copying.box, "n", "b1", offset=0, length=2),
        ):
            with pytest.raises(NotFound):
                await request
        assert await names(copying.target, copying.box) == []

    async def _staged(self, copying, origin, block_id, offset, length):
        """A busy service may ask for patience, as any other."""
        for attempt in range(5):
            try:
                await copying.target.stage_block_from(origin, copying.box, "n", block_id, offset=offset, length=length)
            except Throttled:
                if attempt == 4:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def test_blocks_from_an_origin_make_its_content(self, copying):
        body = os.urandom(BLOCK_BYTES)
        origin = await copying.put("n", body)
        half = 5 * 1024 * 1024
        ranges = {"b1": (0, half), "b2": (half, len(body) - half)}
        for block_id, (offset, length) in ranges.items():
            await self._staged(copying, origin, block_id, offset, length)
        await copying.target.commit_blocks(copying.box, "n", ["b1", "b2"], RICH, condition=CREATE)
        blob = await copying.target.head(copying.box, "n")
        assert (blob.size, dict(blob.tags), blob.explicit_tier) == (len(body), RICH.tags, "Cool")
        assert await content(copying.target, copying.box, "n") == body

    @pytest.mark.parametrize("kind", list(BlobType))
    async def test_an_asynchronous_copy_keeps_every_type(self, copying, kind):
        shape = replace(RICH, blob_type=kind, tier=None)
        if kind is BlobType.BLOCK:
            written = await copying.source.put(copying.box, "n", b"x" * 512, shape, condition=CREATE)
        else:
            size = 512 if kind is BlobType.PAGE else 0
            written = await copying.source.create_empty(copying.box, "n", size, shape, condition=CREATE)
            write = copying.source.put_pages if kind is BlobType.PAGE else copying.source.append
            written = await write(copying.box, "n", b"x" * 512, offset=0, if_match=written.etag)
        origin = Origin(copying.source, copying.box, "n", written.etag)
        request = copying.target.start_copy(origin, copying.box, "n", shape, condition=CREATE)
        done = await self._finished(copying.target, copying.box, request)
        blob = await copying.target.head(copying.box, "n")
        assert (blob.etag, blob.blob_type, blob.size, blob.copy_pending) == (done.etag, kind, 512, False)
        assert (dict(blob.metadata), dict(blob.tags)) == (RICH.metadata, RICH.tags)
        assert same_headers(blob.headers, HEADERS)
        assert await content(copying.target, copying.box, "n") == b"x" * 512

    async def test_aborting_a_copy_that_does_not_run_does_nothing(self, copying):
        origin = await copying.put("n")
        request = copying.target.start_copy(origin, copying.box, "n", PLAIN, condition=CREATE)
        done = await self._finished(copying.target, copying.box, request)
        await copying.target.abort_copy(copying.box, "n", done.copy_id)
        assert await content(copying.target, copying.box, "n") == b"first"

    # Deleting

    async def test_a_delete_removes_the_known_generation_only(self, pair):
        origin = await pair.put("n")
        await pair.put("n2")
        with pytest.raises(ConditionFailed):
            await pair.source.delete(pair.box, "n", if_match=STALE.if_match)
        await pair.source.delete(pair.box, "n", if_match=origin.etag)
        assert await names(pair.source, pair.box) == ["n2"]
        for request in (pair.source.delete(pair.box, "n", if_match=origin.etag), pair.source.head(pair.box, "n")):
            with pytest.raises(NotFound) as refusal:
                await request
            assert refusal.value.what == "blob"

    async def test_a_name_may_be_created_again_after_its_delete(self, pair):
        origin = await pair.put("n", b"old", RICH)
        await pair.source.delete(pair.box, "n", if_match=origin.etag)
        again = await pair.put("n", b"new", PLAIN)
        blob = await pair.source.head(pair.box, "n")
        assert again.etag != origin.etag
        assert (dict(blob.metadata), dict(blob.tags), blob.explicit_tier) == ({}, {}, None)

    # Runs

    async def test_an_account_that_says_that_nothing_comes_late_refuses_a_run_that_was_succeeded(self, pair, request):
        """How late an unanswered write may be applied decides when others go on: 0 is a claim to be proved, with the fixture
        ``source_again``, the source opened once more."""
        late = await pair.source.late_write_seconds(datetime.now(UTC))
        assert late >= 0.0
        if late == 0.0:
            await pair.source.bind_run(1)
            await request.getfixturevalue("source_again").bind_run(2)
            with pytest.raises(AccessRefused):
                await pair.put("late")

    async def test_writes_go_on_after_a_run_is_bound(self, pair):
        await pair.source.bind_run(1)
        await pair.source.bind_run(2)
        await pair.put("n")

    async def test_every_refusal_is_one_plain_sentence(self, pair):
        origin = await pair.put("n")
        for request in (
            pair.source.head(pair.box, "gone"),
            pair.source.put(pair.box, "n", b"", PLAIN, condition=CREATE),
            pair.source.delete(pair.box, "n", if_match=STALE.if_match),
            pair.source.commit_blocks(pair.box, "n", ["zz"], PLAIN, condition=Condition(if_match=origin.etag)),
        ):
            with pytest.raises(MigrateError) as refusal:
                await request
            assert refusal.value.message.startswith("cannot ")
            assert "\n" not in refusal.value.message
