"""An object store that keeps to its budget, retries what is safe to retry, and counts what it sent.

Every request of a run goes through here. A write is sent on a claim that was asked for after its grant, right before it
leaves, however long it had to wait: a store without a claim (``claimed``) writes nothing. Retried: refusals that say "not
applied" (throttled), and reads that were not answered. Never retried: a write that was not answered - that is the caller's
to settle. A server-side copy waits for a grant of both accounts and is counted at both, because the service reads the
origin for it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from itertools import count as counting
from math import inf
from typing import Final, Protocol, TypeVar

from migrator.errors import CloudError, InternalError, OutcomeUnknown, Throttled, Unreachable
from migrator.model.moves import StoredPolicy
from migrator.model.objects import Condition, ContainerInfo, Entries, Listed, ListingPage, Shape, Survey
from migrator.model.values import replace
from migrator.ports.clock import Clock
from migrator.ports.late_writes import ContainersApart
from migrator.ports.object_store import (
    MAY_SEND,
    NO_SERVER,
    ObjectStore,
    Operation,
    Origin,
    RequestCounter,
    Whole,
    Written,
    minute_of_answer,
)
from migrator.ports.write_policy import ContainerPolicies, PolicyHolder, holds_policies
from migrator.transfer.limits import AccountLimits, grant_together

T = TypeVar("T")

ATTEMPTS = 8
"""How often a throttled request (or an unanswered read) is sent before its patience is asked for more, or the error goes up."""
FIRST_WAIT_SECONDS = 0.2
LONGEST_WAIT_SECONDS = 30.0
LONGEST_PATIENT_WAIT_SECONDS = 120.0
"""Between tries of a request that was tried more than ATTEMPTS times."""
HURRIED_SECONDS = 25.0
"""So long an account that is away is asked again while writers wait, however quickly or slowly each try fails: for longer it is
better to let them go on, and to wait after the fence. One that asks for less is there: ``fence_timeout`` ends that."""
LONGEST_HURRIED_WAIT_SECONDS = 5.0
"""Between tries while writers wait."""
SLOWING: Final = frozenset({"OperationTimedOut", "ServerBusy", "503"})
"""Codes with which a write is not answered for good, by an account (or what stands before it, which knows no codes) that has too
much to do. Source: Azure "Blob service error codes"."""
SLOW_ORIGIN: Final = frozenset({"CannotVerifyCopySource"})
"""Of an unanswered copy: the destination's service could not read the origin in time."""
PAST_THE_END = "InvalidRange"
"""The code of a read that begins where the blob ends. Source: Azure "Blob service error codes"."""


Claim = Callable[[], Awaitable[float]]
"""Awaited before each write: waits while nothing may be sent, raises if nothing may be sent any more, and answers until when
(monotonic) what was asked for may be sent."""
TRIES_OF_A_STRANGER = 2
"""Where nobody ever answered and nothing listens, or the name is not known, the address is wrong: that is said at once."""
READS: Final = frozenset({"list", "read"})


class Patience(Protocol):
    """How long whoever owns the requests goes on trying."""

    @property
    def is_hurried(self) -> bool:
        """Do writers wait for what is asked now?"""
        ...

    async def keep_trying(self, account: str, fault: CloudError, attempt: int) -> bool:
        """After ``attempt`` fruitless tries: once more? May wait, and raises what ends everything."""
        ...

    def answered(self, account: str) -> None:
        """A request that was tried beyond ATTEMPTS has its answer."""
        ...


async def unclaimed() -> float:
    """For what is written where there is no route yet: probes of a preview, under their reserved name."""
    return inf


