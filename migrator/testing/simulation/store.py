"""A simulated storage account behind its door: every request takes virtual time, and may go wrong on the way.

Decides when a request is applied, whether its answer arrives, and whether a dead sender's request still counts. What it
does to the account is blobs.py's. Rules: a request is one atomic effect at one instant; a dead process sends nothing, but
what it had sent may still be applied, once; Last-Modified is the second a request *began*, visible when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from migrator.errors import (
    AccessRefused,
    CloudError,
    ConditionFailed,
    MigrateError,
    OutcomeUnknown,
    Throttled,
    Unreachable,
    Unsupported,
)
from migrator.model.moves import StoredPolicy
from migrator.model.objects import BlobType, Condition, ContainerInfo, Listed, ListingPage, Shape, Survey
from migrator.model.values import replace
from migrator.ports.object_store import TOO_LARGE, ObjectStore, Origin, Whole, Written
from migrator.ports.write_policy import ContainerPolicies
from migrator.testing.simulation.blobs import Account, Blob, Sender
from migrator.testing.simulation.cases import NameStretch
from migrator.testing.simulation.chance import Chance
from migrator.testing.simulation.loop import WORLD_BEGINS, Node, SimLoop, nap
from migrator.testing.simulation.policies import Policies
from migrator.testing.simulation.starts import Beginnings
from migrator.testing.simulation.texts import ToldEntries
from migrator.testing.simulation.weather import Weather

T = TypeVar("T")
PoliciesHook = Callable[[Sender, str, str, tuple[StoredPolicy, ...], tuple[StoredPolicy, ...], float], None]
ORPHAN_SECONDS = 30.0
"""What a process had sent before it was killed is applied within this time, as the engine supposes (``PROVEN_DEAD_SECONDS``); if
its machine lost power, or cannot be asked, within the life of its credential."""
DOUBTFUL_CHANCES = (0.0, 0.0, 0.02, 0.3)
FAILING_CHANCES = (0.0, 0.0, 0.3)
CHUNK_BYTES = 4 * 1024 * 1024


class Answer:
    """What a service made of one request; nobody may ever read it."""

    __slots__ = ("outcome",)

    outcome: Any
    """What is answered, or the refusal. Set when the request is applied."""

    def write(self, act: Callable[..., Any], *facts: Any) -> None:
        try:
            self.outcome = act(*facts)
        except MigrateError as refusal:
            self.outcome = refusal

    def opened(self) -> Any:
        """Once: raises the refusal, if it is one, and forgets it, since it knows everybody whom it passes."""
        outcome, self.outcome = self.outcome, None
        if not isinstance(outcome, MigrateError):
            return outcome
        try:
            raise outcome
        finally:
            del outcome


class Wire:
    """What all doors of one account share: its contents, its weather, its chance, and what it is able to do."""

    def __init__(self, loop: SimLoop, account: Account, weather: Weather, seed: str) -> None:
        self.loop = loop
        self.account = account
        self.weather = weather
        self.random = Chance(seed)
        self.copies_from: set[str] | None = None
        """Accounts that server-side copies can read; None: every one."""
        self.async_copies = True
        self._doubts, self._ends = Random(f"doubts {seed}"), Random(f"ends of copies {seed}")
        self._doubtful_chance = self._failing_chance = 0.0
        self.starts = Beginnings(seed)
        self.policies: Policies | None = None
        """None: the tool's credential cannot prove what a policy lets pass."""
        self.sent = 0
        self._second, self._modified = 0, WORLD_BEGINS
        """A second, and what it is called: much is written in each."""
        self.is_away: Callable[[], bool] = lambda: False
        """The tool's machines do not reach it now; customers do."""
        self.is_overloaded: Callable[[], bool] = lambda: False
        """It refuses the tool's next request for being one too many."""
        self.listed: Callable[[Node, str, bool, float, NameStretch], None] = lambda *facts: None
        """Called with (node, container, is the first page, sent at, names) when a page was answered."""
        self.staged: Callable[[str, str, str], None] = lambda *facts: None
        """Called with (sender, container, name) when the tool had staged a block."""
        self.read_policies: Callable[[Node], bool] = lambda node: False
        """Called when policies were read; True: the node stands still now."""
        self.set_policies: PoliciesHook = lambda *facts: None
        """Called with (sender, account, container, before, after, sent at) when policies were changed."""

    def fail_copies(self) -> None:
        """In some stories copies are refused, or begun and not finished, without a reason."""
        self._doubtful_chance = self._doubts.choice(DOUBTFUL_CHANCES)
        self._failing_chance = self._ends.choice(FAILING_CHANCES)

    def is_doubtful(self) -> bool:
        """Does the service fail to verify this copy's source, although nothing is wrong with it?"""
        return self._doubts.random() < self._doubtful_chance

    def gives_up(self) -> bool:
        """Does the service not finish a copy that it made in its own time?"""
        return self._ends.random() < self._failing_chance

    def as_seen_by(self, node: Node, sender: Sender) -> SimStore:
        return SimStore(self, node, sender)

    def modified(self, sent_at: float) -> datetime:
        second = int(sent_at)
        if second != self._second:
            self._second, self._modified = second, WORLD_BEGINS + timedelta(seconds=second)
        return self._modified

    def delay(self, *, is_write: bool) -> float:
        draw, weather = self.random.random(), self.weather
        if draw >= weather.slow_chance:
            return weather.fast_seconds * (0.5 + draw)
        if is_write and weather.very_slow_seconds and draw < weather.slow_chance / 10:
            return self.random.uniform(0.0, weather.very_slow_seconds)
        return self.random.uniform(0.0, weather.slow_seconds)


class SimStore:
    """One node's door to a simulated account; implements ObjectStore, and gives customers a few requests more."""

    def __init__(self, wire: Wire, node: Node, sender: Sender) -> None:
        self.wire = wire
        self.node = node
        self.sender = sender
        self.account = wire.account.name
        self._contents = wire.account
        self._read_policies: dict[str, int] = {}
        """The second of each container's last change when its policies were read."""

    @property
    def endpoint(self) -> str:
        return self._contents.endpoint

    @property
    def answered_at(self) -> float | None:
        """The engine's own clock is as good, skewed as it may be: no gate here subtracts our requests."""
        return None

    async def send(self, effect: Callable[[float], T], *, is_write: bool, limit_seconds: float | None = None) -> T:
        """Send one request; ``effect`` is called with the time it was sent, at the instant it is applied.

        ``limit_seconds``: the service gives up after so long (``timeout=``), with an unknown outcome for the sender.
        """
        node, wire = self.node, self.wire
        node.step()
        wire.sent += 1
        loop, weather = wire.loop, wire.weather
        now = loop.virtual_now
        delay = wire.delay(is_write=is_write)
        if self.sender.is_tool:
            if wire.is_away():
                await nap(loop, now + delay)
                raise self._unreachable()
            if wire.is_overloaded():
                await nap(loop, now + delay)
                raise Throttled(f"cannot reach {self.account}: it is busy", code="ServerBusy")
        fault = self._fault(is_write=is_write) if weather.bad_from <= now < weather.bad_until else ""
        if limit_seconds is not None and delay > limit_seconds and not fault:
            fault = "never"
        answer = Answer()
        if fault in ("throttled", "refused"):
            answer.outcome = self._refusal(fault)
            await nap(loop, now + delay)
            return answer.opened()  # type: ignore[no-any-return]
        if fault:
            if fault == "late":
                most = weather.late_seconds if limit_seconds is None else min(limit_seconds, weather.late_seconds)
                loop.happen(now + wire.random.uniform(0.0, most), self._apply, answer, effect, now)
            elif fault == "lost":
                loop.happen(now + delay, self._apply, answer, effect, now)
            await nap(loop, now + weather.unanswered_after_seconds)
            raise self._unreachable() if fault == "unread" else self._unknown()
        # A slow request may be applied long before its answer comes back.
        applied = delay if delay <= 2 * weather.fast_seconds else delay * wire.random.random()
        loop.happen(now + applied, self._apply, answer, effect, now)
        await nap(loop, now + delay)
        return answer.opened()  # type: ignore[no-any-return]

    def _fault(self, *, is_write: bool) -> str:
        draw, weather = self.wire.random.random(), self.wire.weather
        if draw < weather.throttled_chance:
            return "throttled"
        draw -= weather.throttled_chance
        if draw < weather.unanswered_chance:
            return self.wire.random.choice(("late", "late", "lost", "lost", "never")) if is_write else "unread"
        draw -= weather.unanswered_chance
        if draw < weather.refused_chance:
            return "refused"
        return ""

    def _apply(self, answer: Answer, effect: Callable[[float], Any], sent_at: float) -> None:
        """In the world's own time: the sender may be dead or paused by now, or believe that there is no answer."""
        node = self.node
        if not node.alive:
            if self.wire.random.random() < 0.5:
                return  # it had not left the machine
            if self.wire.loop.time() > node.sockets_closed_at + ORPHAN_SECONDS:
                return
        answer.write(effect, sent_at)
        if node.alive:
            node.tick()

    def _refusal(self, fault: str) -> CloudError:
        if fault == "refused":
            return AccessRefused(f"cannot reach {self.account}: refused", code="AuthorizationFailure")
        wish = self.wire.random.choice((None, 0.5, 5.0))
        return Throttled(f"cannot reach {self.account}: it is busy", code="ServerBusy", retry_after_seconds=wish)

    def _unreachable(self) -> Unreachable:
        return Unreachable(f"cannot reach {self.account}: no answer")

    def _unknown(self) -> OutcomeUnknown:
        return OutcomeUnknown(f"cannot tell what became of a write to {self.account}: no answer")

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        def effect(sent_at: float) -> list[ContainerInfo]:
            held = self._contents.containers
            return [held[name].info for name in sorted(held) if name.startswith(prefix)]

        return await self.send(effect, is_write=False)

    async def container(self, name: str) -> ContainerInfo:
        return await self.send(lambda sent_at: self._contents.open(name).info, is_write=False)

    async def create_container(self, like: ContainerInfo) -> None:
        def effect(sent_at: float) -> None:
            if like.name not in self._contents.containers:
                self._contents.make_container(ContainerInfo(like.name, dict(like.metadata), like.public_access))

        await self.send(effect, is_write=True)

    async def set_container_metadata(self, container: str, metadata: Mapping[str, str]) -> None:
        def effect(sent_at: float) -> None:
            held = self._contents.open(container)
            held.info = replace(held.info, metadata=dict(metadata))
            self._contents.touch_container(container)

        await self.send(effect, is_write=True)

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = 5000,
        start: str | None = None,
    ) -> ListingPage:
        weather, random = self.wire.weather, self.wire.random

        def effect(sent_at: float) -> ListingPage:
            if marker is not None and random.random() < weather.marker_refused_chance:
                raise CloudError(f"cannot list {container}: the marker is refused", code="InvalidQueryParameterValue")
            if weather.empty_page_chance and random.random() < weather.empty_page_chance:
                self._contents.open(container)
                return ListingPage((), marker if marker is not None else prefix)
            most = min(limit, weather.page_entries)
            found = self.wire.starts.page(self._contents, container, prefix, marker, most, start)
            begins = marker if marker is not None else max(prefix, start or "", key=self._contents.key)
            self.wire.listed(self.node, container, marker is None, sent_at, (begins, found.marker))
            return ListingPage(ToldEntries(found.entries), found.marker) if weather.tells_texts else found

        return await self.send(effect, is_write=False)

    async def head(self, container: str, name: str) -> Listed:
        return await self.send(lambda sent_at: self._contents.get(container, name).listed, is_write=False)

    @asynccontextmanager
    async def read(
        self, container: str, name: str, *, if_match: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        def effect(sent_at: float) -> bytes:
            content = self._contents.readable(container, name, if_match).content
            return content[offset:] if length is None else content[offset : offset + length]

        yield _chunks(await self.send(effect, is_write=False))

    async def whole(self, container: str, name: str, *, if_match: str | None = None, most_bytes: int) -> Whole:
        def effect(sent_at: float) -> Whole:
            etag = if_match or self._contents.get(container, name).listed.etag
            content = self._contents.readable(container, name, etag).content
            if len(content) > most_bytes:
                raise CloudError(f"cannot read {name!r} whole: it has {len(content)} bytes", code=TOO_LARGE)
            return Whole(etag, content)

        return await self.send(effect, is_write=False)

    async def page_ranges(self, container: str, name: str, *, if_match: str) -> Sequence[tuple[int, int]]:
        def effect(sent_at: float) -> list[tuple[int, int]]:
            content = self._contents.readable(container, name, if_match).content
            return _written(content)

        return await self.send(effect, is_write=False)

    def can_copy_from(self, other: ObjectStore) -> bool:
        return isinstance(other, SimStore)

    async def copy(self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition) -> Written:
        self._check_copies(origin)
        early = await self._read_early(origin)

        def effect(sent_at: float) -> Written:
            source = early or _source(origin)
            if source.listed.blob_type is not BlobType.BLOCK:
                raise Unsupported(f"cannot copy {name!r} in one request: it is not a block blob")
            whole = replace(
                shape, blob_type=BlobType.BLOCK, headers=source.listed.headers, metadata=source.listed.metadata
            )
            if self._contents.carries_tiers and whole.tier is None:
                whole = replace(whole, tier=source.listed.explicit_tier)
            return self._put(container, name, source.content, whole, condition, sent_at, "copy")

        return await self.send(effect, is_write=True)

    async def _read_early(self, origin: Origin) -> Blob | None:
        """Some copies read their source well before they commit."""
        weather, random = self.wire.weather, self.wire.random
        if random.random() >= weather.copy_gap_chance:
            return None
        self.node.step()
        source = _source(origin)
        await asyncio.sleep(random.uniform(0.0, weather.copy_gap_seconds))
        return source

    async def start_copy(
        self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition
    ) -> Written:
        self._check_copies(origin)
        if not self.wire.async_copies:
            raise Unsupported(f"cannot copy {name!r} asynchronously: {self.account} cannot do that")
        loop, random = self.wire.loop, self.wire.random

        def effect(sent_at: float) -> Written:
            source = _source(origin).listed
            whole = replace(shape, blob_type=source.blob_type, headers=source.headers, metadata=source.metadata)
            copy_id = f"copy-{random.getrandbits(40):010x}"
            if random.random() >= self.wire.weather.async_pending_chance:
                content = _source(origin).content
                done = self._put(container, name, content, whole, condition, sent_at, "copied", copy_id=copy_id)
                return Written(done.etag, copy_id)
            begun = self._put(
                container, name, b"", whole, condition, sent_at, "copy-pending", copy_id=copy_id, copy_pending=True
            )
            when = loop.time() + random.uniform(0.0, self.wire.weather.async_seconds)
            loop.happen(when, self._end_copy, origin, container, name, copy_id)
            return Written(begun.etag, copy_id, pending=True)

        return await self.send(effect, is_write=True)

    def _end_copy(self, origin: Origin, container: str, name: str, copy_id: str) -> None:
        content: bytes | None
        try:
            content = _source(origin).content
        except CloudError:
            content = None
        if self.wire.gives_up():
            content = None
        self._contents.end_copy(self.sender, container, name, copy_id, content, self.wire.loop.time())

    async def abort_copy(self, container: str, name: str, copy_id: str) -> None:
        def effect(sent_at: float) -> None:
            self._contents.end_copy(self.sender, container, name, copy_id, None, sent_at)

        await self.send(effect, is_write=True)

    async def put(self, container: str, name: str, body: bytes, shape: Shape, *, condition: Condition) -> Written:
        return await self.send(
            lambda sent_at: self._put(container, name, body, shape, condition, sent_at, "put"), is_write=True
        )

    async def stage_block(self, container: str, name: str, block_id: str, body: bytes) -> None:
        def effect(sent_at: float) -> None:
            self._contents.stage(container, name, block_id, body)
            self.wire.staged(self.sender.name, container, name)

        await self.send(effect, is_write=True)

    async def stage_block_from(
        self, origin: Origin, container: str, name: str, block_id: str, *, offset: int, length: int
    ) -> None:
        self._check_copies(origin)

        def effect(sent_at: float) -> None:
            piece = _source(origin).content[offset : offset + length]
            self._contents.stage(container, name, block_id, piece)
            self.wire.staged(self.sender.name, container, name)

        await self.send(effect, is_write=True)

    async def commit_blocks(
        self, container: str, name: str, block_ids: Sequence[str], shape: Shape, *, condition: Condition
    ) -> Written:
        def effect(sent_at: float) -> Written:
            self._contents.check(container, name, condition)
            blocks = self._contents.joined(container, name, block_ids)
            body = b"".join(blocks[block_id] for block_id in block_ids)
            return self._put(container, name, body, shape, condition, sent_at, "commit", blocks=blocks)

        return await self.send(effect, is_write=True)

    async def uncommitted(self, container: str, *, prefix: str = "") -> Sequence[str]:
        return await self.send(lambda sent_at: self._contents.uncommitted(container, prefix), is_write=False)

    async def create_empty(
        self, container: str, name: str, size: int, shape: Shape, *, condition: Condition
    ) -> Written:
        opened = replace(shape, is_sealed=False)
        return await self.send(
            lambda sent_at: self._put(container, name, b"\0" * size, opened, condition, sent_at, "create"),
            is_write=True,
        )

    async def append(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        def effect(sent_at: float) -> Written:
            before = self._contents.matched(container, name, if_match)
            if len(before.content) != offset:
                raise _wrong_offset(name)
            if before.listed.is_sealed:
                raise CloudError(f"cannot append to {name!r}: it is sealed", code="BlobIsSealed")
            return self._change(container, name, before.content + body, sent_at, "append")

        return await self.send(effect, is_write=True)

    async def seal(self, container: str, name: str, *, size: int, if_match: str) -> Written:
        def effect(sent_at: float) -> Written:
            if len(self._contents.matched(container, name, if_match).content) != size:
                raise _wrong_offset(name)
            modified = self.wire.modified(sent_at)
            return Written(
                self._contents.seal(self.sender, container, name, sent_at=sent_at, modified=modified).listed.etag
            )

        return await self.send(effect, is_write=True)

    async def put_pages(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        def effect(sent_at: float) -> Written:
            old = self._contents.matched(container, name, if_match).content
            return self._change(container, name, old[:offset] + body + old[offset + len(body) :], sent_at, "pages")

        return await self.send(effect, is_write=True)

    async def set_tags(self, container: str, name: str, tags: Mapping[str, str]) -> None:
        await self.send(
            lambda sent_at: self._contents.set_tags(self.sender, container, name, tags, sent_at=sent_at), is_write=True
        )

    async def set_tier(self, container: str, name: str, tier: str) -> None:
        await self.send(
            lambda sent_at: self._contents.set_tier(self.sender, container, name, tier, sent_at=sent_at), is_write=True
        )

    async def delete(self, container: str, name: str, *, if_match: str, with_snapshots: bool = True) -> None:
        await self.send(
            lambda sent_at: self._contents.delete(self.sender, container, name, if_match=if_match, sent_at=sent_at),
            is_write=True,
        )

    @property
    def can_prove_policies(self) -> bool:
        return self.wire.policies is not None

    async def policies(self, container: str) -> ContainerPolicies:
        def effect(sent_at: float) -> ContainerPolicies:
            if self.wire.policies is None:
                return ContainerPolicies(())
            self._read_policies[container] = self._policies.changed_at(container)
            return ContainerPolicies(self._policies.of(container))

        found = await self.send(effect, is_write=False)
        if self.wire.read_policies(self.node):
            await nap(self.wire.loop, self.wire.loop.virtual_now)
        return found

    async def set_policies(
        self, container: str, policies: Sequence[StoredPolicy], *, public_access: str | None
    ) -> None:
        seen = self._read_policies.get(container)

        def effect(sent_at: float) -> None:
            if seen is not None and self._policies.changed_at(container) > seen:
                raise ConditionFailed(f"cannot set the access policies of {container}: it was changed meanwhile")
            self._contents.touch_container(container)
            before = self._policies.of(container)
            self._policies.put(container, policies, self.wire.loop.time())
            self.wire.set_policies(self.sender, self.account, container, before, tuple(policies), sent_at)

        await self.send(effect, is_write=True)

    async def accepts(self, container: str, policy: StoredPolicy, name: str) -> bool:
        """Nothing is written here: what it creates it would remove at once."""
        return await self.send(
            lambda sent_at: self._policies.accepts(container, policy, self.wire.loop.time()), is_write=True
        )

    @property
    def _policies(self) -> Policies:
        assert self.wire.policies is not None
        return self.wire.policies

    async def survey(self, container: str, *, prefix: str = "", marker: str | None = None) -> Survey:
        return await self.send(lambda sent_at: self._contents.survey(container, prefix), is_write=False)

    async def late_write_seconds(self, now: datetime) -> float:
        """The world's weather keeps a request under way no longer."""
        return self.wire.weather.late_seconds

    async def bind_run(self, token: int) -> None:
        """A cloud account knows nothing of runs."""
        self.node.step()

    async def close(self) -> None:
        """Nothing is held open."""

    def _check_copies(self, origin: Origin) -> None:
        reach = self.wire.copies_from
        if not isinstance(origin.store, SimStore) or (reach is not None and origin.store.account not in reach):
            raise Unsupported(f"cannot copy from {origin.store.account} into {self.account}: it cannot be reached")
        if self.wire.is_doubtful():
            raise Unsupported(
                f"cannot copy {origin.name!r}: its source was not verified", code="CannotVerifyCopySource"
            )

    def _put(
        self,
        container: str,
        name: str,
        body: bytes,
        shape: Shape,
        condition: Condition,
        sent_at: float,
        kind: str,
        **more: Any,
    ) -> Written:
        blob = self._contents.put(
            self.sender,
            container,
            name,
            body,
            shape,
            condition=condition,
            sent_at=sent_at,
            modified=self.wire.modified(sent_at),
            kind=kind,
            **more,
        )
        return Written(blob.listed.etag)

    def _change(self, container: str, name: str, content: bytes, sent_at: float, kind: str) -> Written:
        blob = self._contents.change(
            self.sender, container, name, content, sent_at=sent_at, modified=self.wire.modified(sent_at), kind=kind
        )
        return Written(blob.listed.etag)


def _source(origin: Origin) -> Blob:
    """The copy's source, if it is still the generation that was asked for."""
    store = origin.store
    assert isinstance(store, SimStore)
    return store._contents.readable(origin.container, origin.name, origin.etag, as_source=True)


def _wrong_offset(name: str) -> CloudError:
    return ConditionFailed(f"cannot append to {name!r}: it has another length", code="AppendPositionConditionNotMet")


def _written(content: bytes) -> list[tuple[int, int]]:
    """Ranges of pages that are not zeros."""
    found: list[tuple[int, int]] = []
    for at in range(0, len(content), 512):
        if not any(content[at : at + 512]):
            continue
        if found and sum(found[-1]) == at:
            found[-1] = (found[-1][0], found[-1][1] + 512)
        else:
            found.append((at, 512))
    return found


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for begin in range(0, len(content), CHUNK_BYTES):
        yield content[begin : begin + CHUNK_BYTES]


__all__ = ["Answer", "SimStore", "Wire"]