class PacedStore:
    """``inner`` within ``limits``; implements ObjectStore, and PolicyHolder where ``inner`` does. Without ``claim`` every write
    is an InternalError."""

    def __init__(
        self,
        inner: ObjectStore,
        limits: AccountLimits,
        counter: RequestCounter,
        clock: Clock,
        claim: Claim | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.inner = inner
        self._claim = claim
        self._patience = patience
        self.account = inner.account
        self.limits = limits
        self._counter = counter
        self._clock = clock

    @property
    def endpoint(self) -> str:
        return self.inner.endpoint

    @property
    def answered_at(self) -> float | None:
        return self.inner.answered_at

    def claimed(self, claim: Claim, patience: Patience | None = None) -> PacedStore:
        """The same account, pace and counter, for writes under ``claim``; ``patience`` says when a request is given up."""
        return PacedStore(self.inner, self.limits, self._counter, self._clock, claim, patience)

    @property
    def is_hurried(self) -> bool:
        """Its requests go first in every line."""
        return self._patience is not None and self._patience.is_hurried

    async def _may_send_until(self, operation: Operation) -> float:
        if operation in READS:
            return inf
        if self._claim is None:
            raise InternalError(f"a write to {self.account} without a claim")
        return await self._claim()

    async def _send(
        self,
        operation: Operation,
        call: Callable[[], Awaitable[T]],
        *,
        bytes: int = 0,
        origin: PacedStore | None = None,
        requests: int = 1,
    ) -> T:
        wait, begun = FIRST_WAIT_SECONDS, self._clock.monotonic()
        for attempt in counting(1):
            sides = (self.limits,) if origin is None else (self.limits, origin.limits)
            await grant_together(sides, requests=requests, bytes=bytes, is_hurried=self.is_hurried)
            until = await self._may_send_until(operation)
            try:
                answer = await self._in_time(call, until)
            except Throttled as refusal:
                side = origin if origin is not None and refusal.account_side == "origin" else self
                side.limits.give_way(refusal.retry_after_seconds)
                asked = None if side is self else origin  # it was, if it was it who refused
                self._count(operation, requests, asked)
                if not await side.keeps_trying(refusal, attempt, self._patience):
                    raise
                wait = await self.back_off(wait, refusal.retry_after_seconds, attempt)
            except Unreachable as fault:
                is_too_late = until < inf and self._clock.monotonic() > until  # held up so long that it was not sent
                # A write that was never sent is tried again by whoever has the time for it.
                free = ATTEMPTS if operation in READS or is_too_late else 1
                if fault.code == NO_SERVER and self.answered_at is None:
                    free = min(free, TRIES_OF_A_STRANGER)
                if self.is_hurried:
                    free = attempt + 1 if self._clock.monotonic() < begun + HURRIED_SECONDS else 0
                if not await self.keeps_trying(fault, attempt, self._patience, free=free):
                    raise
                if not is_too_late:
                    wait = await self.back_off(wait, None, attempt)
            except OutcomeUnknown as fault:
                if fault.code in SLOWING:
                    self.limits.give_way()
                if fault.code in SLOW_ORIGIN and origin is not None:
                    origin.limits.give_way()
                raise
            else:
                self._count(operation, requests, origin)
                self.tried(attempt)
                return answer
        raise AssertionError("unreachable")

    async def keeps_trying(
        self, fault: CloudError, attempt: int, patience: Patience | None = None, *, free: int = ATTEMPTS
    ) -> bool:
        """Is a request that this account did not serve sent again? ``free`` tries are nobody's business."""
        patience = patience or self._patience
        if attempt < free:
            return True
        fault.account = self.account
        return patience is not None and await patience.keep_trying(self.account, fault, attempt)

    def tried(self, attempts: int) -> None:
        """A request was answered after so many tries."""
        if attempts > ATTEMPTS and self._patience is not None:
            self._patience.answered(self.account)

    async def _in_time(self, call: Callable[[], Awaitable[T]], until: float) -> T:
        """Not sent after ``until``, even if it is held up on its last step, by a connection or a token."""
        if until == inf:
            return await call()
        before = MAY_SEND.get()
        MAY_SEND.set(lambda: self._clock.monotonic() <= until)
        try:
            return await call()
        finally:
            MAY_SEND.set(before)  # no reset by token: a task of a loop that is gone ends outside its context

    async def back_off(self, wait: float, retry_after: float | None, attempt: int = 1) -> float:
        """Sleep before another try; the wait that comes next."""
        longest = LONGEST_WAIT_SECONDS if attempt <= ATTEMPTS else LONGEST_PATIENT_WAIT_SECONDS
        if self.is_hurried:
            longest, wait = LONGEST_WAIT_SECONDS, min(wait, LONGEST_HURRIED_WAIT_SECONDS)
        pause = retry_after if retry_after is not None else wait * (0.5 + self._clock.random())
        await self._clock.sleep(min(pause, longest))
        return min(wait * 2, longest)

    def _count(self, operation: Operation, requests: int, origin: PacedStore | None) -> None:
        minute = minute_of_answer(self.inner, self._clock)
        self._counter.count(self.account, operation, minute=minute, requests=requests)
        if origin is not None:
            self._counter.count(origin.account, "read", minute=minute, requests=requests)

    def count_copies(self, minute: int, requests: int, *, origin: PacedStore) -> None:
        """Count server-side copies that an executor had answered: a write here, a read at the origin."""
        self._counter.count(self.account, "write", minute=minute, requests=requests)
        self._counter.count(origin.account, "read", minute=minute, requests=requests)

    def count_pages(self, minute: int, requests: int) -> None:
        """Count pages of listings that an executor had answered."""
        self._counter.count(self.account, "list", minute=minute, requests=requests)

    async def containers(self, prefix: str = "") -> Sequence[ContainerInfo]:
        return await self._send("list", lambda: self.inner.containers(prefix))

    async def container(self, name: str) -> ContainerInfo:
        return await self._send("read", lambda: self.inner.container(name))

    async def create_container(self, like: ContainerInfo) -> None:
        """Repeated where it was not answered: nothing happens if the container is there."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._send("write", lambda: self.inner.create_container(like))
            except OutcomeUnknown:
                if attempt == ATTEMPTS:
                    raise

    async def set_container_metadata(self, container: str, metadata: Mapping[str, str]) -> None:
        await self._send("write", lambda: self.inner.set_container_metadata(container, metadata))

    async def page(
        self,
        container: str,
        *,
        prefix: str = "",
        marker: str | None = None,
        limit: int = 5000,
        start: str | None = None,
    ) -> ListingPage:
        more = {} if start is None else {"start": start}
        page = await self._send(
            "list", lambda: self.inner.page(container, prefix=prefix, marker=marker, limit=limit, **more)
        )
        if not prefix:
            return page
        if isinstance(page.entries, Entries):
            return ListingPage(_Within(page.entries, partial(self._require_within, prefix, container)), page.marker)
        self._require_within(prefix, container, page.entries)
        return page

    def _require_within(self, prefix: str, container: str, entries: Iterable[Listed]) -> None:
        """What is listed is copied, compared and deleted: a service that shows more than was asked for is not trusted."""
        if not all(entry.name.startswith(prefix) for entry in entries):
            raise CloudError(
                f"cannot list {container} of {self.account}: names were listed that do not begin with {prefix!r}",
                hint="the endpoint does not behave like a storage account",
            )

    async def head(self, container: str, name: str) -> Listed:
        found = await self._send("read", lambda: self.inner.head(container, name))
        if found.tags:  # the tags of a blob are another request, made only where there are any
            await self.limits.grant(is_hurried=self.is_hurried)
            self._count("read", 1, None)
        return found

    @asynccontextmanager
    async def read(
        self, container: str, name: str, *, if_match: str, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The request is granted before it is sent, the bytes as they arrive. A read that breaks off goes on where it broke,
        under the same condition, so that its bytes are always of one generation."""
        body = self._body(container, name, if_match, offset, length)
        try:
            yield body
        finally:
            await body.aclose()

    async def _body(
        self, container: str, name: str, if_match: str, offset: int, length: int | None
    ) -> AsyncGenerator[bytes, None]:
        wait, attempt, got = FIRST_WAIT_SECONDS, 0, 0
        while True:
            attempt += 1
            await self.limits.grant(is_hurried=self.is_hurried)
            left = None if length is None else length - got
            try:
                async with self.inner.read(
                    container, name, if_match=if_match, offset=offset + got, length=left
                ) as chunks:
                    self._count("read", 1, None)
                    async for chunk in chunks:
                        await self.limits.grant(requests=0, bytes=len(chunk), is_hurried=self.is_hurried)
                        got += len(chunk)
                        self.tried(attempt)
                        wait, attempt = FIRST_WAIT_SECONDS, 0
                        yield chunk
                return
            except (Throttled, Unreachable) as fault:
                if isinstance(fault, Throttled):
                    self.limits.give_way()
                if got == length:
                    return
                if not await self.keeps_trying(fault, attempt):
                    raise
                after = fault.retry_after_seconds if isinstance(fault, Throttled) else None
                wait = await self.back_off(wait, after, attempt)
            except CloudError as fault:
                if got and fault.code == PAST_THE_END:
                    return  # it broke off after its last byte
                raise

    async def whole(self, container: str, name: str, *, if_match: str | None = None, most_bytes: int) -> Whole:
        """The budget grants ``most_bytes``: who knows the size asks for no more."""
        return await self._send(
            "read",
            lambda: self.inner.whole(container, name, if_match=if_match, most_bytes=most_bytes),
            bytes=most_bytes,
        )

    async def page_ranges(self, container: str, name: str, *, if_match: str) -> Sequence[tuple[int, int]]:
        return await self._send("read", lambda: self.inner.page_ranges(container, name, if_match=if_match))

    def can_copy_from(self, other: ObjectStore) -> bool:
        return self.inner.can_copy_from(_inner(other))

    async def copy(self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition) -> Written:
        return await self._send(
            "write",
            lambda: self.inner.copy(_unwrapped(origin), container, name, shape, condition=condition),
            origin=_paced(origin.store),
            bytes=origin.size,
        )

    async def start_copy(
        self, origin: Origin, container: str, name: str, shape: Shape, *, condition: Condition
    ) -> Written:
        return await self._send(
            "write",
            lambda: self.inner.start_copy(_unwrapped(origin), container, name, shape, condition=condition),
            origin=_paced(origin.store),
            bytes=origin.size,
        )

    async def abort_copy(self, container: str, name: str, copy_id: str) -> None:
        await self._send("write", lambda: self.inner.abort_copy(container, name, copy_id))

    # Stored access policies, of accounts that have them (``PolicyHolder``).

    @property
    def can_prove_policies(self) -> bool:
        return holds_policies(self.inner) and self.inner.can_prove_policies

    @property
    def _holder(self) -> PolicyHolder:
        inner: object = self.inner
        if not holds_policies(inner):
            raise InternalError(f"{self.account} has no stored access policies")
        return inner

    async def policies(self, container: str) -> ContainerPolicies:
        return await self._send("read", lambda: self._holder.policies(container))

    async def set_policies(
        self, container: str, policies: Sequence[StoredPolicy], *, public_access: str | None
    ) -> None:
        await self._send("write", lambda: self._holder.set_policies(container, policies, public_access=public_access))

    async def accepts(self, container: str, policy: StoredPolicy, name: str) -> bool:
        """A write, whatever the service says to it."""
        return await self._send("write", lambda: self._holder.accepts(container, policy, name))

    async def put(self, container: str, name: str, body: bytes, shape: Shape, *, condition: Condition) -> Written:
        return await self._send(
            "write", lambda: self.inner.put(container, name, body, shape, condition=condition), bytes=len(body)
        )

    async def stage_block(self, container: str, name: str, block_id: str, body: bytes) -> None:
        await self._send("write", lambda: self.inner.stage_block(container, name, block_id, body), bytes=len(body))

    async def stage_block_from(
        self, origin: Origin, container: str, name: str, block_id: str, *, offset: int, length: int
    ) -> None:
        await self._send(
            "write",
            lambda: self.inner.stage_block_from(
                _unwrapped(origin), container, name, block_id, offset=offset, length=length
            ),
            origin=_paced(origin.store),
            bytes=length,
        )

    async def commit_blocks(
        self, container: str, name: str, block_ids: Sequence[str], shape: Shape, *, condition: Condition
    ) -> Written:
        return await self._send(
            "write", lambda: self.inner.commit_blocks(container, name, block_ids, shape, condition=condition)
        )

    async def uncommitted(self, container: str, *, prefix: str = "") -> Sequence[str]:
        return await self._send("list", lambda: self.inner.uncommitted(container, prefix=prefix))

    async def create_empty(
        self, container: str, name: str, size: int, shape: Shape, *, condition: Condition
    ) -> Written:
        return await self._send(
            "write", lambda: self.inner.create_empty(container, name, size, shape, condition=condition)
        )

    async def append(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        return await self._send(
            "write",
            lambda: self.inner.append(container, name, body, offset=offset, if_match=if_match),
            bytes=len(body),
        )

    async def seal(self, container: str, name: str, *, size: int, if_match: str) -> Written:
        return await self._send("write", lambda: self.inner.seal(container, name, size=size, if_match=if_match))

    async def put_pages(self, container: str, name: str, body: bytes, *, offset: int, if_match: str) -> Written:
        return await self._send(
            "write",
            lambda: self.inner.put_pages(container, name, body, offset=offset, if_match=if_match),
            bytes=len(body),
        )

    async def set_tags(self, container: str, name: str, tags: Mapping[str, str]) -> None:
        await self._send("write", lambda: self.inner.set_tags(container, name, tags))

    async def set_tier(self, container: str, name: str, tier: str) -> None:
        await self._send("write", lambda: self.inner.set_tier(container, name, tier))

    async def delete(self, container: str, name: str, *, if_match: str, with_snapshots: bool = True) -> None:
        less = {} if with_snapshots else {"with_snapshots": False}
        await self._send("delete", lambda: self.inner.delete(container, name, if_match=if_match, **less))

    async def survey(self, container: str, *, prefix: str = "", marker: str | None = None) -> Survey:
        return await self._send("list", lambda: self.inner.survey(container, prefix=prefix, marker=marker))

    async def late_write_seconds(self, now: datetime) -> float:
        return await self.inner.late_write_seconds(now)

    async def late_container_write_seconds(self) -> float:
        """``ContainersApart``; 0 where containers are written as objects are."""
        return await self.inner.late_container_write_seconds() if isinstance(self.inner, ContainersApart) else 0.0

    async def bind_run(self, token: int) -> None:
        await self.inner.bind_run(token)

    async def close(self) -> None:
        await self.inner.close()


class _Within(Entries):
    """``inner``, of which ``require`` sees every entry that is read."""

    __slots__ = ("_inner", "_require")

    def __init__(self, inner: Entries, require: Callable[[Iterable[Listed]], None]) -> None:
        self._inner = inner
        self._require = require

    @property
    def text(self) -> memoryview:
        return self._inner.text

    def read(self, at: int = 0) -> tuple[list[Listed], Sequence[int] | None]:
        entries, ends = self._inner.read(at)
        self._require(entries)
        return entries, ends

    def first(self) -> tuple[Listed, int]:
        entry, end = self._inner.first()
        self._require([entry])
        return entry, end

    def last(self) -> Listed:
        entry = self._inner.last()
        self._require([entry])
        return entry


def _paced(store: ObjectStore) -> PacedStore | None:
    return store if isinstance(store, PacedStore) else None


def _inner(store: ObjectStore) -> ObjectStore:
    return store.inner if isinstance(store, PacedStore) else store


def _unwrapped(origin: Origin) -> Origin:
    return replace(origin, store=_inner(origin.store))
